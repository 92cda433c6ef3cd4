package recovery

import (
	"slices"
	"time"
)

// held reports whether the clocks of the case stand still.
func (k *Case) held() bool { return !k.HeldSince.IsZero() }

// stopped reports whether the clock of a deadline stands still. A hold
// excuses us from what we promised by ourselves. It does not stop who reads
// along in public, nor what law or contract demand.
func (k *Case) stopped(d *Deadline) bool {
	return k.held() && d.Verdict == Pending && d.BoundBy != ByPublic && d.BoundBy != ByStatute && d.BoundBy != ByContract
}

// release lets the clocks run again: what was left of a deadline when the hold
// began is left of it now, in business time where that is its clock.
func (k *Case) release(p *Policy, now time.Time) {
	if !k.held() {
		return
	}
	since := k.HeldSince
	k.Deadlines = slices.Clone(k.Deadlines)
	for i := range k.Deadlines {
		d := &k.Deadlines[i]
		if !k.stopped(d) {
			continue
		}
		c := p.Deadlines.clock(d)
		warnings := make([]time.Time, len(d.Warnings))
		for w, at := range d.Warnings {
			warnings[w] = c.resume(at, since, now)
		}
		d.DueAt, d.Warnings = c.resume(d.DueAt, since, now), warnings
	}
	k.HeldSince = time.Time{}
	k.note(Transition{At: now, Change: ChangeReleased})
}

// releaseAll ends the holds of all cases of a customer who has spoken.
func (c *Customer) releaseAll(rules Rules, now time.Time) {
	for i := range c.Open {
		c.Open[i].release(rules.For(c.Open[i].Policy), now)
	}
}

// clock is the calendar that a deadline runs on; nil: the wall clock.
type clock struct{ Calendar }

func (r *DeadlineRules) clock(d *Deadline) clock {
	if d.Business {
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
