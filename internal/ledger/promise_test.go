package ledger

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/redistest"
)

// TestWhoPromised: a pending promise knows the call that made it, whatever other
// calls come after; so does every event.
func TestWhoPromised(t *testing.T) {
	server := redistest.Shared(t)
	l := openAt(t, server.URL())
	due := time.Unix(1_800_000_000, 0).UTC()
	change := func(by string, what func(*recovery.Case)) {
		t.Helper()
		w := one(l, "promised", by)
		w.TraceParent = by
		mustUpdate(t, l, w, func(c recovery.Customer, _ []int) (Judgement, error) {
			if len(c.Open) == 0 {
				c.Open = []recovery.Case{{Number: 1, State: recovery.Open}}
			}
			what(&c.Open[0])
			c.Open[0].Fresh = []recovery.Transition{{Change: recovery.ChangeJoined}}
			return Judgement{Customer: c, Answers: [][]byte{nil}}, nil
		})
	}
	promise := func(m recovery.Milestone) func(*recovery.Case) {
		return func(k *recovery.Case) {
			k.Deadlines = append(k.Deadlines, recovery.Deadline{Milestone: m, DueAt: due, Verdict: recovery.Pending, Fresh: true})
		}
	}
	change("report", promise(recovery.FirstResponse))
	change("second report", promise(recovery.Resolve))
	change("contact", func(k *recovery.Case) {
		if k.Deadlines[0].TraceParent != "report" || k.Deadlines[1].TraceParent != "second report" || k.Deadlines[1].Fresh {
			t.Errorf("promised by %q and %q", k.Deadlines[0].TraceParent, k.Deadlines[1].TraceParent)
		}
		k.Deadlines[0].Verdict = recovery.Met
	})
	got := mustLoad(t, l, l.Key("shop", "promised")).Customer.Open[0].Deadlines
	if got[0].TraceParent != "" || got[1].TraceParent != "second report" {
		t.Errorf("afterwards: a kept promise by %q, a pending one by %q", got[0].TraceParent, got[1].TraceParent)
	}
	n := mustNames(t, l, l.Key("shop", "promised"))
	entries, err := server.Client().XRange(t.Context(), n.events, "-", "+").Result()
	if err != nil || len(entries) != 3 {
		t.Fatalf("events %v, %v", entries, err)
	}
	for i, by := range []string{"report", "second report", "contact"} {
		e, err := decodeEvent(0, redis.XMessage{ID: entries[i].ID, Values: entries[i].Values})
		if err != nil || e.TraceParent != by {
			t.Errorf("event %d is by %q (%v), want %q", i, e.TraceParent, err, by)
		}
	}
}
