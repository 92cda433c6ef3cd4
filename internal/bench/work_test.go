package bench

import (
	"strings"
	"testing"
	"time"
)

// Any turn, however short, reports as many first failures as second ones, each of a
// customer who is known; and nobody's second one while the first may be under way.
func TestFirstAndSecondFailuresAlternate(t *testing.T) {
	w := newWork(10, 10)
	w.stocked.Store(between)
	before := map[string]int{} // when each has reported
	for n := range between {   // as settle does
		before[w.customer(firstFresh+n)] = n - 2*between
	}
	w.stocked.Add(int64(w.missing(time.Second)))
	reports := (int(w.stocked.Load()) - between) * failuresEach
	if reports < 8000 {
		t.Fatalf("there are customers for %d reports only", reports)
	}
	var second []bool
	for n := range reports {
		who := w.fresh()
		last, known := before[who]
		if known && n-last < mostAtOnce && last >= 0 {
			t.Fatalf("report %d is the second of somebody whose first was report %d", n, last)
		}
		second = append(second, known)
		before[who] = n
		if from := max(0, n-100); n%100 == 99 {
			firsts := 0
			for _, is := range second[from:] {
				if !is {
					firsts++
				}
			}
			if all := len(second[from:]); firsts < all/2 || firsts > all/2+1 {
				t.Fatalf("%d of %d reports are first failures", firsts, all)
			}
		}
	}
	if err := w.reported(0, time.Second); err != nil {
		t.Error(err)
	}
}

// A machine that reports more than was thought has more customers made known for the
// next turn; a turn that runs out of them counts for nothing.
func TestTheStockIsEnoughOrTheTurnFails(t *testing.T) {
	w := newWork(10, 10)
	w.stocked.Store(between + 50_000)
	for range 60_000 { // in half a second
		w.fresh()
	}
	if err := w.reported(0, time.Second/2); err != nil {
		t.Fatal(err)
	}
	if n := w.missing(3 * time.Second); n != 3*180_000/2-20_000 {
		t.Errorf("%d more customers for three seconds of 180,000 reports", n)
	}
	for range 40_001 {
		w.fresh()
	}
	if err := w.reported(60_000, time.Second); err == nil || !strings.Contains(err.Error(), "not known yet were reported (1)") {
		t.Errorf("a turn with strangers: %v", err)
	}
}
