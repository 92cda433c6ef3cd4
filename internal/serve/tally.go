package serve

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/telemetry"
)

// tally counts what changes have done to cases. Every change passes here, asked
// for by a call or brought about by time, so nothing is counted twice or forgotten
// by one of them.
type tally struct {
	metrics *telemetry.Metrics
	now     func() time.Time
}

// change is what one change of a customer does to cases: as they were loaded, and as
// they were judged last.
type change struct {
	was          []recovery.Case
	open, closed []recovery.Case
	judged       int // how often
}

// before remembers what a judge is given.
func (c *change) before(given recovery.Customer) {
	c.was = given.Open
	if len(given.Closed) > 0 {
		c.was = slices.Concat(given.Open, given.Closed)
	}
}

// count counts a change that was committed.
func (t *tally) count(ctx context.Context, c *change) {
	for _, list := range [][]recovery.Case{c.open, c.closed} {
		for i := range list {
			if k := &list[i]; len(k.Fresh) > 0 {
				t.kase(ctx, cmp.Or(recovery.Numbered(c.was, k.Number), &nothing), k)
			}
		}
	}
}

// nothing is what a case was that has just been opened.
var nothing recovery.Case

// kase counts what has happened to one case.
func (t *tally) kase(ctx context.Context, was, k *recovery.Case) {
	for _, happened := range k.Fresh {
		t.metrics.Happened(transitionName(happened.Change))
		switch happened.Change {
		case recovery.ChangeOpened, recovery.ChangeJoined:
			t.decision(ctx, k)
		case recovery.ChangeMissed:
			t.metrics.DeadlineMissed(happened.Milestone.String())
			t.metrics.Recorded(t.now().Sub(happened.At))
		case recovery.ChangeWarned:
			t.metrics.Recorded(t.now().Sub(happened.At))
		case recovery.ChangeOfferExpired:
			t.metrics.OfferReached(recovery.Expired.String())
		case recovery.ChangeOfferRequested, recovery.ChangeOfferApproved, recovery.ChangeOfferMade, recovery.ChangeOfferAnswered:
			t.offer(k, happened.Offer)
		}
	}
	for _, kinds := range k.Reported {
		for kind := range kinds.All() {
			t.metrics.DecidedKind(kind.String())
		}
	}
	t.deadlines(ctx, was, k)
	t.proposed(was, k)
}

// decision counts a report, by the case as the change has left it.
func (t *tally) decision(ctx context.Context, k *recovery.Case) {
	t.metrics.Decided(ctx, k.Assessment.Risk.Band.String(), k.Newest(recovery.FirstResponse).BoundBy.String(), k.Assessment.Risk.Ignored)
}

// offer counts an offer that has come to another state.
func (t *tally) offer(k *recovery.Case, number int64) {
	for i := range k.Offers {
		o := &k.Offers[i]
		if o.Number != number {
			continue
		}
		t.metrics.OfferReached(o.State.String())
		if o.State == recovery.OfferAccepted {
			amount, _ := recovery.Recommendation{Items: o.Items}.Goodwill()
			t.metrics.Granted(telemetry.Goodwill{Currency: o.Currency, Automatic: o.Reserved, WithApproval: amount - o.Reserved})
		}
	}
}

// deadlines counts the promises that were kept, and what was done at last of those
// that were broken. Follow-ups that were missed open the case again instead.
func (t *tally) deadlines(ctx context.Context, was, k *recovery.Case) {
	for i := range k.Deadlines {
		d := &k.Deadlines[i]
		switch before := same(was, d); {
		case d.Verdict == recovery.Met && before == nil:
			t.metrics.DeadlineMet(d.Milestone.String())
		case d.Verdict == recovery.Missed && d.Milestone != recovery.FollowUp && k.Outcome != recovery.Lapsed &&
			!k.Overdue(d) && (before == nil || was.Overdue(before)):
			t.metrics.DoneLate(ctx, d.Milestone.String(), t.now().Sub(d.DueAt))
		}
	}
}

// same finds a deadline that had its verdict before; nil when it is new.
func same(was *recovery.Case, d *recovery.Deadline) *recovery.Deadline {
	for i := range was.Deadlines {
		o := &was.Deadlines[i]
		if o.Milestone == d.Milestone && o.Verdict == d.Verdict && o.MetAt.Equal(d.MetAt) && (d.Verdict == recovery.Met || o.DueAt.Equal(d.DueAt)) {
			return o
		}
	}
	return nil
}

// proposed counts by how much more goodwill is recommended than before.
func (t *tally) proposed(was, k *recovery.Case) {
	amount, automatic := k.Recommendation.Goodwill()
	amountWas, automaticWas := was.Recommendation.Goodwill()
	t.metrics.Proposed(telemetry.Goodwill{
		Currency: k.Recommendation.Currency, Automatic: automatic - automaticWas, WithApproval: amount - automatic - (amountWas - automaticWas),
	})
}
