package serve

import (
	"context"
	"time"
)

// comingTime is how long a call counts that was let come and has not entered:
// mostly its goroutine waits for a processor, but its caller may also have sent
// nothing but headers.
const comingTime = 20 * time.Millisecond

// announce asks, before anything is done for a call, whether it may come; false:
// it is refused. Who was let come enters with the place that it got.
func (a *admission) announce(ctx context.Context, c class) (p *place, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	a.set(now)
	if !a.room(c, now) {
		a.refused++
		return nil, false
	}
	p = &place{admission: a, class: c, let: true, caller: ctx, start: now}
	a.coming[c].add(p)
	return p, true
}

// withdraw says that a call that was let come does not enter.
func (a *admission) withdraw(p *place) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p.leave()
}

// forget lets go of those who came first and have left, or are not to be waited
// for any more.
func (a *admission) forget(now time.Time) {
	for c := range a.coming {
		for p := a.coming[c].first; p != nil && (p.caller.Err() != nil || now.Sub(p.start) > comingTime); p = a.coming[c].first {
			p.leave()
		}
	}
}
