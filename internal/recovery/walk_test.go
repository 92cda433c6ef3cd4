package recovery_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/makeamends/amends/internal/recovery"
)

// walk is a customer to whom anything may happen.
type walk struct {
	now       time.Time
	c, ticked recovery.Customer // the same, but time was let pass more often for the second
}

// Whatever happens in whatever order: caps hold, verdicts stand, promises are
// single, warnings come once, nothing of the input is changed, and it makes no
// difference how often time is let pass.
func TestWhateverHappensToACase(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &walk{now: noon}
		for range rapid.IntRange(1, 40).Draw(t, "length") {
			before, was := w.c, snapshot(w.c)
			w.move(t)
			if snapshot(before) != was {
				t.Fatalf("the customer handed in was changed:\n%s\n%s", was, snapshot(before))
			}
			w.check(t, before)
		}
		same := cmp.Options{cmpopts.EquateEmpty(), cmpopts.IgnoreFields(recovery.Case{}, "Fresh"), cmpopts.IgnoreFields(recovery.Customer{}, "Closed")}
		if diff := cmp.Diff(recovery.Tick(w.c, rules, w.now), recovery.Tick(w.ticked, rules, w.now), same); diff != "" {
			t.Fatalf("it makes a difference how often time is let pass (-rarely +often):\n%s", diff)
		}
	})
}

func snapshot(c recovery.Customer) string {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// move lets one thing happen.
func (w *walk) move(t *rapid.T) {
	switch rapid.IntRange(0, 9).Draw(t, "what") {
	case 0, 1:
		w.report(t)
	case 2:
		in := recovery.Interaction{OccurredAt: w.now, Kind: recovery.Positive(rapid.IntRange(1, 5).Draw(t, "positive"))}
		w.c, w.ticked = recovery.Remember(w.c, in, rules, w.now), recovery.Remember(w.ticked, in, rules, w.now)
	case 3, 4:
		step := time.Duration(rapid.Int64Range(1, int64(10*day)).Draw(t, "passes"))
		w.ticked = recovery.Tick(w.ticked, rules, w.now.Add(step/3))
		w.now = w.now.Add(step)
		w.ticked = recovery.Tick(w.ticked, rules, w.now)
	default:
		w.step(t)
	}
}

func (w *walk) report(t *rapid.T) {
	e := recovery.Event{Failure: drawFailure(t), Profile: drawProfile(t)}
	e.OccurredAt, e.DepartsAt, e.Currency = w.now, time.Time{}, "USD"
	e.Value, e.Loss, e.Entitlement = min(e.Value, 500_00), min(e.Loss, 500_00), min(e.Entitlement, 500_00)
	e.Order = rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "order")
	var err, err2 error
	w.c, _, err = recovery.Report(w.c, e, rules, w.now)
	w.ticked, _, err2 = recovery.Report(w.ticked, e, rules, w.now)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
}

func (w *walk) step(t *rapid.T) {
	if w.c.Cases == 0 {
		return
	}
	number := rapid.Int64Range(1, w.c.Cases).Draw(t, "case")
	a := recovery.Action{
		Step:    recovery.Step(rapid.IntRange(int(recovery.StepAcknowledge), int(recovery.StepReopen)).Draw(t, "step")),
		Channel: recovery.Channel(rapid.IntRange(1, 11).Draw(t, "channel")), Public: rapid.Bool().Draw(t, "public"),
		Outcome: recovery.Outcome(rapid.IntRange(1, 4).Draw(t, "outcome")),
		Offer:   rapid.Int64Range(1, 3).Draw(t, "offer"), Approver: "somebody",
		Budget: recovery.Price{Minor: rapid.SampledFrom([]int64{0, 7_00, recovery.NoBudget}).Draw(t, "budget")}, Booking: "b",
	}
	if rapid.Bool().Draw(t, "altered") {
		a.Goodwill = &recovery.Price{Currency: "USD", Minor: rapid.Int64Range(0, 100_00).Draw(t, "goodwill")}
	}
	var k, k2 recovery.Case
	var err, err2 error
	from := state(recovery.Tick(w.c, rules, w.now), number)
	w.c, k, err = recovery.Advance(w.c, number, a, rules, w.now)
	w.ticked, k2, err2 = recovery.Advance(w.ticked, number, a, rules, w.now)
	if fmt.Sprint(err) != fmt.Sprint(err2) || k.State != k2.State {
		t.Fatalf("%s: %v and %v", a.Step, err, err2)
	}
	if move := (recovery.Move{From: from, To: k.State, Step: a.Step}); err == nil && !slices.Contains(recovery.Moves(), move) {
		t.Fatalf("%v is not among the moves", move)
	}
	if refusal := new(recovery.StepError); errors.As(err, &refusal) && slices.Contains(refusal.Allowed, a.Step) {
		t.Fatalf("%s was refused as not allowed: %v", a.Step, err)
	}
}

