package ledger

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// callTime bounds a call whose context has no deadline.
	callTime = 5 * time.Second
	// outageTime is how long one call waits out an outage. It covers a lost
	// connection and a slot on the move; for a failover, which takes seconds,
	// the caller had better free its slot and come back.
	outageTime = time.Second
)

// errConflict says that the version was another one at the commit.
var errConflict = errors.New("version changed")

// errRefusedLate says that judge refused what was sent before and not answered: the
// store may carry it out still.
var errRefusedLate = errors.New("refused after it was sent and not answered")

// errShortfall says that too few replicas confirmed a change.
var errShortfall = errors.New("too few replicas confirmed the change")

// bounded gives the context a deadline if it has none.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, callTime)
}

// over reports whether the deadline has come. A connection that times out by it
// can be a moment ahead of the context.
func over(ctx context.Context) bool {
	end, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && time.Until(end) < time.Millisecond
}

// patience counts the attempts of one call. The driver's own repetitions are
// switched off: they know neither the caller's deadline nor what is safe.
type patience struct {
	tries int
	since time.Time // of the first failed attempt of an outage
}

// again reports, after a pause, whether another attempt makes sense: after a
// conflict or while a slot moves until the deadline, in an outage for outageTime at most.
func (l *Ledger) again(ctx context.Context, p *patience, err error) bool {
	p.tries++
	if errors.Is(err, errConflict) || moving(err) {
		p.since = time.Time{}
		cause := causeMoving
		if errors.Is(err, errConflict) {
			cause = causeConflict
		}
		return l.retry(ctx, cause, jitter(time.Millisecond, 32*time.Millisecond, p.tries))
	}
	if !Away(err) {
		return false
	}
	if p.since.IsZero() {
		p.since = time.Now()
	}
	if time.Since(p.since) > outageTime {
		return false
	}
	reload(ctx, l.client) // the owner may have moved
	return l.retry(ctx, causeOutage, jitter(5*time.Millisecond, 200*time.Millisecond, p.tries))
}

// moving reports whether a slot moves from node to node, which takes a while and is
// no outage. To TRYAGAIN there is no answer but to wait, nor to ASK where replicas
// must confirm: what they have to confirm may be on either of the two.
func moving(err error) bool {
	return redis.HasErrorPrefix(err, "TRYAGAIN") || redis.HasErrorPrefix(err, "ASK")
}

// retry pauses before another attempt, and counts it.
func (l *Ledger) retry(ctx context.Context, cause string, after time.Duration) bool {
	FallBehind(ctx)
	if !pause(ctx, after) {
		return false
	}
	l.opts.Meter.Retried(cause)
	return true
}

// jitter doubles with every try, up to most, and takes a random part of that.
func jitter(first, most time.Duration, tries int) time.Duration {
	top := most
	if tries < 20 {
		top = min(most, first<<(tries-1))
	}
	return rand.N(top) + 1
}

// pause waits, unless the deadline would pass meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// ended is what the caller of a change learns that was given up with an error:
// unknown says that it was sent and not answered, conflicted that it was refused
// because of another. A deadline that ends a round of many is no fault of the
// store.
func (l *Ledger) ended(ctx context.Context, err error, unknown, conflicted bool) error {
	unknown = unknown || isUnconfirmed(err)
	late := errors.Is(err, errConflict) || over(ctx) && conflicted
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return context.Canceled
	case late && !unknown:
		return ErrConflict
	default:
		return l.failed(err, unknown)
	}
}
