// Package sweep lets time pass for customers whom nobody asks about: it finds
// those for whom something is due and has it happen, so that deadlines are
// warned of and missed, offers expire, cases lapse and follow-ups fall due
// whether or not anybody looks.
//
// Every replica sweeps. The state of the customer is the truth and the index of
// what is due only says where to look: what happens is decided by
// [recovery.Tick] and committed through the version of the customer, so it
// happens once, however many replicas find it.
package sweep

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/recovery"
)

// Ledger is where customers are kept.
type Ledger interface {
	Due(ctx context.Context, now time.Time, most int) ([]ledger.Due, error)
	Update(ctx context.Context, w ledger.Write, judge ledger.Judge) ([]ledger.Result, error)
	SettleOffers(ctx context.Context, tenant string, key ledger.Key, k *recovery.Case) error
	DoubtfulBookings(ctx context.Context, now time.Time, most int) ([]ledger.Booking, error)
	Reconcile(ctx context.Context, b ledger.Booking) error
	Repair(ctx context.Context, due func(ledger.Snapshot) time.Time, each func(ledger.Key)) (ledger.Repaired, error)
	Now() time.Time
}

// Rulebook gives the policies to judge by.
type Rulebook interface {
	Rules(ctx context.Context, versions ...string) (recovery.Rules, error)
}

// Config says what to sweep and how often.
type Config struct {
	Ledger Ledger
	Rules  Rulebook
	Every  time.Duration // between two looks; 0: DefaultEvery
	// RepairEvery is the time between two walks over all customers that mend the
	// index; 0: DefaultRepairEvery.
	RepairEvery time.Duration
	Logger      *slog.Logger
	// Happened is told of each transition that this process has committed, and
	// how late it was.
	Happened func(t recovery.Transition, late time.Duration)
	// Behind is told after each look how long the longest overdue customer waits.
	Behind func(time.Duration)
}

// How often to look unless told otherwise.
const (
	DefaultEvery       = time.Second
	DefaultRepairEvery = 10 * time.Minute
)

const (
	mostOfBucket = 64 // customers taken at one look
	workers      = 8
	oneTime      = 5 * time.Second // for one customer
	lookTime     = 5 * time.Second // for one look
	doubtsEvery  = 30 * time.Second
	mostDoubts   = 500
	mostLooks    = 100 // in a row without a pause, while there is more to do
)

// Run sweeps until the context ends.
func Run(ctx context.Context, c Config) {
	s := &sweeper{Config: c.withDefaults(), failing: map[string]bool{}}
	var loops sync.WaitGroup
	loops.Go(func() { s.loop(ctx, s.Every, s.pass) })
	loops.Go(func() { s.loop(ctx, doubtsEvery, s.reconcile) })
	loops.Go(func() { s.loop(ctx, s.RepairEvery, s.repair) })
	loops.Wait()
}

func (c Config) withDefaults() Config {
	if c.Every <= 0 {
		c.Every = DefaultEvery
	}
	if c.RepairEvery <= 0 {
		c.RepairEvery = DefaultRepairEvery
	}
	return c
}

// sweeper is a running sweep.
type sweeper struct {
	Config
	mu      sync.Mutex      // of failing: the loops run side by side
	failing map[string]bool // what the log has been told of
}

// loop does something now and then until the context ends. Each pause is a
// little different, so that replicas that start together drift apart.
func (s *sweeper) loop(ctx context.Context, every time.Duration, do func(context.Context)) {
	for {
		pause := every*9/10 + rand.N(every/5+1)
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		do(ctx)
	}
}

// pass looks for what is due until nothing is left that could not be dealt with
// at once.
func (s *sweeper) pass(ctx context.Context) {
	for range mostLooks {
		more, err := s.look(ctx)
		s.tell(ctx, "what is due cannot be dealt with", err)
		if !more || ctx.Err() != nil {
			return
		}
	}
}

// look deals with what is due now; more says that there may be more of it.
func (s *sweeper) look(ctx context.Context) (more bool, err error) {
	lookCtx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	now := s.Ledger.Now()
	found, err := s.Ledger.Due(lookCtx, now, mostOfBucket)
	behind := time.Duration(0)
	if len(found) > 0 {
		behind = now.Sub(found[0].At)
	}
	if s.Behind != nil {
		s.Behind(behind)
	}
	// Replicas that look at the same moment begin with different customers.
	rand.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
	done, failed := s.each(ctx, found)
	return done > 0 && failed == nil, errors.Join(err, failed)
}

// each lets time pass for several customers at once; done counts those for whom
// something happened.
func (s *sweeper) each(ctx context.Context, found []ledger.Due) (done int, err error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := make(chan ledger.Due)
	for range min(workers, len(found)) {
		wg.Go(func() {
			for d := range next {
				happened, failed := s.customer(ctx, d.Key)
				mu.Lock()
				if happened {
					done++
				}
				if err == nil {
					err = failed
				}
				mu.Unlock()
			}
		})
	}
	for _, d := range found {
		select {
		case next <- d:
		case <-ctx.Done():
		}
	}
	close(next)
	wg.Wait()
	return done, err
}

// tell tells the log when something begins to fail and when it works again.
func (s *sweeper) tell(ctx context.Context, what string, err error) {
	if ctx.Err() != nil {
		return // the process ends
	}
	s.mu.Lock()
	was := s.failing[what]
	s.failing[what] = err != nil
	s.mu.Unlock()
	switch {
	case err != nil && !was:
		s.Logger.Error(what, "error", ledger.Cause(err))
	case err == nil && was:
		s.Logger.Info("works again: " + what)
	}
}
