package recovery

import (
	"slices"
	"time"
)

// Tick lets time pass: cases warn of deadlines that come near, deadlines that
// have gone by are missed, a promise that was broken to somebody who spoke is
// judged and made anew, a missed follow-up opens its case again, offers that
// nobody answered expire, cases that nobody ever spoke about lapse, and old
// grants and apologies are forgotten. Each thing happens at its own moment, in
// order, so it makes no difference when and how often time is let pass. The
// open cases of the result are its own.
func Tick(c Customer, rules Rules, now time.Time) Customer {
	if len(c.Open) > 0 {
		c.Open = append(make([]Case, 0, len(c.Open)+1), c.Open...) // with room for the case that mostly follows
	}
	for {
		i, at := c.next(rules)
		if i < 0 || now.Before(at) {
			break
		}
		k := &c.Open[i]
		p := rules.For(k.Policy)
		k.warn(at)
		c.expireOffers(p, k, at)
		if k.lapsesAt(p).Equal(at) {
			c.lapse(p, k, at)
		} else {
			c.miss(p, k, at)
		}
	}
	c.forget(rules, now)
	return c
}

// next finds the open case at which time changes something first, and when;
// -1 when there is none.
func (c *Customer) next(rules Rules) (first int, at time.Time) {
	first = -1
	for i := range c.Open {
		due := c.Open[i].nextDue(rules.For(c.Open[i].Policy))
		if !due.IsZero() && (first < 0 || due.Before(at)) {
			first, at = i, due
		}
	}
	return first, at
}

// nextDue is the next moment at which time changes the case.
func (k *Case) nextDue(p *Policy) time.Time {
	next := k.lapsesAt(p)
	sooner := func(at time.Time) {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	for i := range k.Deadlines {
		d := &k.Deadlines[i]
		switch {
		case d.Verdict != Pending || k.stopped(d):
		case len(d.Warnings) > 0:
			sooner(d.Warnings[0])
		default:
			sooner(d.DueAt)
		}
	}
	for i := range k.Offers {
		if k.Offers[i].Live() {
			sooner(k.Offers[i].ExpiresAt)
		}
	}
	return next
}

// warn gives the warnings that are due at one moment. It changes nothing else,
// so the revision stays as it is.
func (k *Case) warn(at time.Time) {
	for i := range k.Deadlines {
		d := &k.Deadlines[i]
		if d.Verdict != Pending || k.stopped(d) || len(d.Warnings) == 0 || at.Before(d.Warnings[0]) {
			continue
		}
		milestone := d.Milestone
		k.Deadlines = slices.Clone(k.Deadlines)
		k.Deadlines[i].Warnings = d.Warnings[1:]
		k.note(Transition{At: at, Change: ChangeWarned, Milestone: milestone})
	}
}

// miss marks the deadlines that go by at one moment. A hold ends then, since it
// is we who are late. A missed follow-up opens the case again. A broken promise
// to somebody who spoke is a second failure: the case is judged anew, and what
// was broken is promised anew, with less time, unless that has happened too often
// already.
func (c *Customer) miss(p *Policy, k *Case, at time.Time) {
	var broken, anew milestones
	k.Deadlines = slices.Clone(k.Deadlines)
	for i := range k.Deadlines {
		d := &k.Deadlines[i]
		if d.Verdict != Pending || k.stopped(d) || at.Before(d.DueAt) {
			continue
		}
		d.Verdict, d.Warnings, d.Beside = Missed, nil, nil
		broken |= 1 << d.Milestone
		if k.Renewals.of(d.Milestone) < p.Deadlines.Renewals {
			k.Renewals.add(d.Milestone)
			anew |= 1 << d.Milestone
		}
		c.LastMiss = later(c.LastMiss, d.DueAt)
		k.note(Transition{At: at, Change: ChangeMissed, Milestone: d.Milestone})
	}
	if broken != 0 {
		k.release(p, at)
	}
	switch {
	case broken&(1<<FollowUp) != 0:
		c.reopen(p, k, StepMissFollowUp, at)
		c.judge(p, k, everything, at)
	case broken != 0 && k.voiced():
		d := Decide(p, c, k, at)
		p.Deadlines.hasten(d.Promise, anew, at)
		k.adopt(p, d, anew)
		c.book(p, k, at)
	default:
		return
	}
	k.note(Transition{At: at, Change: ChangeReassessed})
}

// lapsesAt is when a case lapses that the customer never spoke about and that
// nobody answered; zero for every other case.
func (k *Case) lapsesAt(p *Policy) time.Time {
	if k.State >= Resolved || k.voiced() || !k.AnsweredAt.IsZero() {
		return time.Time{}
	}
	return later(k.OpenedAt, k.ReopenedAt).Add(p.Memory.LapseUnvoiced)
}

// lapse ends a case by itself, and closes it: nobody is there to be asked.
func (c *Customer) lapse(p *Policy, k *Case, now time.Time) {
	if k.State < Resolved {
		c.settle(p, k, Lapsed, now)
	}
	k.dropPending()
	k.note(Transition{At: now, Change: ChangeLapsed})
	k.enter(StepLapse)
	c.file(k.Number)
}

// residualAt is the risk left over from ended cases at one moment.
func (c *Customer) residualAt(p *Policy, now time.Time) float64 {
	return c.Residual * decay(now.Sub(c.ResidualAt), p.Memory.ResidualHalfLife)
}
