package rpc

import (
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// TestSoundNeverContradictsTheRules draws events from values at, inside and
// outside every edge: what is called sound breaks no rule.
func TestSoundNeverContradictsTheRules(t *testing.T) {
	rules, err := contractRules()
	if err != nil {
		t.Fatal(err)
	}
	calledSound := 0
	for range 20 {
		rapid.Check(t, func(t *rapid.T) {
			e := edgy(t)
			if !sound(e) {
				return
			}
			calledSound++
			if err := rules.Validate(e); err != nil {
				t.Fatalf("%v is called sound: %v", e, err)
			}
		})
	}
	if calledSound < 5 {
		t.Errorf("only %d events were called sound: nothing is shown", calledSound)
	}
}

// edgy mostly draws what is sound, so that each fault stands alone often enough.
func edgy(t *rapid.T) *recoveryv1.FailureEvent {
	text := func(label string) string {
		return odd(t, label, []string{"a", "a b~", strings.Repeat("x", 128)},
			[]string{"", "\x00", "é", "\u0085", strings.Repeat("x", 129), strings.Repeat("é", 128), "\x7f"})
	}
	number := func(label string) float64 {
		return odd(t, label, []float64{0, 0.5, 1}, []float64{-0.1, 1.0001, math.NaN(), math.Inf(1)})
	}
	enum := func(label string, values int) int32 {
		return odd(t, label, []int32{0, 1, int32(values) - 1}, []int32{-1, int32(values), 99})
	}
	moment := func(label string) *timestamppb.Timestamp {
		return odd(t, label, []*timestamppb.Timestamp{{Seconds: since2000}, {Seconds: until2100 - 1, Nanos: 999_999_999}},
			[]*timestamppb.Timestamp{nil, {Seconds: since2000 - 1, Nanos: 999_999_999}, {Seconds: until2100}, {Seconds: since2000, Nanos: -1}, {}})
	}
	sum := func(label string) *money.Money {
		return odd(t, label, []*money.Money{nil, {CurrencyCode: "EUR"}, {CurrencyCode: "EUR", Units: mostUnits - 1, Nanos: 999_999_999}},
			[]*money.Money{{}, {CurrencyCode: "USD", Units: 1}, {CurrencyCode: "eur"}, {CurrencyCode: "EUR", Units: -1},
				{CurrencyCode: "EUR", Units: mostUnits}, {CurrencyCode: "EUR", Units: 1, Nanos: -1}, {CurrencyCode: "EUR", Nanos: nanosOfUnit}, {CurrencyCode: "EURO"}})
	}
	e := recoveryv1.FailureEvent_builder{
		EventId: text("event"), CustomerId: text("customer"), OrderId: text("order"), IncidentId: text("incident"),
		Tenant:     odd(t, "tenant", []string{"", "a.b_c-1", "0", strings.Repeat("a", 64)}, []string{"-a", ".", "A", "a b", strings.Repeat("a", 65), "é"}),
		OccurredAt: moment("occurred"), DepartsAt: moment("departs"),
		Kinds: odd(t, "kinds", [][]recoveryv1.FailureKind{{1}, {19, 1}, {1, 2, 3, 4, 5, 6, 7, 8}},
			[][]recoveryv1.FailureKind{{}, {0}, {20}, {1, 1}, {-1}, {1, 2, 3, 4, 5, 6, 7, 8, 9}}),
		Delay: odd(t, "delay", []*durationpb.Duration{nil, {}, {Seconds: mostDelay - 1, Nanos: 999_999_999}},
			[]*durationpb.Duration{{Nanos: -1}, {Seconds: mostDelay, Nanos: 1}, {Seconds: 1, Nanos: -1}}),
		OrderValue: sum("value"), Loss: sum("loss"), Entitlement: sum("entitlement"),
		Acceptance:    recoveryv1.Acceptance(enum("acceptance", len(recoveryv1.Acceptance_name))),
		Voice:         recoveryv1.Voice(enum("voice", len(recoveryv1.Voice_name))),
		Channel:       recoveryv1.Channel(enum("channel", len(recoveryv1.Channel_name))),
		ResourceLost:  recoveryv1.ResourceLost(enum("resource", len(recoveryv1.ResourceLost_name))),
		Corroboration: recoveryv1.Corroboration(enum("corroboration", len(recoveryv1.Corroboration_name))),
		Reach:         odd(t, "reach", []int64{0, math.MaxInt64}, []int64{-1}),
		Locale:        odd(t, "locale", []string{""}, []string{"de-AT", "!"}),
	}.Build()
	if rapid.Bool().Draw(t, "severity given") {
		e.SetSeverity(number("severity"))
	}
	if rapid.Bool().Draw(t, "attribution given") {
		e.SetAttribution(recoveryv1.Attribution_builder{
			Locus:           recoveryv1.Locus(enum("locus", len(recoveryv1.Locus_name))),
			Motive:          recoveryv1.Motive(enum("motive", len(recoveryv1.Motive_name))),
			Controllability: new(number("controllability")),
		}.Build())
	}
	if rapid.Bool().Draw(t, "customer given") {
		e.SetCustomer(recoveryv1.CustomerProfile_builder{
			Relationship:  recoveryv1.Relationship(enum("relationship", len(recoveryv1.Relationship_name))),
			OrdersTotal:   odd(t, "orders", []int64{0, 7}, []int64{-1}),
			LifetimeValue: sum("lifetime value"),
		}.Build())
	}
	return e
}

// odd draws one of the odd values now and then.
func odd[T any](t *rapid.T, label string, sound, odd []T) T {
	if rapid.IntRange(0, 25).Draw(t, label+" odd") == 25 {
		return rapid.SampledFrom(odd).Draw(t, label)
	}
	return rapid.SampledFrom(sound).Draw(t, label)
}

// TestSoundLooksAtEveryField: whoever adds a field to the event must look here.
func TestSoundLooksAtEveryField(t *testing.T) {
	known := []string{"event_id", "tenant", "customer_id", "occurred_at", "kinds", "delay", "order_id", "incident_id", "order_value",
		"loss", "entitlement", "severity", "attribution", "acceptance", "voice", "channel", "reach", "departs_at", "resource_lost",
		"corroboration", "locale", "customer"}
	fields := (&recoveryv1.FailureEvent{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if name := string(fields.Get(i).Name()); !slices.Contains(known, name) {
			t.Errorf("sound does not look at %s", name)
		}
	}
}
