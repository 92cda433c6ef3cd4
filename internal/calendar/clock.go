package calendar

import (
	"math"
	"sort"
	"time"
)

// The years for which clock changes and holidays are worked out.
const (
	firstYear = 1970
	lastYear  = 2100
)

// clock is the local wall clock as periods of constant offset from UTC. Wall
// clock values are seconds since 1970-01-01 00:00 as the local clock shows them.
// A table of our own, because a search in time.Location for each boundary of
// each day would cost more than all the rest.
type clock []period

// period begins at start (Unix seconds) and lasts until the next one begins.
type period struct {
	start  int64
	offset int64 // seconds east of UTC
	// reach is the end of what the clock has shown by the end of this period: no
	// wall-clock value at or above it was seen up to then.
	reach int64
}

// newClock reads the clock changes of a location.
func newClock(loc *time.Location) clock {
	t := time.Date(firstYear, time.January, 1, 0, 0, 0, 0, loc)
	end := time.Date(lastYear+1, time.January, 1, 0, 0, 0, 0, loc)
	var c clock
	for !t.IsZero() && t.Before(end) {
		_, offset := t.Zone()
		if n := len(c); n == 0 || c[n-1].offset != int64(offset) {
			c = append(c, period{start: t.Unix(), offset: int64(offset)})
		}
		t = nextPeriod(t)
	}
	// The first and last offsets go on for ever. Far enough: the sums that they
	// enter must not overflow.
	c[0].start = math.MinInt64 / 4
	reach := int64(math.MinInt64)
	for i := range c[:len(c)-1] {
		reach = max(reach, c[i+1].start+c[i].offset)
		c[i].reach = reach
	}
	c[len(c)-1].reach = math.MaxInt64
	return c
}

// nextPeriod gives a later moment that is not behind the next change of the
// offset; the zero time if there is no further change.
func nextPeriod(t time.Time) time.Time {
	_, next := t.ZoneBounds()
	if next.IsZero() || next.After(t) {
		return next
	}
	// Where a rule and not a table gives the changes, time takes a year to have
	// 365 days, and on 31 December of a leap year the bound is past. The rule has
	// no change left in that year.
	return time.Date(t.UTC().Year()+1, time.January, 1, 0, 0, 0, 0, time.UTC).In(t.Location())
}

// at finds the period of a moment.
func (c clock) at(sec int64) int {
	return sort.Search(len(c)-1, func(i int) bool { return sec < c[i+1].start })
}

// instant gives the first moment at which the clock shows wall or later. The
// search begins at period *near and leaves it where the moment was found, so
// that a walk forward in time does not search at all.
func (c clock) instant(wall int64, near *int) int64 {
	i := *near
	for i > 0 && c[i-1].reach > wall {
		i--
	}
	for c[i].reach <= wall {
		i++
	}
	*near = i
	return max(c[i].start, wall-c[i].offset)
}
