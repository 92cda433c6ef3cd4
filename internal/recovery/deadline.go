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
	add := func(d Deadline) { list = append(list, r.limit(d, k, now)) }
	if k.voiced() {
		add(pending(Acknowledge, now.Add(r.Acknowledge)))
	}
	byBand := r.byBand(band, now)
	byBand.Milestone = FirstResponse
	add(r.hurry(byBand, k, now))
	byBand.Milestone = MakeOffer
	add(byBand)
	add(pending(Resolve, now.Add(r.Resolve)))
	r.announce(list, now)
	return list
}

// pending is a promise of a fixed time.
func pending(m Milestone, at time.Time) Deadline {
	return Deadline{Milestone: m, DueAt: at, BoundBy: ByPolicy, Verdict: Pending, Fresh: true}
}

func without(list []Deadline, m Milestone) []Deadline {
	return slices.DeleteFunc(list, func(d Deadline) bool { return d.Milestone == m })
}

// followUp promises to ask again after the resolution.
func (r *DeadlineRules) followUp(k *Case, now time.Time) Deadline {
	list := []Deadline{r.limit(pending(FollowUp, now.Add(r.FollowUp)), k, now)}
	r.announce(list, now)
	return list[0]
}

// hasten leaves a share of the band's time to promises that are made anew
// because they were broken.
func (r *DeadlineRules) hasten(list []Deadline, which milestones, now time.Time) {
	for i := range list {
		d := &list[i]
		if which&(1<<d.Milestone) == 0 || d.BoundBy != ByBand && d.BoundBy != ByPatienceCeiling {
			continue
		}
		c := r.clock(d.Business)
		d.DueAt = c.add(now, time.Duration(r.RenewedShare*float64(c.between(now, d.DueAt))))
	}
	r.announce(list, now)
}

// announce sets when to warn of each deadline: at shares of its time, on its
// own clock.
func (r *DeadlineRules) announce(list []Deadline, now time.Time) {
	if len(r.Warnings) == 0 {
		return
	}
	all := make([]time.Time, 0, len(list)*len(r.Warnings))
	for i := range list {
		d := &list[i]
		c := r.clock(d.Business)
		span := c.between(now, d.DueAt)
		for _, share := range r.Warnings {
			all = append(all, c.add(now, time.Duration(share*float64(span))))
		}
		d.Warnings = all[len(all)-len(r.Warnings) : len(all) : len(all)]
	}
}

// warnAnew sets when to warn of a deadline that is due at another time now, as
// often as is left.
func (r *DeadlineRules) warnAnew(d *Deadline, now time.Time) {
	left := len(d.Warnings)
	list := []Deadline{*d}
	r.announce(list, now)
	d.Warnings = list[0].Warnings[max(len(list[0].Warnings)-left, 0):]
}

// byBand is the band's time in business hours, or on the calendar when the
// band is critical; patience runs on the calendar and sets the ceiling.
func (r *DeadlineRules) byBand(band Band, now time.Time) Deadline {
	d := Deadline{BoundBy: ByBand, Verdict: Pending, Fresh: true}
	if band == Critical {
		d.DueAt = now.Add(r.Band[band])
		return d
	}
	d.DueAt, d.Business = r.Calendar.Add(now, r.Band[band]), true
	return r.bound(d, now.Add(r.PatienceCeiling), ByPatienceCeiling)
}

// hurry brings the first response forward for whoever complains in public or
// is still with us. These clocks never wait for business hours.
func (r *DeadlineRules) hurry(d Deadline, k *Case, now time.Time) Deadline {
	if k.Failure.Voice == Public {
		within := r.Public
		if k.Failure.Reach >= r.WideReach {
			within = r.PublicWide
		}
		d = r.bound(d, now.Add(within), ByPublic)
	}
	if r.onPremises(&k.Failure, now) {
		d = r.bound(d, r.beforeLeaving(k.Failure.DepartsAt, now), ByOnPremises)
	}
	return d
}

// onPremises reports whether the customer is still with us. Who spoke in person
// and did not say when they leave is, for a while.
func (r *DeadlineRules) onPremises(f *Failure, now time.Time) bool {
	leaves := f.DepartsAt
	if leaves.IsZero() && f.Channel == InPerson {
		leaves = f.channelAt().Add(r.Stay)
	}
	return leaves.After(now)
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
			d = r.bound(d, now.Add(l.Within), l.BoundBy)
		}
	}
	return d
}

