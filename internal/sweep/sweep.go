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
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/panics"
	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/told"
)

// Ledger is where customers are kept.
type Ledger interface {
	Due(ctx context.Context, now time.Time, most int, aside map[ledger.Due]bool) ([]ledger.Due, error)
	Server(ctx context.Context, key ledger.Key) string
	Undue(ctx context.Context, key ledger.Key) error
	Update(ctx context.Context, w ledger.Write, judge ledger.Judge) ([]ledger.Result, error)
	SettleOffers(ctx context.Context, tenant string, key ledger.Key, changed []recovery.Case) error
	DoubtfulBookings(ctx context.Context, now time.Time, most int) ([]ledger.Booking, error)
	Reconcile(ctx context.Context, b ledger.Booking) error
	SettleBooking(ctx context.Context, b ledger.Booking, hold int64, check time.Time) error
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
	// Tracer makes a span for each customer with whom it deals; nil: nobody traces.
	Tracer trace.Tracer
	// Behind is told after each look that the store has answered how long the
	// longest overdue customer waits, also of those who are left alone for a while
	// because they could not be dealt with.
	Behind func(time.Duration)
}

// How often to look unless told otherwise.
const (
	DefaultEvery       = time.Second
	DefaultRepairEvery = 10 * time.Minute
)

const (
	mostOfBucket = 64                     // customers taken at one look
	workers      = 8                      // at each server
	mostSettling = 16                     // customers whose offers are settled at a time
	oneTime      = 5 * time.Second        // for one customer
	lookTime     = time.Second            // for the servers to tell who is due
	moment       = 500 * time.Millisecond // for one look to wait for what it has begun
	mostLooks    = 100                    // in a row without a pause, while there is more to do
)

// Run sweeps until the context ends.
func Run(ctx context.Context, c Config) {
	s := &sweeper{
		Config: c.withDefaults(), later: later{entries: map[ledger.Due]putOff{}},
		busy: map[string]<-chan struct{}{}, settling: make(chan struct{}, mostSettling),
	}
	var loops sync.WaitGroup
	loops.Go(func() { s.loop(ctx, s.Every, "the look for what is due", s.pass) })
	loops.Go(func() { s.loop(ctx, doubtsEvery, "the look at bookings in doubt", s.reconcile) })
	loops.Go(func() { s.loop(ctx, s.RepairEvery, "the walk over the index", s.repair) })
	loops.Wait()
	s.dealing.Wait()
}

func (c Config) withDefaults() Config {
	if c.Every <= 0 {
		c.Every = DefaultEvery
	}
	if c.RepairEvery <= 0 {
		c.RepairEvery = DefaultRepairEvery
	}
	if c.Tracer == nil {
		c.Tracer = noop.NewTracerProvider().Tracer("")
	}
	return c
}

// sweeper is a running sweep.
type sweeper struct {
	Config
	later    later
	busy     map[string]<-chan struct{} // servers at which what is due is being dealt with, until that is done; of look alone
	settling chan struct{}              // holds a token for each customer whose offers are being settled
	dealing  sync.WaitGroup             // all of that
	doubted  time.Time                  // when a booking could last not be reconciled; of reconcile alone
	told     told.Log

	mu       sync.Mutex // of all below: the loops run side by side
	happened bool       // see note
	failed   []error
}

// loop does something now and then until the context ends. Each pause is a
// little different, so that replicas that start together drift apart. A panic
// ends one round.
func (s *sweeper) loop(ctx context.Context, every time.Duration, what string, do func(context.Context)) {
	for {
		pause := every*9/10 + rand.N(every/5+1)
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		s.tell(ctx, what+" ends early", panics.Caught(func() error {
			do(ctx)
			return nil
		}))
	}
}
