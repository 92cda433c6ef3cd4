package sweep

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/panics"
)

const (
	doubtsEvery = 30 * time.Second
	mostDoubts  = 500
	// doubtPause is how long a booking is left alone that could not be compared
	// with its case.
	doubtPause = 10 * time.Minute
)

// reconcile looks again at bookings whose offer is in doubt: the process that
// made them may have ended before it kept the offer.
func (s *sweeper) reconcile(ctx context.Context) {
	all, cancel := context.WithTimeout(ctx, doubtsEvery)
	defer cancel()
	doubtful, err := s.Ledger.DoubtfulBookings(all, s.Ledger.Now(), mostDoubts)
	errs := []error{err}
	var mu sync.Mutex
	atOnce(all, doubtful, func(b ledger.Booking) bool {
		err := panics.Caught(func() error { return s.booking(all, b) })
		mu.Lock()
		defer mu.Unlock()
		errs = append(errs, err)
		return true
	})
	err = errors.Join(errs...)
	if err != nil {
		s.doubted = time.Now()
	} else if time.Since(s.doubted) < doubtPause+2*doubtsEvery {
		return // what failed has not been tried again yet
	}
	s.tell(ctx, "bookings of the budget cannot be reconciled", err)
}

// booking compares one booking with its case. One that cannot be compared is put
// off, in the store and so for all replicas: else it would come first each time.
func (s *sweeper) booking(all context.Context, b ledger.Booking) error {
	ctx, cancel := context.WithTimeout(all, oneTime)
	defer cancel()
	err := s.Ledger.Reconcile(ctx, b)
	if err == nil || all.Err() != nil { // it is no fault of this booking that the time is over
		return err
	}
	ctx, cancel = context.WithTimeout(all, oneTime)
	defer cancel()
	off := s.Ledger.SettleBooking(ctx, b, ledger.MostBudget, s.Ledger.Now().Add(doubtPause))
	return errors.Join(&about{"case " + b.CaseID, err}, off)
}
