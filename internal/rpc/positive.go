package rpc

import (
	"context"
	"fmt"
	"time"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/recovery"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// positive is one good experience.
type positive struct{ item *recoveryv1.Interaction }

// newPositive finds out of whom it tells, and under what it is carried out once.
func (s *Service) newPositive(ctx context.Context, item *recoveryv1.Interaction) (origin, ledger.Request, error) {
	tenant, err := tenantOf(ctx, item.GetTenant())
	if err != nil {
		return origin{}, ledger.Request{}, err
	}
	item.SetTenant(tenant)
	content, err := payload.Marshal(item)
	if err != nil {
		return origin{}, ledger.Request{}, fmt.Errorf("encode the good experience: %w", err)
	}
	return origin{tenant, s.ledger.Key(tenant, item.GetCustomerId())},
		ledger.Request{ID: "interaction:" + item.GetInteractionId(), Payload: content}, nil
}

// take takes it in. There is nothing to tell.
func (p positive) take(_ context.Context, c recovery.Customer, rules recovery.Rules, now time.Time) (recovery.Customer, []byte, error) {
	in := recovery.Interaction{OccurredAt: moment(p.item.GetOccurredAt()), Kind: recovery.Positive(p.item.GetKind())}
	return recovery.Remember(c, in, rules, now), nil, nil
}

// result is what became of it.
func (p positive) result(ctx context.Context, r ledger.Result) *recoveryv1.InteractionResult {
	status := recoveryv1.InteractionStatus_INTERACTION_STATUS_RECORDED
	switch {
	case r.Err != nil:
		return p.reject(ctx, r.Err)
	case r.Replayed:
		status = recoveryv1.InteractionStatus_INTERACTION_STATUS_REPLAYED
	}
	return recoveryv1.InteractionResult_builder{InteractionId: p.item.GetInteractionId(), Status: status}.Build()
}

func (p positive) reject(ctx context.Context, err error) *recoveryv1.InteractionResult {
	return recoveryv1.InteractionResult_builder{
		InteractionId: p.item.GetInteractionId(),
		Status:        recoveryv1.InteractionStatus_INTERACTION_STATUS_REJECTED,
		Error:         Refuse(ctx, err).GRPCStatus().Proto(),
	}.Build()
}
