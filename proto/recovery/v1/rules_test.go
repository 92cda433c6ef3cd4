package recoveryv1_test

import (
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"buf.build/go/protovalidate"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

const day = 24 * time.Hour

// fullEvent is an event with every field set to a value at the edge of what is allowed.
func fullEvent() *recoveryv1.FailureEvent {
	return recoveryv1.FailureEvent_builder{
		EventId:    strings.Repeat("é", 128),
		Tenant:     strings.Repeat("a", 64),
		CustomerId: "c",
		OccurredAt: timestamppb.New(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)),
		Kinds: []recoveryv1.FailureKind{
			recoveryv1.FailureKind_FAILURE_KIND_LATE, recoveryv1.FailureKind_FAILURE_KIND_UNSAFE,
		},
		Delay:       durationpb.New(3660 * day),
		OrderId:     strings.Repeat("o", 128),
		IncidentId:  strings.Repeat("i", 128),
		OrderValue:  &money.Money{CurrencyCode: "EUR", Units: 999_999_999_999, Nanos: 999_999_999},
		Loss:        &money.Money{CurrencyCode: "EUR"},
		Entitlement: &money.Money{CurrencyCode: "EUR", Nanos: 1},
		Severity:    new(1.0),
		Attribution: recoveryv1.Attribution_builder{
			Locus: recoveryv1.Locus_LOCUS_PARTNER, Controllability: new(0.0), Recurring: true, Motive: recoveryv1.Motive_MOTIVE_GREED,
		}.Build(),
		Acceptance:    recoveryv1.Acceptance_ACCEPTANCE_REJECTED,
		Voice:         recoveryv1.Voice_VOICE_PUBLIC,
		Channel:       recoveryv1.Channel_CHANNEL_SOCIAL,
		Reach:         math.MaxInt64,
		DepartsAt:     timestamppb.New(time.Date(2099, 12, 31, 0, 0, 0, 0, time.UTC)),
		ResourceLost:  recoveryv1.ResourceLost_RESOURCE_LOST_TIME,
		Corroboration: recoveryv1.Corroboration_CORROBORATION_EVIDENCED,
		Locale:        "zh-Hant-TW",
		Customer: recoveryv1.CustomerProfile_builder{
			Relationship:  recoveryv1.Relationship_RELATIONSHIP_STEADY,
			LifetimeValue: &money.Money{CurrencyCode: "EUR", Units: 1},
			OrdersTotal:   1_000_000_000,
			LoyaltyMember: true,
		}.Build(),
	}.Build()
}

