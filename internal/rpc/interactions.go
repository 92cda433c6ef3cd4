package rpc

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/spans"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// RecordInteractions records good experiences, each for itself.
func (s *Service) RecordInteractions(ctx context.Context, req *recoveryv1.RecordInteractionsRequest) (*recoveryv1.RecordInteractionsResponse, error) {
	rejected, err := s.inspect.batch(req)
	if err != nil {
		return nil, err
	}
	b := &batch{service: s, items: req.GetInteractions(), results: make([]*recoveryv1.InteractionResult, len(req.GetInteractions()))}
	for i, faults := range rejected {
		b.reject(ctx, invalid(faults), i)
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
		if late := i.past("occurred_at", item.GetOccurredAt()); late != nil {
			rejected[n] = append(rejected[n], within(fmt.Sprintf("interactions[%d]", n), late)...)
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
	fold
	indices []int
}

// record deals with what is not rejected yet, customer by customer. It fails
// only when nothing could be done for anybody.
func (b *batch) record(ctx context.Context) error {
	groups := b.groups(ctx)
	errs := b.service.together(ctx, len(groups), func(ctx context.Context, i int) error { return b.update(ctx, groups[i]) })
	all := len(errs) > 0 && !slices.Contains(errs, nil)
	for n, err := range errs {
		if err != nil && (n > 0 || !all) { // else it is the error of the call
			b.reject(ctx, err, groups[n].indices...)
		}
	}
	if all {
		return errs[0]
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
		at, request, err := b.service.newPositive(ctx, item)
		if err != nil {
			b.reject(ctx, err, i)
			continue
		}
		g, ok := byKey[at.key]
		if !ok {
			g = &group{fold: fold{service: b.service, at: at}}
			byKey[at.key], groups = g, append(groups, g)
		}
		g.indices = append(g.indices, i)
		g.requests, g.entries = append(g.requests, request), append(g.entries, positive{item})
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
	results, err := g.carryOut(ctx)
	if err != nil {
		return err
	}
	for n, result := range results {
		i := g.indices[n]
		if result.Err != nil {
			b.reject(ctx, result.Err, i)
			continue
		}
		b.results[i] = positive{b.items[i]}.result(ctx, result)
	}
	return nil
}

// reject refuses items, and says so to whoever wants to know.
func (b *batch) reject(ctx context.Context, err error, items ...int) {
	refused := Refuse(ctx, err)
	b.service.failed(ctx, FailedItems{recoveryv1.RecoveryService_RecordInteractions_FullMethodName, items, refused})
	for _, i := range items {
		b.results[i] = positive{b.items[i]}.reject(ctx, refused)
	}
}
