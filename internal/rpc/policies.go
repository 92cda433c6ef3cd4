package rpc

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/recovery"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// Policy is one policy as it is kept.
type Policy struct {
	Version  string
	YAML     []byte
	Active   bool             // new cases are judged by it
	LoadedAt time.Time        // by this process; zero when it has only been kept
	Rules    *recovery.Policy // compiled
}

// Finding is one fault of a policy file. Line and Column count from 1; 0 says
// that it is about the whole.
type Finding struct {
	Line, Column int
	Field        string
	Message      string
	Warning      bool // the policy can be loaded all the same
}

// Shelf is where policies are kept and read.
type Shelf interface {
	// Find gives the policy of that version, "" for the active one; ledger.ErrNotFound when there is none.
	Find(ctx context.Context, version string) (Policy, error)
	// Versions gives the versions of all policies that are kept.
	Versions(ctx context.Context) ([]string, error)
	// Check reads a policy. The policy has no Rules when a finding is no warning.
	Check(yaml []byte) (Policy, []Finding)
}

// GetPolicy answers with one policy, in full.
func (s *Service) GetPolicy(ctx context.Context, req *recoveryv1.GetPolicyRequest) (*recoveryv1.GetPolicyResponse, error) {
	p, err := s.find(ctx, req.GetVersion())
	if err != nil {
		return nil, err
	}
	return recoveryv1.GetPolicyResponse_builder{
		Version: p.Version, Yaml: string(p.YAML), Active: p.Active, LoadedAt: timestamp(p.LoadedAt),
	}.Build(), nil
}

func (s *Service) find(ctx context.Context, version string) (Policy, error) {
	p, err := s.shelf.Find(ctx, version)
	if errors.Is(err, ledger.ErrNotFound) {
		return p, errPolicyUnknown
	}
	return p, err
}

// ListPolicies answers with the versions that are kept: the active one, then the
// others in the order of their text. The place where a page ends names the
// active policies that have been answered, then the last of the others: a policy
// that becomes active between two pages begins the next, and nothing else moves.
func (s *Service) ListPolicies(ctx context.Context, req *recoveryv1.ListPoliciesRequest) (*recoveryv1.ListPoliciesResponse, error) {
	page := pager{s.ledger, "policies"}
	place, faults := page.open(req.GetPageToken())
	if err := s.inspect.with(req, faults); err != nil {
		return nil, err
	}
	active, err := s.shelf.Find(ctx, "")
	if err != nil {
		return nil, err
	}
	versions, err := s.shelf.Versions(ctx)
	if err != nil {
		return nil, err
	}
	begun := strings.Split(place, " ")
	last := begun[len(begun)-1]
	begun = begun[:len(begun)-1]
	rest := slices.DeleteFunc(versions, func(v string) bool { return v <= last || v == active.Version || slices.Contains(begun, v) })
	slices.Sort(rest)
	if len(begun) == 0 || begun[len(begun)-1] != active.Version {
		begun = slices.DeleteFunc(begun, func(v string) bool { return v == active.Version }) // active again
		begun, rest = append(begun, active.Version), slices.Insert(rest, 0, active.Version)
	}
	size := min(pageSize(req.GetPageSize()), len(rest))
	answer := &recoveryv1.ListPoliciesResponse{}
	for _, v := range rest[:size] {
		summary := recoveryv1.PolicySummary_builder{Version: v, Active: v == active.Version}.Build()
		if summary.GetActive() {
			summary.SetLoadedAt(timestamp(active.LoadedAt))
		} else {
			last = v
		}
		answer.SetPolicies(append(answer.GetPolicies(), summary))
	}
	if size < len(rest) {
		answer.SetNextPageToken(page.token(strings.Join(append(begun, last), " ")))
	}
	return answer, nil
}

