package serve_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/makeamends/amends/internal/policy"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// sow puts canaries into a request that is in order.
func sow[M proto.Message](c *canaries, m M) M {
	c.into(m)
	return m
}

// accept makes a call that must not fail.
func accept[Q proto.Message, A any](t *testing.T, call func(context.Context, Q, ...grpc.CallOption) (A, error), request Q) A {
	t.Helper()
	answer, err := call(t.Context(), request)
	if err != nil {
		t.Fatalf("%T: %v", request, err)
	}
	return answer
}

// costly is a failure for which an offer needs approval.
func (s *searched) costly() *recoveryv1.FailureEvent {
	e := event("", "")
	e.SetOrderValue(usd(200, 0))
	e.SetLoss(usd(3, 0))
	e.SetOccurredAt(timestamppb.New(s.clock.Now()))
	e.SetCustomer(recoveryv1.CustomerProfile_builder{LifetimeValue: usd(900, 0)}.Build())
	return sow(s.canaries, e)
}

// succeed makes every call with what it takes, a canary wherever that is possible.
// It gives the first event, its case, and a watch of its tenant.
func (s *searched) succeed(t *testing.T) (first *recoveryv1.FailureEvent, id string, w *watcher) {
	first = s.costly()
	w = s.watch(t, recoveryv1.WatchCasesRequest_builder{Tenant: first.GetTenant()}.Build())
	id = accept(t, s.recovery.ReportFailure, recoveryv1.ReportFailureRequest_builder{Event: first}.Build()).GetCase().GetCaseId()
	token := w.token
	w.events(t, 1)
	resumed := s.watch(t, recoveryv1.WatchCasesRequest_builder{Tenant: first.GetTenant(), ResumeToken: token}.Build())
	resumed.events(t, 1)
	resumed.cancel()
	s.watch(t, sow(s.canaries, &recoveryv1.WatchCasesRequest{})).cancel()
	accept(t, s.recovery.ReportFailure, sow(s.canaries, recoveryv1.ReportFailureRequest_builder{Event: s.costly(), ValidateOnly: true}.Build()))
	s.goThrough(t, id)

	at := timestamppb.New(s.clock.Now())
	praises := []*recoveryv1.Interaction{praise("", ""), praise("", "")}
	praises[0].SetOccurredAt(at)
	accept(t, s.recovery.RecordInteractions, sow(s.canaries, recoveryv1.RecordInteractionsRequest_builder{Interactions: praises}.Build()))
	stream, err := s.recovery.Ingest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range []*recoveryv1.IngestRequest{
		recoveryv1.IngestRequest_builder{Failure: s.costly()}.Build(), sow(s.canaries, recoveryv1.IngestRequest_builder{Interaction: praise("", "")}.Build()), {},
	} {
		if err := stream.Send(item); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	_ = stream.CloseSend()
	s.read(t, first, id)
	s.tryPolicies(t)
	return first, id, w
}

// goThrough takes every step with a case.
func (s *searched) goThrough(t *testing.T, id string) {
	t.Helper()
	c := s.canaries
	accept(t, s.recovery.AcknowledgeCase, sow(c, recoveryv1.AcknowledgeCaseRequest_builder{CaseId: id}.Build()))
	accept(t, s.recovery.RecordContact, sow(c, recoveryv1.RecordContactRequest_builder{CaseId: id, Direction: 1, Channel: recoveryv1.Channel_CHANNEL_EMAIL}.Build()))
	accept(t, s.recovery.HoldCase, sow(c, recoveryv1.HoldCaseRequest_builder{CaseId: id}.Build()))
	accept(t, s.recovery.ReleaseCase, sow(c, recoveryv1.ReleaseCaseRequest_builder{CaseId: id}.Build()))
	accept(t, s.recovery.RequestOffer, sow(c, recoveryv1.RequestOfferRequest_builder{Event: s.costly(), ValidateOnly: true}.Build()))
	offer := accept(t, s.recovery.RequestOffer, sow(c, recoveryv1.RequestOfferRequest_builder{CaseId: &id}.Build())).GetOffer().GetOfferId()
	accept(t, s.recovery.ApproveOffer, sow(c, recoveryv1.ApproveOfferRequest_builder{CaseId: id, OfferId: offer}.Build()))
	accept(t, s.recovery.MakeOffer, sow(c, recoveryv1.MakeOfferRequest_builder{CaseId: id, OfferId: offer}.Build()))
	accept(t, s.recovery.AnswerOffer, sow(c, recoveryv1.AnswerOfferRequest_builder{CaseId: id, OfferId: offer, Answer: recoveryv1.Answer_ANSWER_ACCEPTED}.Build()))
	s.reject(t, "RequestOffer", sow(c, recoveryv1.RequestOfferRequest_builder{CaseId: &id}.Build()))                            // nothing is left to offer
	s.reject(t, "RequestOffer", sow(c, recoveryv1.RequestOfferRequest_builder{CaseId: &id, Goodwill: usd(100_000, 0)}.Build())) // above the ceiling
	s.reject(t, "MakeOffer", sow(c, recoveryv1.MakeOfferRequest_builder{CaseId: id, OfferId: offer}.Build()))                   // in another state
	s.reject(t, "MakeOffer", sow(c, recoveryv1.MakeOfferRequest_builder{CaseId: id, OfferId: s.one("MakeOfferRequest.offer_id")}.Build()))
	accept(t, s.recovery.ResolveCase, sow(c, recoveryv1.ResolveCaseRequest_builder{CaseId: id, Outcome: recoveryv1.Outcome_OUTCOME_SATISFIED}.Build()))
	accept(t, s.recovery.RecordFollowUp, sow(c, recoveryv1.RecordFollowUpRequest_builder{CaseId: id}.Build()))
	s.reject(t, "AcknowledgeCase", sow(c, recoveryv1.AcknowledgeCaseRequest_builder{CaseId: id}.Build()))
	accept(t, s.recovery.ReopenCase, sow(c, recoveryv1.ReopenCaseRequest_builder{CaseId: id}.Build()))
}

// read reads what there is, and of whom there is nothing; of the latter it erases
// too.
func (s *searched) read(t *testing.T, known *recoveryv1.FailureEvent, id string) {
	t.Helper()
	who, tenant := known.GetCustomerId(), known.GetTenant()
	accept(t, s.recovery.AssessCustomer, recoveryv1.AssessCustomerRequest_builder{Tenant: tenant, CustomerId: who}.Build())
	accept(t, s.recovery.AssessCustomer, sow(s.canaries, &recoveryv1.AssessCustomerRequest{}))
	accept(t, s.recovery.ListCases, recoveryv1.ListCasesRequest_builder{Tenant: tenant, CustomerId: who}.Build())
	again := s.costly()
	again.SetTenant(tenant)
	accept(t, s.recovery.ReportFailure, recoveryv1.ReportFailureRequest_builder{Event: again}.Build())
	page := accept(t, s.recovery.ListCases, recoveryv1.ListCasesRequest_builder{Tenant: tenant, PageSize: 1}.Build())
	accept(t, s.recovery.ListCases, recoveryv1.ListCasesRequest_builder{Tenant: tenant, PageSize: 1, PageToken: page.GetNextPageToken()}.Build())
	s.reject(t, "ListCases", recoveryv1.ListCasesRequest_builder{Tenant: s.one("a tenant"), PageToken: page.GetNextPageToken()}.Build())
	accept(t, s.recovery.ListCases, sow(s.canaries, &recoveryv1.ListCasesRequest{}))
	accept(t, s.recovery.EraseCustomer, sow(s.canaries, &recoveryv1.EraseCustomerRequest{}))
	accept(t, s.recovery.GetCase, recoveryv1.GetCaseRequest_builder{CaseId: id}.Build())
}

// tryPolicies reads policies and tries some out that hold canaries wherever a policy
// has a text, in order and not.
func (s *searched) tryPolicies(t *testing.T) {
	t.Helper()
	note := fmt.Sprintf("\n# %s\n", s.one("CheckPolicyRequest.yaml"))
	sound := string(policy.DefaultYAML()) + note
	faulty := fmt.Sprintf("title: {%s: 1}\n%s: %s\nbands: %s\nrules: [{when: '%s ==', name: %s}]\n- %s\n",
		s.one("a key"), s.one("a key"), s.one("a value"), s.one("a value"), s.one("a condition"), s.one("a name"), s.one("a fault"))
	version := accept(t, s.policies.GetPolicy, &recoveryv1.GetPolicyRequest{}).GetVersion()
	accept(t, s.policies.GetPolicy, recoveryv1.GetPolicyRequest_builder{Version: version}.Build())
	accept(t, s.policies.ListPolicies, &recoveryv1.ListPoliciesRequest{})
	for _, yaml := range []string{sound, faulty, faulty[:20]} {
		accept(t, s.policies.CheckPolicy, recoveryv1.CheckPolicyRequest_builder{Yaml: yaml}.Build())
	}
	s.reject(t, "SimulatePolicy", recoveryv1.SimulatePolicyRequest_builder{Yaml: &faulty, Event: s.costly()}.Build())
	accept(t, s.policies.SimulatePolicy, recoveryv1.SimulatePolicyRequest_builder{Version: &version, Event: s.costly()}.Build())
	accept(t, s.policies.SimulatePolicy, recoveryv1.SimulatePolicyRequest_builder{Yaml: &sound, Event: s.costly()}.Build())
}

// try makes a call, however it ends.
func (s *searched) try(t *testing.T, method string, request proto.Message) error {
	t.Helper()
	body, err := proto.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	return s.tryBytes(t, method, body)
}

func (s *searched) tryBytes(t *testing.T, method string, body []byte) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	for _, m := range methods() {
		if string(m.Name()) == method {
			return send(ctx, s.conn, m, body)
		}
	}
	t.Fatalf("no method %s", method)
	return nil
}

