package sweep

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/recovery"
)

// errNothing ends an update that has nothing to commit.
var errNothing = errors.New("nothing is due")

// customer lets time pass for one customer.
func (s *sweeper) customer(ctx context.Context, key ledger.Key) (happened bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, oneTime)
	defer cancel()
	var after recovery.Customer
	results, err := s.Ledger.Update(ctx, ledger.Write{Key: key}, func(c recovery.Customer, _ []int) (ledger.Judgement, error) {
		rules, err := s.Rules.Rules(ctx, c.Policies()...)
		if err != nil {
			return ledger.Judgement{}, err
		}
		now := s.Ledger.Now()
		if due := c.NextDue(rules); due.IsZero() || now.Before(due) {
			return ledger.Judgement{}, errNothing
		}
		after = recovery.Tick(c, rules, now)
		return ledger.Judgement{Customer: after, Due: after.NextDue(rules)}, nil
	})
	switch {
	case errors.Is(err, errNothing), errors.Is(err, ledger.ErrConflict):
		return false, nil // another replica was faster, or will be
	case err != nil:
		return false, err
	}
	s.follow(ctx, results[0].Tenant, key, after)
	return true, nil
}

// follow does what follows from what has happened to a customer.
func (s *sweeper) follow(ctx context.Context, tenant string, key ledger.Key, c recovery.Customer) {
	now := s.Ledger.Now()
	for _, k := range slices.Concat(c.Open, c.Closed) {
		expired := false
		for _, t := range k.Fresh {
			expired = expired || t.Change == recovery.ChangeOfferExpired
			if s.Happened != nil {
				s.Happened(t, now.Sub(t.At))
			}
		}
		if expired {
			// What fails here is made good when the booking is looked at again.
			s.tell(ctx, "what expired offers held cannot be given back", s.Ledger.SettleOffers(ctx, tenant, key, &k))
		}
	}
}

// reconcile looks again at bookings whose offer is in doubt: the process that
// made them may have ended before it kept the offer.
func (s *sweeper) reconcile(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, doubtsEvery)
	defer cancel()
	doubtful, err := s.Ledger.DoubtfulBookings(ctx, s.Ledger.Now(), mostDoubts)
	for _, b := range doubtful {
		if err != nil {
			break
		}
		err = s.Ledger.Reconcile(ctx, b)
	}
	s.tell(ctx, "bookings of the budget cannot be reconciled", err)
}

// repair mends the index where it lost what the customers know.
func (s *sweeper) repair(ctx context.Context) {
	due := func(at ledger.Snapshot) time.Time {
		rules, err := s.Rules.Rules(ctx, at.Customer.Policies()...)
		if err != nil {
			return time.Time{}
		}
		return at.Customer.NextDue(rules)
	}
	mend := func(key ledger.Key) {
		_, err := s.Ledger.Update(ctx, ledger.Write{Key: key, Reindex: true}, func(c recovery.Customer, _ []int) (ledger.Judgement, error) {
			if len(c.Open) == 0 {
				return ledger.Judgement{}, errNothing // closed or erased meanwhile
			}
			rules, err := s.Rules.Rules(ctx, c.Policies()...)
			return ledger.Judgement{Customer: c, Due: c.NextDue(rules)}, err
		})
		if !errors.Is(err, errNothing) {
			s.tell(ctx, "the index of a customer cannot be mended", err)
		}
	}
	found, err := s.Ledger.Repair(ctx, due, mend)
	s.tell(ctx, "the index cannot be checked", err)
	if found.Wrong+found.Orphans > 0 {
		s.Logger.Warn("the index was mended", "customers", found.Wrong, "orphans", found.Orphans)
	}
}
