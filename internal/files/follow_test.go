package files

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// follow hands out what Follow reports; whatever begins with "bad" is not taken.
func follow(t *testing.T, names ...string) <-chan string {
	t.Helper()
	reports := make(chan string, 64)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- Follow(ctx, func(contents [][]byte, err error) bool {
			if err != nil {
				reports <- fmt.Sprint(errors.Is(err, os.ErrNotExist))
				return true
			}
			reports <- fmt.Sprintf("%s", contents)
			return string(contents[0][:min(3, len(contents[0]))]) != "bad"
		}, names...)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t)
	})
	return reports
}

func expect(t *testing.T, reports <-chan string, want string) {
	t.Helper()
	select {
	case got := <-reports:
		if got != want {
			t.Fatalf("reported %s, want %s", got, want)
		}
	case <-time.After(5 * time.Second):
		t.Fatalf("nothing within 5 s, want %s", want)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Files that belong together are read together, wherever they are.
func TestFollowSeveral(t *testing.T) {
	one, two := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two")
	write(t, one, "1")
	write(t, two, "2")
	reports := follow(t, one, two)
	expect(t, reports, "[1 2]")
	write(t, two, "3")
	expect(t, reports, "[1 3]")
	if err := os.Remove(one); err != nil {
		t.Fatal(err)
	}
	expect(t, reports, "true")
	write(t, one, "4")
	expect(t, reports, "[4 3]")
}

// What was not taken is handed over again at the next sign of life, though it is
// the same; what was taken is not.
func TestNotTaken(t *testing.T) {
	dir := t.TempDir()
	file, other := filepath.Join(dir, "file"), filepath.Join(dir, "other")
	write(t, file, "good")
	reports := follow(t, file)
	expect(t, reports, "[good]")
	write(t, file, "bad")
	expect(t, reports, "[bad]")
	write(t, other, "x")
	expect(t, reports, "[bad]")
	write(t, file, "better")
	expect(t, reports, "[better]")
	write(t, other, "y")
	time.Sleep(2 * Settle)
	if len(reports) > 0 {
		t.Errorf("reported again: %s", <-reports)
	}
}
