package policy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/makeamends/amends/internal/recovery"
)

// shelf is an archive in memory.
type shelf struct {
	mu    sync.Mutex
	texts map[string][]byte
	reads int
	fault error
}

func (s *shelf) KeepPolicy(_ context.Context, version string, yaml []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != nil {
		return s.fault
	}
	if s.texts == nil {
		s.texts = map[string][]byte{}
	}
	s.texts[version] = yaml
	return nil
}

func (s *shelf) Policy(_ context.Context, version string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	return s.texts[version], s.fault
}

func parsed(t *testing.T, title string) *Compiled {
	t.Helper()
	p, findings := Parse("p.yaml", titled(title))
	if p == nil {
		t.Fatal(findings)
	}
	return p
}

func TestBookKeepsWhatOpenCasesNeed(t *testing.T) {
	ctx, archive := context.Background(), &shelf{}
	one, two := parsed(t, "One"), parsed(t, "Two")
	b := NewBook(one, archive)
	if _, err := b.Rules(ctx); err != nil {
		t.Fatal(err)
	}
	if err := archive.KeepPolicy(ctx, two.Version, two.YAML); err != nil {
		t.Fatal(err)
	}
	b.Swap(two)
	rules, err := b.Rules(ctx, one.Version)
	if err != nil || rules.Active != two.Rules || rules.For(one.Version) != one.Rules || rules.For(two.Version) != two.Rules {
		t.Errorf("after a swap: %v %v", rules.Active.Version, err)
	}
	if archive.reads != 0 {
		t.Error("what is in memory was read from the archive")
	}
	if len(archive.texts) != 2 {
		t.Errorf("%d policies are in the archive, want both that were active", len(archive.texts))
	}

	// Another process knows the first from the archive only.
	later := NewBook(two, archive)
	for range 2 {
		rules, err = later.Rules(ctx, one.Version, two.Version)
		if err != nil || rules.For(one.Version).Version != one.Version || rules.For(one.Version) == rules.Active {
			t.Fatalf("from the archive: %v", err)
		}
	}
	if archive.reads != 1 {
		t.Errorf("the archive was read %d times, want once", archive.reads)
	}
	loaded := later.Loaded()
	if len(loaded) != 2 || loaded[0].Version != one.Version || loaded[0].Active || !loaded[1].Active || loaded[1].At.IsZero() {
		t.Errorf("loaded: %+v", loaded)
	}
}

// A policy whose cases are open judges them to the end, also when it would not be
// taken over any more.
func TestBookReadsWhatWasTakenOver(t *testing.T) {
	text := bytes.Replace(titled("Old"), []byte("rejected: {value: 1.00,"), []byte("rejected: {value: -1,"), 1)
	if p, _ := Parse("p.yaml", text); p != nil {
		t.Fatal("it is taken over")
	}
	version := versionOf(string(text))
	rules, err := NewBook(parsed(t, "New"), &shelf{texts: map[string][]byte{version: text}}).Rules(context.Background(), version)
	if err != nil {
		t.Fatal(err)
	}
	if judge := rules.For(version).Version; judge != version {
		t.Errorf("judged by %s, want %s", judge, version)
	}
}

func TestBookFails(t *testing.T) {
	ctx := context.Background()
	one, two := parsed(t, "One"), parsed(t, "Two")
	down := errors.New("down")
	for _, tt := range []struct {
		name    string
		archive Archive
		want    error
	}{
		{"no archive", nil, ErrUnknownVersion},
		{"not in the archive", &shelf{}, ErrUnknownVersion},
		{"archive down", &shelf{fault: down}, down},
	} {
		if _, err := NewBook(one, tt.archive).Rules(ctx, two.Version); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	forged := &shelf{texts: map[string][]byte{two.Version: one.YAML}}
	if _, err := NewBook(one, forged).Rules(ctx, two.Version); err == nil {
		t.Error("a text under a version that is not its own is accepted")
	}
	spoilt := &shelf{texts: map[string][]byte{two.Version: []byte("title: x")}}
	var findings Findings
	if _, err := NewBook(one, spoilt).Rules(ctx, two.Version); !errors.As(err, &findings) {
		t.Errorf("a text that is no policy gives %v", err)
	}
}

// No case may be opened with a policy that could be lost.
func TestBookArchivesBeforeUse(t *testing.T) {
	archive := &shelf{fault: errors.New("down")}
	b := NewBook(parsed(t, "One"), archive)
	if _, err := b.Rules(context.Background()); !errors.Is(err, archive.fault) {
		t.Fatalf("rules without an archive: %v", err)
	}
	archive.fault = nil
	if _, err := b.Rules(context.Background()); err != nil || len(archive.texts) != 1 {
		t.Errorf("%d archived, %v", len(archive.texts), err)
	}
}

func TestBookUnderConcurrentSwaps(t *testing.T) {
	ctx, archive := context.Background(), &shelf{}
	policies := make([]*Compiled, 4)
	for i := range policies {
		policies[i] = parsed(t, fmt.Sprint("Number ", i))
		if err := archive.KeepPolicy(ctx, policies[i].Version, policies[i].YAML); err != nil {
			t.Fatal(err)
		}
	}
	b := NewBook(policies[0], archive)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				p := policies[(i+j)%len(policies)]
				if i%2 == 0 {
					b.Swap(p)
					continue
				}
				rules, err := b.Rules(ctx, p.Version)
				if err != nil || rules.Kept[p.Version] == nil || rules.Kept[rules.Active.Version] == nil {
					t.Errorf("rules of %s: %v", p.Version, err)
				}
			}
		})
	}
	wg.Wait()
	if got := len(b.Loaded()); got > len(policies) {
		t.Errorf("%d policies are loaded, want at most %d", got, len(policies))
	}
}

func BenchmarkBookRules(b *testing.B) {
	book := NewBook(Default(), nil)
	var rules recovery.Rules
	b.ReportAllocs()
	for b.Loop() {
		rules, _ = book.Rules(context.Background(), Default().Version)
	}
	_ = rules
}
