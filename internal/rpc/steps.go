package rpc

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/spans"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// stepRequest is what every step of a case carries.
type stepRequest interface {
	proto.Message
	GetCaseId() string
	GetRequestId() string
	GetRevision() int64
}

// AcknowledgeCase records that the customer was told that the failure is known.
func (s *Service) AcknowledgeCase(ctx context.Context, req *recoveryv1.AcknowledgeCaseRequest) (*recoveryv1.AcknowledgeCaseResponse, error) {
	return answered(s, ctx, req, recovery.Action{Step: recovery.StepAcknowledge}, &recoveryv1.AcknowledgeCaseResponse{})
}

// RecordContact records that business and customer were in contact.
func (s *Service) RecordContact(ctx context.Context, req *recoveryv1.RecordContactRequest) (*recoveryv1.RecordContactResponse, error) {
	a := recovery.Action{Step: recovery.StepContactOutbound, Channel: recovery.Channel(req.GetChannel()), Public: req.GetPublic()}
	if req.GetDirection() == recoveryv1.ContactDirection_CONTACT_DIRECTION_INBOUND {
		a.Step = recovery.StepContactInbound
	}
	return answered(s, ctx, req, a, &recoveryv1.RecordContactResponse{})
}

// HoldCase stops the clocks of a case.
func (s *Service) HoldCase(ctx context.Context, req *recoveryv1.HoldCaseRequest) (*recoveryv1.HoldCaseResponse, error) {
	return answered(s, ctx, req, recovery.Action{Step: recovery.StepHold}, &recoveryv1.HoldCaseResponse{})
}

// ReleaseCase lets them run again.
func (s *Service) ReleaseCase(ctx context.Context, req *recoveryv1.ReleaseCaseRequest) (*recoveryv1.ReleaseCaseResponse, error) {
	return answered(s, ctx, req, recovery.Action{Step: recovery.StepRelease}, &recoveryv1.ReleaseCaseResponse{})
}

// ResolveCase ends a case.
func (s *Service) ResolveCase(ctx context.Context, req *recoveryv1.ResolveCaseRequest) (*recoveryv1.ResolveCaseResponse, error) {
	a := recovery.Action{Step: recovery.StepResolve, Outcome: recovery.Outcome(req.GetOutcome())}
	return answered(s, ctx, req, a, &recoveryv1.ResolveCaseResponse{})
}

// RecordFollowUp records that the customer was asked afterwards.
func (s *Service) RecordFollowUp(ctx context.Context, req *recoveryv1.RecordFollowUpRequest) (*recoveryv1.RecordFollowUpResponse, error) {
	return answered(s, ctx, req, recovery.Action{Step: recovery.StepFollowUp}, &recoveryv1.RecordFollowUpResponse{})
}

// ReopenCase opens a resolved or closed case again.
func (s *Service) ReopenCase(ctx context.Context, req *recoveryv1.ReopenCaseRequest) (*recoveryv1.ReopenCaseResponse, error) {
	return answered(s, ctx, req, recovery.Action{Step: recovery.StepReopen}, &recoveryv1.ReopenCaseResponse{})
}

// answered takes one step and puts the case into the answer, as field 1, which
// it is in every one.
func answered[A proto.Message](s *Service, ctx context.Context, req stepRequest, a recovery.Action, answer A) (A, error) {
	stored, _, err := s.step(ctx, req, func(recovery.Rules) (recovery.Action, error) { return a, nil })
	if err != nil {
		var none A
		return none, err
	}
	return withStored(answer, stored), nil
}

// withStored puts a stored case into an answer, byte for byte.
func withStored[A proto.Message](answer A, stored []byte) A {
	answer.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, responseCase, protowire.BytesType), stored))
	return answer
}

// step takes one step with a case and gives the case as it is answered: the
// same bytes for the same request id, whatever has changed since. How makes the
// action out of the request, as the policies stand.
func (s *Service) step(ctx context.Context, req stepRequest, how func(recovery.Rules) (recovery.Action, error)) (stored []byte, replayed bool, err error) {
	key, number, err := ledger.ParseCaseID(req.GetCaseId())
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", ledger.ErrNotFound, err)
	}
	content, err := payload.Marshal(req)
	if err != nil {
		return nil, false, fmt.Errorf("encode the step: %w", err)
	}
	name := string(req.ProtoReflect().Descriptor().Name())
	write := ledger.Write{
		Key: key, Case: number, Owned: own(ctx),
		Requests: []ledger.Request{{ID: "step:" + req.GetRequestId(), Payload: append([]byte(name+"\x00"), content...)}},
	}
	var changed []recovery.Case // as judged last
	results, err := s.ledger.Update(ctx, write, func(c recovery.Customer, _ []int) (ledger.Judgement, error) {
		if recovery.Numbered(c.Open, number) == nil && recovery.Numbered(c.Closed, number) == nil {
			return ledger.Judgement{}, recovery.ErrNoCase // whatever else is wrong
		}
		rules, err := s.rulesFor(ctx, c)
		if err != nil {
			return ledger.Judgement{}, err
		}
		a, err := how(rules)
		if err != nil {
			return ledger.Judgement{}, err
		}
		a.Revision = req.GetRevision()
		c, k, err := s.advance(ctx, key, c, number, a, rules)
		if err != nil {
			return ledger.Judgement{}, err
		}
		changed = ledger.ChangedOffers(c)
		answer, err := written(origin{"", key}, &k, rules)
		if err != nil {
			return ledger.Judgement{}, fmt.Errorf("encode the case: %w", err)
		}
		return ledger.Judgement{Customer: c, Answers: [][]byte{answer}, Words: s.words(ctx, rules.For(k.Policy)), Due: c.NextDue(rules)}, nil
	})
	if err != nil {
		return nil, false, err
	}
	s.settle(ctx, key, results, changed)
	result := results[0]
	if result.Err != nil {
		return nil, false, result.Err
	}
	spans.Answered(ctx, key, number, result.Replayed)
	if result.Replayed { // the call that took it may have ended before it told the budget
		_ = s.ledger.ReconcileOffers(ctx, req.GetCaseId())
	}
	return protowire.AppendString(protowire.AppendTag(result.Answer, caseTenant, protowire.BytesType), result.Tenant), result.Replayed, nil
}

// settle tells the budget of the offers that a change has changed, if it was made.
// What the budget is not told now, the sweep makes good: it looks at every booking
// again.
func (s *Service) settle(ctx context.Context, key ledger.Key, results []ledger.Result, changed []recovery.Case) {
	i := slices.IndexFunc(results, func(r ledger.Result) bool { return !r.Replayed && r.Err == nil })
	if i >= 0 && len(changed) > 0 {
		_ = s.ledger.SettleOffers(ctx, results[i].Tenant, key, changed)
	}
}

// advance judges the step.
func (s *Service) advance(ctx context.Context, key ledger.Key, c recovery.Customer, number int64, a recovery.Action, rules recovery.Rules) (recovery.Customer, recovery.Case, error) {
	span := spans.Part(ctx, s.tracer, "recovery.advance")
	defer span.End()
	c, k, err := recovery.Advance(c, number, a, rules, s.now())
	if err != nil {
		spans.Failed(span)
		return c, k, err
	}
	spans.Decide(span, key, &k)
	return c, k, nil
}