// CheckPolicy answers with every fault of a policy.
func (s *Service) CheckPolicy(ctx context.Context, req *recoveryv1.CheckPolicyRequest) (*recoveryv1.CheckPolicyResponse, error) {
	p, findings, err := s.check(ctx, req.GetYaml())
	if err != nil {
		return nil, err
	}
	answer := &recoveryv1.CheckPolicyResponse{}
	answer.SetValid(p.Rules != nil)
	if answer.GetValid() {
		answer.SetVersion(p.Version)
	}
	answer.SetFindings(list(findings, func(f *Finding) *recoveryv1.Finding {
		severity := recoveryv1.FindingSeverity_FINDING_SEVERITY_ERROR
		if f.Warning {
			severity = recoveryv1.FindingSeverity_FINDING_SEVERITY_WARNING
		}
		return recoveryv1.Finding_builder{
			Line: int32(f.Line), Column: int32(f.Column), Field: f.Field, Message: f.Message, Severity: severity,
		}.Build()
	}))
	return answer, nil
}

// mostChecks is how many policies there may be that are read or wait for that, each
// of them in the place of another call.
const mostChecks = 4

// check reads a policy in its turn: one at a time, since a large one keeps a
// processor busy for a second.
func (s *Service) check(ctx context.Context, yaml string) (Policy, []Finding, error) {
	if !s.checks.TryAcquire(1) {
		return Policy{}, nil, ledger.ErrOverloaded
	}
	defer s.checks.Release(1)
	if err := s.checking.Acquire(ctx, 1); err != nil {
		return Policy{}, nil, err
	}
	defer s.checking.Release(1)
	p, findings := s.shelf.Check([]byte(yaml))
	return p, findings, nil
}

// SimulatePolicy judges one failure under a candidate and under the active
// policy, each as if it had judged the customer's open cases too.
func (s *Service) SimulatePolicy(ctx context.Context, req *recoveryv1.SimulatePolicyRequest) (*recoveryv1.SimulatePolicyResponse, error) {
	candidate, err := s.candidate(ctx, req)
	if err != nil {
		return nil, err
	}
	rules, err := s.rules.Rules(ctx)
	if err != nil {
		return nil, err
	}
	event := req.GetEvent()
	at, err := s.origin(ctx, event)
	if err != nil {
		return nil, err
	}
	r := &report{service: s, field: inEvent, event: event, at: at}
	was, err := s.ledger.Load(ctx, at.key)
	if err != nil {
		return nil, err
	}
	tried, active := recovery.Rules{Active: candidate}, recovery.Rules{Active: rules.Active}
	unfit := append(moneyFaults(event, tried, "the candidate policy"), moneyFaults(event, active, activePolicy)...)
	if err := invalid(within(inEvent, unfit)); err != nil {
		return nil, err
	}
	kase, err := r.imagine(ctx, under(candidate, was.Customer), tried)
	if err != nil {
		return nil, naming(err, errCandidateCurrency)
	}
	baseline, err := r.imagine(ctx, under(rules.Active, was.Customer), active)
	if err != nil {
		return nil, naming(err, errActiveCurrency)
	}
	return recoveryv1.SimulatePolicyResponse_builder{Case: kase, Baseline: baseline}.Build(), nil
}

// activePolicy is what callers know the active policy by.
const activePolicy = "the active policy"

// naming says which of the two policies does not list the currency of the case
// that the failure joins.
func naming(err, unlisted error) error {
	if errors.Is(err, recovery.ErrUnlisted) {
		return unlisted
	}
	return err
}

// under is the customer as if all of the open cases were of that policy.
func under(p *recovery.Policy, c recovery.Customer) recovery.Customer {
	c.Open = slices.Clone(c.Open)
	for i := range c.Open {
		c.Open[i].Policy = p.Version
	}
	return c
}

// candidate is the policy to try out.
func (s *Service) candidate(ctx context.Context, req *recoveryv1.SimulatePolicyRequest) (*recovery.Policy, error) {
	if req.HasVersion() {
		p, err := s.find(ctx, req.GetVersion())
		return p.Rules, err
	}
	p, _, err := s.check(ctx, req.GetYaml())
	if err == nil && p.Rules == nil {
		err = errPolicyInvalid
	}
	return p.Rules, err
}
