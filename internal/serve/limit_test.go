package serve

import (
	"testing"
	"time"
)

// machine is a server as the limit sees it: a call takes so long at least, and
// only so many can be done in a second.
type machine struct {
	least    time.Duration
	capacity float64
	now      time.Time
}

// press keeps as many calls under way as the limit lets in, for a while, and
// says how many were done in a second, and how long one took at last.
func (m *machine) press(l *limit, lasts time.Duration) (rate float64, took time.Duration) {
	done, begin := 0, m.now
	for m.now.Sub(begin) < lasts {
		calls := l.of(keeping)
		took = max(m.least, time.Duration(float64(calls)/m.capacity*float64(time.Second)))
		m.now = m.now.Add(took)
		for range calls {
			l.learn(0, took, calls, m.now)
		}
		done += calls
	}
	return float64(done) / m.now.Sub(begin).Seconds(), took
}

// The limit is found where the most is done and little is waited for, wherever
// Redis is, and although nothing but overload was ever seen.
func TestLimitIsFound(t *testing.T) {
	for name, m := range map[string]machine{
		"Redis near":           {500 * time.Microsecond, 10_000, time.Now()},
		"Redis far":            {20 * time.Millisecond, 5_000, time.Now()},
		"one core, Redis near": {400 * time.Microsecond, 5_000, time.Now()},
		"many cores":           {500 * time.Microsecond, 50_000, time.Now()},
	} {
		l := newLimit(1024, 2)
		m.press(&l, 12*time.Second)
		rate, _ := m.press(&l, 12*time.Second)
		_, took := m.press(&l, time.Second)
		if rate < 0.9*m.capacity {
			t.Errorf("%s: %.0f calls a second, of %.0f that can be done", name, rate, m.capacity)
		}
		if most := max(3*m.least, time.Duration(1.3*leastCalls/m.capacity*float64(time.Second))); took > most {
			t.Errorf("%s: a call takes %s, %s when it is alone", name, took, m.least)
		}
	}
}

// When the store becomes slower for good, the limit follows.
func TestLimitFollows(t *testing.T) {
	m := machine{500 * time.Microsecond, 10_000, time.Now()}
	l := newLimit(1024, 2)
	m.press(&l, 30*time.Second)
	m.least = 20 * time.Millisecond
	m.press(&l, time.Minute)
	if rate, _ := m.press(&l, 30*time.Second); rate < 5000 {
		t.Errorf("%.0f calls a second with a Redis that is 20 ms away, of 10000 that can be done", rate)
	}
}

// A server that has little to do keeps the limit that it has.
func TestLimitOfAnIdleServer(t *testing.T) {
	l, now := newLimit(1024, 2), time.Now()
	for range 10_000 {
		now = now.Add(time.Millisecond)
		l.learn(0, time.Millisecond, 1, now)
	}
	if l.calls != firstCalls {
		t.Errorf("the limit went from %d to %.0f although one call at a time was made", firstCalls, l.calls)
	}
}
