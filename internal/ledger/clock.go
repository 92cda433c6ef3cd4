package ledger

import (
	"context"
	"sync/atomic"
	"time"
)

// storeClock is the clock of Redis, carried on by this machine's monotonic one:
// all replicas then judge by one clock, and neither a wall clock that differs
// nor one that is set changes when a deadline is missed. It is behind that of
// Redis by the way of one answer, never ahead, so nothing happens early.
type storeClock struct{ anchor atomic.Pointer[anchor] }

// anchor is what Redis said, and when that was heard.
type anchor struct{ told, heard time.Time }

// Now is the wall clock until Redis has told the time.
func (c *storeClock) Now() time.Time {
	a := c.anchor.Load()
	if a == nil {
		return time.Now()
	}
	return a.told.Add(time.Since(a.heard))
}

// tell sets the clock.
func (c *storeClock) tell(t time.Time) { c.anchor.Store(&anchor{told: t, heard: time.Now()}) }

// Now is the clock of all decisions: Options.Now or, without it, that of Redis.
func (l *Ledger) Now() time.Time { return l.opts.Now() }

// Ping reports whether the store answers, and asks it for the time.
func (l *Ledger) Ping(ctx context.Context) error {
	return l.persist(ctx, func(ctx context.Context) error {
		// Of a cluster's servers always the same, since each has its own clock.
		if server, err := l.owner(ctx, metaKey); err == nil {
			if t, err := server.Time(ctx).Result(); err == nil {
				l.time.tell(t)
				return nil
			}
		}
		return l.client.Ping(ctx).Err()
	})
}
