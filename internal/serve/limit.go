package serve

import (
	"math"
	"time"
)

// How the limit moves. None of it is a setting: the limit finds itself, since
// the right one differs between a Redis in the same rack and one far away, and
// between two cores and sixteen.
const (
	leastCalls = 8   // the limit never falls below
	firstCalls = 32  // where it begins
	tolerance  = 1.5 // how many times the unhindered time calls may take before the limit stops growing
	windowSize = 64  // calls between two moves
	mostSlow   = 8   // a call counts as this many times slower at most: one hiccup is no trend
	leastUsed  = 0.5 // how much of the limit must be used before it grows
	smoothing  = 16  // calls over which the unhindered time is averaged
)

// A lasting overload must not pass for how things are. So whenever no
// unhindered call was seen for probeEvery, a few have the server for themselves.
const (
	probeEvery = 10 * time.Second
	probeTime  = 250 * time.Millisecond // a probe lasts at most
	probeSize  = 16                     // calls, and at most as many
)

// limit is how many calls are carried out at a time. It grows while calls take
// hardly longer than unhindered ones, and shrinks when they take much longer:
// then they only wait for each other. It is the gradient of Netflix's
// concurrency-limits, but for how it comes to know the unhindered time: from
// calls that really were unhindered.
type limit struct {
	calls   float64
	most    float64
	few     int // calls at a time that do not hinder each other
	paces   []pace
	longest time.Duration // of the unhindered times of all methods, as of the last move
	window  window
	seen    time.Time // when a call was last unhindered
	probe   time.Time // when the probe under way ends; zero: there is none
}

// pace is how long an unhindered call of one method takes.
type pace struct {
	time  time.Duration
	known bool // one was seen; until then time is the least that any call took
}

// window is what was seen since the limit last moved.
type window struct {
	calls int
	slow  float64 // how many times the unhindered time they took, added up
	peak  int     // calls at a time
}

func newLimit(most, processors int) limit {
	return limit{
		calls: float64(min(most, firstCalls)), most: float64(most), few: min(most, 2*processors), paces: make([]pace, len(kinds)),
	}
}

// of is how many calls may be carried out together when one of the class is to begin.
func (l *limit) of(c class) int {
	calls := l.calls
	if !l.probe.IsZero() {
		calls = float64(l.few)
	}
	return max(1, int(calls*shares[c]))
}

// learn takes in a call that was carried out well: how long it took, and how
// many there were at a time.
func (l *limit) learn(n int, took time.Duration, peak int, at time.Time) {
	p := &l.paces[n]
	if !p.known && (p.time == 0 || took < p.time) {
		p.time = max(1, took)
	}
	slow := min(float64(took)/float64(p.time), mostSlow)
	if l.seen.IsZero() || peak <= l.few {
		l.seen = at
	}
	switch {
	case peak > l.few:
	case !p.known:
		p.time, p.known = max(1, took), true
	default:
		p.time += time.Duration((slow - 1) * float64(p.time) / smoothing)
	}
	l.longest = max(l.longest, p.time)
	if l.probe.IsZero() || peak <= l.few { // who began before the probe tells nothing
		l.window.calls++
	}
	l.window.slow += slow
	l.window.peak = max(l.window.peak, peak)
	l.move(at)
}

// move ends the window when enough was seen, and the probe when it is over.
func (l *limit) move(at time.Time) {
	w := l.window
	if !l.probe.IsZero() {
		if w.calls >= probeSize || at.After(l.probe) {
			l.window, l.probe, l.seen = window{}, time.Time{}, at
		}
		return
	}
	if w.calls < windowSize {
		return
	}
	l.window, l.longest = window{}, 0
	for _, p := range l.paces {
		l.longest = max(l.longest, p.time)
	}
	if at.Sub(l.seen) > probeEvery {
		l.probe = at.Add(probeTime)
		return
	}
	gradient := min(1, max(0.5, tolerance*float64(w.calls)/w.slow))
	next := l.calls*gradient + math.Sqrt(l.calls)
	if next > l.calls && float64(w.peak) < l.calls*leastUsed {
		return // what is not used needs not grow
	}
	l.calls = min(l.most, max(leastCalls, next))
}
