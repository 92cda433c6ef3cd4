package serve

import (
	"context"
	"sync"
	"time"

	"github.com/makeamends/amends/internal/ledger"
)

// How long calls wait for their turn, and when one counts no longer, in multiples
// of the time of an unhindered call and within bounds.
const (
	waitPaces, leastWait, mostWait    = 200, time.Second, 2 * time.Second
	asidePaces, leastAside, mostAside = 20, 20 * time.Millisecond, 500 * time.Millisecond
)

// How many calls there may be at a time, for each processor, slow as the store and
// the machine may be.
const (
	leastInside = 16 // are never refused
	calmInside  = 32 // are not refused unless there was too much to do lately
)

// More than that is a crowd: it came at once, or while the machine did something
// else. It is let wait, since it is soon done with when less comes than can be
// done; whoever comes while it gets smaller is let wait as well. So every call that
// ends while nobody waits lets one more come in a crowd. When there is too much to
// do for long, somebody always waits, and letting more and more come would only
// make all of them late.
const (
	mostCrowd = 256             // for each processor
	nextCrowd = 2 * time.Second // until one more may come in a crowd, although somebody waits all the time
	stretch   = 64              // calls that end between two looks whether a crowd gets smaller
)

// admission decides which calls are carried out, which wait for their turn and
// which are refused because there is too much to do.
type admission struct {
	processors int
	most       int // calls under way, whatever they do

	mu      sync.Mutex
	limit   limit
	working int     // calls that are carried out
	aside   int     // calls under way that only wait for something, and so hinder nobody
	paced   queue   // the working calls whose time is known, oldest first
	coming  byClass // calls that were let come and have not entered yet
	lines   byClass // calls that wait for their turn
	patient int     // of those, the ones that are never refused
	crowd   float64 // how many may still come in a crowd
	filled  time.Time
	ended   uint64 // calls
	earlier int    // backlog when the last stretch of them had ended
	looking bool   // look will come round
	refused uint64
}

func newAdmission(most, processors int) *admission {
	return &admission{processors: processors, most: most, limit: newLimit(most, processors), crowd: float64(mostCrowd * processors), filled: time.Now()}
}

// request is a call that wants to be carried out.
type request struct {
	kind
	was     *place // that it got when it was announced; nil: it was not
	patient bool   // it would rather wait than be refused
}

// enter waits for the turn of a call. When it fails nothing was done for it.
func (a *admission) enter(ctx context.Context, r request) (*place, error) {
	p := r.was
	if p == nil {
		p = &place{admission: a}
	}
	a.mu.Lock()
	p.leave()
	if err := ctx.Err(); err != nil {
		a.mu.Unlock()
		return nil, err
	}
	now := time.Now()
	a.set(now)
	let := r.patient || p.let && p.class >= r.class // as one that matters no more
	if !let && !a.room(r.class, now) {
		a.refused++
		a.mu.Unlock()
		return nil, ledger.ErrOverloaded
	}
	p.class, p.pace, p.patient = r.class, r.pace, r.patient
	if a.working < a.limit.of(r.class) && a.lines.upTo(r.class) == 0 {
		a.working++
		p.begin(now)
		a.mu.Unlock()
		return p, nil
	}
	a.line(p, now)
	a.mu.Unlock()
	select {
	case <-p.turn:
	case <-ctx.Done():
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.called(ctx, p)
}

// line has a call wait for its turn.
func (a *admission) line(p *place, now time.Time) {
	p.turn = make(chan struct{})
	if p.patient {
		a.patient++
	} else if p.class != keeping {
		p.until = now.Add(min(mostWait, max(leastWait, waitPaces*a.limit.longest)))
	}
	a.lines[p.class].add(p)
	if !a.looking {
		a.looking = true
		time.AfterFunc(leastAside, a.look)
	}
}

// unline takes a call out of its line, and ends its wait.
func (a *admission) unline(p *place) {
	p.leave()
	if p.patient {
		a.patient--
	}
	close(p.turn)
}

// called is what becomes of a call that waits no longer.
func (a *admission) called(ctx context.Context, p *place) (*place, error) {
	err := ctx.Err()
	switch {
	case p.granted && err == nil:
		p.begin(time.Now())
		return p, nil
	case p.granted: // too late
		a.working--
		a.grant()
	case p.in != nil:
		a.unline(p)
	}
	if err == nil {
		a.refused++
		err = ledger.ErrOverloaded
	}
	return nil, err
}

// look comes round while somebody waits, and sees who has become old enough to be
// put aside, and who has waited too long.
func (a *admission) look() {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	a.set(now)
	for c := range a.lines {
		for p, next := a.lines[c].first, (*place)(nil); p != nil; p = next {
			next = p.after
			if !p.until.IsZero() && now.After(p.until) {
				a.unline(p)
			}
		}
	}
	if a.looking = a.lines.upTo(bulk) > 0; a.looking {
		time.AfterFunc(leastAside, a.look)
	}
}

// room reports whether a call of the class may come: it is soon its turn, or it
// is one of a crowd. Who keeps a promise may always come. Of those who may come
// in a crowd, each class leaves some for those before it.
func (a *admission) room(c class, now time.Time) bool {
	least := min(a.most, leastInside*a.processors)
	most, soon := max(least, int(float64(a.most)*shares[c])), max(least, 2*int(a.limit.calls*shares[c]))
	crowd := a.crowd - (shares[reporting]-shares[c])*float64(mostCrowd*a.processors)
	if crowd >= 1 {
		soon = max(soon, calmInside*a.processors)
	}
	all, ahead := a.inside(c)
	if all >= most || ahead >= soon {
		a.forget(now)
		all, ahead = a.inside(c)
	}
	switch {
	case all >= most:
		return false
	case ahead < soon, c == keeping:
		return true
	case crowd >= 1:
		if a.backlog() >= a.earlier {
			a.crowd--
		}
		return true
	default:
		return false
	}
}

// inside counts all calls, and those that are done before one of the class that
// comes now.
func (a *admission) inside(c class) (all, ahead int) {
	return a.aside + a.working + a.lines.upTo(bulk) + a.coming.upTo(bulk), a.working + a.lines.upTo(c) + a.coming.upTo(c)
}

// set brings everything up to the time.
func (a *admission) set(now time.Time) {
	a.welcome(float64(now.Sub(a.filled)) / float64(nextCrowd))
	a.filled = now
	old := min(mostAside, max(leastAside, asidePaces*a.limit.longest))
	for p := a.paced.first; p != nil && now.Sub(p.start) > old; p = a.paced.first {
		a.putAside(p)
	}
}

// welcome lets so many more come in a crowd.
func (a *admission) welcome(more float64) {
	a.crowd = min(float64(mostCrowd*a.processors), a.crowd+more)
}

// backlog counts the calls that are there, but for those that would rather wait
// than be refused and whose turn has not come.
func (a *admission) backlog() int {
	return a.working + a.lines.upTo(bulk) - a.patient + a.coming.upTo(bulk)
}

// ends counts a call that is about to give up its place.
func (a *admission) ends() {
	backlog := a.backlog()
	if backlog <= a.limit.of(keeping) { // nobody waits
		a.welcome(1)
	}
	if a.ended++; a.ended%stretch == 0 {
		a.earlier = backlog
	}
}

// grant lets in who waits, the first classes first.
func (a *admission) grant() {
	for c := range classes {
		for line := &a.lines[c]; line.len > 0 && a.working < a.limit.of(c); {
			p := line.first
			p.granted = true
			a.working++
			a.unline(p)
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
