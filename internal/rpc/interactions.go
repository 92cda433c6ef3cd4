package rpc

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/panics"
	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/spans"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// mostAtOnce bounds how many customers one batch works on at a time.
const mostAtOnce = 8

// RecordInteractions records good experiences, each for itself.
func (s *Service) RecordInteractions(ctx context.Context, req *recoveryv1.RecordInteractionsRequest) (*recoveryv1.RecordInteractionsResponse, error) {
	rejected, err := s.inspect.batch(req)
	if err != nil {
		return nil, err
	}
	b := &batch{service: s, items: req.GetInteractions(), results: make([]*recoveryv1.InteractionResult, len(req.GetInteractions()))}
	for i, faults := range rejected {
		b.reject(ctx, i, invalid(faults))
	}
	if err := b.record(ctx); err != nil {
		return nil, err
	}
	return recoveryv1.RecordInteractionsResponse_builder{Results: b.results}.Build(), nil
}

// batch finds the faults of each item, by its index. The error is about the
// request as a whole.
func (i *inspector) batch(req *recoveryv1.RecordInteractionsRequest) (rejected map[int][]fault, err error) {
	faults, err := i.breaches(req)
	if err != nil {
		return nil, err
	}
	rejected = make(map[int][]fault)
	var whole []fault
	for _, f := range faults {
		if n, ok := itemIndex(f.field); ok {
			rejected[n] = append(rejected[n], f)
		} else {
			whole = append(whole, f)
		}
	}
	for n, item := range req.GetInteractions() {
		if late := i.past(fmt.Sprintf("interactions[%d].occurred_at", n), item.GetOccurredAt()); late != nil {
			rejected[n] = append(rejected[n], late...)
		}
	}
	return rejected, invalid(whole)
}

// itemIndex reads n out of a path that begins with interactions[n].
func itemIndex(field string) (n int, ok bool) {
	if !strings.HasPrefix(field, "interactions[") {
		return 0, false
	}
	_, err := fmt.Sscanf(field, "interactions[%d]", &n)
	return n, err == nil
}

// batch is one call of RecordInteractions.
type batch struct {
	service *Service
	items   []*recoveryv1.Interaction
	results []*recoveryv1.InteractionResult // by index of the item; nil: not dealt with yet
}

// group is all items of one customer.
type group struct {
	write   ledger.Write
	indices []int
	err     error
}

// record deals with what is not rejected yet, customer by customer. It fails
// only when nothing could be done for anybody.
func (b *batch) record(ctx context.Context) error {
	groups := b.groups(ctx)
	var wait sync.WaitGroup
	free := make(chan struct{}, mostAtOnce)
	for _, g := range groups {
		free <- struct{}{}
		wait.Go(func() {
			defer func() { <-free }()
			g.err = panics.Caught(func() error { return b.update(ctx, g) })
		})
	}
	wait.Wait()
	failed := 0
	for _, g := range groups {
		if g.err == nil {
			continue
		}
		failed++
		for _, i := range g.indices {
			b.reject(ctx, i, g.err)
		}
	}
	if failed > 0 && failed == len(groups) && len(groups) > 0 {
		return groups[0].err
	}
	return nil
}

// groups gathers the items by customer, in the order of their first items.
func (b *batch) groups(ctx context.Context) []*group {
	var groups []*group
	byKey := make(map[ledger.Key]*group)
	for i, item := range b.items {
		if b.results[i] != nil {
			continue
		}
		tenant, err := tenantOf(ctx, item.GetTenant())
		if err != nil {
			b.reject(ctx, i, err)
			continue
		}
		item.SetTenant(tenant)
		content, err := payload.Marshal(item)
		if err != nil {
			b.reject(ctx, i, err)
			continue
		}
		key := b.service.ledger.Key(tenant, item.GetCustomerId())
		g, ok := byKey[key]
		if !ok {
			g = &group{write: ledger.Write{Key: key, Tenant: tenant}}
			byKey[key], groups = g, append(groups, g)
		}
		g.indices = append(g.indices, i)
		g.write.Requests = append(g.write.Requests, ledger.Request{ID: "interaction:" + item.GetInteractionId(), Payload: content})
	}
	return groups
}

// update records all items of one customer in one change.
func (b *batch) update(ctx context.Context, g *group) (err error) {
	ctx, span := b.service.tracer.Start(ctx, "recovery.record")
	defer func() {
		if err != nil {
			refuseCall(ctx, err)
			spans.Failed(span)
		}
		span.End()
	}()
	results, err := b.service.ledger.Update(ctx, g.write, func(c recovery.Customer, fresh []int) (ledger.Judgement, error) {
		rules, err := b.service.rulesFor(ctx, c)
		if err != nil {
			return ledger.Judgement{}, err
		}
		now := b.service.now()
		for _, n := range fresh {
			c = recovery.Remember(c, interaction(b.items[g.indices[n]]), rules, now)
		}
		nothing := make([][]byte, len(fresh)) // is there to tell
		return ledger.Judgement{Customer: c, Answers: nothing, Due: c.NextDue(rules)}, nil
	})
	if err != nil {
		return err
	}
	for n, result := range results {
		b.settle(ctx, g.indices[n], result)
	}
	return nil
}

func interaction(i *recoveryv1.Interaction) recovery.Interaction {
	return recovery.Interaction{OccurredAt: moment(i.GetOccurredAt()), Kind: recovery.Positive(i.GetKind())}
}

func (b *batch) settle(ctx context.Context, i int, result ledger.Result) {
	status := recoveryv1.InteractionStatus_INTERACTION_STATUS_RECORDED
	switch {
	case result.Err != nil:
		b.reject(ctx, i, result.Err)
		return
	case result.Replayed:
		status = recoveryv1.InteractionStatus_INTERACTION_STATUS_REPLAYED
	}
	b.results[i] = recoveryv1.InteractionResult_builder{InteractionId: b.items[i].GetInteractionId(), Status: status}.Build()
}

func (b *batch) reject(ctx context.Context, i int, err error) {
	b.results[i] = recoveryv1.InteractionResult_builder{
		InteractionId: b.items[i].GetInteractionId(),
		Status:        recoveryv1.InteractionStatus_INTERACTION_STATUS_REJECTED,
		Error:         Refuse(ctx, err).GRPCStatus().Proto(),
	}.Build()
}
