package story

import (
	"sync/atomic"
	"time"
)

// Clock is a clock that stands where it was set. It is safe for concurrent use.
type Clock struct{ nanos atomic.Int64 }

// NewClock makes a clock that stands at t.
func NewClock(t time.Time) *Clock {
	c := &Clock{}
	c.Set(t)
	return c
}

// Set moves the clock, forwards or back.
func (c *Clock) Set(t time.Time) { c.nanos.Store(t.UnixNano()) }

// Now is the time that the clock stands at, in UTC.
func (c *Clock) Now() time.Time { return time.Unix(0, c.nanos.Load()).UTC() }
