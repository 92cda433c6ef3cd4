package calendar

import (
	"testing"
	"time"
	_ "time/tzdata" // the same zones on every machine

	"github.com/google/go-cmp/cmp"
)

// hm is a time of day.
func hm(hour, minute int) time.Duration {
	return time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute
}

// moment reads a moment with its offset, so that a test says which of two repeated
// hours it means.
func moment(t testing.TB, s string) time.Time {
	t.Helper()
	v, err := time.Parse("2006-01-02 15:04:05-07:00", s)
	if err != nil {
		v, err = time.Parse("2006-01-02 15:04-07:00", s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func build(t testing.TB, s Spec) *Calendar {
	t.Helper()
	c, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// everyDay opens the same intervals on all weekdays.
func everyDay(v ...Interval) map[time.Weekday][]Interval {
	h := weekdays(v...)
	h[time.Saturday], h[time.Sunday] = v, v
	return h
}

func weekdays(v ...Interval) map[time.Weekday][]Interval {
	h := map[time.Weekday][]Interval{}
	for d := time.Monday; d <= time.Friday; d++ {
		h[d] = v
	}
	return h
}

var (
	office   = weekdays(Interval{hm(9, 0), hm(17, 0)})
	split    = weekdays(Interval{hm(14, 0), hm(18, 0)}, Interval{hm(8, 0), hm(12, 0)})
	allDay   = Interval{0, hm(24, 0)}
	smallHrs = everyDay(Interval{hm(1, 0), hm(2, 30)})
	christ   = []Holiday{{Name: "Christmas", Date: "12-25"}, {Date: "12-26"}}
)

func TestAddGivesTheMomentAtWhichOpenTimeHasPassed(t *testing.T) {
	berlin := func(h map[time.Weekday][]Interval) Spec { return Spec{TimeZone: "Europe/Berlin", Hours: h} }
	newYork := func(h map[time.Weekday][]Interval) Spec { return Spec{TimeZone: "America/New_York", Hours: h} }
	lordHowe := func(h map[time.Weekday][]Interval) Spec { return Spec{TimeZone: "Australia/Lord_Howe", Hours: h} }
	in := func(zone string, h map[time.Weekday][]Interval) Spec { return Spec{TimeZone: zone, Hours: h} }
	sundays := map[time.Weekday][]Interval{time.Sunday: {allDay}}
	for _, row := range []struct {
		name string
		spec Spec
		from string
		d    time.Duration
		want string
	}{
		{"always open counts through the night", Spec{}, "2026-11-20 22:00+00:00", 48 * time.Hour, "2026-11-22 22:00+00:00"},
		{"within one day", berlin(office), "2026-11-20 10:00+01:00", 2 * time.Hour, "2026-11-20 12:00+01:00"},
		{"over a weekend", berlin(office), "2026-11-20 16:00+01:00", 2 * time.Hour, "2026-11-23 10:00+01:00"},
		{"exactly to closing time is due at closing time", berlin(office), "2026-11-20 16:00+01:00", time.Hour, "2026-11-20 17:00+01:00"},
		{"one nanosecond more is due next Monday", berlin(office), "2026-11-20 16:00+01:00", time.Hour + 1, "2026-11-23 09:00:00.000000001+01:00"},
		{"from the moment of closing", berlin(office), "2026-11-20 17:00+01:00", time.Hour, "2026-11-23 10:00+01:00"},
		{"from a closed day", berlin(office), "2026-11-21 12:00+01:00", time.Hour, "2026-11-23 10:00+01:00"},
		{"nothing to wait for is due at once, closed or not", berlin(office), "2026-11-21 12:00+01:00", 0, "2026-11-21 12:00+01:00"},
		{"negative waits for nothing either", berlin(office), "2026-11-20 12:00+01:00", -time.Hour, "2026-11-20 12:00+01:00"},
		{"the answer keeps the caller's offset", berlin(office), "2026-11-20 15:00+00:00", 2 * time.Hour, "2026-11-23 09:00+00:00"},
		{"a split shift pauses at noon", berlin(split), "2026-11-20 11:00+01:00", 2 * time.Hour, "2026-11-20 15:00+01:00"},
		{"a split shift ends the morning at noon", berlin(split), "2026-11-20 11:00+01:00", time.Hour, "2026-11-20 12:00+01:00"},
		{"a report in the pause waits for the afternoon", berlin(split), "2026-11-20 12:30+01:00", 30 * time.Minute, "2026-11-20 14:30+01:00"},
		{"several weeks", berlin(office), "2026-11-02 09:00+01:00", 15 * 8 * time.Hour, "2026-11-20 17:00+01:00"},
		{"holidays inside", Spec{TimeZone: "Europe/Berlin", Hours: office, Holidays: christ}, "2025-12-24 16:00+01:00", 2 * time.Hour, "2025-12-29 10:00+01:00"},
		{"holidays of a place that never closes", Spec{TimeZone: "Europe/Berlin", Holidays: christ}, "2025-12-24 23:00+01:00", 2 * time.Hour, "2025-12-27 01:00+01:00"},
		{"leap day is a working day", berlin(office), "2028-02-28 16:00+01:00", 9 * time.Hour, "2028-02-29 17:00+01:00"},
		{"leap day as a holiday", Spec{Hours: office, Holidays: []Holiday{{Date: "02-29"}}}, "2028-02-28 16:00+00:00", 2 * time.Hour, "2028-03-01 10:00+00:00"},
		{"1 March stays open in other years", Spec{Hours: office, Holidays: []Holiday{{Date: "02-29"}}}, "2027-02-26 16:00+00:00", 2 * time.Hour, "2027-03-01 10:00+00:00"},

		{"Berlin forward: the day has 23 hours", berlin(sundays), "2026-03-29 00:00+01:00", 23 * time.Hour, "2026-03-30 00:00+02:00"},
		{"Berlin back: the day has 25 hours", berlin(sundays), "2026-10-25 00:00+02:00", 25 * time.Hour, "2026-10-26 00:00+01:00"},
		{"Berlin forward: hours after the gap begin by the new clock", berlin(everyDay(Interval{hm(9, 0), hm(17, 0)})), "2026-03-28 16:00+01:00", 2 * time.Hour, "2026-03-29 10:00+02:00"},
		{"Berlin back: hours after the repeat begin by the new clock", berlin(everyDay(Interval{hm(9, 0), hm(17, 0)})), "2026-10-24 16:00+02:00", 2 * time.Hour, "2026-10-25 10:00+01:00"},
		{"Berlin forward: closing inside the gap is the moment of the change", berlin(smallHrs), "2026-03-29 01:00+01:00", time.Hour, "2026-03-29 03:00+02:00"},
		{"Berlin forward: and no more than that", berlin(smallHrs), "2026-03-29 01:00+01:00", 61 * time.Minute, "2026-03-30 01:01+02:00"},
		{"Berlin forward: opening inside the gap is the moment of the change", berlin(everyDay(Interval{hm(2, 30), hm(4, 0)})), "2026-03-29 00:00+01:00", time.Minute, "2026-03-29 03:01+02:00"},
		{"Berlin forward: an interval inside the gap does not take place", berlin(everyDay(Interval{hm(2, 15), hm(2, 45)})), "2026-03-29 00:00+01:00", time.Minute, "2026-03-30 02:16+02:00"},
		{"Berlin back: closing in the repeated hour is its first time", berlin(smallHrs), "2026-10-25 01:00+02:00", 91 * time.Minute, "2026-10-26 01:01+01:00"},
		{"Berlin back: opening in the repeated hour is its first time", berlin(everyDay(Interval{hm(2, 30), hm(4, 0)})), "2026-10-25 00:00+02:00", time.Minute, "2026-10-25 02:31+02:00"},
		{"Berlin back: and the repeat is open", berlin(everyDay(Interval{hm(2, 30), hm(4, 0)})), "2026-10-25 00:00+02:00", 2 * time.Hour, "2026-10-25 03:30+01:00"},
		{"New York forward", newYork(everyDay(allDay)), "2026-03-08 01:00-05:00", 2 * time.Hour, "2026-03-08 04:00-04:00"},
		{"New York back", newYork(smallHrs), "2026-11-01 00:00-04:00", 150 * time.Minute, "2026-11-01 02:30-05:00"},
		{"Lord Howe forward by half an hour", lordHowe(smallHrs), "2026-10-04 01:00+10:30", time.Hour, "2026-10-04 02:30+11:00"},
		{"Lord Howe back by half an hour", lordHowe(smallHrs), "2026-04-05 01:00+11:00", 2 * time.Hour, "2026-04-05 02:30+10:30"},
		{"Lord Howe back: Sunday has 24½ hours", lordHowe(sundays), "2026-04-05 00:00+11:00", hm(24, 30), "2026-04-06 00:00+10:30"},
		{"far east: Kiritimati's Monday begins on UTC's Sunday", in("Pacific/Kiritimati", office), "2026-11-22 10:00+00:00", 8 * time.Hour, "2026-11-23 03:00+00:00"},
		{"far west: Pago Pago's Friday ends on UTC's Saturday", in("Pacific/Pago_Pago", office), "2026-11-21 03:00+00:00", time.Hour, "2026-11-21 04:00+00:00"},
		{"Apia left out Friday 30 December 2011", in("Pacific/Apia", office), "2011-12-29 16:00-10:00", 2 * time.Hour, "2012-01-02 10:00+14:00"},
		{"São Paulo forward at midnight", in("America/Sao_Paulo", sundays), "2018-11-03 12:00-03:00", 23 * time.Hour, "2018-11-05 00:00-02:00"},
		{"St John's back over midnight: the repeat belongs to the new day", in("America/St_Johns", sundays), "2010-11-07 00:00-02:30", 25 * time.Hour, "2010-11-08 00:00-03:30"},
		{"St John's back over midnight: from within the repeat", in("America/St_Johns", sundays), "2010-11-06 23:30-03:30", time.Hour, "2010-11-07 00:30-03:30"},
		{"long before the known years", berlin(office), "0001-01-01 12:00+00:00", 5 * time.Hour, "0001-01-02 09:00+00:00"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, from, want := build(t, row.spec), moment(t, row.from), moment(t, row.want)
			if got := c.Add(from, row.d); !got.Equal(want) {
				t.Errorf("Add(%s, %s) = %s, want %s", from, row.d, got, want)
			} else if _, offset := got.Zone(); offset != zoneOffset(from) {
				t.Errorf("Add(%s, %s) = %s changes the location", from, row.d, got)
			}
			if got := c.Between(from, want); got != max(0, row.d) {
				t.Errorf("Between(%s, %s) = %s, want %s", from, want, got, row.d)
			}
		})
	}
}

func zoneOffset(t time.Time) int {
	_, offset := t.Zone()
	return offset
}

func TestOpen(t *testing.T) {
	c := build(t, Spec{TimeZone: "Europe/Berlin", Hours: split, Holidays: christ})
	got := map[string]bool{}
	want := map[string]bool{
		"2026-11-20 07:59:59+01:00": false,
		"2026-11-20 08:00:00+01:00": true,
		"2026-11-20 11:59:59+01:00": true,
		"2026-11-20 12:00:00+01:00": false,
		"2026-11-20 14:00:00+01:00": true,
		"2026-11-20 18:00:00+01:00": false,
		"2026-11-21 10:00:00+01:00": false, // Saturday
		"2026-12-25 10:00:00+01:00": false, // Friday, a holiday
		"2026-11-20 07:00:00+00:00": true,  // 08:00 in Berlin
	}
	for s := range want {
		got[s] = c.Open(moment(t, s))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("open (-want +got):\n%s", diff)
	}
}

func TestBetween(t *testing.T) {
	c := build(t, Spec{TimeZone: "Europe/Berlin", Hours: office})
	for _, row := range []struct {
		name, from, to string
		want           time.Duration
	}{
		{"backwards", "2026-11-20 12:00+01:00", "2026-11-20 10:00+01:00", 0},
		{"the same moment", "2026-11-20 12:00+01:00", "2026-11-20 12:00+01:00", 0},
		{"a weekend", "2026-11-20 17:00+01:00", "2026-11-23 09:00+01:00", 0},
		{"a week", "2026-11-16 00:00+01:00", "2026-11-23 00:00+01:00", 40 * time.Hour},
		{"a week with a clock change", "2026-10-22 00:00+02:00", "2026-10-29 00:00+01:00", 40 * time.Hour},
		{"part of a day", "2026-11-20 08:00+01:00", "2026-11-20 09:00:01+01:00", time.Second},
	} {
		if got := c.Between(moment(t, row.from), moment(t, row.to)); got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
}

func TestTheZeroCalendarAndAFullWeekAreAlwaysOpen(t *testing.T) {
	full := build(t, Spec{TimeZone: "Europe/Berlin", Hours: everyDay(Interval{hm(12, 0), hm(24, 0)}, Interval{0, hm(12, 0)})})
	for name, c := range map[string]*Calendar{"zero value": {}, "zero spec": build(t, Spec{}), "every day 00:00 to 24:00": full} {
		if c.business != nil {
			t.Errorf("%s: not recognised as always open", name)
		}
		from := moment(t, "2026-03-28 12:00+01:00")
		if got, want := c.Add(from, 1e6*time.Hour), from.Add(1e6*time.Hour); !got.Equal(want) {
			t.Errorf("%s: Add gives %s, want %s", name, got, want)
		}
		if got := c.Between(from, from.Add(time.Hour)); got != time.Hour || !c.Open(from) {
			t.Errorf("%s: Between gives %s, want 1h; Open gives %t, want true", name, got, c.Open(from))
		}
		if got := c.Between(from, from.Add(-time.Hour)); got != 0 {
			t.Errorf("%s: Between gives %s backwards, want 0", name, got)
		}
	}
}

func TestAddAndBetweenStopAfter100Years(t *testing.T) {
	c := build(t, Spec{Hours: map[time.Weekday][]Interval{time.Monday: {{0, hm(0, 1)}}}})
	from := moment(t, "2026-11-20 12:00+00:00")
	limit := from.Add(horizon)
	if got := c.Add(from, 1<<63-1); !got.Equal(limit) {
		t.Errorf("Add gives %s, want %s", got, limit)
	}
	inside := c.Between(from, limit)
	if mondays := 5_218; inside != time.Duration(mondays)*time.Minute {
		t.Errorf("100 years have %s of open time, want %d min", inside, mondays)
	}
	if got := c.Between(from, moment(t, "9000-01-01 00:00+00:00")); got != inside {
		t.Errorf("Between gives %s for 7,000 years, want that of 100: %s", got, inside)
	}

	// Here the limit falls within open time.
	c = build(t, Spec{Holidays: []Holiday{{Date: "01-01"}}})
	inside = c.Between(from, limit)
	if got := c.Between(from, limit.Add(time.Hour)); got != inside {
		t.Errorf("Between gives %s an hour behind the limit, want %s", got, inside)
	}
	if got := c.Add(from, inside+time.Hour); !got.Equal(limit) {
		t.Errorf("Add gives %s for an hour more than 100 years have, want %s", got, limit)
	}
}

func TestCalendarsAllocateNothing(t *testing.T) {
	from := moment(t, "2026-11-20 12:00+01:00")
	for name, c := range map[string]*Calendar{
		"always open": build(t, Spec{}),
		"business":    build(t, Spec{TimeZone: "Europe/Berlin", Hours: split, Holidays: []Holiday{{Public: "DE"}}}),
	} {
		n := testing.AllocsPerRun(100, func() {
			c.Between(from, c.Add(from, 48*time.Hour))
			c.Open(from)
		})
		if n != 0 {
			t.Errorf("%s: %v allocations, want none", name, n)
		}
	}
}
