package calendar

import (
	"fmt"
	"time"

	"github.com/rickar/cal/v2"
)

// Holiday is a rule that closes days. Exactly one of Date, Public, Easter and
// Nth is set.
type Holiday struct {
	// Name is for people; it changes nothing.
	Name string
	// Date closes one day, "2026-12-24", or the same day every year, "12-24".
	// "02-29" exists in leap years only.
	Date string
	// Public closes the public holidays of a country, or of a region where the
	// library has them, by ISO 3166 code: "US", "DE", "DE-BY". PublicSets lists
	// the codes. They are as good as the library knows them; a proclaimed extra
	// day has to be added by Date.
	Public string
	// Easter closes a day counted from Easter Sunday.
	Easter *Easter
	// Nth closes a weekday of a month.
	Nth *Nth
	// Observed adds a substitute for a yearly Date on a weekend; with any other
	// rule it must be SameDay.
	Observed Observed
}

// Easter is a day counted from Easter Sunday.
type Easter struct {
	Days     int  // −2 is Good Friday, 1 Easter Monday, 39 Ascension; −100 to 100
	Orthodox bool // Easter by the Julian calendar
}

// Nth is the Nth weekday of a month.
type Nth struct {
	N       int // 1 to 4 from the beginning, −1 (the last) to −4 from the end
	Weekday time.Weekday
	Month   time.Month
}

// Observed tells which day off stands in for a holiday on a weekend. The holiday
// itself stays closed too.
type Observed int

const (
	SameDay        Observed = iota // no substitute
	NextMonday                     // the Monday after
	NearestWeekday                 // Friday for a Saturday, Monday for a Sunday
)

func init() {
	// The library makes dates at midnight of its default location, which is the
	// machine's. Where clocks change at midnight (São Paulo until 2018) midnight
	// may not exist, and the holiday slips to the day before.
	cal.DefaultLoc = time.UTC
}

// knownDays is the number of days from 1970-01-01 to the end of lastYear.
var knownDays = time.Date(lastYear+1, time.January, 1, 0, 0, 0, 0, time.UTC).Unix() / 86_400

// days is a set of days counted from 1970-01-01. One bit a day keeps the test in
// the walk cheaper than a search.
type days []uint64

func (s days) has(d int64) bool {
	word := uint64(d) / 64 // a day before 1970 turns into one far beyond the end
	return word < uint64(len(s)) && s[word]>>(uint64(d)%64)&1 == 1
}

func (s days) add(t time.Time) {
	d := floorDiv(t.Unix(), 86_400)
	if !t.IsZero() && d >= 0 && d < knownDays {
		s[d/64] |= 1 << (d % 64)
	}
}

// closedDays works out all holidays of the known years.
func (f *faults) closedDays(holidays []Holiday) days {
	if len(holidays) == 0 {
		return nil
	}
	closed := make(days, (knownDays+63)/64)
	for i, h := range holidays {
		for _, rule := range f.rules(fmt.Sprintf("holidays[%d]", i), h) {
			// A New Year's Day may be observed on the 31 December before.
			for year := firstYear; year <= lastYear+1; year++ {
				actual, observed := rule.Calc(year)
				closed.add(actual)
				closed.add(observed)
			}
		}
	}
	return closed
}

// rules gives the library's rules for a holiday, none if it has a fault.
func (f *faults) rules(field string, h Holiday) []*cal.Holiday {
	given := 0
	for _, is := range []bool{h.Date != "", h.Public != "", h.Easter != nil, h.Nth != nil} {
		if is {
			given++
		}
	}
	if h.Observed < SameDay || h.Observed > NearestWeekday {
		f.add(field+".observed", "%d is no way to observe a holiday", int(h.Observed))
	} else if h.Observed != SameDay && len(h.Date) != len("12-24") {
		f.add(field+".observed", `goes only with a yearly date such as "12-24"`)
	}
	switch {
	case given != 1:
		f.add(field, "needs exactly one of date, public, easter and nth, has %d", given)
		return nil
	case h.Public != "":
		return f.public(field+".public", h.Public)
	case h.Easter != nil:
		return f.easter(field+".easter", *h.Easter)
	case h.Nth != nil:
		return f.nth(field+".nth", *h.Nth)
	}
	return f.date(field+".date", h)
}

func (f *faults) date(field string, h Holiday) []*cal.Holiday {
	if once, err := time.Parse(time.DateOnly, h.Date); err == nil {
		y := once.Year()
		if y < firstYear || y > lastYear {
			f.add(field, "%s is outside the years %d to %d", h.Date, firstYear, lastYear)
			return nil
		}
		return []*cal.Holiday{{
			Month: once.Month(), Day: once.Day(), StartYear: y, EndYear: y, Func: cal.CalcDayOfMonth,
		}}
	}
	yearly, err := time.Parse("01-02", h.Date) // in the year 0, which has a 29 February
	if err != nil {
		f.add(field, `%q is no day; use "2026-12-24" for one day or "12-24" for every year`, h.Date)
		return nil
	}
	return []*cal.Holiday{{
		Month: yearly.Month(), Day: yearly.Day(), Func: dayOfMonth, Observed: h.Observed.substitutes(),
	}}
}

// dayOfMonth is cal.CalcDayOfMonth without 29 February turning into 1 March.
func dayOfMonth(h *cal.Holiday, year int) time.Time {
	if t := cal.CalcDayOfMonth(h, year); t.Day() == h.Day {
		return t
	}
	return time.Time{}
}

func (o Observed) substitutes() []cal.AltDay {
	switch o {
	case NextMonday:
		return []cal.AltDay{{Day: time.Saturday, Offset: 2}, {Day: time.Sunday, Offset: 1}}
	case NearestWeekday:
		return []cal.AltDay{{Day: time.Saturday, Offset: -1}, {Day: time.Sunday, Offset: 1}}
	}
	return nil
}

func (f *faults) easter(field string, e Easter) []*cal.Holiday {
	if e.Days < -100 || e.Days > 100 {
		f.add(field+".days", "%d is outside -100 to 100", e.Days)
		return nil
	}
	return []*cal.Holiday{{Offset: e.Days, Julian: e.Orthodox, Func: cal.CalcEasterOffset}}
}

func (f *faults) nth(field string, n Nth) []*cal.Holiday {
	before := len(*f)
	// A fifth weekday is not in every month, and the library would run on into
	// the next one.
	if n.N < -4 || n.N == 0 || n.N > 4 {
		f.add(field+".n", "%d is outside 1 to 4 (from the beginning) and -1 to -4 (from the end)", n.N)
	}
	if n.Weekday < time.Sunday || n.Weekday > time.Saturday {
		f.add(field+".weekday", "%d is no weekday (0 is Sunday, 6 is Saturday)", int(n.Weekday))
	}
	if n.Month < time.January || n.Month > time.December {
		f.add(field+".month", "%d is no month", int(n.Month))
	}
	if len(*f) > before {
		return nil
	}
	return []*cal.Holiday{{Month: n.Month, Weekday: n.Weekday, Offset: n.N, Func: cal.CalcWeekdayOffset}}
}
