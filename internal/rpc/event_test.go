package rpc

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/policy"
	"github.com/makeamends/amends/internal/recovery"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// plain names things by what they are, so that tests can read it.
type plain struct{}

func (plain) Key(tenant, customer string) ledger.Key { return ledger.Key(tenant + "/" + customer) }
func (plain) Hash(domain, value string) string       { return domain + ":" + value }

var currencies = &recovery.Policy{Currencies: map[string]recovery.Currency{
	"USD": {Digits: 2}, "JPY": {Digits: 0}, "KWD": {Digits: 3},
}}

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// TestDefaults: what a caller leaves out is filled in as the contract says.
func TestDefaults(t *testing.T) {
	bare := recovery.Event{Failure: recovery.Failure{
		OccurredAt: noon, Kinds: recovery.Kinds(recovery.Late), Acceptance: recovery.Accepted,
		Attribution: recovery.Attribution{Locus: recovery.Firm, Motive: recovery.Unintended},
		Voice:       recovery.Unvoiced, Evidence: recovery.SystemObserved,
	}}
	type proto = *recoveryv1.FailureEvent
	type core = *recovery.Event
	tests := map[string]struct {
		say  func(proto)
		want func(core)
	}{
		"as little as possible": {func(proto) {}, func(core) {}},
		"a private channel":     {func(e proto) { e.SetChannel(recoveryv1.Channel_CHANNEL_PHONE) }, func(e core) { e.Channel, e.Voice, e.Evidence = recovery.Phone, recovery.Private, recovery.ClaimOnly }},
		"a public channel": {func(e proto) { e.SetChannel(recoveryv1.Channel_CHANNEL_REVIEW_SITE) }, func(e core) {
			e.Channel, e.Voice, e.Evidence = recovery.ReviewSite, recovery.Public, recovery.ClaimOnly
		}},
		"voice beats channel": {func(e proto) {
			e.SetChannel(recoveryv1.Channel_CHANNEL_SOCIAL)
			e.SetVoice(recoveryv1.Voice_VOICE_PRIVATE)
		}, func(e core) { e.Channel, e.Voice, e.Evidence = recovery.Social, recovery.Private, recovery.ClaimOnly }},
		"evidence beats default": {func(e proto) { e.SetCorroboration(recoveryv1.Corroboration_CORROBORATION_EVIDENCED) }, func(e core) { e.Evidence = recovery.Evidenced }},
		"loss is the value":      {func(e proto) { e.SetOrderValue(&money.Money{CurrencyCode: "USD", Units: 5, Nanos: 250_000_000}) }, func(e core) { e.Currency, e.Value, e.Loss = "USD", 525, 525 }},
		"no loss is a loss of 0": {func(e proto) {
			e.SetOrderValue(&money.Money{CurrencyCode: "USD", Units: 5})
			e.SetLoss(&money.Money{CurrencyCode: "USD"})
		}, func(e core) { e.Currency, e.Value = "USD", 500 }},
		"a loss alone":         {func(e proto) { e.SetLoss(&money.Money{CurrencyCode: "JPY", Units: 7}) }, func(e core) { e.Currency, e.Loss = "JPY", 7 }},
		"an entitlement alone": {func(e proto) { e.SetEntitlement(&money.Money{CurrencyCode: "KWD", Units: 1, Nanos: 5_000_000}) }, func(e core) { e.Currency, e.Entitlement = "KWD", 1005 }},
		"attribution in part":  {func(e proto) { e.SetAttribution(recoveryv1.Attribution_builder{Recurring: true}.Build()) }, func(e core) { e.Attribution.Recurring = true }},
		"not controllable": {func(e proto) {
			e.SetAttribution(recoveryv1.Attribution_builder{Controllability: new(0.0), Locus: recoveryv1.Locus_LOCUS_NONE}.Build())
		}, func(e core) { e.Attribution.Locus, e.Attribution.Controllability = recovery.Nobody, new(0.0) }},
		"a severity of 0": {func(e proto) { e.SetSeverity(0) }, func(e core) { e.Stated = new(0.0) }},
		"an order":        {func(e proto) { e.SetOrderId("o"); e.SetIncidentId("i") }, func(e core) { e.Order, e.Incident = "order:default\x00o", "incident:default\x00i" }},
		"of a tenant":     {func(e proto) { e.SetOrderId("o"); e.SetTenant("acme") }, func(e core) { e.Order = "order:acme\x00o" }},
		"who brings in nothing": {func(e proto) {
			e.SetCustomer(recoveryv1.CustomerProfile_builder{LifetimeValue: &money.Money{CurrencyCode: "USD"}}.Build())
		}, func(e core) { e.Currency, e.Profile.LifetimeValue = "USD", 1 }},
		"everything else": {func(e proto) {
			e.SetKinds([]recoveryv1.FailureKind{1, 3})
			e.SetDelay(durationpb.New(time.Hour))
			e.SetReach(9)
			e.SetDepartsAt(timestamppb.New(noon))
			e.SetResourceLost(recoveryv1.ResourceLost_RESOURCE_LOST_TIME)
			e.SetAcceptance(recoveryv1.Acceptance_ACCEPTANCE_REJECTED)
			e.SetCustomer(recoveryv1.CustomerProfile_builder{
				Relationship: recoveryv1.Relationship_RELATIONSHIP_STEADY, LifetimeValue: &money.Money{CurrencyCode: "USD", Units: 3},
				OrdersTotal: 4, LoyaltyMember: true,
			}.Build())
		}, func(e core) {
			e.Kinds, e.Delay, e.Reach, e.DepartsAt = recovery.Kinds(recovery.Late, recovery.Quality), time.Hour, 9, noon
			e.Resource, e.Acceptance, e.Currency = recovery.LostTime, recovery.Rejected, "USD"
			e.Profile = recovery.Profile{Relationship: recovery.Steady, LifetimeValue: 300, Orders: 4, Loyalty: true}
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			said := recoveryv1.FailureEvent_builder{
				EventId: "e", CustomerId: "c", OccurredAt: timestamppb.New(noon),
				Kinds: []recoveryv1.FailureKind{recoveryv1.FailureKind_FAILURE_KIND_LATE},
			}.Build()
			test.say(said)
			want := bare
			test.want(&want)
			got, err := decode(plain{}, inEvent, said, recovery.Rules{Active: currencies})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestMoneyGoesBothWays: what can be said in minor units survives.
func TestMoneyGoesBothWays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		code := rapid.SampledFrom([]string{"JPY", "USD", "KWD", "CLF"}).Draw(t, "currency")
		digits := policy.Digits(code)
		cents := rapid.Int64Range(0, 1e15).Draw(t, "minor")
		m := amount(cents, code)
		if back, whole := minor(m, digits); back != cents || !whole {
			t.Fatalf("%d with %d digits is %v, and back %d (%v)", cents, digits, m, back, whole)
		}
		if m.Nanos > 0 {
			m.Nanos++
		} else {
			m.Nanos = 1
		}
		if _, whole := minor(m, digits); whole {
			t.Fatalf("%v passes for a whole number of minor units", m)
		}
	})
}