func TestGoodEvents(t *testing.T) {
	smallest := recoveryv1.FailureEvent_builder{
		EventId:    "e",
		CustomerId: "c",
		OccurredAt: timestamppb.New(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)),
		Kinds:      []recoveryv1.FailureKind{recoveryv1.FailureKind_FAILURE_KIND_OTHER},
	}.Build()
	for name, event := range map[string]*recoveryv1.FailureEvent{"the fields required": smallest, "every field at its edge": fullEvent()} {
		if err := protovalidate.Validate(event); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBadEvents(t *testing.T) {
	type event = *recoveryv1.FailureEvent
	tests := map[string]struct {
		spoil func(event)
		want  map[string]string // field path → part of what the caller is told
	}{
		"nothing set": {func(e event) { proto.Reset(e) }, map[string]string{
			"event_id": "at least 1", "customer_id": "at least 1", "occurred_at": "required", "kinds": "at least 1",
		}},
		"ids with control characters": {func(e event) {
			e.SetEventId("a\x00")
			e.SetCustomerId("a\nb")
			e.SetOrderId("\u007f")
			e.SetIncidentId("\u0085")
		}, map[string]string{
			"event_id": "\\P{Cc}", "customer_id": "\\P{Cc}",
			"order_id": "\\P{Cc}", "incident_id": "\\P{Cc}",
		}},
		"ids too long": {func(e event) {
			e.SetEventId(strings.Repeat("x", 129))
			e.SetTenant(strings.Repeat("x", 65))
			e.SetLocale("de-" + strings.Repeat("abcdefgh-", 4) + "a")
		}, map[string]string{"event_id": "at most 128", "tenant": "at most 64", "locale": "at most 35"}},
		"locale of 36 characters": {func(e event) { e.SetLocale("abcdefgh-abcdefgh-abcdefgh-abcdefgh-a") },
			map[string]string{"locale": "at most 35"}},
		"tenant in capitals": {func(e event) { e.SetTenant("Acme") }, map[string]string{"tenant": "a-z"}},
		"times outside the calendar": {func(e event) {
			e.SetOccurredAt(timestamppb.New(time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC)))
			e.SetDepartsAt(timestamppb.New(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)))
		}, map[string]string{"occurred_at": "2000-01-01", "departs_at": "2100-01-01"}},
		"kinds unknown, unspecified": {func(e event) {
			e.SetKinds([]recoveryv1.FailureKind{1, 0, 99})
		}, map[string]string{"kinds[1]": "must not be in list [0]", "kinds[2]": "defined enum values"}},
		"kinds twice": {func(e event) { e.SetKinds([]recoveryv1.FailureKind{2, 2}) }, map[string]string{"kinds": "unique"}},
		"nine kinds": {func(e event) { e.SetKinds([]recoveryv1.FailureKind{1, 2, 3, 4, 5, 6, 7, 8, 9}) },
			map[string]string{"kinds": "no more than 8"}},
		"negative delay": {func(e event) { e.SetDelay(durationpb.New(-1)) }, map[string]string{"delay": "0s"}},
		"delay of more than ten years": {func(e event) { e.SetDelay(durationpb.New(3660*day + 1)) },
			map[string]string{"delay": "316224000s"}},
		"severity is not a number": {func(e event) {
			e.SetSeverity(math.NaN())
			e.GetAttribution().SetControllability(math.NaN())
		}, map[string]string{"severity": "less than or equal to 1", "attribution.controllability": "less than or equal to 1"}},
		"severity infinite": {func(e event) {
			e.SetSeverity(math.Inf(1))
			e.GetAttribution().SetControllability(math.Inf(-1))
		}, map[string]string{"severity": "less than or equal to 1", "attribution.controllability": "greater than or equal to 0"}},
		"severity out of range": {func(e event) {
			e.SetSeverity(1.0000001)
			e.GetAttribution().SetControllability(-0.0000001)
		}, map[string]string{"severity": "less than or equal to 1", "attribution.controllability": "greater than or equal to 0"}},
		"enums unknown": {func(e event) {
			e.SetAcceptance(99)
			e.SetVoice(99)
			e.SetChannel(-1)
			e.SetResourceLost(99)
			e.SetCorroboration(99)
			e.GetAttribution().SetLocus(99)
			e.GetAttribution().SetMotive(99)
			e.GetCustomer().SetRelationship(99)
		}, map[string]string{
			"acceptance": "defined", "voice": "defined", "channel": "defined", "resource_lost": "defined", "corroboration": "defined",
			"attribution.locus": "defined", "attribution.motive": "defined", "customer.relationship": "defined",
		}},
		"counts below 0": {func(e event) {
			e.SetReach(-1)
			e.GetCustomer().SetOrdersTotal(-1)
		}, map[string]string{"reach": "greater than or equal to 0", "customer.orders_total": "greater than or equal to 0"}},
		"orders beyond number": {func(e event) { e.GetCustomer().SetOrdersTotal(1_000_000_001) },
			map[string]string{"customer.orders_total": "less than or equal to 1000000000"}},
		"money below 0": {func(e event) {
			e.GetOrderValue().Units, e.GetOrderValue().Nanos = -1, -999_999_999
			e.GetLoss().Nanos = -1
			e.GetEntitlement().Units, e.GetEntitlement().Nanos = math.MinInt64, 0
			e.GetCustomer().GetLifetimeValue().Units = -5
		}, map[string]string{
			"order_value": "not be negative", "loss": "not be negative",
			"entitlement": "not be negative", "customer.lifetime_value": "not be negative",
		}},
		"money with two signs": {func(e event) { e.GetEntitlement().Units, e.GetEntitlement().Nanos = 5, -1 },
			map[string]string{"entitlement": "same sign"}},
		"money too large": {func(e event) {
			e.GetOrderValue().Units = 1_000_000_000_000
			e.GetLoss().Nanos = 1_000_000_000
		}, map[string]string{"order_value": "below 1000000000000", "loss": "nanos from 0 to 999999999"}},
		"currency in small letters": {func(e event) {
			for _, m := range []*money.Money{e.GetOrderValue(), e.GetLoss(), e.GetEntitlement(), e.GetCustomer().GetLifetimeValue()} {
				m.CurrencyCode = "eur"
			}
		}, map[string]string{
			"order_value": "three capital letters", "loss": "three capital letters",
			"entitlement": "three capital letters", "customer.lifetime_value": "three capital letters",
		}},
		"money without a currency": {func(e event) { e.GetLoss().CurrencyCode = "" }, map[string]string{"loss": "three capital letters", "": "the same currency_code"}},
		"lifetime value in another currency": {func(e event) { e.GetCustomer().GetLifetimeValue().CurrencyCode = "USD" },
			map[string]string{"": "the same currency_code"}},
		"entitlement in another currency": {func(e event) { e.GetEntitlement().CurrencyCode = "USD" },
			map[string]string{"": "the same currency_code"}},
		"everything at once": {func(e event) {
			e.SetEventId("")
			e.SetKinds(nil)
			e.ClearOccurredAt()
			e.SetSeverity(2)
			e.GetLoss().CurrencyCode = "USD"
			e.GetLoss().Units = -1
			e.SetReach(-1)
		}, map[string]string{
			"": "the same currency_code", "event_id": "at least 1", "kinds": "at least 1", "occurred_at": "required", "severity": "equal to 1",
			"loss": "not be negative", "reach": "equal to 0",
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			event := fullEvent()
			test.spoil(event)
			expect(t, event, test.want)
		})
	}
}

