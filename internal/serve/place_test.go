package serve

import (
	"context"
	"testing"
	"time"
)

// Who has given up its place for good does not take one back after a wait for its turn.
func TestPlaceGivenUpForGood(t *testing.T) {
	a := newAdmission(64, 1)
	p, err := a.enter(t.Context(), request{kind: kind{keeping, 0}})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.WithValue(t.Context(), placeKey{}, p)
	giveWay(ctx)
	stepAside(ctx)()
	if a.working != 0 || a.aside != 1 {
		t.Errorf("%d working and %d aside, want 0 and 1", a.working, a.aside)
	}
	p.end(true)
}

// What a call that was put aside takes back, it can give up again by its age.
func TestPlaceTakenBackAges(t *testing.T) {
	a := newAdmission(64, 1)
	p, err := a.enter(t.Context(), request{kind: kind{keeping, 0}})
	if err != nil {
		t.Fatal(err)
	}
	stepAside(context.WithValue(t.Context(), placeKey{}, p))()
	a.mu.Lock()
	a.set(time.Now().Add(time.Minute))
	working := a.working
	a.mu.Unlock()
	if working != 0 {
		t.Error("a call that began a minute ago still has its place")
	}
	p.end(true)
}
