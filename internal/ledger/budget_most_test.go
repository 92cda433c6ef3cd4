package ledger

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// mostUsed: of all tenants, what the one has used that has used most; what goes
// back no longer counts, and neither do other days.
func mostUsed(t *testing.T, open opener) {
	at := newClock()
	l := open(t, func(o *Options) { o.Now = at.Now })
	later := at.Now().Add(time.Hour)
	first, second := booking(l, t, at, "one"), booking(l, t, at, "two")
	first.Currency, second.Currency = "XTS", "XTS" // no other test has it
	second.Tenant += "-b"
	yesterday := first
	yesterday.Day = yesterday.Day.Add(-24 * time.Hour)
	most := func(want int64) {
		t.Helper()
		got, err := l.BudgetMostUsed(t.Context(), []string{"XTS", "XXX"}, at.Now())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]int64{"XTS": want, "XXX": 0}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	most(0)
	mustBook(t, l, yesterday, 90, 100, later)
	mustBook(t, l, first, 50, 100, later)
	mustBook(t, l, first, 50, 100, later) // again: it is there
	mustBook(t, l, second, 70, 100, later)
	most(70)
	mustSettle(t, l, second, 20, later)
	most(50)
	mustSettle(t, l, first, 0, time.Time{})
	most(20)
	if err := l.ForgetBooking(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	most(20) // spent
	large := second
	large.Name = "three"
	mustBook(t, l, large, MostBudget, MostBudget, later)
	most(MostBudget)
}
