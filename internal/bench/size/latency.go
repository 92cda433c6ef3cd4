package size

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Latency is how long something takes among many customers and among few; each is
// the median of a round.
type Latency struct {
	Many, Few []time.Duration
}

// Ratio is the median of the rounds' ratios.
func (l Latency) Ratio() float64 {
	var ratios []float64
	for i := range l.Many {
		ratios = append(ratios, float64(l.Many[i])/float64(l.Few[i]))
	}
	return median(ratios)
}

// perRound is how often each is timed in a round.
const perRound = 2000

// compare times single reads and changes, in turns.
func (m *measurement) compare(ctx context.Context, many, few *store) (load, commit Latency, err error) {
	for round := range m.Rounds {
		for _, c := range []struct {
			s    *store
			n    int
			load *[]time.Duration
			put  *[]time.Duration
		}{{many, m.Customers, &load.Many, &commit.Many}, {few, m.Few, &load.Few, &commit.Few}} {
			took, err := times(func(int) error {
				_, err := c.s.ledger.Load(ctx, c.s.key(fmt.Sprintf("c-%d", rand.IntN(c.n))))
				return err
			})
			if err != nil {
				return load, commit, err
			}
			*c.load = append(*c.load, took)
			took, err = times(func(i int) error {
				return c.s.praiseOne(ctx, fmt.Sprintf("c-%d", rand.IntN(c.n)), fmt.Sprintf("timed-%d-%d", round, i))
			})
			if err != nil {
				return load, commit, err
			}
			*c.put = append(*c.put, took)
		}
	}
	return load, commit, nil
}

// times gives the median of how long something takes.
func times(do func(i int) error) (time.Duration, error) {
	var took []time.Duration
	for i := range perRound {
		begin := time.Now()
		if err := do(i); err != nil {
			return 0, err
		}
		took = append(took, time.Since(begin))
	}
	return median(took), nil
}

func median[T int64 | float64 | time.Duration](values []T) T {
	if len(values) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(values))[len(values)/2]
}
