package policy

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/makeamends/amends/internal/calendar"
	"github.com/makeamends/amends/internal/recovery"
	policyv1 "github.com/makeamends/amends/proto/recovery/policy/v1"
)

func (c *compiler) deadlines() {
	m, r := c.message.GetDeadlines(), &c.rules.Deadlines
	at := path{"deadlines"}
	c.bandTimes(at.To("band"))
	r.Acknowledge = duration(m.GetAcknowledge())
	r.Public = duration(m.GetPublic())
	r.PublicWide = duration(m.GetPublicWide())
	r.WideReach = m.GetWideReach().GetValue()
	r.OnPremises = duration(m.GetOnPremises())
	r.Stay = r.OnPremises
	if m.HasStay() {
		r.Stay = duration(m.GetStay())
	}
	r.BeforeDeparture = duration(m.GetBeforeDeparture())
	r.NeverBefore = duration(m.GetNeverBefore())
	r.PatienceCeiling = duration(m.GetPatienceCeiling())
	r.Resolve = duration(m.GetResolve())
	r.FollowUp = duration(m.GetFollowUp())
	r.Renewals = int(m.GetRenewals().GetValue())
	c.ascending(false,
		bound{at.To("public_wide", "value"), r.PublicWide.Hours()},
		bound{at.To("public", "value"), r.Public.Hours()})
	c.ascending(false,
		bound{at.To("never_before", "value"), r.NeverBefore.Hours()},
		bound{at.To("on_premises", "value"), r.OnPremises.Hours()},
		bound{at.To("stay", "value"), r.Stay.Hours()})
	c.require(r.WideReach >= 1, at.To("wide_reach", "value"), "must be 1 or more")
	c.require(r.Renewals <= 10, at.To("renewals", "value"), "must be 0 to 10")
	r.RenewedShare = 1
	if m.HasRenewedShare() {
		r.RenewedShare = m.GetRenewedShare().GetValue()
		c.require(r.RenewedShare > 0 && r.RenewedShare <= 1, at.To("renewed_share", "value"), "must be above 0 and up to 1")
	}
	last := 0.0
	for i, w := range m.GetWarnings() {
		share := w.GetValue()
		c.require(share > last && share < 1, at.To("warnings").To(i).To("value"), "must be above %v and below 1", last)
		last = share
		r.Warnings = append(r.Warnings, share)
	}
	for _, l := range m.GetLimits() {
		limit := recovery.Limit{
			Milestone: term[recovery.Milestone](l.GetMilestone()),
			Within:    l.GetWithin().AsDuration(),
			BoundBy:   term[recovery.Bound](l.GetBound()),
		}
		for _, kind := range l.GetKinds() {
			limit.Kinds |= recovery.Kinds(term[recovery.Kind](kind))
		}
		r.Limits = append(r.Limits, limit)
	}
	c.calendars(at.To("calendar"))
}

func (c *compiler) bandTimes(at path) {
	m, r := c.message.GetDeadlines().GetBand(), &c.rules.Deadlines.Band
	r[recovery.Critical] = duration(m.GetCritical())
	r[recovery.High] = duration(m.GetHigh())
	r[recovery.Moderate] = duration(m.GetModerate())
	r[recovery.Low] = duration(m.GetLow())
	c.ascending(false,
		bound{at.To("critical", "value"), r[recovery.Critical].Hours()},
		bound{at.To("high", "value"), r[recovery.High].Hours()},
		bound{at.To("moderate", "value"), r[recovery.Moderate].Hours()},
		bound{at.To("low", "value"), r[recovery.Low].Hours()})
}

// calendars builds every calendar, so that none has a fault, and takes the one
// that the deadlines name.
func (c *compiler) calendars(named path) {
	table := c.message.GetCalendars()
	names := slices.Sorted(maps.Keys(table))
	wanted := c.message.GetDeadlines().GetCalendar()
	for _, name := range names {
		at := path{"calendars", key(name)}
		built, err := calendar.New(specOf(table[name]))
		if err != nil {
			c.calendarFaults(at, err)
		} else if name == wanted {
			c.rules.Deadlines.Calendar = built
		}
	}
	if _, known := table[wanted]; !known && len(table) > 0 {
		c.require(false, named, "calendar %q is unknown; one of %s", wanted, strings.Join(names, ", "))
	}
}

var step = regexp.MustCompile(`[a-z_]+|\[\d+\]`)

// calendarFaults reports what package calendar found, where the file has it.
func (c *compiler) calendarFaults(at path, err error) {
	faults := []error{err}
	var all interface{ Unwrap() []error }
	if errors.As(err, &all) {
		faults = all.Unwrap()
	}
	for _, err := range faults {
		var fault *calendar.Fault
		if !errors.As(err, &fault) {
			c.Add(at, "%v", err)
			continue
		}
		here := at
		for _, s := range step.FindAllString(fault.Field, -1) {
			if index, err := strconv.Atoi(strings.Trim(s, "[]")); err == nil {
				here = here.To(index)
			} else {
				here = here.To(s)
			}
		}
		if line, column := c.Place(here); !c.Marked(line, column) {
			c.Add(here, "%s", fault.Problem)
		}
	}
}

func specOf(m *policyv1.Calendar) calendar.Spec {
	spec := calendar.Spec{TimeZone: m.GetTimeZone()}
	if m.HasHours() {
		h := m.GetHours()
		spec.Hours = map[time.Weekday][]calendar.Interval{}
		for day, texts := range [7][]string{h.GetSunday(), h.GetMonday(), h.GetTuesday(), h.GetWednesday(), h.GetThursday(), h.GetFriday(), h.GetSaturday()} {
			for _, text := range texts {
				spec.Hours[time.Weekday(day)] = append(spec.Hours[time.Weekday(day)], intervalOf(text))
			}
		}
	}
	for _, h := range m.GetHolidays() {
		spec.Holidays = append(spec.Holidays, calendar.Holiday{
			Name: h.GetName(), Date: h.GetDate(), Public: h.GetPublic(), Observed: calendar.Observed(h.GetObserved()),
		})
	}
	return spec
}

// intervalOf reads "09:00-12:30"; the schema's rules have checked its form.
func intervalOf(text string) (i calendar.Interval) {
	var from, past, to, end int
	if _, err := fmt.Sscanf(text, "%d:%d-%d:%d", &from, &past, &to, &end); err != nil {
		return i // empty, which is a fault
	}
	minutes := func(h, m int) time.Duration { return time.Duration(h*60+m) * time.Minute }
	return calendar.Interval{From: minutes(from, past), To: minutes(to, end)}
}