// reject makes a call that must fail.
func (s *searched) reject(t *testing.T, method string, request proto.Message) {
	t.Helper()
	if s.try(t, method, request) == nil {
		t.Errorf("%s is not refused: this shows nothing", method)
	}
}

// spoil makes every call in every way that is wrong in itself.
func (s *searched) spoil(t *testing.T) {
	t.Helper()
	for _, m := range methods() {
		name := string(m.Name())
		kind, err := protoregistry.GlobalTypes.FindMessageByName(m.Input().FullName())
		if err != nil {
			t.Fatal(err)
		}
		for choice := range 2 {
			bad := kind.New()
			s.everywhere(bad, choice)
			if err := s.try(t, name, bad.Interface()); err == nil && name != "CheckPolicy" && name != "Ingest" && name != "RecordInteractions" {
				t.Errorf("%s takes a request with a canary in every field", name)
			}
		}
		large := bytes.Repeat([]byte(s.one("a message too large")), 60_000)
		s.reject(t, name, raise(kind.New().Interface(), large))
		if s.tryBytes(t, name, append([]byte{0x0a, 0x7f}, s.one("a message cut short")...)) == nil {
			t.Errorf("%s takes a message that is cut short", name)
		}
		sound, strange := proto.Clone(s.worked[name]), proto.Clone(s.worked[name])
		_ = s.try(t, name, sound) // again: the answer is the same, or the state another
		s.intoAll(strange)
		_ = s.try(t, name, strange) // of nobody
		if f := sound.ProtoReflect().Descriptor().Fields().ByName("revision"); f != nil {
			revised := proto.Clone(sound).ProtoReflect()
			revised.Set(f, protoreflect.ValueOfInt64(999))
			_ = s.try(t, name, revised.Interface()) // the id has another content
			s.into(revised.Interface())
			s.reject(t, name, revised.Interface())
		}
	}
}

