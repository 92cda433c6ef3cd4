package serve

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/ledger"
)

func TestTurns(t *testing.T) {
	all := turns{lines: make(map[ledger.Key]line)}
	var wait sync.WaitGroup
	for _, key := range []ledger.Key{"a", "b"} {
		count := 0
		for range 50 {
			wait.Go(func() {
				if err := all.take(t.Context(), key); err != nil {
					t.Error(err)
					return
				}
				defer all.end(key)
				count++ // the race detector tells when two are inside
			})
		}
	}
	wait.Wait()
	if len(all.lines) != 0 {
		t.Errorf("%d lines are left although nobody waits", len(all.lines))
	}
}

func TestTurnNeverComes(t *testing.T) {
	all := turns{lines: make(map[ledger.Key]line)}
	if err := all.take(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	late, stop := context.WithTimeout(t.Context(), time.Millisecond)
	defer stop()
	if err := all.take(late, "a"); !errors.Is(err, ledger.ErrConflict) {
		t.Errorf("after the deadline: %v, want ErrConflict", err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if err := all.take(gone, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("after the caller left: %v, want Canceled", err)
	}
	all.end("a")
	if err := all.take(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	all.end("a")
	if len(all.lines) != 0 {
		t.Errorf("%d lines are left although nobody waits", len(all.lines))
	}
}

// TestHotCustomer: those who wait for one customer are bounded, and hold up
// nobody else.
func TestHotCustomer(t *testing.T) {
	all := turns{lines: make(map[ledger.Key]line)}
	places := newAdmission(1024, 2)
	if err := all.take(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	hot, leave := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	for range mostInLine {
		p, err := places.enter(t.Context(), report)
		if err != nil {
			t.Fatal(err)
		}
		wait.Go(func() {
			defer p.end(true)
			if err := all.take(context.WithValue(hot, placeKey{}, p), "a"); !errors.Is(err, context.Canceled) {
				t.Errorf("%v, want that the caller leaves", err)
			}
		})
		for working := 1; working > 0; runtime.Gosched() {
			places.mu.Lock()
			working = places.working
			places.mu.Unlock()
		}
	}
	if err := all.take(t.Context(), "a"); !errors.Is(err, ledger.ErrConflict) {
		t.Errorf("one too many for a customer: %v, want ErrConflict", err)
	}
	if err := all.take(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	all.end("b")
	leave()
	wait.Wait()
	all.end("a")
	if places.working != 0 || places.aside != 0 || len(all.lines) != 0 {
		t.Errorf("%d are left working, %d aside, %d in line", places.working, places.aside, len(all.lines))
	}
}
