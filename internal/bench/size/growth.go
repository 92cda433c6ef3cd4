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
	Lasting
}

// Lasting is likewise, of one whose case was open all the while.
type Lasting struct {
	Open   int64 // as many good experiences, ten a day
	Busy   int64 // as many good experiences, 500 a day
	Joined int64 // as many further reports of the same failure, 500 a day: they join it for thirty days
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
		if g.Positive, g.Case, err = s.oneMore(ctx, who); err != nil {
			return err
		}
		if g.Lasting, err = m.lasting(ctx, events); err != nil {
			return err
		}
		m.report.Growth = append(m.report.Growth, g)
	}
	return nil
}

// oneMore is what two customers take after one more event: one of them after a good
// experience, the other after a failure, whose case is open then.
func (s *store) oneMore(ctx context.Context, who string) (positive, open int64, err error) {
	if err := s.praise(ctx, who, 1, "after"); err != nil {
		return 0, 0, err
	}
	if positive, err = s.usage(ctx, who+"-0"); err != nil {
		return 0, 0, err
	}
	if err := s.failOne(ctx, who, 1, "after"); err != nil {
		return 0, 0, err
	}
	open, err = s.usage(ctx, who+"-1")
	return positive, open, err
}

// How often a customer is in touch in a day: as people may be, and nearly as often as
// is possible, since of one with more than 5,000 requests in nine days the rest is
// refused. Who has more than 128 is a table of Redis from then on.
const (
	often   = 10
	nonstop = 500
)

func (m *measurement) lasting(ctx context.Context, events int) (l Lasting, err error) {
	praise := func(s *store, who string, n int) error { return s.praiseOne(ctx, who+"-0", fmt.Sprint(who, n)) }
	join := func(s *store, who string, n int) error { return s.failOne(ctx, who, 0, fmt.Sprint(n)) }
	for _, of := range []struct {
		is     *int64
		aDay   int
		happen func(s *store, who string, n int) error
	}{{&l.Open, often, praise}, {&l.Busy, nonstop, praise}, {&l.Joined, nonstop, join}} {
		if *of.is, err = m.keepOpen(ctx, events, of.aDay, of.happen); err != nil {
			return l, err
		}
	}
	return l, nil
}

// keepOpen opens a case and then has so many events happen, one by one. It gives what
// the customer takes ten days later, after one more of them.
func (m *measurement) keepOpen(ctx context.Context, events, aDay int, happen func(s *store, who string, n int) error) (int64, error) {
	s, err := m.start(ctx)
	if err != nil {
		return 0, err
	}
	defer s.stop()
	const who = "open"
	if err := s.failOne(ctx, who, 0, "first"); err != nil {
		return 0, err
	}
	for n := range events {
		if err := happen(s, who, n); err != nil {
			return 0, err
		}
		s.clock.skip(24 * time.Hour / time.Duration(aDay))
	}
	s.clock.skip(10 * 24 * time.Hour)
	if err := happen(s, who, events); err != nil {
		return 0, err
	}
	return s.usage(ctx, who+"-0")
}
