package recovery

import (
	"slices"
	"time"
)

// Tick lets time pass: deadlines that have gone by are missed, a promise that
// was broken to somebody who spoke is judged and made anew, cases that nobody
// ever spoke about lapse, and old grants and apologies are forgotten. Each
// thing happens at its own moment, in order, so it makes no difference when and
// how often time is let pass. The open cases of the result are its own.
func Tick(c Customer, rules Rules, now time.Time) Customer {
	c.Open = slices.Clone(c.Open)
	for {
		i, at := c.next(rules)
		if i < 0 || now.Before(at) {
			break
		}
		k := &c.Open[i]
		p := rules.For(k.Policy)
		if k.lapsesAt(p).Equal(at) {
			c.close(i, rules, Lapsed, at)
		} else {
			c.miss(p, k, at)
		}
	}
	c.forget(rules.Active, now)
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

// miss marks the deadlines that go by at one moment. The first time that this
// happens to a promise given to somebody who spoke, the promise is made anew,
// from that moment on.
func (c *Customer) miss(p *Policy, k *Case, at time.Time) {
	k.Deadlines = slices.Clone(k.Deadlines)
	for i := range k.Deadlines {
		d := &k.Deadlines[i]
		if d.Verdict == Pending && !at.Before(d.DueAt) {
			d.Verdict = Missed
			c.LastMiss = later(c.LastMiss, d.DueAt)
			k.note(Transition{At: at, Change: ChangeMissed, Milestone: d.Milestone})
		}
	}
	if !k.voiced() || k.Renewals >= p.Deadlines.Renewals {
		return
	}
	k.Renewals++
	k.adopt(Decide(p, c, k, at), false)
	c.grant(p, k, at)
	k.note(Transition{At: at, Change: ChangeReassessed})
}

// lapsesAt is when a case lapses that the customer never spoke about and that
// nobody touched; zero for every other case.
func (k *Case) lapsesAt(p *Policy) time.Time {
	if k.voiced() || !k.AnsweredAt.IsZero() {
		return time.Time{}
	}
	return k.OpenedAt.Add(p.Memory.LapseUnvoiced)
}

// nextDue is the next moment at which time changes the case.
func (k *Case) nextDue(p *Policy) time.Time {
	next := k.lapsesAt(p)
	for _, d := range k.Deadlines {
		if d.Verdict == Pending && (next.IsZero() || d.DueAt.Before(next)) {
			next = d.DueAt
		}
	}
	return next
}

// close ends an open case and keeps what it leaves over: the risk beyond the
// baseline that this way of ending it has. The open cases must be the caller's
// own, as they are after [Tick].
func (c *Customer) close(i int, rules Rules, how Outcome, now time.Time) {
	k := c.Open[i]
	p := rules.For(k.Policy)
	s := situate(p, c, &k, now)
	k.Assessment = assess(p, &s)
	k.State, k.Outcome, k.ClosedAt = Resolved, how, now
	k.note(Transition{At: now, Change: ChangeLapsed})

	left := max(k.Assessment.Risk.Ignored-k.Assessment.Baseline, c.residualAt(p, now))
	c.Residual, c.ResidualAt = left, later(c.ResidualAt, now)
	c.Proactive = !k.voiced() && !k.AnsweredAt.IsZero()
	c.Open = slices.Delete(c.Open, i, i+1)
	c.Closed = append(c.Closed[:len(c.Closed):len(c.Closed)], k)
}

// residualAt is the risk left over from closed cases at one moment.
func (c *Customer) residualAt(p *Policy, now time.Time) float64 {
	return c.Residual * decay(now.Sub(c.ResidualAt), p.Memory.ResidualHalfLife)
}
