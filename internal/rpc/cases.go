package rpc

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/recovery"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// GetCase answers with one case; an open one is judged as of now.
func (s *Service) GetCase(ctx context.Context, req *recoveryv1.GetCaseRequest) (*recoveryv1.GetCaseResponse, error) {
	at, k, err := s.ledger.Case(ctx, req.GetCaseId())
	if err != nil {
		return nil, err
	}
	seen, rules, err := s.seenNow(ctx, at, []recovery.Case{k})
	if err != nil {
		return nil, err
	}
	kase := encode(origin{at.Tenant, at.Key}, &seen[0], rules)
	return recoveryv1.GetCaseResponse_builder{Case: kase}.Build(), nil
}

// seenNow gives cases of one customer as of now: open ones judged afresh,
// closed ones as they were closed.
func (s *Service) seenNow(ctx context.Context, at ledger.Snapshot, cases []recovery.Case) ([]recovery.Case, recovery.Rules, error) {
	versions := make([]string, len(cases))
	for i := range cases {
		versions[i] = cases[i].Policy
	}
	for i := range at.Customer.Open {
		versions = append(versions, at.Customer.Open[i].Policy)
	}
	rules, err := s.rules.Rules(ctx, versions...)
	if err != nil {
		return nil, rules, err
	}
	c := recovery.View(at.Customer, rules, s.now())
	fresh := make(map[int64]recovery.Case, len(c.Open)+len(c.Closed))
	for _, k := range slices.Concat(c.Open, c.Closed) {
		fresh[k.Number] = k
	}
	seen := slices.Clone(cases)
	for i, k := range seen {
		if now, ok := fresh[k.Number]; ok && k.State < recovery.Resolved {
			seen[i] = now
		}
	}
	return seen, rules, nil
}

// ListCases answers with the cases of one customer, the newest first, open ones
// judged as of now.
func (s *Service) ListCases(ctx context.Context, req *recoveryv1.ListCasesRequest) (*recoveryv1.ListCasesResponse, error) {
	if req.GetCustomerId() == "" {
		return nil, errNoCustomer
	}
	req.SetTenant(cmp.Or(req.GetTenant(), DefaultTenant))
	page := pager{s.ledger, query(req)}
	before, err := page.open(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	at, cases, err := s.ledger.Cases(ctx, s.ledger.Key(req.GetTenant(), req.GetCustomerId()))
	if err != nil {
		return nil, err
	}
	cases, rules, err := s.seenNow(ctx, at, cases)
	if err != nil {
		return nil, err
	}
	cases, more := onePage(selectCases(cases, req), before, pageSize(req.GetPageSize()))
	answer := &recoveryv1.ListCasesResponse{}
	if more {
		answer.SetNextPageToken(page.token(cases[len(cases)-1].Number))
	}
	answer.SetCases(list(cases, func(k *recovery.Case) *recoveryv1.Case {
		kase := encode(origin{req.GetTenant(), at.Key}, k, rules)
		kase.SetCustomerId(req.GetCustomerId())
		return kase
	}))
	return answer, nil
}

// selectCases keeps the cases for which every filter holds.
func selectCases(cases []recovery.Case, req *recoveryv1.ListCasesRequest) []recovery.Case {
	due := moment(req.GetDueBefore())
	return slices.DeleteFunc(cases, func(k recovery.Case) bool {
		state, band := recoveryv1.CaseState(k.State), recoveryv1.Band(k.Assessment.Risk.Band)
		return len(req.GetStates()) > 0 && !slices.Contains(req.GetStates(), state) ||
			len(req.GetBands()) > 0 && !slices.Contains(req.GetBands(), band) ||
			req.HasDueBefore() && !dueBefore(&k, due)
	})
}

func dueBefore(k *recovery.Case, due time.Time) bool {
	return slices.ContainsFunc(k.Deadlines, func(d recovery.Deadline) bool {
		return d.Verdict == recovery.Pending && d.DueAt.Before(due)
	})
}

// onePage cuts the cases with a number below before down to size.
func onePage(cases []recovery.Case, before int64, size int) (page []recovery.Case, more bool) {
	page = slices.DeleteFunc(cases, func(k recovery.Case) bool { return k.Number >= before })
	if len(page) <= size {
		return page, false
	}
	return page[:size], true
}
