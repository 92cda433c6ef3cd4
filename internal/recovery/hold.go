package recovery

import (
	"slices"
	"time"
)

// held reports whether the clocks of the case stand still.
func (k *Case) held() bool { return !k.HeldSince.IsZero() }

// stopped reports whether the clock of a deadline stands still. A hold
// excuses us from what we promised by ourselves. It does not stop who reads
// along in public, nor what law or contract demand, nor a guest who leaves.
func (k *Case) stopped(d *Deadline) bool {
	return k.held() && d.Verdict == Pending && !k.firm(d.due())
}

// firm reports whether no hold puts off a time.
func (k *Case) firm(t Due) bool {
	return t.BoundBy.firm() || t.BoundBy == ByOnPremises && t.At.Equal(k.Failure.DepartsAt)
}

// hold lets the clocks stand still. The first time that no hold puts off takes
// the place of one that stands still, which waits beside it.
func (k *Case) hold(p *Policy, now time.Time) {
	k.HeldSince = now
	k.Deadlines = slices.Clone(k.Deadlines)
	for i := range k.Deadlines {
		d := &k.Deadlines[i]
		if !k.stopped(d) {
			continue
		}
		times := d.times()
		if d.BoundBy == ByOnPremises && !k.Failure.DepartsAt.IsZero() {
			times = earliestFirst(append(times, Due{At: k.Failure.DepartsAt, BoundBy: ByOnPremises}))
		}
		if first := slices.IndexFunc(times, k.firm); first >= 0 {
			firm := times[first]
			d.fallDue(append([]Due{firm}, times[:first]...))
			p.Deadlines.warnAnew(d, now)
		}
	}
	k.note(Transition{At: now, Change: ChangeHeld})
}

// release lets the clocks run again.
func (k *Case) release(p *Policy, now time.Time) {
	if !k.held() {
		return
	}
	k.Deadlines = slices.Clone(k.Deadlines)
	for i := range k.Deadlines {
		if d := &k.Deadlines[i]; d.Verdict == Pending {
			k.resume(&p.Deadlines, d, now)
		}
	}
	k.HeldSince = time.Time{}
	k.note(Transition{At: now, Change: ChangeReleased})
}

// resume moves on what stood still: what was left of it when the hold began is
// left of it now, in business time where that is its clock. Of all times of the
// deadline the earliest counts again.
func (k *Case) resume(r *DeadlineRules, d *Deadline, now time.Time) {
	stood, times := k.stopped(d), d.times()
	for i, t := range times {
		if !k.firm(t) {
			times[i].At = r.clock(t.Business).resume(t.At, k.HeldSince, now)
		}
	}
	own := times[0]
	d.fallDue(r.narrow(times))
	switch {
	case d.due() != own:
		r.warnAnew(d, now)
	case stood:
		c := r.clock(d.Business)
		d.Warnings = slices.Clone(d.Warnings)
		for w, at := range d.Warnings {
			d.Warnings[w] = c.resume(at, k.HeldSince, now)
		}
	}
}

// releaseAll ends the holds of all cases of a customer who has spoken.
func (c *Customer) releaseAll(rules Rules, now time.Time) {
	for i := range c.Open {
		c.Open[i].release(rules.For(c.Open[i].Policy), now)
	}
}

// clock is the calendar that a deadline runs on; nil: the wall clock.
type clock struct{ Calendar }

func (r *DeadlineRules) clock(business bool) clock {
	if business {
		return clock{r.Calendar}
	}
	return clock{}
}

// add gives the moment at which so much of the clock's time has passed since t.
func (c clock) add(t time.Time, d time.Duration) time.Time {
	if c.Calendar == nil {
		return t.Add(d)
	}
	return c.Calendar.Add(t, d)
}

// between gives the clock's time from one moment to another.
func (c clock) between(from, to time.Time) time.Duration {
	if c.Calendar == nil {
		return to.Sub(from)
	}
	return c.Calendar.Between(from, to)
}

// resume moves a moment by as much as the clock stood still.
func (c clock) resume(at, since, now time.Time) time.Time {
	return c.add(now, c.between(since, at))
}
