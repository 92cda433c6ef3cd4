package rpc

import (
	"context"
	"maps"
	"slices"
	"time"

	"google.golang.org/genproto/googleapis/type/money"

	"github.com/makeamends/amends/internal/recovery"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// AssessCustomer answers with the risk of one customer as of now.
func (s *Service) AssessCustomer(ctx context.Context, req *recoveryv1.AssessCustomerRequest) (*recoveryv1.AssessCustomerResponse, error) {
	tenant, err := tenantOf(ctx, req.GetTenant())
	if err != nil {
		return nil, err
	}
	at := origin{tenant, s.ledger.Key(tenant, req.GetCustomerId())}
	was, err := s.ledger.Load(ctx, at.key)
	if err != nil {
		return nil, err
	}
	rules, err := s.rulesFor(ctx, was.Customer)
	if err != nil {
		return nil, err
	}
	now := s.now()
	answer := assessCustomer(at, recovery.View(was.Customer, rules, now), rules, now)
	answer.SetCustomerId(req.GetCustomerId())
	if !was.Found {
		answer.SetServiceLevel(recoveryv1.ServiceLevel_SERVICE_LEVEL_UNSPECIFIED)
	}
	for _, k := range answer.GetOpenCases() {
		k.SetCustomerId(req.GetCustomerId())
	}
	return recoveryv1.AssessCustomerResponse_builder{Assessment: answer}.Build(), nil
}

func assessCustomer(at origin, c recovery.Customer, rules recovery.Rules, now time.Time) *recoveryv1.CustomerAssessment {
	known := recovery.Recall(c, rules, now)
	return recoveryv1.CustomerAssessment_builder{
		Tenant:              at.tenant,
		RiskNow:             known.Risk,
		Band:                recoveryv1.Band(known.Band),
		Baseline:            known.Baseline,
		PositiveMass:        known.Positives,
		RepeatMass:          known.Repeat,
		Residual:            known.Residual,
		Orders:              c.Orders,
		Claims:              c.Claims,
		Apologies_90D:       int64(known.Apologies),
		GoodwillGranted_90D: granted(known.Grants),
		LastActivityAt:      timestamp(c.LastActivity),
		LastContactAt:       timestamp(c.LastContact),
		Relationship:        recoveryv1.Relationship(known.Relationship),
		ServiceLevel:        recoveryv1.ServiceLevel(known.Level),
		OpenCases:           unresolved(at, c.Open, rules),
		FailuresRemembered:  int64(len(c.Failures)),
		AssessedAt:          timestamp(now),
	}.Build()
}

// unresolved leaves out the cases that only await their follow-up, and those that
// an answer has no room for.
func unresolved(at origin, cases []recovery.Case, rules recovery.Rules) []*recoveryv1.Case {
	var found bundle
	for i := range cases {
		if cases[i].State < recovery.Resolved && !found.isFull(len(cases)) {
			found.add(encode(at, &cases[i], rules))
		}
	}
	return found.cases
}

// granted sums the goodwill of each currency, in the order of their codes. No
// policy in hand may list it any more.
func granted(grants []recovery.Grant) []*money.Money {
	byCurrency := make(map[string]int64, 1)
	for _, g := range grants {
		byCurrency[g.Currency] += g.Minor
	}
	codes := slices.Sorted(maps.Keys(byCurrency))
	return list(codes, func(code *string) *money.Money {
		return amount(byCurrency[*code], *code)
	})
}
