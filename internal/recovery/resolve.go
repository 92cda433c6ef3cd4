package recovery

import (
	"slices"
	"time"
)

// settle ends the effort: what was promised is met, offers that nobody has
// answered expire, and the customer is left with the risk that this way of
// ending it leaves. A follow-up is due, unless nobody is there to be asked.
func (c *Customer) settle(p *Policy, k *Case, how Outcome, now time.Time) {
	k.release(p, now)
	k.endOffers(now)
	c.book(p, k, now)
	s := situate(p, c, k, now)
	k.Assessment = assess(p, &s)
	k.Outcome, k.ClosedAt, k.Before = how, now, c.residualAt(p, now)
	if left := k.leaves(how); left > c.residualAt(p, now) {
		c.Residual, c.ResidualAt = left, later(c.ResidualAt, now)
	}
	c.Proactive = c.Proactive && !k.AnsweredAt.IsZero() // the first answer has said so
	if how == Lapsed {
		return
	}
	k.meet(p, now, Acknowledge, FirstResponse, MakeOffer, Resolve)
	if how == Satisfied {
		c.recovered(k, true)
		c.addPositive(p, SatisfiedRecovery, now)
	}
	if how != Withdrawn {
		k.Deadlines = append(makeRoom(slices.Clone(k.Deadlines)), p.Deadlines.followUp(k, now))
	}
}

// leaves is the risk beyond the baseline that an ended case leaves.
func (k *Case) leaves(how Outcome) float64 {
	risk := &k.Assessment.Risk
	recovery := risk.OnTime
	if k.missed(func(Deadline) bool { return true }) {
		recovery = risk.Late
	}
	switch {
	case how == Withdrawn:
		return 0
	case how == Satisfied, how == NoResponse && !k.AnsweredAt.IsZero():
		return recovery - k.Assessment.Baseline
	default:
		return risk.Ignored - k.Assessment.Baseline
	}
}

// recovered notes whether the customer was satisfied in the end.
func (c *Customer) recovered(k *Case, yes bool) {
	c.Failures = slices.Clone(c.Failures)
	for i := range c.Failures {
		if c.Failures[i].Case == k.Number {
			c.Failures[i].Recovered = yes
		}
	}
}

// reopen takes back that the case was ended, and what that has left.
func (c *Customer) reopen(p *Policy, k *Case, by Step, now time.Time) {
	if k.Outcome == Satisfied {
		c.recovered(k, false)
		c.takeBack(p, SatisfiedRecovery, k.ClosedAt)
	}
	c.takeBackResidual(p, k, now)
	k.dropPending()
	k.enter(by)
	k.Outcome, k.ClosedAt, k.ReopenedAt = 0, time.Time{}, now
	k.note(Transition{At: now, Change: ChangeReopened})
}

// takeBackResidual takes back what the end of a case has left over. In its place
// comes what was left before or, if that is more, what another ended case leaves;
// of those that are filed away only what was left before is known.
func (c *Customer) takeBackResidual(p *Policy, k *Case, now time.Time) {
	half := p.Memory.ResidualHalfLife
	left, at := min(c.Residual, k.Before), k.ClosedAt
	for i := range c.Open {
		o := &c.Open[i]
		if o.State < Resolved || o.Number == k.Number {
			continue
		}
		if !o.ClosedAt.Before(k.ClosedAt) {
			o.Before = min(o.Before, k.Before*decay(o.ClosedAt.Sub(k.ClosedAt), half))
		}
		most := c.residualAt(p, o.ClosedAt) / decay(c.ResidualAt.Sub(o.ClosedAt), half) // good experiences have lowered it
		own := min(o.leaves(o.Outcome), most)
		if own*decay(now.Sub(o.ClosedAt), half) > left*decay(now.Sub(at), half) {
			left, at = own, o.ClosedAt
		}
	}
	if c.ResidualAt.Equal(k.ClosedAt) {
		c.Residual, c.ResidualAt = left, at
	}
}

// dropPending takes back the promises that were neither kept nor broken.
func (k *Case) dropPending() {
	k.Deadlines = slices.DeleteFunc(slices.Clone(k.Deadlines), func(d Deadline) bool { return d.Verdict == Pending })
}

// meet keeps the named promises. One whose clock stands still is moved on to
// where it would stand now, so that it does not look late.
func (k *Case) meet(p *Policy, now time.Time, which ...Milestone) {
	k.Deadlines = slices.Clone(k.Deadlines)
	for i := range k.Deadlines {
		d := &k.Deadlines[i]
		if d.Verdict != Pending || !slices.Contains(which, d.Milestone) {
			continue
		}
		if k.held() {
			k.resume(&p.Deadlines, d, now)
		}
		d.Verdict, d.MetAt, d.Warnings, d.Beside = Met, now, nil, nil
	}
}
