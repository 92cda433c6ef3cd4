package rpc

import (
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/recovery"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// origin is where a case belongs.
type origin struct {
	tenant string
	key    ledger.Key
}

// encoder writes what one policy has decided.
type encoder struct{ policy *recovery.Policy }

// encode writes a case, without the customer's id: that is not known here.
func encode(at origin, k *recovery.Case, rules recovery.Rules) *recoveryv1.Case {
	e := encoder{rules.For(k.Policy)}
	id := ledger.CaseID(at.key, k.Number)
	return recoveryv1.Case_builder{
		CaseId:         id,
		Tenant:         at.tenant,
		State:          recoveryv1.CaseState(k.State),
		Revision:       k.Revision,
		OpenedAt:       timestamp(k.OpenedAt),
		Failures:       e.failures(k),
		Assessment:     e.assessment(&k.Assessment),
		Recommendation: e.recommendation(k),
		Deadlines:      deadlines(k.Deadlines),
		RespondBy:      timestamp(k.RespondBy()),
		History:        history(id, k.History),
		PolicyVersion:  k.Policy,
		TraceParent:    k.TraceParent,
		Outcome:        recoveryv1.Outcome(k.Outcome),
		ResolvedAt:     timestamp(k.ClosedAt),
		Offers:         e.offers(id, k),
		HeldSince:      timestamp(k.HeldSince),
	}.Build()
}

// list maps a list; nothing for nothing.
func list[From, To any](items []From, one func(*From) To) []To {
	if len(items) == 0 {
		return nil
	}
	out := make([]To, len(items))
	for i := range items {
		out[i] = one(&items[i])
	}
	return out
}

// timestamp is not set for the zero time.
func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// money writes an amount in a currency that the policy lists; nothing without a currency.
func (e encoder) money(minor int64, currency string) *money.Money {
	if currency == "" {
		return nil
	}
	return amount(minor, currency, e.policy.Currencies[currency].Digits)
}

// some writes an amount above 0 only.
func (e encoder) some(minor int64, currency string) *money.Money {
	if minor <= 0 {
		return nil
	}
	return e.money(minor, currency)
}

func (e encoder) failures(k *recovery.Case) []*recoveryv1.Failure {
	return list(k.Accounts, func(f *recovery.Failure) *recoveryv1.Failure {
		return recoveryv1.Failure_builder{
			OccurredAt:    timestamp(f.OccurredAt),
			ReceivedAt:    timestamp(f.ReceivedAt),
			Kinds:         kinds(f.Kinds),
			Delay:         delay(f.Delay),
			Severity:      e.severity(k, f),
			Voice:         recoveryv1.Voice(f.Voice),
			Channel:       recoveryv1.Channel(f.Channel),
			Reach:         f.Reach,
			Acceptance:    recoveryv1.Acceptance(f.Acceptance),
			Corroboration: recoveryv1.Corroboration(f.Evidence),
			OrderValue:    e.some(f.Value, f.Currency),
			Loss:          e.loss(f),
		}.Build()
	})
}

// severity of one account alone. With only one it is that of the case.
func (e encoder) severity(k *recovery.Case, f *recovery.Failure) float64 {
	if len(k.Accounts) == 1 {
		return k.Assessment.Severity
	}
	return recovery.Severity(e.policy, f)
}

// loss is shown as zero when something of value failed and nothing was lost.
func (e encoder) loss(f *recovery.Failure) *money.Money {
	if f.Loss == 0 && f.Value == 0 {
		return nil
	}
	return e.money(f.Loss, f.Currency)
}

func kinds(set recovery.KindSet) []recoveryv1.FailureKind {
	return list(set.List(), func(k *recovery.Kind) recoveryv1.FailureKind { return recoveryv1.FailureKind(*k) })
}

func delay(d time.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(d)
}

func deadlines(all []recovery.Deadline) []*recoveryv1.Deadline {
	return list(all, func(d *recovery.Deadline) *recoveryv1.Deadline {
		return recoveryv1.Deadline_builder{
			Milestone: recoveryv1.Milestone(d.Milestone),
			DueAt:     timestamp(d.DueAt),
			BoundBy:   recoveryv1.Bound(d.BoundBy),
			State:     recoveryv1.DeadlineState(d.Verdict),
			MetAt:     timestamp(d.MetAt),
		}.Build()
	})
}

func history(caseID string, all []recovery.Transition) []*recoveryv1.Transition {
	return list(all, func(t *recovery.Transition) *recoveryv1.Transition { return transition(caseID, t) })
}

func transition(caseID string, t *recovery.Transition) *recoveryv1.Transition {
	out := recoveryv1.Transition_builder{
		At:        timestamp(t.At),
		Kind:      recoveryv1.TransitionKind(t.Change),
		Milestone: recoveryv1.Milestone(t.Milestone),
	}.Build()
	if t.Offer > 0 {
		out.SetOfferId(OfferID(caseID, t.Offer))
	}
	return out
}