// callUnknown calls what is not offered, by names of the caller's own.
func (e *ears) callUnknown(t *testing.T, conn *grpc.ClientConn) {
	t.Helper()
	service := "/recovery.v1.RecoveryService/"
	for _, method := range []string{service + e.one("a method"), "/" + e.one("a service") + "/GetCase", "/" + e.one("a path"), service + "GetCase?" + e.one("a query")} {
		if conn.Invoke(t.Context(), method, sow(e.canaries, &recoveryv1.GetCaseRequest{}), &recoveryv1.GetCaseResponse{}) == nil {
			t.Errorf("%s is offered", method)
		}
	}
}

// raise adds an unknown field to a message.
func raise(m proto.Message, content []byte) proto.Message {
	m.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, 999, protowire.BytesType), content))
	return m
}

// collide sends what does not go with what was sent before.
func (s *searched) collide(t *testing.T, first *recoveryv1.FailureEvent, foreign string) {
	t.Helper()
	change := func(change func(e *recoveryv1.FailureEvent)) proto.Message {
		e := proto.CloneOf(first)
		change(e)
		return recoveryv1.ReportFailureRequest_builder{Event: e}.Build()
	}
	id := func() string { return s.one("recovery.v1.FailureEvent.event_id") }
	foreignMoney := func(e *recoveryv1.FailureEvent, code string) {
		e.ClearCustomer()
		e.ClearLoss()
		e.SetEventId(id())
		e.SetOrderValue(&money.Money{CurrencyCode: code, Units: 7})
	}
	s.reject(t, "ReportFailure", change(func(e *recoveryv1.FailureEvent) { e.SetReach(7) }))
	s.reject(t, "ReportFailure", change(func(e *recoveryv1.FailureEvent) { foreignMoney(e, "EUR") }))
	s.reject(t, "ReportFailure", change(func(e *recoveryv1.FailureEvent) { foreignMoney(e, "XXX") }))
	s.reject(t, "WatchCases", recoveryv1.WatchCasesRequest_builder{Tenant: first.GetTenant(), ResumeToken: foreign}.Build())
	s.reject(t, "WatchCases", recoveryv1.WatchCasesRequest_builder{ResumeToken: foreign}.Build())
	s.reject(t, "WatchCases", recoveryv1.WatchCasesRequest_builder{ResumeToken: s.one("WatchCasesRequest.resume_token")}.Build())
}

// all makes every call anew at once, as it was in order before, however it ends.
func (s *searched) all(t *testing.T) {
	t.Helper()
	var calls sync.WaitGroup
	for _, m := range methods() {
		request := proto.Clone(s.worked[string(m.Name())])
		s.into(request)
		calls.Go(func() { _ = s.try(t, string(m.Name()), request) })
	}
	calls.Wait()
}
