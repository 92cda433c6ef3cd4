package rpc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"buf.build/go/protovalidate"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// mostAhead is how far the clock of a caller may be ahead of ours.
const mostAhead = 5 * time.Minute

// contractRules compiles the rules of every request, so that none is compiled
// during a call.
func contractRules() (protovalidate.Validator, error) {
	var requests []protoreflect.MessageDescriptor
	for _, file := range []protoreflect.FileDescriptor{
		recoveryv1.File_recovery_v1_recovery_service_proto, recoveryv1.File_recovery_v1_policy_service_proto,
	} {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				requests = append(requests, methods.Get(j).Input())
			}
		}
	}
	rules, err := protovalidate.New(protovalidate.WithMessageDescriptors(requests...), protovalidate.WithDisableLazy())
	if err != nil {
		return nil, fmt.Errorf("compile the rules of the contract: %w", err)
	}
	return rules, nil
}

// inspector finds all that is wrong with a request.
type inspector struct {
	rules  protovalidate.Validator
	policy Rulebook
	now    func() time.Time
}

// InspectUnary refuses requests that are at fault, naming every fault at once.
// Let through are those that their methods inspect: a batch, each of whose items is
// judged for itself, and those with a page token. So are requests of other services,
// such as health checks: no rules exist for them.
func (s *Service) InspectUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	message, ok := req.(proto.Message)
	switch req.(type) {
	case *recoveryv1.RecordInteractionsRequest, *recoveryv1.ListCasesRequest, *recoveryv1.ListPoliciesRequest:
		return next(ctx, req)
	}
	if !ok || !strings.HasPrefix(info.FullMethod, "/recovery.v1.") {
		return next(ctx, req)
	}
	if err := s.inspect.request(ctx, message); err != nil {
		return nil, err
	}
	return next(ctx, req)
}

func (i *inspector) request(ctx context.Context, req proto.Message) error {
	faults, err := i.breaches(req)
	if err != nil {
		return err
	}
	field, event := eventOf(req)
	if event != nil {
		faults = append(faults, within(field, i.times(event))...)
	}
	if item, ok := req.(*recoveryv1.IngestRequest); ok && item.HasInteraction() {
		faults = append(faults, within("interaction", i.past("occurred_at", item.GetInteraction().GetOccurredAt()))...)
	}
	if len(faults) == 0 {
		return nil
	}
	// What the policy has to say is said now only because the request is lost
	// already. A sound one may be the repetition of one that was accepted under
	// another policy, and is answered as it was then.
	if rules, err := i.policy.Rules(ctx); err == nil && event != nil {
		faults = append(faults, within(field, moneyFaults(event, rules, activePolicy))...)
	}
	return invalid(faults)
}

// with finds what breaks the rules of the contract, beside the faults that are known
// already.
func (i *inspector) with(req proto.Message, known []fault) error {
	faults, err := i.breaches(req)
	if err != nil {
		return err
	}
	return invalid(append(faults, known...))
}

// breaches of the rules that are stated in the contract.
func (i *inspector) breaches(req proto.Message) ([]fault, error) {
	sound := false
	switch r := req.(type) {
	case *recoveryv1.ReportFailureRequest:
		sound = plainlySound(r.GetEvent())
	case *recoveryv1.RecordInteractionsRequest:
		sound = plainlySoundBatch(r.GetInteractions())
	case *recoveryv1.IngestRequest:
		sound = plainlySound(r.GetFailure()) || r.HasInteraction() && plainlySoundBatch([]*recoveryv1.Interaction{r.GetInteraction()})
	}
	if sound {
		return nil, nil
	}
	err := i.rules.Validate(req)
	if err == nil {
		return nil, nil
	}
	var broken *protovalidate.ValidationError
	if !errors.As(err, &broken) {
		return nil, fmt.Errorf("check the rules of the contract: %w", err)
	}
	return breaches(req.ProtoReflect().Descriptor(), broken.Violations), nil
}

// What fields hold a failure event.
const (
	inEvent   = "event"
	inFailure = "failure" // of an item of Ingest
)

// eventOf gives the failure event of a request that has one, and its field.
func eventOf(req proto.Message) (field string, event *recoveryv1.FailureEvent) {
	switch r := req.(type) {
	case *recoveryv1.ReportFailureRequest:
		return inEvent, r.GetEvent()
	case *recoveryv1.SimulatePolicyRequest:
		return inEvent, r.GetEvent()
	case *recoveryv1.RequestOfferRequest:
		return inEvent, r.GetEvent()
	case *recoveryv1.IngestRequest:
		return inFailure, r.GetFailure()
	default:
		return "", nil
	}
}

// times finds the faults of an event's times that only a clock can tell.
func (i *inspector) times(e *recoveryv1.FailureEvent) (faults []fault) {
	faults = append(faults, i.past("occurred_at", e.GetOccurredAt())...)
	if e.HasDepartsAt() && !e.GetDepartsAt().IsValid() {
		faults = append(faults, fault{field: "departs_at", allowed: allowedTime})
	}
	if e.HasDelay() && !e.GetDelay().IsValid() {
		faults = append(faults, fault{field: "delay", allowed: "seconds and nanos must have the same sign, nanos below 1000000000"})
	}
	return faults
}

const allowedTime = "nanos must be from 0 to 999999999"

// past refuses a time that is not one, or that lies ahead of our clock.
func (i *inspector) past(field string, at *timestamppb.Timestamp) []fault {
	latest := i.now().Add(mostAhead)
	switch {
	case at == nil:
		return nil // the rules of the contract say so already
	case !at.IsValid():
		return []fault{{field: field, allowed: allowedTime}}
	case at.AsTime().After(latest):
		return []fault{{field: field, allowed: "must not be after " + latest.UTC().Format(time.RFC3339) +
			", which is 5 minutes from now by the clock of this service"}}
	default:
		return nil
	}
}
