package serve

import (
	"context"
	"time"
)

// place is a call that was let come, that waits for its turn, or that is carried
// out. One that takes very long does not work but waits, for a store that does not
// answer or for another change of its customer: it is put aside, and others take
// its place. So is one that the store has let down.
type place struct {
	admission *admission
	class     class
	pace      int
	start     time.Time // when it was let come, then when it began

	in            *queue // that it stands in: of the coming, of a line, or of the paced
	before, after *place

	caller  context.Context // that ends when a call that was let come has left
	expire  context.CancelFunc
	let     bool // it was let come, as one of its class
	patient bool // it would rather wait than be refused
	until   time.Time
	turn    chan struct{} // closed when it waits no longer
	granted bool          // since its turn has come

	peak    int // calls at a time when it began
	aside   bool
	delayed bool // it was aside, so its time tells nothing
}

// begin says that a call that counts as working begins.
func (p *place) begin(now time.Time) {
	p.start, p.peak = now, p.admission.working
	if p.pace != unpaced {
		p.admission.paced.add(p)
	}
}

func (a *admission) putAside(p *place) {
	p.leave()
	p.aside, p.delayed = true, true
	a.working--
	a.aside++
	a.grant()
}

// end gives up the place; well says that the call was carried out.
func (p *place) end(well bool) {
	a, now := p.admission, time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if p.aside {
		a.aside--
	} else {
		p.leave()
		if well && p.pace != unpaced && !p.delayed {
			a.limit.learn(p.pace, now.Sub(p.start), max(p.peak, a.working), now)
		} else {
			a.limit.move(now)
		}
		a.ends()
		a.working--
	}
	a.set(now)
	a.grant()
}

// over ends the time that the call was given.
func (p *place) over() {
	if p.expire != nil {
		p.expire()
	}
}

type placeKey struct{}

// stepAside gives up the place of the call while it waits for something that the
// limit has no part in; the call must end the wait with what it returns, which
// does not wait for a place again. Who has given up its place before gets none back.
func stepAside(ctx context.Context) (back func()) {
	p, ok := ctx.Value(placeKey{}).(*place)
	if !ok || p.pace == unpaced { // parts of it go on
		return func() {}
	}
	a := p.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	if p.aside {
		return func() {}
	}
	a.putAside(p)
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		p.aside = false
		a.aside--
		a.working++
		p.begin(time.Now())
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
