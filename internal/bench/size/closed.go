package size

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/makeamends/amends/internal/ledger"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// Closed is a customer with three good experiences and then so many cases that came to
// their end, ten days after the last of them and after one more event: MEMORY USAGE of
// the hash.
type Closed struct {
	Cases    int
	Positive int64 // that event is a good experience
	Case     int64 // it is a failure, so a case is open beside them
}

// GoodBefore is how many good experiences come before the cases.
const GoodBefore = 3

// betweenCases is so long that the requests of a case are forgotten when the next one
// comes, as they are of customers who complain once a year.
const betweenCases = 10 * 24 * time.Hour

// closed follows customers whose cases are worked on until they are closed.
func (m *measurement) closed(ctx context.Context) error {
	s, err := m.start(ctx)
	if err != nil {
		return err
	}
	defer s.stop()
	for _, cases := range []int{0, 1, 3, 100} {
		m.progress("%d closed cases of one customer", cases)
		c := Closed{Cases: cases}
		who := fmt.Sprint("closed-", cases, "-")
		for n := range GoodBefore {
			if err := s.praise(ctx, who, 2, fmt.Sprint(n)); err != nil {
				return err
			}
		}
		s.clock.skip(betweenCases)
		for n := range cases {
			for i := range 2 {
				if err := s.complete(ctx, who, i, n+1); err != nil {
					return err
				}
			}
			s.clock.skip(betweenCases)
		}
		if c.Positive, c.Case, err = s.oneMore(ctx, who); err != nil {
			return err
		}
		if kept, err := s.kept(ctx, who+"-1"); err != nil {
			return err
		} else if kept != cases {
			return fmt.Errorf("%d closed cases are kept, of %d", kept, cases)
		}
		m.report.Closed = append(m.report.Closed, c)
	}
	return nil
}

// AClosedCase is what each of some closed cases adds to a customer who has an open one.
func (r Report) AClosedCase() float64 {
	const few = 3 // as many as a customer has after some years; 100 are nobody's
	var none, some int64
	for _, c := range r.Closed {
		switch c.Cases {
		case 0:
			none = c.Case
		case few:
			some = c.Case
		}
	}
	return float64(some-none) / few
}

// complete reports a failure and takes the case to its end, in time for what is promised.
func (s *shop) complete(ctx context.Context, who string, i, number int) error {
	round := fmt.Sprint("case ", number)
	if err := s.failOne(ctx, who, i, round); err != nil {
		return err
	}
	ctx, err := asSomebody(ctx)
	if err != nil {
		return err
	}
	customer := fmt.Sprintf("%s-%d", who, i)
	id := ledger.CaseID(s.key(customer), int64(number))
	request := func(step string) string { return fmt.Sprint(customer, round, step) }
	for _, step := range []struct {
		after time.Duration
		take  func() error
	}{
		{5 * time.Minute, func() error {
			_, err := s.service.AcknowledgeCase(ctx, recoveryv1.AcknowledgeCaseRequest_builder{CaseId: id, RequestId: request("acknowledge")}.Build())
			return err
		}},
		{10 * time.Minute, func() error {
			_, err := s.service.RecordContact(ctx, recoveryv1.RecordContactRequest_builder{
				CaseId: id, RequestId: request("contact"), Channel: recoveryv1.Channel_CHANNEL_APP,
				Direction: recoveryv1.ContactDirection_CONTACT_DIRECTION_OUTBOUND,
			}.Build())
			return err
		}},
		{30 * time.Minute, func() error {
			_, err := s.service.ResolveCase(ctx, recoveryv1.ResolveCaseRequest_builder{
				CaseId: id, RequestId: request("resolve"), Outcome: recoveryv1.Outcome_OUTCOME_SATISFIED,
			}.Build())
			return err
		}},
		{24 * time.Hour, func() error {
			_, err := s.service.RecordFollowUp(ctx, recoveryv1.RecordFollowUpRequest_builder{CaseId: id, RequestId: request("follow up")}.Build())
			return err
		}},
	} {
		s.clock.skip(step.after)
		if err := step.take(); err != nil {
			return err
		}
	}
	return nil
}

// kept is how many closed cases the store has of a customer.
func (s *store) kept(ctx context.Context, who string) (n int, err error) {
	hash, err := s.hash(ctx, who)
	if err != nil {
		return 0, err
	}
	fields, err := s.redis.Client().HKeys(ctx, hash).Result()
	for _, f := range fields {
		if strings.HasPrefix(f, "k:") {
			n++
		}
	}
	return n, err
}
