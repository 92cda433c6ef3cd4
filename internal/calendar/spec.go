package calendar

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const day = 24 * time.Hour

// Spec describes opening hours. The zero Spec is always open.
type Spec struct {
	// TimeZone is the IANA name of the zone whose wall clock Hours and Holidays
	// follow, such as "Europe/Berlin". Empty means UTC. "Local" is refused: the
	// same rules must give the same deadline on every machine.
	TimeZone string
	// Hours lists the intervals of each weekday, in any order. Without a single
	// entry every day is open from 00:00 to 24:00; as soon as there is one, the
	// weekdays that are missing are closed.
	Hours map[time.Weekday][]Interval
	// Holidays lists days without open time.
	Holidays []Holiday
}

// Interval is a stretch of open time on one day, from From up to but without To,
// both as the local clock shows them, counted from 00:00 in whole minutes:
// 0 ≤ From < To ≤ 24h. Intervals of a day may touch but not overlap.
type Interval struct {
	From, To time.Duration
}

// Fault is one thing wrong with a Spec. New joins all of them: its error unwraps
// to a list of *Fault.
type Fault struct {
	Field   string // such as "hours.monday[1]" or "holidays[0].date"
	Problem string // what is wrong and what would be right
}

// Error gives the field and the problem in one line.
func (f *Fault) Error() string { return f.Field + ": " + f.Problem }

// faults collects everything that is wrong, in the order of the Spec's fields.
type faults []error

func (f *faults) add(field, format string, args ...any) {
	*f = append(*f, &Fault{Field: field, Problem: fmt.Sprintf(format, args...)})
}

// span is an interval in seconds of the local day.
type span struct{ opens, closes int64 }

var wholeDay = span{0, int64(day / time.Second)}

// zone finds the location of the named time zone.
func (f *faults) zone(name string) *time.Location {
	loc, err := time.LoadLocation(name)
	switch {
	case name == "Local":
		f.add("time_zone", `"Local" depends on the machine; name the zone, such as "Europe/Berlin"`)
	case err != nil:
		f.add("time_zone", `%q is not in the time zone database; use an IANA name such as "Europe/Berlin"`, name)
	}
	return loc
}

// week turns the hours into the sorted spans of each weekday, touching ones
// joined.
func (f *faults) week(hours map[time.Weekday][]Interval) (w [7][]span) {
	if len(hours) == 0 {
		return [7][]span{{wholeDay}, {wholeDay}, {wholeDay}, {wholeDay}, {wholeDay}, {wholeDay}, {wholeDay}}
	}
	for _, d := range slices.Sorted(maps.Keys(hours)) { // faults in the same order each time
		if d < time.Sunday || d > time.Saturday {
			f.add("hours", "%d is no weekday (0 is Sunday, 6 is Saturday)", int(d))
			continue
		}
		w[d] = f.spans("hours."+strings.ToLower(d.String()), hours[d])
	}
	return w
}

// spans checks the intervals of one day and sorts them.
func (f *faults) spans(field string, day []Interval) []span {
	var order []int // of the sound intervals
	for i, v := range day {
		if problem := v.problem(); problem != "" {
			f.add(fmt.Sprintf("%s[%d]", field, i), "%s", problem)
			continue
		}
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(day[a].From, day[b].From) })
	var sorted []span
	for _, i := range order {
		s := span{int64(day[i].From / time.Second), int64(day[i].To / time.Second)}
		last := len(sorted) - 1
		switch {
		case last < 0 || sorted[last].closes < s.opens:
			sorted = append(sorted, s)
		case sorted[last].closes == s.opens:
			sorted[last].closes = s.closes
		default:
			f.add(fmt.Sprintf("%s[%d]", field, i), "%s overlaps another interval of the day", day[i])
			sorted[last].closes = max(sorted[last].closes, s.closes)
		}
	}
	return sorted
}

func (v Interval) problem() string {
	switch {
	case v.From < 0 || v.To > day:
		return fmt.Sprintf("%s leaves the day; use 00:00 to 24:00", v)
	case v.From%time.Minute != 0 || v.To%time.Minute != 0:
		return fmt.Sprintf("%s to %s is not in whole minutes", v.From, v.To)
	case v.To <= v.From:
		return fmt.Sprintf("%s does not end after it begins; end a night shift at 24:00 and begin the next day's at 00:00", v)
	}
	return ""
}

// String gives the interval as a clock would, such as "09:00-17:30".
func (v Interval) String() string { return clockFace(v.From) + "-" + clockFace(v.To) }

func clockFace(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	return fmt.Sprintf("%s%02d:%02d", sign, d/time.Hour, d%time.Hour/time.Minute)
}
