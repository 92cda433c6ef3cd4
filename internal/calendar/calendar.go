package calendar

import (
	"errors"
	"time"
)

// horizon is how far Add and Between look ahead: 100 years of 365¼ days.
const (
	horizonDays = 36_525
	horizon     = horizonDays * day
)

// Calendar counts open time. The zero Calendar is always open.
type Calendar struct {
	business *business // nil: always open
}

// business is a calendar that is closed at times.
type business struct {
	week   [7][]span // by weekday
	closed days      // holidays
	clock  clock     // local wall clock
}

// New builds the calendar of a spec. It reports everything that is wrong at
// once: the error joins one *Fault for each, about the time zone, an interval, a
// holiday, or a calendar that is closed for a whole year.
func New(s Spec) (*Calendar, error) {
	var f faults
	loc := f.zone(s.TimeZone)
	week := f.week(s.Hours)
	closed := f.closedDays(s.Holidays)
	if f != nil {
		return nil, errors.Join(f...)
	}
	if len(s.Holidays) == 0 && alwaysOpen(week) {
		return &Calendar{}, nil
	}
	b := &business{week: week, closed: closed, clock: newClock(loc)}
	if since, ok := b.yearOff(); ok {
		f.add("hours", "closed for a whole year from %s, so no deadline could be met", since.Format(time.DateOnly))
		return nil, errors.Join(f...)
	}
	return &Calendar{business: b}, nil
}

func alwaysOpen(week [7][]span) bool {
	for _, spans := range week {
		if len(spans) != 1 || spans[0] != wholeDay {
			return false
		}
	}
	return true
}

// yearOff finds the first 365 days in a row without open time.
func (b *business) yearOff() (since time.Time, ok bool) {
	const year = 365
	closed := int64(0)
	for d := range knownDays {
		if len(b.spans(d)) > 0 {
			closed = 0
			continue
		}
		if closed++; closed == year {
			return time.Unix((d-year+1)*86_400, 0).UTC(), true
		}
	}
	return time.Time{}, false
}

// spans gives the open spans of a day, counted from 1970-01-01.
func (b *business) spans(d int64) []span {
	if b.closed.has(d) {
		return nil
	}
	weekday := (d + int64(time.Thursday)) % 7 // 1970-01-01 was a Thursday
	if weekday < 0 {
		weekday += 7
	}
	return b.week[weekday]
}

// AlwaysOpen reports whether the calendar is never closed.
func (c *Calendar) AlwaysOpen() bool { return c.business == nil }

// Open reports whether t lies in open time. The moment of closing does not.
func (c *Calendar) Open(t time.Time) bool {
	if c.business == nil {
		return true
	}
	w := c.business.walk(t)
	opens, _, ok := w.next()
	return ok && opens == 0
}

// Add gives the earliest moment at which d of open time has passed since t: at
// closing time if it runs out just then, t itself if d ≤ 0. A calendar that is
// closed at times answers with 100 years after t at the latest. The result is in
// t's location.
func (c *Calendar) Add(t time.Time, d time.Duration) time.Time {
	if d <= 0 {
		return t
	}
	if c.business == nil {
		return t.Add(d)
	}
	w := c.business.walk(t)
	for opens, closes, ok := w.next(); ok; opens, closes, ok = w.next() {
		if length := closes - opens; d > length {
			d -= length
			continue
		}
		return t.Add(min(opens+d, horizon))
	}
	return t.Add(horizon)
}

// Between gives the open time in [from, to), 0 if to is not after from. A
// calendar that is closed at times counts the first 100 years at most.
func (c *Calendar) Between(from, to time.Time) time.Duration {
	length := max(0, to.Sub(from))
	if c.business == nil || length == 0 {
		return length
	}
	length = min(length, horizon)
	var sum time.Duration
	w := c.business.walk(from)
	for opens, closes, ok := w.next(); ok && opens < length; opens, closes, ok = w.next() {
		sum += min(closes, length) - opens
	}
	return sum
}

// walk steps through the open stretches from a moment on.
type walk struct {
	b         *business
	sec, nsec int64  // the start, as seconds and nanoseconds since 1970
	day, last int64  // local days since 1970-01-01
	rest      []span // spans of day still to come
	period    int    // of the clock, where the latest wall-clock time was found
}

func (b *business) walk(t time.Time) walk {
	sec := t.Unix()
	period := b.clock.at(sec)
	// The local date of t is early enough even where the clock was put back over
	// midnight: the day that is being repeated comes out as past.
	today := floorDiv(sec+b.clock[period].offset, 86_400)
	return walk{
		b: b, sec: sec, nsec: int64(t.Nanosecond()),
		day: today, last: today + horizonDays + 1,
		rest: b.spans(today), period: period,
	}
}

// next gives the next open stretch that ends after the start, as time since the
// start. A stretch that is under way begins at 0. ok is false behind the
// horizon.
func (w *walk) next() (opens, closes time.Duration, ok bool) {
	for {
		for len(w.rest) == 0 {
			if w.day++; w.day > w.last {
				return 0, 0, false
			}
			w.rest = w.b.spans(w.day)
		}
		s := w.rest[0]
		w.rest = w.rest[1:]
		opens, closes = max(0, w.until(s.opens)), w.until(s.closes)
		if opens < closes { // not past, and not swallowed by a clock change
			return opens, closes, true
		}
	}
}

// until gives the time from the start to a second of the present day.
func (w *walk) until(second int64) time.Duration {
	at := w.b.clock.instant(w.day*86_400+second, &w.period)
	return time.Duration((at-w.sec)*int64(time.Second) - w.nsec)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
