package rpc

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/spans"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// payload is what two requests with the same id must agree on.
var payload = proto.MarshalOptions{Deterministic: true}

// ReportFailure judges one failure and keeps the case.
func (s *Service) ReportFailure(ctx context.Context, req *recoveryv1.ReportFailureRequest) (*recoveryv1.ReportFailureResponse, error) {
	event := req.GetEvent()
	at, err := s.origin(ctx, event)
	if err != nil {
		return nil, err
	}
	r := &report{service: s, field: inEvent, event: event, at: at}
	if req.GetValidateOnly() {
		return r.rehearse(ctx)
	}
	return r.carryOut(ctx)
}

// origin is where the case of an event belongs. It fills in the tenant.
func (s *Service) origin(ctx context.Context, event *recoveryv1.FailureEvent) (origin, error) {
	tenant, err := tenantOf(ctx, event.GetTenant())
	if err != nil {
		return origin{}, err
	}
	event.SetTenant(tenant)
	return origin{tenant, s.ledger.Key(tenant, event.GetCustomerId())}, nil
}

// report is one call of ReportFailure.
type report struct {
	service *Service
	field   string // of the request that holds the event
	event   *recoveryv1.FailureEvent
	at      origin

	number int64  // of the case, as judged last
	stored []byte // what is to be stored of it
	answer []byte // the same as a field of the answer
}

func (r *report) carryOut(ctx context.Context) (*recoveryv1.ReportFailureResponse, error) {
	request, err := r.request()
	if err != nil {
		return nil, err
	}
	f := fold{service: r.service, at: r.at, requests: []ledger.Request{request}, entries: []entry{r}}
	results, err := f.carryOut(ctx)
	if err != nil {
		return nil, err
	}
	return r.respond(ctx, results[0])
}

// request is what is carried out once.
func (r *report) request() (ledger.Request, error) {
	content, err := payload.Marshal(r.event)
	if err != nil {
		return ledger.Request{}, fmt.Errorf("encode the event: %w", err)
	}
	return ledger.Request{ID: "report:" + r.event.GetEventId(), Payload: content}, nil
}

// take decides on the customer as it stands, and makes the answer to be stored.
func (r *report) take(ctx context.Context, c recovery.Customer, rules recovery.Rules, now time.Time) (recovery.Customer, []byte, error) {
	after, k, err := r.decide(ctx, c, rules, now)
	if err != nil {
		return c, nil, err
	}
	if err := r.write(&k, rules); err != nil {
		return c, nil, fmt.Errorf("encode the case: %w", err)
	}
	return after, r.stored, nil
}

// write makes what is stored of a case, and what is answered when it is.
func (r *report) write(k *recovery.Case, rules recovery.Rules) error {
	a := newAnswer(r.at, k, rules)
	defer a.Leave()
	r.number = k.Number
	r.answer, r.stored = r.caseField(a.Bytes)
	return a.Err
}

// decide takes the event in.
func (r *report) decide(ctx context.Context, c recovery.Customer, rules recovery.Rules, now time.Time) (recovery.Customer, recovery.Case, error) {
	span := spans.Part(ctx, r.service.tracer, "recovery.decide")
	defer span.End()
	event, err := decode(r.service.ledger, r.field, r.event, rules)
	if err != nil {
		spans.Failed(span)
		return c, recovery.Case{}, err
	}
	event.TraceParent = spans.TraceParent(ctx)
	c, k, err := recovery.Report(c, event, rules, now)
	if err != nil {
		spans.Failed(span)
		return c, k, err
	}
	spans.Decide(span, r.at.key, &k)
	return c, k, nil
}

// respond answers what is stored: of this call, or of the one that came first.
func (r *report) respond(ctx context.Context, result ledger.Result) (*recoveryv1.ReportFailureResponse, error) {
	if result.Err != nil {
		return nil, result.Err
	}
	number := r.number
	if result.Replayed { // of the case that was judged in vain, if any
		number = 0
	}
	spans.Answered(ctx, r.at.key, number, result.Replayed)
	answer := &recoveryv1.ReportFailureResponse{}
	answer.SetReplayed(result.Replayed)
	field := r.answer
	if len(result.Answer) == 0 || len(r.stored) == 0 || &result.Answer[0] != &r.stored[0] { // it is that of an earlier call, or attempt
		field, _ = r.caseField(result.Answer)
	}
	answer.ProtoReflect().SetUnknown(field)
	return answer, nil
}

// Numbers of the fields that are written by hand.
const (
	responseCase   protowire.Number = 1
	caseTenant     protowire.Number = 2
	caseCustomerID protowire.Number = 3
)

// caseField is the field case of the answer: the stored case with the
// customer's id added. The case is passed on as the bytes that it is stored as,
// which is both what is promised and cheaper than to read and write it again. They
// are copied: within is where they stand in the field.
func (r *report) caseField(stored []byte) (field, within []byte) {
	customer := r.event.GetCustomerId()
	size := len(stored) + protowire.SizeTag(caseCustomerID) + protowire.SizeBytes(len(customer))
	field = make([]byte, 0, protowire.SizeTag(responseCase)+protowire.SizeBytes(size))
	field = protowire.AppendTag(field, responseCase, protowire.BytesType)
	field = protowire.AppendVarint(field, uint64(size))
	from := len(field)
	field = append(field, stored...)
	within = field[from:len(field):len(field)]
	field = protowire.AppendTag(field, caseCustomerID, protowire.BytesType)
	return protowire.AppendString(field, customer), within
}

// rehearse answers as if and keeps nothing.
func (r *report) rehearse(ctx context.Context) (*recoveryv1.ReportFailureResponse, error) {
	was, err := r.service.ledger.Load(ctx, r.at.key)
	if err != nil {
		return nil, err
	}
	rules, err := r.service.rulesFor(ctx, was.Customer)
	if err != nil {
		return nil, err
	}
	kase, err := r.imagine(ctx, was.Customer, rules)
	if err != nil {
		return nil, err
	}
	return recoveryv1.ReportFailureResponse_builder{Case: kase}.Build(), nil
}

// imagine gives the case as it would be. A case that would only be opened has no id.
func (r *report) imagine(ctx context.Context, was recovery.Customer, rules recovery.Rules) (*recoveryv1.Case, error) {
	_, k, err := r.decide(ctx, was, rules, r.service.now())
	if err != nil {
		return nil, err
	}
	kase := encode(r.at, &k, rules)
	kase.SetCustomerId(r.event.GetCustomerId())
	if k.Number > was.Cases {
		kase.SetCaseId("")
	}
	return kase, nil
}