func TestBadRequests(t *testing.T) {
	tests := map[string]struct {
		request proto.Message
		want    map[string]string
	}{
		"report without event": {&recoveryv1.ReportFailureRequest{}, map[string]string{"event": "required"}},
		"report says where": {recoveryv1.ReportFailureRequest_builder{Event: &recoveryv1.FailureEvent{}}.Build(), map[string]string{
			"event.event_id": "at least 1", "event.customer_id": "at least 1", "event.occurred_at": "required", "event.kinds": "at least 1",
		}},
		"no interactions": {&recoveryv1.RecordInteractionsRequest{}, map[string]string{"interactions": "at least 1"}},
		"1001 interactions": {recoveryv1.RecordInteractionsRequest_builder{Interactions: interactions(1001)}.Build(),
			map[string]string{"interactions": "no more than 1000"}},
		"an empty interaction": {
			recoveryv1.RecordInteractionsRequest_builder{Interactions: append(interactions(1), &recoveryv1.Interaction{})}.Build(),
			map[string]string{
				"interactions[1].interaction_id": "at least 1", "interactions[1].customer_id": "at least 1",
				"interactions[1].occurred_at": "required", "interactions[1].kind": "must not be in list [0]",
			}},
		"an empty item of a bulk load": {&recoveryv1.IngestRequest{}, map[string]string{"item": "required"}},
		"assess nobody": {recoveryv1.AssessCustomerRequest_builder{Tenant: "-"}.Build(), map[string]string{
			"tenant": "[a-z0-9]", "customer_id": "at least 1",
		}},
		"list": {recoveryv1.ListCasesRequest_builder{
			CustomerId: "\t", PageSize: 1001, PageToken: strings.Repeat("x", 1025), States: []recoveryv1.CaseState{0}, Bands: []recoveryv1.Band{9},
			DueBefore: timestamppb.New(time.Time{}),
		}.Build(), map[string]string{
			"customer_id": "\\P{Cc}", "page_size": "1000", "page_token": "1024", "states[0]": "list [0]", "bands[0]": "defined", "due_before": "2000",
		}},
		"revision 0": {recoveryv1.HoldCaseRequest_builder{CaseId: "c", RequestId: "r", Revision: new(int64(0))}.Build(),
			map[string]string{"revision": "greater than or equal to 1"}},
		"an offer for an event that counts": {recoveryv1.RequestOfferRequest_builder{RequestId: "r", Event: fullEvent()}.Build(),
			map[string]string{"": "validate_only must be true"}},
		"simulate nothing": {&recoveryv1.SimulatePolicyRequest{}, map[string]string{"candidate": "required", "event": "required"}},
		"check nothing":    {&recoveryv1.CheckPolicyRequest{}, map[string]string{"yaml": "at least 1 byte"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { expect(t, test.request, test.want) })
	}
	full := recoveryv1.RecordInteractionsRequest_builder{Interactions: interactions(1000)}.Build()
	if err := protovalidate.Validate(full); err != nil {
		t.Errorf("1000 interactions: %v", err)
	}
}

// TestOutcomesOfCallers holds the numbers in the rule of ResolveCaseRequest.outcome to the names in its message.
func TestOutcomesOfCallers(t *testing.T) {
	for number := range int32(len(recoveryv1.Outcome_name) + 1) {
		outcome := recoveryv1.Outcome(number)
		request := recoveryv1.ResolveCaseRequest_builder{CaseId: "c", RequestId: "r", Outcome: outcome}.Build()
		switch outcome {
		case recoveryv1.Outcome_OUTCOME_SATISFIED, recoveryv1.Outcome_OUTCOME_UNSATISFIED,
			recoveryv1.Outcome_OUTCOME_NO_RESPONSE, recoveryv1.Outcome_OUTCOME_WITHDRAWN:
			expect(t, request, map[string]string{})
		default:
			expect(t, request, map[string]string{"outcome": "must be OUTCOME_SATISFIED"})
		}
	}
}

func interactions(count int) []*recoveryv1.Interaction {
	return slices.Repeat([]*recoveryv1.Interaction{recoveryv1.Interaction_builder{
		InteractionId: "i",
		CustomerId:    "c",
		OccurredAt:    timestamppb.New(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)),
		Kind:          recoveryv1.InteractionKind_INTERACTION_KIND_PRAISE,
	}.Build()}, count)
}

