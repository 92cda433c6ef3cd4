package calendar

import (
	"slices"
	"time"
)

// Never is what AddAround gives while a hold is still on: there is no due moment
// yet. It is the last second of the year 9999, so that whoever merely compares
// times finds it not due.
var Never = time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC)

// Hold is a time in which the clock of a deadline stands still, because the
// customer owes us something: [From, Until). A zero From is since ever, a zero
// Until is still held. A hold that ends before it begins is none.
type Hold struct {
	From, Until time.Time
}

// AddAround gives the earliest moment at which d of open time has passed since t
// outside the holds: Never if a hold that is still on comes first, t itself if
// d ≤ 0. Holds may overlap and come in any order. Like Add, it looks 100 years
// ahead from the last hold that counted, and answers in t's location.
func (c *Calendar) AddAround(t time.Time, d time.Duration, holds []Hold) time.Time {
	if len(holds) == 0 || d <= 0 {
		return c.Add(t, d)
	}
	held := slices.Clone(holds)
	slices.SortFunc(held, func(a, b Hold) int { return a.From.Compare(b.From) })
	at := t
	for _, h := range held {
		still := h.Until.IsZero()
		if !still && (!h.Until.After(at) || !h.Until.After(h.From)) {
			continue
		}
		if h.From.After(at) {
			free := c.Between(at, h.From)
			if free >= d {
				break
			}
			d -= free
		}
		if still {
			return Never
		}
		at = h.Until
	}
	return c.Add(at, d).In(t.Location())
}
