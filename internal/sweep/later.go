package sweep

import (
	"sync"
	"time"

	"github.com/makeamends/amends/internal/ledger"
)

// How long what came to nothing is left alone: at first as briefly as a
// deadline may be late, then twice as long each time.
const (
	firstPause = time.Second
	mostPause  = 10 * time.Minute
)

// mostLater is how many entries are remembered. So many that come to nothing in
// one bucket still hide what is due behind them.
const mostLater = 10_000

// later remembers, in this process alone, which entries of the due index came to
// nothing, so that they are not tried at every look and hide nobody. An entry is
// a customer and a moment: as soon as something else is due for the customer,
// that is another entry.
type later struct {
	mu      sync.Mutex
	entries map[ledger.Due]putOff
}

// putOff is an entry that is left alone for a while.
type putOff struct {
	times  int // in a row that it came to nothing
	pause  time.Duration
	until  time.Time
	failed bool // it came to an error, not just to nothing
}

// aside gives the entries that are left alone now. What was not met again for
// long after its time is forgotten: somebody else has dealt with it.
func (l *later) aside(now time.Time, every time.Duration) map[ledger.Due]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	aside := make(map[ledger.Due]bool, len(l.entries))
	for d, p := range l.entries {
		switch {
		case now.Before(p.until):
			aside[d] = true
		case now.After(p.until.Add(p.pause + 10*time.Second + 3*every)):
			delete(l.entries, d)
		}
	}
	return aside
}

// nothing puts off an entry of a customer for whom nothing is due; times says how
// often that was so.
func (l *later) nothing(d ledger.Due, now time.Time) (times int) {
	return l.put(d, now, putOff{pause: mostPause}).times
}

// failed puts off an entry that cannot be dealt with. When it is the store that
// cannot do it just now, the pause stays short: what is due then must not be late
// once the store is back.
func (l *later) failed(d ledger.Due, now time.Time, store bool) {
	p := putOff{pause: mostPause, failed: true}
	if store {
		p.pause = firstPause
	}
	l.put(d, now, p)
}

// put remembers an entry; the pause of next is the longest that it may be.
func (l *later) put(d ledger.Due, now time.Time, next putOff) putOff {
	l.mu.Lock()
	defer l.mu.Unlock()
	was, again := l.entries[d]
	if !again && len(l.entries) >= mostLater {
		for other := range l.entries {
			delete(l.entries, other)
			break
		}
	}
	if again && was.failed == next.failed {
		next.times = was.times
	}
	next.times++
	next.pause = min(next.pause, max(firstPause, 2*was.pause))
	next.until = now.Add(next.pause)
	l.entries[d] = next
	return next
}

// done forgets an entry that was dealt with.
func (l *later) done(d ledger.Due) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.entries, d)
}

// earliest gives the earliest moment of those that are left alone now because they
// failed, and of first.
func (l *later) earliest(first, now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	for d, p := range l.entries {
		if p.failed && now.Before(p.until) && d.At.Before(first) {
			first = d.At
		}
	}
	return first
}

// failing reports whether entries are put off because they failed.
func (l *later) failing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.entries {
		if p.failed {
			return true
		}
	}
	return false
}
