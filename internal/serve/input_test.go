package serve_test

import (
	"context"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// TestBadReports spoils a sound report, and expects every fault named at once
// and nothing written.
func TestBadReports(t *testing.T) {
	s := start(t, serve.Config{})
	type fe = *recoveryv1.FailureEvent
	tests := map[string]struct {
		spoil  func(fe)
		code   codes.Code
		reason string
		want   map[string]string // field → part of what is allowed
	}{
		"kind unknown": {func(e fe) { e.SetKinds([]recoveryv1.FailureKind{99}) },
			codes.InvalidArgument, "INVALID_REQUEST", map[string]string{"event.kinds[0]": "must be one of FAILURE_KIND_LATE, "}},
		"ids missing": {func(e fe) { e.SetEventId(""); e.SetCustomerId("") },
			codes.InvalidArgument, "INVALID_REQUEST", map[string]string{"event.event_id": "must not be empty", "event.customer_id": "must not be empty"}},
		"ids oversized": {func(e fe) { e.SetEventId(strings.Repeat("x", 129)); e.SetOrderId(strings.Repeat("x", 129)) },
			codes.InvalidArgument, "INVALID_REQUEST", map[string]string{"event.event_id": "at most 128", "event.order_id": "at most 128"}},
		"no time": {func(e fe) { e.ClearOccurredAt() },
			codes.InvalidArgument, "INVALID_REQUEST", map[string]string{"event.occurred_at": "required"}},
		"6 minutes ahead": {func(e fe) { e.SetOccurredAt(timestamppb.New(noon.Add(6 * time.Minute))) },
			codes.InvalidArgument, "INVALID_REQUEST", map[string]string{"event.occurred_at": "2026-03-02T12:05:00Z"}},
		"a time that is none": {func(e fe) { e.SetOccurredAt(&timestamppb.Timestamp{Seconds: noon.Unix(), Nanos: -1}) },
			codes.InvalidArgument, "INVALID_REQUEST", map[string]string{"event.occurred_at": "nanos"}},
		"a delay that is none": {func(e fe) { e.SetDelay(&durationpb.Duration{Seconds: 5, Nanos: -1}) },
			codes.InvalidArgument, "INVALID_REQUEST", map[string]string{"event.delay": "same sign"}},
		"severity is not a number": {func(e fe) { e.SetSeverity(math.NaN()) },
			codes.InvalidArgument, "INVALID_REQUEST", map[string]string{"event.severity": "less than or equal to 1"}},
		"severity above 1": {func(e fe) { e.SetSeverity(1.5) },
			codes.InvalidArgument, "INVALID_REQUEST", map[string]string{"event.severity": "less than or equal to 1"}},
		"severity below 0": {func(e fe) { e.SetSeverity(-0.1) },
			codes.InvalidArgument, "INVALID_REQUEST", map[string]string{"event.severity": "greater than or equal to 0"}},
		"negative money": {func(e fe) { e.SetOrderValue(usd(-1, 0)) },
			codes.InvalidArgument, "INVALID_REQUEST", map[string]string{"event.order_value": "not be negative"}},
		"units and nanos differ in sign": {func(e fe) { e.SetOrderValue(usd(1, -5)) },
			codes.InvalidArgument, "INVALID_REQUEST", map[string]string{"event.order_value": "same sign"}},
		"finer than a cent": {func(e fe) { e.SetOrderValue(usd(0, 1_000_000)) },
			codes.InvalidArgument, "INVALID_REQUEST", map[string]string{"event.order_value": "at most 2 decimals"}},
		"currency not listed": {func(e fe) { e.SetOrderValue(&money.Money{CurrencyCode: "XXX", Units: 1}) },
			codes.FailedPrecondition, "CURRENCY_NOT_LISTED", map[string]string{"event.order_value": "lists no such currency, but AED, AUD, "}},
		"two currencies in one event": {func(e fe) { e.SetLoss(&money.Money{CurrencyCode: "EUR", Units: 1}) },
			codes.InvalidArgument, "INVALID_REQUEST", map[string]string{"event": "same currency_code"}},
		"everything at once": {func(e fe) {
			e.SetEventId("")
			e.SetKinds(nil)
			e.SetOccurredAt(timestamppb.New(noon.Add(time.Hour)))
			e.SetSeverity(2)
			e.SetReach(-1)
			e.SetOrderValue(&money.Money{CurrencyCode: "XXX", Units: 1})
		}, codes.InvalidArgument, "INVALID_REQUEST", map[string]string{
			"event.event_id": "must not be empty", "event.kinds": "must not be empty", "event.occurred_at": "must not be after", "event.severity": "equal to 1",
			"event.reach": "equal to 0", "event.order_value": "lists no such currency",
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, dry := range []bool{false, true} {
				bad := event("e", "victim")
				test.spoil(bad)
				_, err := s.recovery.ReportFailure(t.Context(), recoveryv1.ReportFailureRequest_builder{Event: bad, ValidateOnly: dry}.Build())
				code, reason, faults := refused(t, err)
				if code != test.code || reason != test.reason {
					t.Errorf("answered %s %s, want %s %s: %v", code, reason, test.code, test.reason, err)
				}
				sameFields(t, test.want, faults)
			}
		})
	}
	untouched(t, s, "victim")
}

func sameFields(t *testing.T, want, got map[string]string) {
	t.Helper()
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("fields at fault (-want +got):\n%s", diff)
	}
	for field, part := range want {
		if !strings.Contains(got[field], part) {
			t.Errorf("%s: the caller is told %q, want %q in it", field, got[field], part)
		}
	}
}

