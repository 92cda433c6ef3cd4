package recovery_test

import (
	"testing"
	"time"

	"github.com/makeamends/amends/internal/calendar"
	"github.com/makeamends/amends/internal/policy"
	"github.com/makeamends/amends/internal/recovery"
)

const hour = time.Hour

// office is a week of business hours somewhere.
func office(zone string, hours []calendar.Interval, holidays ...string) calendar.Spec {
	s := calendar.Spec{TimeZone: zone, Hours: map[time.Weekday][]calendar.Interval{}}
	for d := time.Monday; d <= time.Friday; d++ {
		s.Hours[d] = hours
	}
	for _, h := range holidays {
		s.Holidays = append(s.Holidays, calendar.Holiday{Name: h, Date: h})
	}
	return s
}

var (
	nineToFive = []calendar.Interval{{From: 9 * hour, To: 17 * hour}}
	split      = []calendar.Interval{{From: 9 * hour, To: 12 * hour}, {From: 14 * hour, To: 18 * hour}}
	allDay     = []calendar.Interval{{From: 0, To: 24 * hour}}
)

// What was left of a deadline when the hold began is left of it when the hold
// ends: in business time for the offer of a HIGH case (12 hours), by the clock
// for its resolution (5 days).
func TestHoldOverCalendars(t *testing.T) {
	tests := []struct {
		name                   string
		calendar               calendar.Spec
		opened, held, released string
		offer, resolve         string // when due afterwards
	}{
		{"a weekend", office("Europe/Vienna", nineToFive), "2026-03-06T09:00", "2026-03-06T16:00", "2026-03-09T10:00",
			"2026-03-09T15:00", "2026-03-14T03:00"},
		{"a holiday within", office("Europe/Vienna", nineToFive, "2026-03-10"), "2026-03-09T09:00", "2026-03-09T15:00", "2026-03-11T09:00",
			"2026-03-11T15:00", "2026-03-16T03:00"},
		{"released on a holiday", office("Europe/Vienna", nineToFive, "2026-03-10"), "2026-03-09T09:00", "2026-03-09T15:00", "2026-03-10T12:00",
			"2026-03-11T15:00", "2026-03-15T06:00"},
		{"a split shift, released over noon", office("Europe/Vienna", split), "2026-03-09T09:00", "2026-03-09T11:00", "2026-03-10T13:00",
			"2026-03-11T17:00", "2026-03-15T11:00"},
		{"held and released after hours", office("Europe/Vienna", nineToFive), "2026-03-09T09:00", "2026-03-09T20:00", "2026-03-10T22:00",
			"2026-03-11T13:00", "2026-03-15T11:00"},
		{"clocks forward within", office("Europe/Vienna", allDay), "2026-03-27T20:00", "2026-03-27T23:00", "2026-03-30T01:00",
			"2026-03-30T10:00", "2026-04-03T22:00"},
		{"clocks back within", calendar.Spec{TimeZone: "America/New_York"}, "2026-10-31T20:00", "2026-10-31T22:00", "2026-11-01T20:00",
			"2026-11-02T06:00", "2026-11-06T18:00"},
		{"a leap day within", office("UTC", nineToFive), "2028-02-28T09:00", "2028-02-28T13:00", "2028-03-01T09:00",
			"2028-03-01T17:00", "2028-03-06T05:00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			built, err := calendar.New(tt.calendar)
			if err != nil {
				t.Fatal(err)
			}
			p := *policy.Default().Rules
			p.Deadlines.Calendar = built
			// Business time alone is looked at here: patience would cut it short.
			p.Deadlines.PatienceCeiling = 60 * day
			rules := recovery.Rules{Active: &p}
			zone, err := time.LoadLocation(tt.calendar.TimeZone)
			if err != nil {
				t.Fatal(err)
			}
			at := func(text string) time.Time {
				m, err := time.ParseInLocation("2006-01-02T15:04", text, zone)
				if err != nil {
					t.Fatal(err)
				}
				return m
			}
			e := complaint(rejected(120_00), order("o"), func(e *recovery.Event) { e.OccurredAt = at(tt.opened) })
			c, k, err := recovery.Report(recovery.Customer{}, e, rules, at(tt.opened))
			if err != nil || k.Assessment.Risk.Band != recovery.High {
				t.Fatal(k.Assessment.Risk, err)
			}
			step := func(s recovery.Step, when string) {
				if c, k, err = recovery.Advance(c, 1, recovery.Action{Step: s, Channel: recovery.Email}, rules, at(when)); err != nil {
					t.Fatal(err)
				}
			}
			step(recovery.StepAcknowledge, tt.opened)
			step(recovery.StepHold, tt.held)
			if next := k.NextDeadline(); !next.IsZero() {
				t.Errorf("a clock runs during the hold: due %v", next)
			}
			step(recovery.StepRelease, tt.released)
			for m, want := range map[recovery.Milestone]string{recovery.MakeOffer: tt.offer, recovery.Resolve: tt.resolve} {
				if d := newest(k, m); !d.DueAt.Equal(at(want)) || d.Verdict != recovery.Pending {
					t.Errorf("%s %s is due %s, want %s", d.Verdict, m, d.DueAt.In(zone).Format("Mon 2006-01-02 15:04"), want)
				}
			}
		})
	}
}

// newest gives the newest deadline of a milestone.
func newest(k recovery.Case, m recovery.Milestone) (found recovery.Deadline) {
	for _, d := range k.Deadlines {
		if d.Milestone == m {
			found = d
		}
	}
	return found
}

