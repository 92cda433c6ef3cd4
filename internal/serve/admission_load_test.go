package serve

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// mill is a server in made-up time: processors that a call needs twice, a store
// between, and pauses in which nothing goes on, neither work nor the taking in of
// calls, as when the machine gives its processors to somebody else.
type mill struct {
	*admission
	random *rand.Rand
	cores  chan struct{} // holds a token for each that is busy
	began  time.Time
	pauses [][2]time.Duration // from, until; since it began

	mu    sync.Mutex
	times []time.Duration // of the done
	early int             // refused before anything was done for them
	late  int             // refused when they had waited
	wait  sync.WaitGroup
}

// What a call needs in a mill.
const (
	millWork  = 300 * time.Microsecond // of a processor
	millIntro = 10 * time.Microsecond  // of a processor, before it asks to be carried out
	millStore = 300 * time.Microsecond // that the store takes to answer
)

// newMill is a mill that pauses for 3 to 8 ms six times a second, and every tenth
// time so many times as long.
func newMill(seed uint64, long time.Duration) *mill {
	m := &mill{admission: newAdmission(1024, processors), random: rand.New(rand.NewPCG(seed, 0)), cores: make(chan struct{}, processors), began: time.Now()}
	for at := time.Duration(0); at < time.Minute; {
		at += time.Duration(m.random.ExpFloat64() * float64(150*time.Millisecond))
		pause := 3*time.Millisecond + time.Duration(m.random.Int64N(int64(5*time.Millisecond)))
		if m.random.IntN(10) == 0 {
			pause *= long
		}
		m.pauses = append(m.pauses, [2]time.Duration{at, at + pause})
		at += pause
	}
	return m
}

// after waits until so much time has gone in which the mill did not pause.
func (m *mill) after(d time.Duration) {
	now := time.Since(m.began)
	until := now + d
	first, _ := slices.BinarySearchFunc(m.pauses, now, func(p [2]time.Duration, now time.Duration) int { return int(p[1] - now) })
	for _, p := range m.pauses[first:] {
		if p[0] >= until {
			break
		}
		until += p[1] - max(p[0], now)
	}
	time.Sleep(until - now)
}

// work needs a processor for a while.
func (m *mill) work(d time.Duration) {
	m.cores <- struct{}{}
	m.after(d)
	<-m.cores
}

// call is one that was to be made at some moment.
func (m *mill) call(ctx context.Context, due time.Time) (ok bool) {
	m.mu.Lock()
	work := time.Duration((0.5 + 0.5*m.random.ExpFloat64()) * float64(millWork))
	m.mu.Unlock()
	m.after(0)
	mark, ok := m.announce(ctx, reporting)
	if !ok {
		m.note(func() { m.early++ })
		return false
	}
	m.work(millIntro)
	r := report
	r.was = mark
	p, err := m.enter(ctx, r)
	if err != nil {
		m.note(func() { m.late++ })
		return false
	}
	m.work(work / 2)
	time.Sleep(millStore)
	m.work(work / 2)
	p.end(true)
	m.note(func() { m.times = append(m.times, time.Since(due)) })
	return true
}

func (m *mill) note(what func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	what()
}

// open makes so many calls a second at moments that do not depend on the answers.
func (m *mill) open(ctx context.Context, rate float64, lasts time.Duration) outcome {
	next := time.Now()
	random := rand.New(rand.NewPCG(m.random.Uint64(), 0))
	for end := next.Add(lasts); next.Before(end); {
		time.Sleep(time.Until(next))
		due := next
		m.wait.Go(func() { m.call(ctx, due) })
		next = next.Add(time.Duration(random.ExpFloat64() / rate * float64(time.Second)))
	}
	return m.outcome(lasts)
}

// closed keeps so many callers busy; who is refused comes again after a second.
func (m *mill) closed(ctx context.Context, callers int, lasts time.Duration) outcome {
	end := time.Now().Add(lasts)
	for range callers {
		m.wait.Go(func() {
			for now := time.Now(); now.Before(end); now = time.Now() {
				if !m.call(ctx, now) {
					time.Sleep(time.Second)
				}
			}
		})
	}
	return m.outcome(lasts)
}

// outcome is what became of calls.
type outcome struct {
	rate    float64 // done in a second
	refused float64 // share of all
	late    int     // refused when they had waited
	times   []time.Duration
}

// p99 is the time within which 99 of 100 were done.
func (o outcome) p99() time.Duration { return o.times[len(o.times)*99/100] }

func (m *mill) outcome(lasts time.Duration) outcome {
	m.wait.Wait()
	slices.Sort(m.times)
	refused, done := float64(m.early+m.late), float64(len(m.times))
	o := outcome{done / lasts.Seconds(), refused / (refused + done), m.late, m.times}
	m.times, m.early, m.late = nil, 0, 0
	return o
}

// What can be done is not refused, although it comes at random and the server
// pauses now and then.
func TestLoad(t *testing.T) {
	const lasts = 3 * time.Second
	for long, shares := range map[time.Duration][]float64{4: {0.3, 0.5, 0.8}, 8: {0.5, 0.75}} {
		for _, seed := range []uint64{1, 2} {
			synctest.Test(t, func(t *testing.T) {
				m := newMill(seed, long)
				o := m.closed(t.Context(), 64, lasts)
				if o.refused > 0 {
					t.Errorf("of 64 callers who wait for each answer %.2f %% of the calls are refused; seed %d, pauses × %d", 100*o.refused, seed, long)
				}
				can := o.rate
				for _, share := range shares {
					if o := m.open(t.Context(), share*can, lasts); o.refused > 0.001 {
						t.Errorf("at %.0f %% of what can be done %.2f %% of the calls are refused; seed %d, pauses × %d", 100*share, 100*o.refused, seed, long)
					}
				}
			})
		}
	}
}

// Of twice as much as can be done, all that can be done is done, and soon, once
// the first crowd is over. The rest is refused before anything was done for it.
func TestTwiceTheLoad(t *testing.T) {
	const lasts = 3 * time.Second
	for _, seed := range []uint64{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			m := newMill(seed, 1)
			can := m.closed(t.Context(), 64, lasts).rate
			idle := m.open(t.Context(), 0.1*can, lasts)
			first := m.open(t.Context(), 2*can, time.Second)
			o := m.open(t.Context(), 2*can, lasts)
			t.Logf("%.0f a second can be done; 99 of 100 within %v at a tenth, %v in the first second at twice as much, %v then, when %.1f %% are useful; seed %d",
				can, idle.p99(), first.p99(), o.p99(), 100*o.rate/can, seed)
			if longest := first.times[len(first.times)-1]; first.late > 0 || o.late > 0 || longest > leastWait {
				t.Errorf("at twice what can be done %d calls are refused when they had waited, and one took %v; seed %d", first.late+o.late, longest, seed)
			}
			if o.rate < 0.9*can || o.p99() > 3*idle.p99() {
				t.Errorf("at twice what can be done %.0f %% of it is done, 99 of 100 within %v, at a tenth within %v; seed %d", 100*o.rate/can, o.p99(), idle.p99(), seed)
			}
			if o := m.open(t.Context(), 0.5*can, lasts); o.refused > 0.001 {
				t.Errorf("at half of what can be done %.2f %% of the calls are refused after an overload; seed %d", 100*o.refused, seed)
			}
		})
	}
}