// bound takes in one more time, of the wall clock, by which a deadline is due.
func (r *DeadlineRules) bound(d Deadline, at time.Time, by Bound) Deadline {
	d.fallDue(r.narrow(append(d.times(), Due{At: at, BoundBy: by})))
	return d
}

// due is the time that counts.
func (d *Deadline) due() Due { return Due{d.DueAt, d.BoundBy, d.Business} }

// times are all times of a deadline, the one that counts first.
func (d *Deadline) times() []Due { return append([]Due{d.due()}, d.Beside...) }

// fallDue makes the first of several times the one that counts.
func (d *Deadline) fallDue(times []Due) {
	d.DueAt, d.BoundBy, d.Business = times[0].At, times[0].BoundBy, times[0].Business
	d.Beside = append([]Due(nil), times[1:]...)
}

// narrow leaves of several times the earliest, and of the later ones those that a
// hold can bring before it: the earliest of each clock, and of those that no hold
// puts off.
func (r *DeadlineRules) narrow(times []Due) []Due {
	kept := make([]Due, 0, 3)
	for _, t := range earliestFirst(times) {
		if !slices.ContainsFunc(kept, func(before Due) bool {
			return before.BoundBy.firm() || !t.BoundBy.firm() && (before.Business == t.Business || r.Calendar.AlwaysOpen())
		}) {
			kept = append(kept, t)
		}
	}
	return kept
}

func earliestFirst(times []Due) []Due {
	slices.SortStableFunc(times, func(a, b Due) int { return a.At.Compare(b.At) })
	return times
}

// Renewals counts, for each milestone, how often time has made a promise anew
// since the last event: four bits a milestone.
type Renewals int64

func (r Renewals) of(m Milestone) int { return int(r>>(4*m)) & 0xf }

func (r *Renewals) add(m Milestone) { *r += 1 << (4 * m) }

// milestones is a set: bit m stands for milestone m.
type milestones uint8

const everything milestones = 0xff

func only(list ...Milestone) (set milestones) {
	for _, m := range list {
		set |= 1 << m
	}
	return set
}

// merge brings a new promise into the deadlines of a case. A pending deadline
// is only ever tightened. A verdict stands for good: what was met or missed is
// promised anew beside it, where that is asked for.
func (r *DeadlineRules) merge(old, promised []Deadline, anew milestones) []Deadline {
	out := append(make([]Deadline, 0, len(old)+len(promised)), old...)
	for _, d := range promised {
		i := latest(out, d.Milestone)
		switch {
		case i >= 0 && out[i].Verdict == Pending:
			out[i] = r.tighten(out[i], d)
		case i < 0, anew&(1<<d.Milestone) != 0:
			out = append(makeRoom(out), d)
		}
	}
	return out
}

// makeRoom drops the oldest kept promise of a list that is full, or the oldest
// broken one: of those for which a newer one with the same verdict stands, so
// that what is judged by them stays as it is.
func makeRoom(list []Deadline) []Deadline {
	if len(list) < MostDeadlines {
		return list
	}
	for _, verdict := range []Verdict{Met, Missed} {
		for i, d := range list {
			if d.Verdict == verdict && slices.ContainsFunc(list[i+1:], d.alike) {
				return slices.Delete(list, i, i+1)
			}
		}
	}
	return list
}

// alike reports whether two deadlines are of one milestone and have one verdict.
func (d Deadline) alike(o Deadline) bool { return d.Milestone == o.Milestone && d.Verdict == o.Verdict }

// missedMilestones are those whose newest promise was broken.
func (k *Case) missedMilestones() (set milestones) {
	for m := Acknowledge; m <= FollowUp; m++ {
		if i := latest(k.Deadlines, m); i >= 0 && k.Deadlines[i].Verdict == Missed {
			set |= 1 << m
		}
	}
	return set
}

// tighten takes over the earlier times of another promise. Warnings that were
// given are not given again.
func (r *DeadlineRules) tighten(d, by Deadline) Deadline {
	own := d.due()
	times := r.narrow(append(d.times(), by.times()...))
	if times[0] != own {
		given := max(len(by.Warnings)-len(d.Warnings), 0)
		by.Warnings = by.Warnings[given:]
		d = by
	}
	d.fallDue(times)
	return d
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