// untouched expects that nothing is remembered of a customer.
func untouched(t *testing.T, s *running, customer string) {
	t.Helper()
	a := s.assess(t, customer)
	if a.GetServiceLevel() != 0 || a.GetFailuresRemembered() != 0 || a.GetPositiveMass() != 0 || a.GetOrders() != 0 {
		t.Errorf("something was written: %v", a)
	}
}

// What is wrong in a list, or not set at all, is told in the words of the contract.
func TestFaultsInWords(t *testing.T) {
	s := start(t, serve.Config{})
	ctx := t.Context()
	bad := event("e", "c")
	bad.SetKinds([]recoveryv1.FailureKind{0, 99})
	const kind = "must be one of FAILURE_KIND_LATE, "
	for name, test := range map[string]struct {
		call func() error
		want map[string]string
	}{
		"kinds": {func() error {
			_, err := s.report(ctx, bad)
			return err
		}, map[string]string{"event.kinds[0]": kind, "event.kinds[1]": "the same as event.kinds[0]"}},
		"states and bands": {func() error {
			_, err := s.recovery.ListCases(ctx, recoveryv1.ListCasesRequest_builder{
				States: []recoveryv1.CaseState{99}, Bands: []recoveryv1.Band{1, 0}}.Build())
			return err
		}, map[string]string{"states[0]": "must be one of CASE_STATE_OPEN, ", "bands[1]": "must be one of BAND_LOW, "}},
		"a page token and others": {func() error {
			_, err := s.recovery.ListCases(ctx, recoveryv1.ListCasesRequest_builder{PageToken: "xx", PageSize: 1001, CustomerId: "\x01",
				DueBefore: &timestamppb.Timestamp{Seconds: noon.Unix(), Nanos: -7}}.Build())
			return err
		}, map[string]string{"page_token": "next_page_token", "page_size": "1000", "customer_id": "control", "due_before": "nanos"}},
		"a page token alone": {func() error {
			_, err := s.recovery.ListCases(ctx, recoveryv1.ListCasesRequest_builder{PageToken: "xx"}.Build())
			return err
		}, map[string]string{"page_token": "next_page_token"}},
		"a page token of policies": {func() error {
			_, err := s.policies.ListPolicies(ctx, recoveryv1.ListPoliciesRequest_builder{PageToken: "xx", PageSize: -1}.Build())
			return err
		}, map[string]string{"page_token": "next_page_token", "page_size": "1000"}},
		"a moment that is none": {func() error {
			_, err := s.recovery.ListCases(ctx, recoveryv1.ListCasesRequest_builder{
				DueBefore: &timestamppb.Timestamp{Seconds: noon.Unix(), Nanos: 2_000_000_000}}.Build())
			return err
		}, map[string]string{"due_before": "nanos"}},
		"an offer for nothing": {func() error {
			_, err := s.recovery.RequestOffer(ctx, recoveryv1.RequestOfferRequest_builder{RequestId: "r"}.Build())
			return err
		}, map[string]string{"subject": "set one of case_id, event"}},
		"no candidate": {func() error {
			_, err := s.policies.SimulatePolicy(ctx, recoveryv1.SimulatePolicyRequest_builder{Event: event("e", "c")}.Build())
			return err
		}, map[string]string{"candidate": "set one of version, yaml"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.call()
			_, _, faults := refused(t, err)
			sameFields(t, test.want, faults)
		})
	}
}