// expect checks that the rules find exactly the faults in want, one a field, and that each tells what is allowed.
func expect(t *testing.T, message proto.Message, want map[string]string) {
	t.Helper()
	var paths []string
	for _, fault := range violations(protovalidate.Validate(message)) {
		path := protovalidate.FieldPathString(fault.Proto.GetField())
		paths = append(paths, path)
		if text := fault.Proto.GetMessage(); !strings.Contains(text, want[path]) {
			t.Errorf("%q: the message is %q, want %q in it", path, text, want[path])
		}
	}
	slices.Sort(paths)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), paths); diff != "" {
		t.Errorf("paths of the faults (-want +got):\n%s", diff)
	}
}

func violations(err error) []*protovalidate.Violation {
	var faults *protovalidate.ValidationError
	if errors.As(err, &faults) {
		return faults.Violations
	}
	return nil
}

// BenchmarkRules checks what most calls carry: a sound event with one amount.
func BenchmarkRules(b *testing.B) {
	rules, err := protovalidate.New(protovalidate.WithMessages(&recoveryv1.ReportFailureRequest{}))
	if err != nil {
		b.Fatal(err)
	}
	req := recoveryv1.ReportFailureRequest_builder{Event: recoveryv1.FailureEvent_builder{
		EventId: "event-1", CustomerId: "customer-1", OrderId: "order-1", OccurredAt: timestamppb.Now(),
		Kinds:      []recoveryv1.FailureKind{recoveryv1.FailureKind_FAILURE_KIND_LATE},
		OrderValue: &money.Money{CurrencyCode: "EUR", Units: 18},
	}.Build()}.Build()
	b.ReportAllocs()
	for b.Loop() {
		if err := rules.Validate(req); err != nil {
			b.Fatal(err)
		}
	}
}