// state is where a case stands.
func state(c recovery.Customer, number int64) recovery.State {
	for _, k := range slices.Concat(c.Open, c.Closed) {
		if k.Number == number {
			return k.State
		}
	}
	return 0
}

// check holds what must hold after every move.
func (w *walk) check(t *rapid.T, before recovery.Customer) {
	granted := 0.0
	for _, g := range w.c.Grants {
		granted += g.Units
	}
	if granted > 100+1e-9 {
		t.Fatalf("%v units granted without approval, 100 are allowed", granted)
	}
	if due := recovery.Tick(w.c, rules, w.now).NextDue(rules); !due.IsZero() && !due.After(w.now) {
		t.Fatalf("still due at %v, now %v", due, w.now)
	}
	for i := range w.c.Open {
		k := &w.c.Open[i]
		w.checkCase(t, k)
		for j := range before.Open {
			if old := &before.Open[j]; old.Number == k.Number {
				verdictsStand(t, old, k)
			}
		}
	}
}

func (w *walk) checkCase(t *rapid.T, k *recovery.Case) {
	pending := map[recovery.Milestone]int{}
	for _, d := range k.Deadlines {
		if d.Verdict == recovery.Pending {
			if pending[d.Milestone]++; pending[d.Milestone] > 1 {
				t.Fatalf("%s is promised twice", d.Milestone)
			}
		} else if len(d.Warnings) > 0 || len(d.Beside) > 0 {
			t.Fatalf("%s %s will still be warned of %v, or is due %v", d.Milestone, d.Verdict, d.Warnings, d.Beside)
		}
		if d.Verdict == recovery.Met && d.MetAt.After(d.DueAt) {
			t.Fatalf("%s was met %v after it was due", d.Milestone, d.MetAt.Sub(d.DueAt))
		}
	}
	reserved, live := int64(0), 0
	for _, o := range k.Offers {
		if o.Live() {
			live++
		}
		if o.Live() || o.State == recovery.OfferAccepted {
			reserved += o.Reserved
		}
		for _, it := range o.Items {
			if it.Approval < 0 || it.Approval > it.Amount || it.Amount < 0 {
				t.Fatalf("item %+v", it)
			}
		}
	}
	if reserved > 50_00 || live > 1 {
		t.Fatalf("%d minor units in %d live offers of one case", reserved, live)
	}
}

// verdictsStand compares the deadlines that both have; a re-opened case drops
// those that were pending.
func verdictsStand(t *rapid.T, old, k *recovery.Case) {
	done := func(list []recovery.Deadline) (out []recovery.Deadline) {
		for _, d := range list {
			if d.Verdict != recovery.Pending {
				out = append(out, d)
			}
		}
		return out
	}
	a, b := done(old.Deadlines), done(k.Deadlines)
	for _, d := range a {
		if len(k.Deadlines) == recovery.MostDeadlines && slices.ContainsFunc(b, func(x recovery.Deadline) bool {
			return x.Milestone == d.Milestone && x.Verdict == d.Verdict && x.DueAt.After(d.DueAt)
		}) {
			continue // gives way to a newer one
		}
		if !slices.ContainsFunc(b, func(x recovery.Deadline) bool {
			return x.Milestone == d.Milestone && x.DueAt.Equal(d.DueAt) && x.Verdict == d.Verdict && x.MetAt.Equal(d.MetAt)
		}) {
			t.Fatalf("the verdict %+v is gone", d)
		}
	}
}
