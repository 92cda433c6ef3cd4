package rpc

import (
	"context"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/recovery"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// GetCase answers with one case; an open one is judged as of now.
func (s *Service) GetCase(ctx context.Context, req *recoveryv1.GetCaseRequest) (*recoveryv1.GetCaseResponse, error) {
	at, k, err := s.ledger.Case(ctx, req.GetCaseId())
	if err == nil {
		err = own(ctx)(at.Tenant)
	}
	if err != nil {
		return nil, err
	}
	seen, err := s.seenNow(ctx, at, []recovery.Case{k})
	if err != nil {
		return nil, err
	}
	return recoveryv1.GetCaseResponse_builder{Case: seen[0].encode(origin{at.Tenant, at.Key})}.Build(), nil
}

// sight is a case as somebody sees it who looks now.
type sight struct {
	recovery.Case
	closed bool // filed away, or about to be
	rules  recovery.Rules
}

func (k *sight) encode(at origin) *recoveryv1.Case { return encode(at, &k.Case, k.rules) }

// seenNow gives cases of one customer as of now: those that were closed as they
// were closed, the others after the time that has passed and judged afresh.
func (s *Service) seenNow(ctx context.Context, at ledger.Snapshot, cases []recovery.Case) ([]sight, error) {
	versions := at.Customer.Policies()
	for i := range cases {
		versions = append(versions, cases[i].Policy)
	}
	rules, err := s.rules.Rules(ctx, versions...)
	if err != nil {
		return nil, err
	}
	c := recovery.View(at.Customer, rules, s.now())
	seen := make([]sight, len(cases))
	for i := range cases {
		seen[i] = sight{cases[i], true, rules}
		if k := recovery.Numbered(c.Open, cases[i].Number); k != nil {
			seen[i].Case, seen[i].closed = *k, false
		} else if k := recovery.Numbered(c.Closed, cases[i].Number); k != nil {
			seen[i].Case = *k // time has closed it
		}
	}
	return seen, nil
}
