package recovery

import (
	"slices"
	"time"
)

// promise says by when each step of the recovery is due, counted from now, and
// which rule set the time. Of several rules the earliest wins.
func promise(p *Policy, k *Case, band Band, now time.Time) []Deadline {
	r := &p.Deadlines
	list := make([]Deadline, 0, 4)
	add := func(m Milestone, at time.Time, by Bound) {
		d := Deadline{Milestone: m, DueAt: at, BoundBy: by, Verdict: Pending}
		list = append(list, r.limit(d, k, now))
	}
	if k.voiced() {
		add(Acknowledge, now.Add(r.Acknowledge), ByPolicy)
	}
	at, by := r.byBand(band, now)
	add(FirstResponse, at, by)
	list[len(list)-1] = r.hurry(list[len(list)-1], k, now)
	add(MakeOffer, at, by)
	add(Resolve, now.Add(r.Resolve), ByPolicy)
	return list
}

// byBand is the band's time in business hours, or on the calendar when the
// band is critical; patience runs on the calendar and sets the ceiling.
func (r *DeadlineRules) byBand(band Band, now time.Time) (time.Time, Bound) {
	if band == Critical {
		return now.Add(r.Band[band]), ByBand
	}
	at := r.Calendar.Add(now, r.Band[band])
	if ceiling := now.Add(r.PatienceCeiling); at.After(ceiling) {
		return ceiling, ByPatienceCeiling
	}
	return at, ByBand
}

// hurry brings the first response forward for whoever complains in public or
// is still with us. These clocks never wait for business hours.
func (r *DeadlineRules) hurry(d Deadline, k *Case, now time.Time) Deadline {
	if k.Failure.Voice == Public {
		within := r.Public
		if k.Failure.Reach >= r.WideReach {
			within = r.PublicWide
		}
		d = earlier(d, now.Add(within), ByPublic)
	}
	if k.Failure.onPremises(now) {
		d = earlier(d, r.beforeLeaving(k.Failure.DepartsAt, now), ByOnPremises)
	}
	return d
}

// beforeLeaving leaves time to make good before the customer departs, but
// never so little that nobody could come, and never beyond the departure.
func (r *DeadlineRules) beforeLeaving(departs, now time.Time) time.Time {
	at := now.Add(r.OnPremises)
	if departs.IsZero() {
		return at
	}
	if t := departs.Add(-r.BeforeDeparture); t.Before(at) {
		at = t
	}
	if t := now.Add(r.NeverBefore); at.Before(t) {
		at = t
	}
	if departs.Before(at) {
		at = departs
	}
	return at
}

// limit applies what law, contract or house rule demand of a milestone.
func (r *DeadlineRules) limit(d Deadline, k *Case, now time.Time) Deadline {
	for _, l := range r.Limits {
		if l.Milestone == d.Milestone && (l.Kinds == 0 || l.Kinds&k.Failure.Kinds != 0) {
			d = earlier(d, now.Add(l.Within), l.BoundBy)
		}
	}
	return d
}

func earlier(d Deadline, at time.Time, by Bound) Deadline {
	if at.Before(d.DueAt) {
		d.DueAt, d.BoundBy = at, by
	}
	return d
}

// merge brings a new promise into the deadlines of a case. A pending deadline
// is only ever tightened. A verdict stands for good: a milestone that was
// missed is promised anew beside it, and one that was met only when the
// customer has spoken anew.
func merge(old, promised []Deadline, anew bool) []Deadline {
	out := slices.Clone(old)
	for _, d := range promised {
		i := latest(out, d.Milestone)
		switch {
		case i < 0, out[i].Verdict == Missed, out[i].Verdict == Met && anew:
			out = appendBounded(out, d, MostDeadlines)
		case out[i].Verdict == Pending:
			out[i] = earlier(out[i], d.DueAt, d.BoundBy)
		}
	}
	return out
}

// latest finds the newest deadline of a milestone, -1 when there is none.
func latest(list []Deadline, m Milestone) int {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].Milestone == m {
			return i
		}
	}
	return -1
}
