package auth

import (
	"cmp"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	accessv1 "github.com/makeamends/amends/proto/recovery/access/v1"
)

// Limits are how often a caller may call each server.
type Limits struct {
	PerSecond float64
	Burst     int
	AtOnce    int
}

// defaultLimits hold for callers for whom nothing else is said: far more than a
// business of millions of orders has failures, and little enough that a loop
// that ran wild leaves room for others.
var defaultLimits = Limits{PerSecond: 200, Burst: 400, AtOnce: 100}

// limitsOf fills in from instead what the file leaves out. Who names another rate
// and no burst gets the burst that goes with that rate.
func limitsOf(m *accessv1.Limits, instead Limits) Limits {
	l := instead
	if m.HasCallsPerSecond() {
		l.PerSecond = m.GetCallsPerSecond()
		l.Burst = max(1, int(2*l.PerSecond))
	}
	l.Burst = cmp.Or(int(m.GetBurst()), l.Burst)
	l.AtOnce = cmp.Or(int(m.GetCallsAtOnce()), l.AtOnce)
	return l
}

// busyWait is what a caller is asked to wait that has too many calls under way:
// when one of them ends is not known.
const busyWait = 100 * time.Millisecond

// account counts the calls of one caller under one version of its entry.
type account struct {
	*meter
	limits Limits
	// valid ends when the file says something else of the caller.
	valid context.Context
	void  context.CancelFunc
}

// meter is what a caller has used up. It outlives the accounts, so that a change
// of the file gives nobody a fresh start.
type meter struct {
	rate  *rate.Limiter
	under atomic.Int64 // calls under way
}

// renewed is the account of a caller under the next file: this one, if there is
// one and the file says the same, or one that goes on counting.
func (a *account) renewed(l Limits, same bool) *account {
	if a != nil && same && a.limits == l {
		return a
	}
	next := &account{limits: l}
	next.valid, next.void = context.WithCancel(context.Background())
	if a == nil {
		next.meter = &meter{rate: rate.NewLimiter(rate.Limit(l.PerSecond), l.Burst)}
		return next
	}
	next.meter = a.meter
	next.rate.SetLimit(rate.Limit(l.PerSecond))
	next.rate.SetBurst(l.Burst)
	return next
}

// enter counts a call in; leave must follow unless it is refused.
func (a *account) enter(now time.Time) error {
	l := a.limits
	if a.under.Add(1) > int64(l.AtOnce) {
		a.under.Add(-1)
		return &LimitError{fmt.Sprintf("%d calls at once", l.AtOnce), busyWait}
	}
	if !a.rate.AllowN(now, 1) {
		a.under.Add(-1)
		short := time.Duration((1 - a.rate.TokensAt(now)) / l.PerSecond * float64(time.Second))
		return &LimitError{fmt.Sprintf("%g calls a second", l.PerSecond), max(short, time.Millisecond)}
	}
	return nil
}

func (a *account) leave() { a.under.Add(-1) }
