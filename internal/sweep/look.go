package sweep

import (
	"context"
	"errors"
	"maps"
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
		err := s.look(ctx)
		happened, failed := s.take()
		if err = errors.Join(append(failed, err)...); err != nil || !s.later.failing() { // else it works again only when all do
			s.tell(ctx, "what is due cannot be dealt with", err)
		}
		if !happened || ctx.Err() != nil {
			return
		}
	}
}

// look has what is due now dealt with, that of each server by itself: one that
// cannot take changes holds up nobody of the others. It waits a moment for the end
// of that; a server with which it takes longer is left out of further looks until
// it is over.
func (s *sweeper) look(ctx context.Context) error {
	maps.DeleteFunc(s.busy, func(_ string, over <-chan struct{}) bool {
		select {
		case <-over:
			return true
		default:
			return false
		}
	})
	lookCtx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	now, began := s.Ledger.Now(), time.Now() // who is left alone as of then is not found, and must be counted
	found, err := s.Ledger.Due(lookCtx, now, mostOfBucket, s.later.aside(began, s.Every))
	if s.Behind != nil && err == nil {
		first := now
		if len(found) > 0 {
			first = found[0].At
		}
		s.Behind(now.Sub(s.later.earliest(first, began)))
	}
	// Replicas that look at the same moment begin with different customers.
	rand.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
	lists := map[string][]ledger.Due{}
	for _, d := range found {
		server := s.Ledger.Server(lookCtx, d.Key)
		lists[server] = append(lists[server], d)
	}
	for server, list := range lists {
		if s.busy[server] == nil {
			s.busy[server] = s.deal(ctx, list)
		}
	}
	wait, cancel := context.WithTimeout(ctx, moment)
	defer cancel()
	for _, over := range s.busy {
		select {
		case <-over:
		case <-wait.Done():
		}
	}
	return err
}

// deal begins to deal with what is due at one server; over is closed at the end.
func (s *sweeper) deal(ctx context.Context, list []ledger.Due) (over <-chan struct{}) {
	end := make(chan struct{})
	s.dealing.Go(func() {
		defer close(end)
		atOnce(ctx, list, func(d ledger.Due) bool {
			happened, err := s.entry(ctx, d)
			s.note(happened, err)
			return !away(err)
		})
	})
	return end
}

// note keeps what has come of an entry for the next line of the log.
func (s *sweeper) note(happened bool, failed error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.happened = s.happened || happened
	if failed != nil {
		s.failed = append(s.failed, failed)
	}
}

// take tells what has come of entries since it was last asked: whether something
// happened, after which there may be more, and what failed.
func (s *sweeper) take() (happened bool, failed []error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	happened, failed = s.happened, s.failed
	s.happened, s.failed = false, nil
	return happened, failed
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
	s.later.failed(d, time.Now(), away(err))
	return false, &about{"customer " + string(d.Key), err}
}

// away reports whether it is the store that cannot do it just now.
func away(err error) bool {
	var none *ledger.Unavailable
	return errors.As(err, &none) || errors.Is(err, ledger.ErrOverloaded)
}

// atOnce does something with several items at a time until the context ends. A
// worker whom do tells not to go on leaves what is left to the others.
func atOnce[T any](ctx context.Context, items []T, do func(T) (goOn bool)) {
	next := make(chan T, len(items))
	for _, item := range items {
		next <- item
	}
	close(next)
	var wg sync.WaitGroup
	for range min(workers, len(items)) {
		wg.Go(func() {
			for item := range next {
				if ctx.Err() != nil || !do(item) {
					return
				}
			}
		})
	}
	wg.Wait()
}
