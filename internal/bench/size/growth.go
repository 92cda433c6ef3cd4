package size

import (
	"context"
	"fmt"
	"time"
)

// Grown is customers after so many good experiences, when the first nine days are
// over and the next has come: MEMORY USAGE of their hashes.
type Grown struct {
	Events   int
	Positive int64 // of one who has nothing else
	Case     int64 // of one who then has reported a failure
}

// growth follows customers who are in touch five times a day.
func (m *measurement) growth(ctx context.Context) error {
	s, err := m.start(ctx)
	if err != nil {
		return err
	}
	defer s.stop()
	for _, events := range []int{1, 10, 100, 1_000, 10_000} {
		if events > m.Longest {
			break
		}
		m.progress("%d events of one customer", events)
		g := Grown{Events: events}
		who := fmt.Sprint("friend-", events, "-")
		for n := range events {
			if err := s.praise(ctx, who, 2, fmt.Sprint(n)); err != nil {
				return err
			}
			s.clock.skip(24 * time.Hour / 5)
		}
		s.clock.skip(10 * 24 * time.Hour)
		if err := s.praise(ctx, who, 1, "after"); err != nil {
			return err
		}
		if g.Positive, err = s.usage(ctx, who+"-0"); err != nil {
			return err
		}
		if err := s.failOne(ctx, who, 1, "after"); err != nil {
			return err
		}
		if g.Case, err = s.usage(ctx, who+"-1"); err != nil {
			return err
		}
		m.report.Growth = append(m.report.Growth, g)
	}
	return nil
}
