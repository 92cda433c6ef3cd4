package calendar

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fields lists what an error of New complains about, in order.
func fields(t *testing.T, err error) []string {
	t.Helper()
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("%v is no joined error", err)
	}
	var out []string
	for _, e := range joined.Unwrap() {
		var f *Fault
		if !errors.As(e, &f) {
			t.Fatalf("%v is no Fault", e)
		}
		if f.Problem == "" || !strings.HasPrefix(e.Error(), f.Field+": ") {
			t.Errorf("%q does not name the field and the problem", e)
		}
		out = append(out, f.Field)
	}
	return out
}

func TestNewReportsEveryFaultAtOnce(t *testing.T) {
	_, err := New(Spec{
		TimeZone: "Mars/Olympus_Mons",
		Hours: map[time.Weekday][]Interval{
			time.Monday: {
				{hm(9, 0), hm(12, 0)},
				{hm(11, 0), hm(15, 0)},             // overlaps
				{hm(22, 0), hm(6, 0)},              // crosses midnight
				{hm(-1, 0), hm(1, 0)},              // before the day
				{hm(23, 0), hm(24, 1)},             // after the day
				{hm(9, 0), hm(9, 0)},               // empty
				{hm(17, 0), hm(18, 0) + 1},         // not whole minutes
				{hm(14, 59), hm(16, 0)},            // overlaps
				{hm(16, 0), hm(17, 0)},             // touches
				{hm(17, 30), hm(17, 30) + 1*1_000}, // not whole minutes
			},
			7: {{hm(9, 0), hm(12, 0)}},
		},
		Holidays: []Holiday{
			{},
			{Date: "2026-02-29"},
			{Date: "02-30"},
			{Date: "24.12."},
			{Date: "1-1"},
			{Date: "2101-01-01"},
			{Date: "1969-12-31"},
			{Date: "12-24", Public: "DE"},
			{Public: "ATLANTIS"},
			{Easter: &Easter{Days: 101}},
			{Nth: &Nth{N: 5, Weekday: 7, Month: 13}},
			{Nth: &Nth{N: 0, Weekday: -1, Month: 0}},
			{Date: "12-24", Observed: 3},
			{Date: "2026-12-24", Observed: NextMonday},
			{Public: "DE", Observed: NextMonday},
			{Date: "12-24"}, // sound
		},
	})
	want := []string{
		"time_zone",
		"hours.monday[2]", "hours.monday[3]", "hours.monday[4]", "hours.monday[5]",
		"hours.monday[6]", "hours.monday[9]", "hours.monday[1]", "hours.monday[7]",
		"hours",
		"holidays[0]", "holidays[1].date", "holidays[2].date", "holidays[3].date", "holidays[4].date",
		"holidays[5].date", "holidays[6].date", "holidays[7]", "holidays[8].public", "holidays[9].easter.days",
		"holidays[10].nth.n", "holidays[10].nth.weekday", "holidays[10].nth.month",
		"holidays[11].nth.n", "holidays[11].nth.weekday", "holidays[11].nth.month",
		"holidays[12].observed", "holidays[13].observed", "holidays[14].observed",
	}
	if diff := cmp.Diff(want, fields(t, err)); diff != "" {
		t.Errorf("faults (-want +got):\n%s\n%v", diff, err)
	}
}

func TestNewRefusesAZoneThatDependsOnTheMachine(t *testing.T) {
	_, err := New(Spec{TimeZone: "Local"})
	if diff := cmp.Diff([]string{"time_zone"}, fields(t, err)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestNewRefusesAYearWithoutOpenTime(t *testing.T) {
	everyDayOf := func(years ...int) (h []Holiday) {
		for _, y := range years {
			for d := time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC); d.Year() == y; d = d.AddDate(0, 0, 1) {
				h = append(h, Holiday{Date: d.Format(time.DateOnly)})
			}
		}
		return h
	}
	for _, row := range []struct {
		name string
		spec Spec
		want string // in the error
	}{
		{"hours without an interval", Spec{Hours: map[time.Weekday][]Interval{time.Monday: nil}}, "from 1970-01-01"},
		{"a year of holidays", Spec{Holidays: everyDayOf(2027)}, "from 2027-01-01"},
		{"open on Mondays, which are holidays", Spec{
			Hours: map[time.Weekday][]Interval{time.Monday: {allDay}}, Holidays: everyDayOf(2026)[:355],
		}, ""},
		{"open on Mondays, holidays until the next year's", Spec{
			Hours: map[time.Weekday][]Interval{time.Monday: {allDay}}, Holidays: everyDayOf(2026, 2027)[:366],
		}, "from 2025-12-30"},
	} {
		c, err := New(row.spec)
		switch {
		case row.want == "" && err != nil:
			t.Errorf("%s: refused: %v", row.name, err)
		case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
			t.Errorf("%s: got %v, %v, want an error with %q", row.name, c, err, row.want)
		}
	}
}

func TestIntervalReadsAsAClock(t *testing.T) {
	if got := (Interval{hm(9, 5), hm(24, 0)}).String(); got != "09:05-24:00" {
		t.Errorf("got %s, want 09:05-24:00", got)
	}
	if got := (Interval{hm(-1, -30), hm(1, 0)}).String(); got != "-01:30-01:00" {
		t.Errorf("got %s, want -01:30-01:00", got)
	}
}