func TestBadReads(t *testing.T) {
	s := start(t, serve.Config{})
	ctx := t.Context()
	tests := map[string]struct {
		call   func() error
		code   codes.Code
		reason string
	}{
		"nobody assessed": {func() error {
			_, err := s.recovery.AssessCustomer(ctx, &recoveryv1.AssessCustomerRequest{})
			return err
		}, codes.InvalidArgument, "INVALID_REQUEST"},
		"no such case": {func() error {
			_, err := s.recovery.GetCase(ctx, recoveryv1.GetCaseRequest_builder{CaseId: "AAAAAAAAAAAAAAAAAAAAAA.1"}.Build())
			return err
		}, codes.NotFound, "CASE_NOT_FOUND"},
		"a case id made up": {func() error {
			_, err := s.recovery.GetCase(ctx, recoveryv1.GetCaseRequest_builder{CaseId: "{}"}.Build())
			return err
		}, codes.NotFound, "CASE_NOT_FOUND"},
		"a page token for a tenant made up": {func() error {
			_, err := s.recovery.ListCases(ctx, recoveryv1.ListCasesRequest_builder{PageToken: "MQ"}.Build())
			return err
		}, codes.InvalidArgument, "INVALID_REQUEST"},
		"a page token made up": {func() error {
			_, err := s.recovery.ListCases(ctx, recoveryv1.ListCasesRequest_builder{CustomerId: "c", PageToken: "MQ"}.Build())
			return err
		}, codes.InvalidArgument, "INVALID_REQUEST"},
		"no such policy": {func() error {
			_, err := s.policies.GetPolicy(ctx, recoveryv1.GetPolicyRequest_builder{Version: "p-0"}.Build())
			return err
		}, codes.NotFound, "POLICY_NOT_FOUND"},
		"a candidate with faults": {func() error {
			_, err := s.policies.SimulatePolicy(ctx, recoveryv1.SimulatePolicyRequest_builder{Yaml: new("a: 1"), Event: event("e", "c")}.Build())
			return err
		}, codes.FailedPrecondition, "POLICY_INVALID"},
		"nobody erased": {func() error {
			_, err := s.recovery.EraseCustomer(ctx, &recoveryv1.EraseCustomerRequest{})
			return err
		}, codes.InvalidArgument, "INVALID_REQUEST"},
		"a method of nobody": {func() error {
			return s.conn.Invoke(ctx, "/recovery.v1.RecoveryService/Nothing", &recoveryv1.GetCaseRequest{}, &recoveryv1.GetCaseResponse{})
		}, codes.Unimplemented, "NOT_IMPLEMENTED"},
		"a service of nobody": {func() error {
			return s.conn.Invoke(ctx, "/a.B/C", &recoveryv1.GetCaseRequest{}, &recoveryv1.GetCaseResponse{})
		}, codes.Unimplemented, "NOT_IMPLEMENTED"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			code, reason, _ := refused(t, test.call())
			if code != test.code || reason != test.reason {
				t.Errorf("answered %s %s, want %s %s", code, reason, test.code, test.reason)
			}
		})
	}
}

