package serve

import (
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/makeamends/amends/internal/ledger"
)

// How long calls wait for their turn, and when one counts no longer, in multiples
// of the time of an unhindered call and within bounds.
const (
	waitPaces, leastWait, mostWait    = 200, 200 * time.Millisecond, 2 * time.Second
	asidePaces, leastAside, mostAside = 20, 20 * time.Millisecond, 500 * time.Millisecond
)

// A crowd that comes at once is let wait although it is not soon done, since
// another one is not to be expected at once. Calls that keep coming are overload,
// and letting them wait would only make all of them late.
const (
	mostCrowd   = 256
	crowdRefill = time.Minute // until as many may come again
)

// leastInside is how many calls at a time, for each processor, are never refused,
// slow as the store and the machine may be.
const leastInside = 16

// admission decides which calls are carried out, which wait for their turn and
// which are refused because there is too much to do.
type admission struct {
	least int // calls under way that are never refused
	most  int // calls under way, whatever they do

	mu      sync.Mutex
	limit   limit
	working int                // calls that are carried out
	aside   int                // calls under way that only wait for something, and so hinder nobody
	paced   list.List          // of *place: the working calls whose time is known, oldest first
	lines   [classes]list.List // of *waiter
	coming  coming
	crowd   float64 // how many may still come in a crowd
	filled  time.Time
	refused uint64
}

// waiter is a call that waits for its turn.
type waiter struct {
	turn    chan struct{} // closed when it has come
	granted bool
}

func newAdmission(most, processors int) *admission {
	return &admission{least: min(most, leastInside*processors), most: most, limit: newLimit(most, processors), crowd: mostCrowd, filled: time.Now()}
}

// announce asks, before anything is done for a call, whether it may come; false:
// it is refused. Who was let come says so when it enters.
func (a *admission) announce(ctx context.Context, c class) (mark *announced, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	a.set(now)
	if !a.room(c, now) {
		a.refused++
		return nil, false
	}
	return a.coming.add(ctx, c, now), true
}

// withdraw says that a call that was let come does not enter.
func (a *admission) withdraw(m *announced) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.coming.remove(m)
}

// request is a call that wants to be carried out.
type request struct {
	kind
	was     *announced // nil: it was not announced
	patient bool       // it would rather wait than be refused
}

// enter waits for the turn of a call. When it fails nothing was done for it.
func (a *admission) enter(ctx context.Context, r request) (*place, error) {
	a.mu.Lock()
	a.coming.remove(r.was)
	if err := ctx.Err(); err != nil {
		a.mu.Unlock()
		return nil, err
	}
	now := time.Now()
	a.set(now)
	if !r.patient && !r.was.as(r.class) && !a.room(r.class, now) {
		a.refused++
		a.mu.Unlock()
		return nil, ledger.ErrOverloaded
	}
	if a.working < a.limit.of(r.class) && a.waiting(r.class) == 0 {
		p := a.begin(r.pace, now)
		a.mu.Unlock()
		return p, nil
	}
	w := &waiter{turn: make(chan struct{})}
	at := a.lines[r.class].PushBack(w)
	until := a.patience(r, now)
	a.mu.Unlock()
	err := a.wait(ctx, w, until)
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case err == nil:
		return a.take(r.pace, time.Now()), nil
	case w.granted: // too late
		a.working--
		a.grant()
	default:
		a.lines[r.class].Remove(at)
	}
	if ctx.Err() == nil {
		a.refused++
	}
	return nil, err
}

// patience is how long a call waits; zero: until its deadline.
func (a *admission) patience(r request, now time.Time) time.Time {
	if r.patient || r.class == keeping {
		return time.Time{}
	}
	return now.Add(min(mostWait, max(leastWait, waitPaces*a.limit.pace())))
}

// wait returns when the turn has come, and fails when that took too long. Now and
// then it looks whether somebody has become old enough to be put aside.
func (a *admission) wait(ctx context.Context, w *waiter, until time.Time) error {
	look := time.NewTicker(leastAside)
	defer look.Stop()
	for {
		select {
		case <-w.turn:
			return ctx.Err()
		case <-ctx.Done():
			return ctx.Err()
		case now := <-look.C:
			if !until.IsZero() && now.After(until) {
				return ledger.ErrOverloaded
			}
			a.mu.Lock()
			a.set(now)
			a.mu.Unlock()
		}
	}
}

// waiting counts who is carried out before a call of the class that comes now.
func (a *admission) waiting(c class) (n int) {
	for i := range c + 1 {
		n += a.lines[i].Len()
	}
	return n
}

// room reports whether a call of the class may come: it is soon its turn, or it
// is one of a crowd. Who keeps a promise may always come.
func (a *admission) room(c class, now time.Time) bool {
	most, soon := max(a.least, int(float64(a.most)*shares[c])), max(a.least, 2*int(a.limit.calls*shares[c]))
	all, ahead := a.inside(c)
	if all >= most || ahead >= soon {
		a.coming.forget(now)
		all, ahead = a.inside(c)
	}
	switch {
	case all >= most:
		return false
	case ahead < soon, c == keeping:
		return true
	case a.crowd >= 1:
		a.crowd--
		return true
	default:
		return false
	}
}

// inside counts all calls, and those that are done before one of the class that
// comes now.
func (a *admission) inside(c class) (all, ahead int) {
	return a.aside + a.working + a.waiting(bulk) + a.coming.upTo(bulk), a.working + a.waiting(c) + a.coming.upTo(c)
}

// set brings everything up to the time.
func (a *admission) set(now time.Time) {
	a.crowd = min(mostCrowd, a.crowd+mostCrowd*now.Sub(a.filled).Seconds()/crowdRefill.Seconds())
	a.filled = now
	old := min(mostAside, max(leastAside, asidePaces*a.limit.pace()))
	for e := a.paced.Front(); e != nil && now.Sub(e.Value.(*place).start) > old; e = a.paced.Front() {
		a.putAside(e.Value.(*place))
	}
}

// grant lets in who waits, the first classes first.
func (a *admission) grant() {
	for c := range classes {
		line := &a.lines[c]
		for line.Len() > 0 && a.working < a.limit.of(c) {
			w := line.Remove(line.Front()).(*waiter)
			w.granted = true
			a.working++
			close(w.turn)
		}
	}
}

// report says how many calls were refused since the start, and how many are
// carried out at a time just now.
func (a *admission) report() (refused uint64, limit int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.refused, a.limit.of(keeping)
}
