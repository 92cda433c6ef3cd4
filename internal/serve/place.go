package serve

import (
	"container/list"
	"context"
	"time"
)

// place is a call that is carried out. A call that takes very long does not work
// but waits, for a store that does not answer or for another change of its
// customer: it is put aside, and others take its place. So is one that the store
// has let down.
type place struct {
	admission *admission
	pace      int
	start     time.Time
	peak      int           // calls at a time when it began
	at        *list.Element // of admission.paced; nil: aside, or not paced
	aside     bool
	delayed   bool // it was aside, so its time tells nothing
}

// begin lets a call begin at once.
func (a *admission) begin(pace int, now time.Time) *place {
	a.working++
	return a.take(pace, now)
}

// take begins a call that counts already.
func (a *admission) take(pace int, now time.Time) *place {
	p := &place{admission: a, pace: pace, start: now, peak: a.working}
	if pace != unpaced {
		p.at = a.paced.PushBack(p)
	}
	return p
}

func (a *admission) putAside(p *place) {
	if p.at != nil {
		a.paced.Remove(p.at)
	}
	p.at, p.aside, p.delayed = nil, true, true
	a.working--
	a.aside++
	a.grant()
}

// end gives up the place; well says that the call was carried out.
func (p *place) end(well bool) {
	a, now := p.admission, time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case p.aside:
		a.aside--
	default:
		if p.at != nil {
			a.paced.Remove(p.at)
		}
		if well && p.pace != unpaced && !p.delayed {
			a.limit.learn(p.pace, now.Sub(p.start), max(p.peak, a.working), now)
		} else {
			a.limit.move(now)
		}
		a.working--
	}
	a.set(now)
	a.grant()
}

type placeKey struct{}

// stepAside gives up the place of the call while it waits for something that the
// limit has no part in; the call must end the wait with what it returns, which
// does not wait for a place again.
func stepAside(ctx context.Context) (back func()) {
	p, ok := ctx.Value(placeKey{}).(*place)
	if !ok || p.pace == unpaced { // parts of it go on
		return func() {}
	}
	a := p.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	if !p.aside {
		a.putAside(p)
	}
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		p.aside = false
		a.aside--
		a.working++
	}
}

// giveWay gives up the place of a call for good, since the store does not do just
// now what the call asks of it. Of a batch that may be true of some customers
// alone; but if they kept its place, batches would fill the server as long as a
// shard is lost.
func giveWay(ctx context.Context) {
	p, ok := ctx.Value(placeKey{}).(*place)
	if !ok {
		return
	}
	a := p.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	if !p.aside {
		a.putAside(p)
	}
}
