package policy

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/makeamends/amends/internal/files"
)

// watched runs Watch on a file and hands out what it reports.
type watched struct {
	t       *testing.T
	reports chan report
}

type report struct {
	p   *Compiled
	err error
}

func startWatch(t *testing.T, file string) watched {
	t.Helper()
	w := watched{t, make(chan report, 64)}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- Watch(ctx, file, func(p *Compiled, err error) bool {
			w.reports <- report{p, err}
			return true
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t)
	})
	return w
}

func (w watched) next() report {
	w.t.Helper()
	select {
	case r := <-w.reports:
		return r
	case <-time.After(5 * time.Second):
		w.t.Fatal("no report within 5 s")
		return report{}
	}
}

// titled is a policy that differs by its title only.
func titled(title string) []byte {
	return bytes.Replace(defaultYAML, []byte("title: Default policy"), []byte("title: "+title), 1)
}

func (w watched) expect(title string) {
	w.t.Helper()
	r := w.next()
	if r.err != nil || r.p.Message.GetTitle() != title {
		w.t.Fatalf("got %v, %v, want %q", r.p.Message.GetTitle(), r.err, title)
	}
}

func write(t *testing.T, file string, text []byte) {
	t.Helper()
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func symlink(t *testing.T, target, link string) {
	t.Helper()
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
}

func TestWatchReloads(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "policy.yaml")
	write(t, file, titled("One"))
	w := startWatch(t, file)
	w.expect("One")

	write(t, file, titled("Two"))
	w.expect("Two")

	// As most editors save: a new file is put in place of the old one.
	write(t, file+".new", titled("Three"))
	rename(t, file+".new", file)
	w.expect("Three")

	write(t, file, bytes.Replace(titled("Bad"), []byte("base_rate: {value: 0.05"), []byte("base_rate: {value: 5"), 1))
	r := w.next()
	var findings Findings
	if r.p != nil || !errors.As(r.err, &findings) || len(findings) != 1 || findings[0].File != file {
		t.Fatalf("a broken policy gives %v, %v", r.p, r.err)
	}

	// Neither a foreign file nor the same content is a change.
	write(t, filepath.Join(dir, "other.yaml"), []byte("x"))
	write(t, file, titled("Four"))
	w.expect("Four")
	write(t, file, titled("Four"))
	time.Sleep(2 * files.Settle)
	if len(w.reports) > 0 {
		t.Errorf("the same content is reported again: %v", w.next())
	}

	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if r := w.next(); !errors.Is(r.err, os.ErrNotExist) {
		t.Fatalf("a removed file gives %v, %v", r.p, r.err)
	}
	write(t, file, titled("Four"))
	w.expect("Four")
}

// Kubernetes mounts a ConfigMap as links to a folder that it swaps: policy.yaml →
// ..data/policy.yaml, ..data → the folder of the moment.
func TestWatchFollowsAConfigMap(t *testing.T) {
	dir := t.TempDir()
	publish := func(folder, title string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, folder, "policy.yaml"), titled(title))
		symlink(t, folder, filepath.Join(dir, "..data_tmp"))
		rename(t, filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data"))
	}
	publish("..2026_01", "One")
	file := filepath.Join(dir, "policy.yaml")
	symlink(t, filepath.Join("..data", "policy.yaml"), file)
	w := startWatch(t, file)
	w.expect("One")
	publish("..2026_02", "Two")
	w.expect("Two")
	if err := os.RemoveAll(filepath.Join(dir, "..2026_01")); err != nil {
		t.Fatal(err)
	}
	publish("..2026_03", "Three")
	w.expect("Three")
}

// A link that leads out of its folder is followed there.
func TestWatchFollowsALinkElsewhere(t *testing.T) {
	target := filepath.Join(t.TempDir(), "real.yaml")
	write(t, target, titled("One"))
	file := filepath.Join(t.TempDir(), "policy.yaml")
	symlink(t, target, file)
	w := startWatch(t, file)
	w.expect("One")
	write(t, target, titled("Two"))
	w.expect("Two")
}

func TestWatchNeedsAFolder(t *testing.T) {
	err := Watch(context.Background(), filepath.Join(t.TempDir(), "missing", "policy.yaml"), func(*Compiled, error) bool { return true })
	if err == nil || !strings.Contains(err.Error(), "watch ") {
		t.Errorf("got %v", err)
	}
}
