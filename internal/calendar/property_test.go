package calendar

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// sample is a calendar drawn at random, with moments around a clock change.
type sample struct {
	*Calendar
	loc    *time.Location
	hours  map[time.Weekday][]Interval
	closed []int64 // days since 1970-01-01
	centre time.Time
}

// centres are noons next to clock changes of the zones, and one of a leap day.
var centres = []string{
	"2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2026-04-05", "2026-10-04",
	"2018-11-04", "2018-02-18", "2010-11-07", "2011-12-30", "2028-02-29", "2026-12-31",
}

func drawSample(t *rapid.T) sample {
	zone := rapid.SampledFrom(zones).Draw(t, "zone")
	s := sample{loc: location(t, zone), hours: map[time.Weekday][]Interval{}}
	for d := time.Sunday; d <= time.Saturday; d++ {
		s.hours[d] = drawIntervals(t)
	}
	// One day that is certainly open somewhere in the week.
	s.hours[time.Tuesday] = append(s.hours[time.Tuesday][:0], Interval{hm(1, 30), hm(20, 0)})
	date := rapid.SampledFrom(centres).Draw(t, "centre")
	centre, err := time.ParseInLocation(time.DateOnly, date, s.loc)
	if err != nil {
		t.Fatal(err)
	}
	s.centre = centre.Add(12 * time.Hour)
	spec := Spec{TimeZone: zone, Hours: s.hours}
	for _, offset := range rapid.SliceOfN(rapid.IntRange(-4, 4), 0, 2).Draw(t, "holidays") {
		d := time.Date(centre.Year(), centre.Month(), centre.Day()+offset, 0, 0, 0, 0, time.UTC)
		s.closed = append(s.closed, d.Unix()/86_400)
		spec.Holidays = append(spec.Holidays, Holiday{Date: d.Format(time.DateOnly)})
	}
	s.Calendar, err = New(spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// drawIntervals draws up to three intervals of a day, often near the hours in
// which clocks change, and sometimes touching.
func drawIntervals(t *rapid.T) (v []Interval) {
	marks := rapid.SliceOfNDistinct(rapid.OneOf(
		rapid.SampledFrom([]int{0, 30, 60, 90, 120, 135, 150, 165, 180, 1380, 1410, 1440}),
		rapid.IntRange(0, 1440),
	), 0, 6, rapid.ID).Draw(t, "marks")
	slices.Sort(marks)
	touching := rapid.Bool().Draw(t, "touching")
	for i := 0; i+1 < len(marks); i++ {
		v = append(v, Interval{time.Duration(marks[i]) * time.Minute, time.Duration(marks[i+1]) * time.Minute})
		if !touching {
			i++
		}
	}
	return v
}

// moment draws a moment within three days of the centre.
func (s sample) moment(t *rapid.T, unit time.Duration) time.Time {
	n := int64(72 * time.Hour / unit)
	return s.centre.Add(time.Duration(rapid.Int64Range(-n, n).Draw(t, "moment")) * unit)
}

// span draws an open time up to 60 hours.
func (s sample) span(t *rapid.T, unit time.Duration) time.Duration {
	return time.Duration(rapid.Int64Range(0, int64(60*time.Hour/unit)).Draw(t, "open time")) * unit
}

// stepper is the plain way: it looks at the local clock each minute. A minute is
// open if the hours contain what the clock shows, or where the clock was put
// back, what it showed just before it was.
type stepper struct {
	sample
	start  int64 // Unix minutes; days before the first moment that is asked for
	latest int64 // minutes that the local clock showed, since 1970-01-01 00:00
	seen   []bool
}

func (s sample) step() *stepper {
	return &stepper{sample: s, start: s.centre.AddDate(0, 0, -5).Unix() / 60}
}

// open tells whether minute i from the start is open.
func (p *stepper) open(i int) bool {
	for len(p.seen) <= i {
		now := p.start + int64(len(p.seen))
		_, offset := time.Unix(now*60, 0).In(p.loc).Zone()
		p.latest = max(p.latest, now+int64(offset)/60)
		p.seen = append(p.seen, p.shows(p.latest))
	}
	return p.seen[i]
}

// shows tells whether the hours are open when the clock shows wall.
func (s sample) shows(wall int64) bool {
	date, of := wall/(24*60), time.Duration(wall%(24*60))*time.Minute
	for _, v := range s.hours[time.Weekday((date+4)%7)] {
		if v.From <= of && of < v.To {
			return !slices.Contains(s.closed, date)
		}
	}
	return false
}

func (p *stepper) index(t time.Time) int { return int(t.Unix()/60 - p.start) }

func (p *stepper) add(t time.Time, d time.Duration) time.Time {
	i := p.index(t)
	for ; d > 0; i++ {
		if p.open(i) {
			d -= time.Minute
		}
	}
	return time.Unix((p.start+int64(i))*60, 0)
}

func (p *stepper) between(from, to time.Time) (sum time.Duration) {
	for i := p.index(from); i < p.index(to); i++ {
		if p.open(i) {
			sum += time.Minute
		}
	}
	return sum
}

func TestAgreesWithTheMinuteStepper(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSample(t)
		p := s.step()
		for range 20 {
			from, to, d := s.moment(t, time.Minute), s.moment(t, time.Minute), s.span(t, time.Minute)
			if got, want := s.Open(from), p.open(p.index(from)); got != want {
				t.Fatalf("Open(%s) = %t, want %t", from, got, want)
			}
			if got, want := s.Add(from, d), p.add(from, d); !got.Equal(want) {
				t.Fatalf("Add(%s, %s) = %s, want %s", from, d, got, want)
			}
			if got, want := s.Between(from, to), p.between(from, to); got != want {
				t.Fatalf("Between(%s, %s) = %s, want %s", from, to, got, want)
			}
		}
	})
}

func TestAddAndBetweenAreOneArithmetic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSample(t)
		from, a, b := s.moment(t, time.Nanosecond), s.span(t, time.Nanosecond), s.span(t, time.Nanosecond)
		first := s.Add(from, a)
		if got := s.Between(from, first); got != a {
			t.Fatalf("Between(t, Add(t, %s)) = %s", a, got)
		}
		if got, want := s.Add(first, b), s.Add(from, a+b); !got.Equal(want) {
			t.Fatalf("Add(Add(t, %s), %s) = %s, Add of the sum = %s", a, b, got, want)
		}
		if a > 0 && !s.Open(first.Add(-1)) {
			t.Fatalf("Add(%s, %s) = %s, which no open time precedes", from, a, first)
		}
		later, last := s.moment(t, time.Nanosecond), s.moment(t, time.Nanosecond)
		if later.Before(from) {
			from, later = later, from
		}
		if got := s.Add(later, a); got.Before(s.Add(from, a)) {
			t.Fatalf("Add(%s, %s) = %s, earlier than from %s", later, a, got, from)
		}
		if last.Before(later) {
			last = later
		}
		if got, want := s.Between(from, later)+s.Between(later, last), s.Between(from, last); got != want {
			t.Fatalf("open time of the parts %s, of the whole %s", got, want)
		}
	})
}

func TestAddGrowsWithTheOpenTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSample(t)
		from, a, b := s.moment(t, time.Nanosecond), s.span(t, time.Second), s.span(t, time.Second)
		if short, long := s.Add(from, min(a, b)), s.Add(from, max(a, b)); long.Before(short) || short.Before(from) || a != b && !short.Before(long) {
			t.Fatalf("from %s: %s gives %s, %s gives %s", from, min(a, b), short, max(a, b), long)
		}
	})
}
