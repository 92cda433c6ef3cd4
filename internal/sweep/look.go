package sweep

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/panics"
)

// pass looks for what is due until nothing is left that could not be dealt with
// at once.
func (s *sweeper) pass(ctx context.Context) {
	for range mostLooks {
		done, err := s.look(ctx)
		if err != nil || !s.later.failing() { // else it works again only when all do
			s.tell(ctx, "what is due cannot be dealt with", err)
		}
		if done == 0 || ctx.Err() != nil {
			return
		}
	}
}

// look deals with what is due now; done counts those for whom something happened,
// after whom there may be more.
func (s *sweeper) look(ctx context.Context) (done int, err error) {
	lookCtx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	now := s.Ledger.Now()
	found, err := s.Ledger.Due(lookCtx, now, mostOfBucket, s.later.aside(time.Now(), s.Every))
	behind := time.Duration(0)
	if len(found) > 0 {
		behind = now.Sub(found[0].At)
	}
	if s.Behind != nil && err == nil {
		s.Behind(behind)
	}
	// Replicas that look at the same moment begin with different customers.
	rand.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
	errs := []error{err}
	var mu sync.Mutex
	atOnce(ctx, found, func(d ledger.Due) {
		happened, failed := s.entry(ctx, d)
		mu.Lock()
		defer mu.Unlock()
		if happened {
			done++
		}
		errs = append(errs, failed)
	})
	return done, errors.Join(errs...)
}

// entry lets time pass for one customer, and puts off what comes to nothing.
func (s *sweeper) entry(ctx context.Context, d ledger.Due) (happened bool, err error) {
	err = panics.Caught(func() error { return s.customer(ctx, d.Key) })
	switch {
	case err == nil:
		s.later.done(d)
		return true, nil
	case ctx.Err() != nil, errors.Is(err, ledger.ErrConflict):
		return false, nil // the process ends, or another one deals with the customer
	case errors.Is(err, errNothing):
		// Another replica was faster, or the entry is wrong. If it is still the
		// same after a pause, it is wrong: a commit writes customer and index
		// together.
		if s.later.nothing(d, time.Now()) < 2 {
			return false, nil
		}
		if err = panics.Caught(func() error { return s.mend(ctx, d.Key) }); err == nil {
			return false, nil
		}
	}
	var away *ledger.Unavailable
	s.later.failed(d, time.Now(), errors.As(err, &away) || errors.Is(err, ledger.ErrOverloaded))
	return false, &about{"customer " + string(d.Key), err}
}

// atOnce does something with several items at a time until the context ends.
func atOnce[T any](ctx context.Context, items []T, do func(T)) {
	var wg sync.WaitGroup
	next := make(chan T)
	for range min(workers, len(items)) {
		wg.Go(func() {
			for item := range next {
				do(item)
			}
		})
	}
	for _, item := range items {
		select {
		case next <- item:
		case <-ctx.Done():
		}
	}
	close(next)
	wg.Wait()
}
