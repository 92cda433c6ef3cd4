package rpc

import (
	"context"
	"time"

	"github.com/makeamends/amends/internal/ledger"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// Eraser forgets customers.
type Eraser interface {
	Erase(ctx context.Context, tenant string, key ledger.Key, window time.Duration) (ledger.Erased, error)
}

// EraseCustomer deletes what is stored of one customer. What remains counts for
// as long as the active policy counts goodwill.
func (s *Service) EraseCustomer(ctx context.Context, req *recoveryv1.EraseCustomerRequest) (*recoveryv1.EraseCustomerResponse, error) {
	tenant, err := tenantOf(ctx, req.GetTenant())
	if err != nil {
		return nil, err
	}
	rules, err := s.rules.Rules(ctx)
	if err != nil {
		return nil, err
	}
	key := s.ledger.Key(tenant, req.GetCustomerId())
	gone, err := s.ledger.Erase(ctx, tenant, key, rules.Active.Memory.RollingWindow)
	if err != nil {
		return nil, err
	}
	return recoveryv1.EraseCustomerResponse_builder{
		Found:              gone.Found,
		CasesRemoved:       int64(gone.Cases),
		FailuresRemoved:    int64(gone.Failures),
		AnswersRemoved:     int64(gone.Answers),
		EventsRemoved:      int64(gone.Events),
		TombstoneExpiresAt: timestamp(gone.Until),
	}.Build(), nil
}
