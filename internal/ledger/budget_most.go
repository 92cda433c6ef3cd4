package ledger

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// BudgetMostUsed is, for each of the currencies, what the tenant that has used
// most of its budget of that day has booked or spent of it, in minor units.
func (l *Ledger) BudgetMostUsed(ctx context.Context, currencies []string, day time.Time) (used map[string]int64, err error) {
	if len(currencies) == 0 {
		return nil, nil
	}
	err = l.persist(ctx, func(ctx context.Context) error {
		pipe := l.client.Pipeline()
		answers := make([]*redis.ZSliceCmd, len(currencies))
		for i, currency := range currencies {
			answers[i] = pipe.ZRangeArgsWithScores(ctx, redis.ZRangeArgs{Key: ranksKey(currency, day), Start: 0, Stop: 0, Rev: true})
		}
		if err := execute(ctx, pipe); err != nil {
			return err
		}
		used = make(map[string]int64, len(currencies))
		for i, currency := range currencies {
			used[currency] = 0
			for _, first := range answers[i].Val() {
				used[currency] = int64(first.Score)
			}
		}
		return nil
	})
	return used, err
}

// ranksKey names the set of tenants by what they have used of a day's budget.
func ranksKey(currency string, day time.Time) string {
	return budgetTag + "most:" + currency + ":" + day.UTC().Format(time.DateOnly)
}