func TestHoldEndsByItself(t *testing.T) {
	c, _ := report(t, recovery.Customer{}, complaint(order("o")), noon)
	c, _ = take(t, c, 1, recovery.Action{Step: recovery.StepContactOutbound}, noon)
	held, _ := take(t, c, 1, recovery.Action{Step: recovery.StepHold}, noon)
	_, k := take(t, held, 1, recovery.Action{Step: recovery.StepContactInbound, Channel: recovery.Email}, noon.Add(30*day))
	if !k.HeldSince.IsZero() || !newest(k, recovery.FirstResponse).DueAt.After(noon.Add(30*day)) {
		t.Errorf("held since %v, first response due %v", k.HeldSince, newest(k, recovery.FirstResponse).DueAt)
	}
	if _, k = report(t, held, complaint(order("o"), at(noon.Add(day))), noon.Add(day)); !k.HeldSince.IsZero() {
		t.Error("a further failure does not end the hold")
	}
}

func TestHoldDoesNotStopWhatOthersSet(t *testing.T) {
	p := *policy.Default().Rules
	p.Deadlines.Limits = []recovery.Limit{{Milestone: recovery.Resolve, Within: 48 * hour, BoundBy: recovery.ByStatute}}
	rules := recovery.Rules{Active: &p}
	e := complaint(func(e *recovery.Event) { e.Voice, e.Channel = recovery.Public, recovery.Social })
	c, _, err := recovery.Report(recovery.Customer{}, e, rules, noon)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []recovery.Step{recovery.StepAcknowledge, recovery.StepHold} {
		if c, _, err = recovery.Advance(c, 1, recovery.Action{Step: s}, rules, noon); err != nil {
			t.Fatal(err)
		}
	}
	if due := c.Open[0].NextDeadline(); !due.Equal(noon.Add(hour)) {
		t.Errorf("next due %v, want the public answer after an hour", due)
	}
	c = recovery.Tick(c, rules, noon.Add(2*hour))
	k := c.Open[0]
	if d := k.Deadlines[1]; d.Milestone != recovery.FirstResponse || d.Verdict != recovery.Missed {
		t.Errorf("%+v", d)
	}
	if !k.HeldSince.IsZero() {
		t.Error("a hold goes on although we broke a promise in public")
	}
	if d := newest(k, recovery.Resolve); !d.DueAt.Equal(noon.Add(48*hour)) || d.BoundBy != recovery.ByStatute {
		t.Errorf("the statutory deadline moved: %+v", d)
	}
}

// under is a policy with limits of law, contract or house.
func under(limits ...recovery.Limit) recovery.Rules {
	p := *policy.Default().Rules
	p.Deadlines.Limits = limits
	return recovery.Rules{Active: &p}
}

// Who speaks about a resolved case has spoken: what we waited for in another
// case may have come.
func TestContactAboutAResolvedCaseEndsHolds(t *testing.T) {
	c, _ := report(t, recovery.Customer{}, complaint(order("a")), noon)
	c, _ = report(t, c, complaint(order("b")), noon)
	c, _ = take(t, c, 2, outcome(recovery.Satisfied), noon)
	c, _ = take(t, c, 1, do(recovery.StepHold), noon)
	if c, _ = take(t, c, 2, do(recovery.StepContactInbound), noon.Add(time.Minute)); !c.Open[0].HeldSince.IsZero() {
		t.Error("a contact about a resolved case leaves another one held")
	}
}

func TestHoldHidesNoMiss(t *testing.T) {
	c, _ := report(t, recovery.Customer{}, complaint(order("o")), noon)
	late := noon.Add(30 * hour)
	c, _ = take(t, recovery.Tick(c, rules, late), 1, do(recovery.StepHold), late)
	if k := recovery.View(c, rules, late).Open[0]; k.Assessment.Level != recovery.LevelFailure {
		t.Errorf("level %s of a case that was held when its first response was missed already", k.Assessment.Level)
	}
}

// We are late, whether or not the customer has ever spoken.
func TestBrokenPromiseEndsTheHoldOfAnUnvoicedCase(t *testing.T) {
	rules := under(recovery.Limit{Milestone: recovery.Resolve, Within: 48 * hour, BoundBy: recovery.ByStatute})
	c, _, err := recovery.Report(recovery.Customer{}, complaint(unvoiced, order("o")), rules, noon)
	if err != nil {
		t.Fatal(err)
	}
	if c, _, err = recovery.Advance(c, 1, do(recovery.StepHold), rules, noon); err != nil {
		t.Fatal(err)
	}
	k := recovery.Tick(c, rules, noon.Add(49*hour)).Open[0]
	if d := newest(k, recovery.FirstResponse); !k.HeldSince.IsZero() || !d.DueAt.Equal(noon.Add(72*hour)) {
		t.Errorf("held since %v, first response due %v", k.HeldSince, d.DueAt)
	}
}

// An answer during a hold is in time, although the clock would have run out.
func TestAnswerDuringAHold(t *testing.T) {
	c, _ := report(t, recovery.Customer{}, complaint(order("o")), noon)
	c, _ = take(t, c, 1, do(recovery.StepAcknowledge), noon)
	c, _ = take(t, c, 1, do(recovery.StepHold), noon.Add(hour))
	_, k := take(t, c, 1, do(recovery.StepContactOutbound), noon.Add(30*hour))
	if d := newest(k, recovery.FirstResponse); d.Verdict != recovery.Met || !d.DueAt.Equal(noon.Add(41*hour)) {
		t.Errorf("%+v", d)
	}
}
