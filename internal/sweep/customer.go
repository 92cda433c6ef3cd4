package sweep

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/panics"
	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/spans"
)

// errNothing ends an update that has nothing to commit.
var errNothing = errors.New("nothing is due")

// customer lets time pass for one customer, in a trace of its own. It fails with
// errNothing when nothing is due.
func (s *sweeper) customer(ctx context.Context, key ledger.Key) error {
	ctx, span := s.Tracer.Start(ctx, "sweep.customer", trace.WithNewRoot())
	defer span.End()
	tenant, after, err := s.tick(ctx, key)
	switch {
	case err == nil:
		s.settle(ctx, tenant, key, ledger.ChangedOffers(after))
	case !errors.Is(err, errNothing):
		spans.Failed(span)
	}
	return err
}

// tick has happen what is due for one customer, and gives the customer after that.
func (s *sweeper) tick(ctx context.Context, key ledger.Key) (tenant string, after recovery.Customer, err error) {
	ctx, cancel := context.WithTimeout(ctx, oneTime)
	defer cancel()
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
	if err != nil {
		return "", after, err
	}
	return results[0].Tenant, after, nil
}

// mend makes the index entries of a customer right.
func (s *sweeper) mend(ctx context.Context, key ledger.Key) error {
	ctx, cancel := context.WithTimeout(ctx, oneTime)
	defer cancel()
	_, err := s.Ledger.Update(ctx, ledger.Write{Key: key, Reindex: true}, func(c recovery.Customer, _ []int) (ledger.Judgement, error) {
		if len(c.Open) == 0 {
			return ledger.Judgement{}, errNothing // closed or gone; a commit would bring back who was erased
		}
		rules, err := s.Rules.Rules(ctx, c.Policies()...)
		if err != nil {
			return ledger.Judgement{}, err
		}
		return ledger.Judgement{Customer: c, Due: c.NextDue(rules)}, nil
	})
	if errors.Is(err, errNothing) {
		return s.Ledger.Undue(ctx, key)
	}
	return err
}

// settle gives back what the expired offers of a customer held. Nobody waits for
// that: the budget is on another server than the customer. What fails, or finds too
// many others under way, is made good when the booking is looked at again.
func (s *sweeper) settle(ctx context.Context, tenant string, key ledger.Key, changed []recovery.Case) {
	if len(changed) == 0 {
		return
	}
	select {
	case s.settling <- struct{}{}:
	default:
		return
	}
	s.dealing.Go(func() {
		defer func() { <-s.settling }()
		one, cancel := context.WithTimeout(ctx, oneTime)
		defer cancel()
		err := panics.Caught(func() error { return s.Ledger.SettleOffers(one, tenant, key, changed) })
		s.tell(ctx, "what expired offers held cannot be given back", err)
	})
}

// repair mends the index where it lost what the customers know.
func (s *sweeper) repair(ctx context.Context) {
	due := func(at ledger.Snapshot) (next time.Time) {
		_ = panics.Caught(func() error { // mend meets the same and tells it
			rules, err := s.Rules.Rules(ctx, at.Customer.Policies()...)
			if err == nil {
				next = at.Customer.NextDue(rules)
			}
			return err
		})
		return next
	}
	lost := map[string]bool{} // servers that cannot take changes: left to the next walk
	mend := func(key ledger.Key) {
		server := s.Ledger.Server(ctx, key)
		if lost[server] {
			return
		}
		err := panics.Caught(func() error { return s.mend(ctx, key) })
		lost[server] = away(err)
		s.tell(ctx, "the index of a customer cannot be mended", err)
	}
	found, err := s.Ledger.Repair(ctx, due, mend)
	s.tell(ctx, "the index cannot be checked", err)
	if found.Wrong+found.Orphans > 0 {
		s.Logger.Warn("the index was mended", "customers", found.Wrong, "orphans", found.Orphans)
	}
}
