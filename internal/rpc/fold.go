package rpc

import (
	"context"
	"time"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/panics"
	"github.com/makeamends/amends/internal/recovery"
)

// entry is one thing that is told of a customer: a failure, or a good experience.
type entry interface {
	// take takes it in, and makes the answer to be stored. On an error nothing of
	// it is kept.
	take(ctx context.Context, c recovery.Customer, rules recovery.Rules, now time.Time) (recovery.Customer, []byte, error)
}

// fold is what is told of one customer at once, in order. It is one change, in
// which each entry is judged on the customer as those before it have left it: as if
// they had come one by one.
type fold struct {
	service  *Service
	at       origin
	requests []ledger.Request // under which the entries are carried out, each once
	entries  []entry

	changed []recovery.Case // those with offers that have changed, as judged last
}

// carryOut makes the change. The results are those of the entries; an entry that is
// refused does not hold up the others.
func (f *fold) carryOut(ctx context.Context) ([]ledger.Result, error) {
	write := ledger.Write{Key: f.at.key, Tenant: f.at.tenant, Requests: f.requests}
	results, err := f.service.ledger.Update(ctx, write, func(c recovery.Customer, fresh []int) (ledger.Judgement, error) {
		return f.judge(ctx, c, fresh)
	})
	f.service.settle(ctx, f.at.key, results, f.changed)
	return results, err
}

func (f *fold) judge(ctx context.Context, c recovery.Customer, fresh []int) (ledger.Judgement, error) {
	rules, err := f.service.rulesFor(ctx, c)
	if err != nil {
		return ledger.Judgement{}, err
	}
	now, before := f.service.now(), c.NextDue(rules)
	answers := make([][]byte, len(fresh))
	var refused []error
	for i, n := range fresh {
		var err error
		c, answers[i], err = f.entries[n].take(ctx, c, rules, now)
		if err != nil {
			if refused == nil {
				refused = make([]error, len(fresh))
			}
			refused[i] = err
		}
	}
	f.changed = ledger.ChangedOffers(c)
	return ledger.Judgement{
		Customer: c, Answers: answers, Refused: refused, Words: f.service.words(ctx, rules.Active),
		Due: c.NextDue(rules), DueBefore: before,
	}, nil
}

// MostTogether is how many customers of a bulk load are worked on at a time: enough
// that their way to Redis and back costs each of them little.
const MostTogether = 64

// together does something for each of n customers, some at a time. A panic over one
// of them is its error.
func (s *Service) together(ctx context.Context, n int, do func(ctx context.Context, i int) error) []error {
	errs := make([]error, n)
	for first := 0; first < n; first += MostTogether {
		s.ledger.Together(ctx, min(MostTogether, n-first), func(ctx context.Context, i int) {
			i += first
			errs[i] = panics.Caught(func() error { return do(ctx, i) })
		})
	}
	return errs
}
