package ledger

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// jumpRefuse is how far an answer may be from where the clock stands: far
	// more than an answer takes, and than two clocks drift apart between two.
	jumpRefuse = 2 * time.Second
	// confirmTime is for how long a clock that jumped must go on from there
	// before it is believed.
	confirmTime = 30 * time.Second
	// confirmGap is the longest silence within that time.
	confirmGap = 10 * time.Second
)

// storeClock is the clock of Redis, carried on by this machine's monotonic one:
// all replicas then judge by one clock, and neither a wall clock that differs
// nor one that is set changes when a deadline is missed. It is behind that of
// Redis by the way of one answer, never ahead, so nothing happens early. It never
// goes back either: after an answer that was longer on its way, or when Redis goes
// back by less than a jump, it stands until that time has come.
//
// A deadline that is missed stays missed, so no single answer is trusted with
// all of them: one that is far from where the clock stands changes nothing. The
// clock goes on as it was, and whoever asks for its doubts is told of the
// answer, until Redis tells its former time again or has told the new one for
// confirmTime, and this machine's wall clock says the same.
type storeClock struct {
	anchor atomic.Pointer[anchor]

	mu    sync.Mutex
	doubt *doubt // nil while Redis tells what is believed
}

// anchor is what Redis said, and when that was heard.
type anchor struct {
	told, heard time.Time
	latest      *atomic.Int64 // in nanoseconds, that was given since Redis was first believed or jumped
}

// now carries it on.
func (a *anchor) now() time.Time { return a.told.Add(time.Since(a.heard)) }

// onward is now, or the latest time that was given if that is later.
func (a *anchor) onward() time.Time {
	now := a.now()
	for {
		latest := a.latest.Load()
		ahead := time.Duration(latest - now.UnixNano())
		if ahead >= 0 {
			return now.Add(ahead)
		}
		if a.latest.CompareAndSwap(latest, now.UnixNano()) {
			return now
		}
	}
}

// agrees tells whether an answer that is heard now goes on from there.
func (a *anchor) agrees(told time.Time) bool { return told.Sub(a.now()).Abs() <= jumpRefuse }

// doubt is a time that Redis tells and that is not believed.
type doubt struct {
	last  anchor
	since time.Time     // when it was heard first
	by    time.Duration // from where the clock stood
}

// Now is the wall clock until Redis has told the time.
func (c *storeClock) Now() time.Time {
	a := c.anchor.Load()
	if a == nil {
		return time.Now()
	}
	return a.onward()
}

// tell takes in an answer. It reports whether what is believed has changed: a
// clock that has jumped is doubted, or is believed from now on or again.
func (c *storeClock) tell(told, wall time.Time) (changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.anchor.Load()
	heard := anchor{told: told, heard: time.Now(), latest: new(atomic.Int64)}
	off := told.Sub(wall).Abs() > skewRefuse
	if a == nil && !off || a != nil && a.agrees(told) {
		changed = c.doubt != nil
		c.doubt = nil
		if a != nil {
			heard.latest = a.latest
		}
		c.anchor.Store(&heard)
		return changed
	}
	d := c.doubt
	if d == nil || !d.last.agrees(told) || time.Since(d.last.heard) > confirmGap {
		c.doubt = &doubt{last: heard, since: heard.heard, by: told.Sub(c.Now())}
		return d == nil
	}
	d.last = heard
	if off || time.Since(d.since) < confirmTime {
		return false
	}
	c.doubt = nil
	c.anchor.Store(&heard)
	return true
}

// trouble says what is not believed; nil when all is.
func (c *storeClock) trouble() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.doubt == nil {
		return nil
	}
	return &ClockError{fmt.Sprintf("the clock of Redis has jumped by %s and is not believed; time goes on as before until it has stood for %s "+
		"and agrees with the clock of this machine: let both follow one time source (chronyd, systemd-timesyncd)",
		c.doubt.by.Round(time.Millisecond), confirmTime)}
}

// Now is the clock of all decisions: Options.Now or, without it, that of Redis.
func (l *Ledger) Now() time.Time { return l.opts.Now() }

// Ping reports whether the store answers and its clock can be believed, for
// which it asks it for the time.
func (l *Ledger) Ping(ctx context.Context) error {
	if err := l.hear(ctx); err != nil {
		return err
	}
	return l.time.trouble()
}

// hearTime is how long the server of a cluster that tells the time is waited for: the
// others are to be asked within the same look.
const hearTime = 200 * time.Millisecond

// hear asks the store for the time, or at least whether it is there.
func (l *Ledger) hear(ctx context.Context) error {
	return l.insist(ctx, func(ctx context.Context) error {
		if t, err := l.ask(ctx); err == nil {
			l.told(t)
			return nil
		}
		return l.answers(ctx)
	})
}

// ask gives the time of Redis. Of a cluster's servers always the same is asked, since
// each has its own clock.
func (l *Ledger) ask(ctx context.Context) (time.Time, error) {
	if l.store.mode == cluster {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, hearTime)
		defer cancel()
	}
	server, err := l.owner(ctx, metaKey)
	if err != nil {
		return time.Time{}, err
	}
	return server.Time(ctx).Result()
}

// answers asks all servers at once for something of a customer's. One that gives it will
// do, since the loss of a shard is no reason to stop serving the customers of the others.
func (l *Ledger) answers(ctx context.Context) error {
	servers, err := l.byServer(ctx)
	if err != nil {
		return err
	}
	replies := make(chan error, len(servers))
	for server, group := range servers {
		go func() { replies <- server.ZRange(ctx, group[0].due, 0, 0).Err() }()
	}
	for range servers {
		if err = <-replies; err == nil {
			return nil
		}
	}
	return err
}

// told takes in what Redis said of the time.
func (l *Ledger) told(t time.Time) {
	if !l.time.tell(t, l.clock()) {
		return
	}
	if err := l.time.trouble(); err != nil {
		l.opts.Logger.Error("the clock of Redis is doubted", "error", err)
		return
	}
	l.opts.Logger.Warn("the clock of Redis is believed again", "time", t)
}