func TestEventOfAnotherCurrencyThanItsCase(t *testing.T) {
	s := start(t, serve.Config{})
	first := event("e1", "c")
	first.SetOrderId("o")
	opened := s.mustReport(t, first)
	second := event("e2", "c")
	second.SetOrderId("o")
	second.SetOrderValue(&money.Money{CurrencyCode: "EUR", Units: 5})
	_, err := s.report(t.Context(), second)
	if code, reason, _ := refused(t, err); code != codes.FailedPrecondition || reason != "CURRENCY_MISMATCH" {
		t.Errorf("answered %s %s, want FailedPrecondition CURRENCY_MISMATCH", code, reason)
	}
	cases := s.assess(t, "c").GetOpenCases()
	if len(cases) != 1 || cases[0].GetRevision() != opened.GetRevision() {
		t.Errorf("the case has changed: %v", cases)
	}
}

func TestDryRunWritesNothing(t *testing.T) {
	s := start(t, serve.Config{})
	dry := func(e *recoveryv1.FailureEvent) *recoveryv1.ReportFailureResponse {
		t.Helper()
		answer, err := s.recovery.ReportFailure(t.Context(), recoveryv1.ReportFailureRequest_builder{Event: e, ValidateOnly: true}.Build())
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	imagined := dry(event("e", "c"))
	untouched(t, s, "c")
	if id := imagined.GetCase().GetCaseId(); id != "" {
		t.Errorf("a case that was not opened has the id %q", id)
	}
	real := s.mustReport(t, event("e", "c"))
	if diff := cmp.Diff(real, imagined.GetCase(), protocmp.Transform(), protocmp.IgnoreFields(&recoveryv1.Case{}, "case_id")); diff != "" {
		t.Errorf("the dry run was answered otherwise (-real +dry):\n%s", diff)
	}
}

func TestInteractionsEachForItself(t *testing.T) {
	s := start(t, serve.Config{})
	ahead := praise("i4", "c1")
	ahead.SetOccurredAt(timestamppb.New(noon.Add(time.Hour)))
	ahead.SetKind(0)
	other := praise("i1", "c1")
	other.SetKind(recoveryv1.InteractionKind_INTERACTION_KIND_REFERRAL)
	results, err := s.praise(t.Context(),
		praise("i1", "c1"), praise("i2", "c2"), praise("", "c1"), praise("i3", "c1"), ahead, praise("i1", "c1"), other)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"RECORDED", "RECORDED", "REJECTED INVALID_REQUEST interactions[2].interaction_id", "RECORDED",
		"REJECTED INVALID_REQUEST interactions[4].kind interactions[4].occurred_at", "REPLAYED", "REJECTED ID_REUSED"}
	if diff := cmp.Diff(want, summaries(t, results)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	again, err := s.praise(t.Context(), praise("i1", "c1"))
	if err != nil || again[0].GetStatus() != recoveryv1.InteractionStatus_INTERACTION_STATUS_REPLAYED {
		t.Errorf("repeated: %v, %v; want it replayed", again, err)
	}
	if mass := s.assess(t, "c1").GetPositiveMass(); mass != 2 {
		t.Errorf("two praises weigh %v, want 2", mass)
	}
}

func TestBatchOfTooMany(t *testing.T) {
	s := start(t, serve.Config{})
	for name, items := range map[string][]*recoveryv1.Interaction{
		"none": nil, "1001": slices.Repeat([]*recoveryv1.Interaction{praise("i", "c")}, 1001),
	} {
		_, err := s.praise(context.Background(), items...)
		code, reason, faults := refused(t, err)
		if code != codes.InvalidArgument || reason != "INVALID_REQUEST" || faults["interactions"] == "" {
			t.Errorf("%s: answered %s %s %v, want INVALID_ARGUMENT about interactions", name, code, reason, faults)
		}
	}
	untouched(t, s, "c")
}
