package rpc

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"google.golang.org/genproto/googleapis/type/money"

	"github.com/makeamends/amends/internal/recovery"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// AssessCustomer answers with the risk of one customer as of now.
func (s *Service) AssessCustomer(ctx context.Context, req *recoveryv1.AssessCustomerRequest) (*recoveryv1.AssessCustomerResponse, error) {
	tenant := cmp.Or(req.GetTenant(), DefaultTenant)
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
	risk, base, band := recovery.RiskNow(c, rules, now)
	// A case of nothing shows what is remembered, as a new failure would meet it.
	memory := recovery.Decide(rules.Active, &c, &recovery.Case{}, now).Assessment
	return recoveryv1.CustomerAssessment_builder{
		Tenant:              at.tenant,
		RiskNow:             risk,
		Band:                recoveryv1.Band(band),
		Baseline:            base,
		PositiveMass:        memory.Positives,
		RepeatMass:          memory.Repeat,
		Residual:            residual(c, rules.Active, now),
		Orders:              c.Orders,
		Claims:              c.Claims,
		Apologies_90D:       int64(len(c.Apologies)),
		GoodwillGranted_90D: granted(c.Grants, rules.Active),
		LastActivityAt:      timestamp(c.LastActivity),
		LastContactAt:       timestamp(c.LastContact),
		Relationship:        recoveryv1.Relationship(relationship(c, memory)),
		ServiceLevel:        recoveryv1.ServiceLevel(recovery.Level(c, rules, now)),
		OpenCases:           list(c.Open, func(k *recovery.Case) *recoveryv1.Case { return encode(at, k, rules) }),
		FailuresRemembered:  int64(len(c.Failures)),
		AssessedAt:          timestamp(now),
	}.Build()
}

// residual is what closed cases have left over, as of now.
func residual(c recovery.Customer, p *recovery.Policy, now time.Time) float64 {
	elapsed := max(now.Sub(c.ResidualAt), 0)
	if c.Residual == 0 {
		return 0
	}
	return c.Residual * math.Exp2(-float64(elapsed)/float64(p.Memory.ResidualHalfLife))
}

// granted sums the goodwill of each currency, in the order of their codes.
func granted(grants []recovery.Grant, p *recovery.Policy) []*money.Money {
	byCurrency := make(map[string]int64, 1)
	for _, g := range grants {
		byCurrency[g.Currency] += g.Minor
	}
	codes := slices.Sorted(maps.Keys(byCurrency))
	return list(codes, func(code *string) *money.Money { return encoder{p}.money(byCurrency[*code], *code) })
}

// relationship is as the newest open case was told, else as the orders tell.
func relationship(c recovery.Customer, memory recovery.Assessment) recovery.Relationship {
	if n := len(c.Open); n > 0 {
		return c.Open[n-1].Assessment.Relationship
	}
	return memory.Relationship
}
