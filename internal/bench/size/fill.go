package size

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/makeamends/amends/internal/auth"
	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/policy"
	"github.com/makeamends/amends/internal/rpc"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

const (
	lanes     = 32  // calls under way at a time
	batchSize = 100 // interactions of a call
)

// shop is the service without a wire: what its handlers store is what they
// always store.
type shop struct {
	ledger  *ledger.Ledger
	service *rpc.Service
	clock   *clock
}

// clock runs ahead of that of the machine by what a measurement skips.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *clock) skip(d time.Duration) { c.ahead.Add(int64(d)) }

// open makes the service on a store that is empty.
func open(ctx context.Context, url string) (*shop, error) {
	c := &clock{}
	l, err := ledger.Open(ctx, ledger.Options{URL: url, Secret: []byte("a secret of nobody's customers"), Now: c.now})
	if err != nil {
		return nil, err
	}
	service, err := rpc.New(rpc.Config{
		Ledger: l, Rules: policy.NewBook(policy.Default(), l), Now: c.now, Tracer: noop.NewTracerProvider().Tracer(""),
	})
	if err != nil {
		return nil, err
	}
	return &shop{l, service, c}, nil
}

// each is InParallel for calls of somebody who may do everything.
func each(ctx context.Context, lanes, n int, do func(ctx context.Context, i int) error) error {
	ctx, err := asSomebody(ctx)
	if err != nil {
		return err
	}
	return InParallel(ctx, lanes, n, do)
}

// InParallel calls do for every number below n, as many at a time as there are lanes,
// until one fails.
func InParallel(ctx context.Context, lanes, n int, do func(ctx context.Context, i int) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var next atomic.Int64
	var wait sync.WaitGroup
	for range lanes {
		wait.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && ctx.Err() == nil; i = next.Add(1) - 1 {
				if err := do(ctx, int(i)); err != nil {
					stop(err)
				}
			}
		})
	}
	wait.Wait()
	return context.Cause(ctx)
}

// asSomebody is the context of a call of somebody who may do everything.
func asSomebody(ctx context.Context) (context.Context, error) {
	ctx = auth.WithPlace(ctx)
	_, err := auth.Open().Admit(ctx, "", auth.Credentials{})
	return ctx, err
}

// praise records one good experience of each of n customers.
func (s *shop) praise(ctx context.Context, who string, n int, round string) error {
	return each(ctx, lanes/8, (n+batchSize-1)/batchSize, func(ctx context.Context, batch int) error {
		req := &recoveryv1.RecordInteractionsRequest{}
		var items []*recoveryv1.Interaction
		for i := batch * batchSize; i < min((batch+1)*batchSize, n); i++ {
			items = append(items, s.interaction(fmt.Sprintf("%s-%d", who, i), fmt.Sprintf("%s-%d-%s", who, i, round)))
		}
		req.SetInteractions(items)
		answer, err := s.service.RecordInteractions(ctx, req)
		if err != nil {
			return err
		}
		for _, r := range answer.GetResults() {
			if r.GetStatus() != recoveryv1.InteractionStatus_INTERACTION_STATUS_RECORDED {
				return fmt.Errorf("interaction %s: %v", r.GetInteractionId(), r.GetError())
			}
		}
		return nil
	})
}

// praiseOne records one good experience by a call of its own.
func (s *shop) praiseOne(ctx context.Context, customer, id string) error {
	ctx, err := asSomebody(ctx)
	if err != nil {
		return err
	}
	answer, err := s.service.RecordInteractions(ctx, recoveryv1.RecordInteractionsRequest_builder{
		Interactions: []*recoveryv1.Interaction{s.interaction(customer, id)},
	}.Build())
	if err == nil && answer.GetResults()[0].HasError() {
		err = fmt.Errorf("interaction %s: %v", id, answer.GetResults()[0].GetError())
	}
	return err
}

func (s *shop) interaction(customer, id string) *recoveryv1.Interaction {
	return recoveryv1.Interaction_builder{
		InteractionId: id,
		CustomerId:    customer,
		OccurredAt:    timestamppb.New(s.clock.now()),
		Kind:          recoveryv1.InteractionKind_INTERACTION_KIND_ORDER_FULFILLED,
	}.Build()
}

func (s *shop) key(customer string) ledger.Key { return s.ledger.Key(rpc.DefaultTenant, customer) }

// fail reports one failure of each of n customers.
func (s *shop) fail(ctx context.Context, who string, n int, round string) error {
	return each(ctx, lanes, n, func(ctx context.Context, i int) error {
		_, err := s.service.ReportFailure(ctx, recoveryv1.ReportFailureRequest_builder{Event: s.failure(who, i, round)}.Build())
		return err
	})
}

func (s *shop) failOne(ctx context.Context, who string, i int, round string) error {
	ctx, err := asSomebody(ctx)
	if err != nil {
		return err
	}
	_, err = s.service.ReportFailure(ctx, recoveryv1.ReportFailureRequest_builder{Event: s.failure(who, i, round)}.Build())
	return err
}

func (s *shop) failure(who string, i int, round string) *recoveryv1.FailureEvent {
	return recoveryv1.FailureEvent_builder{
		EventId:    fmt.Sprintf("%s-%d-%s", who, i, round),
		CustomerId: fmt.Sprintf("%s-%d", who, i),
		OccurredAt: timestamppb.New(s.clock.now()),
		Kinds:      []recoveryv1.FailureKind{recoveryv1.FailureKind_FAILURE_KIND_LATE, recoveryv1.FailureKind_FAILURE_KIND_QUALITY},
		Delay:      durationpb.New(45 * time.Minute),
		OrderId:    fmt.Sprintf("order-%d", i),
		OrderValue: &money.Money{CurrencyCode: "USD", Units: 18},
		Acceptance: recoveryv1.Acceptance_ACCEPTANCE_REJECTED,
		Channel:    recoveryv1.Channel_CHANNEL_APP,
	}.Build()
}
