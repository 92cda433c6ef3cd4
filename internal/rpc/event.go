package rpc

import (
	"cmp"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/makeamends/amends/internal/recovery"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// The enumerations of package recovery have the numbers of the contract (a test
// sees to it), so they convert by a cast.

// decode turns the event in that field into that of the core, with every default filled in.
// The faults that it can find are those of the money under the policy; all
// others were found by the inspector.
func decode(names Names, field string, e *recoveryv1.FailureEvent, rules recovery.Rules) (recovery.Event, error) {
	if err := invalid(within(field, moneyFaults(e, rules, "the policy"))); err != nil {
		return recovery.Event{}, err
	}
	tenant := cmp.Or(e.GetTenant(), DefaultTenant)
	out := recovery.Event{
		Failure: failure(e, rules),
		Profile: profile(e.GetCustomer(), rules),
	}
	if id := e.GetOrderId(); id != "" {
		out.Order = names.Hash("order", tenant+"\x00"+id)
	}
	if id := e.GetIncidentId(); id != "" {
		out.Incident = names.Hash("incident", tenant+"\x00"+id)
	}
	return out, nil
}

func failure(e *recoveryv1.FailureEvent, rules recovery.Rules) recovery.Failure {
	f := recovery.Failure{
		OccurredAt:  moment(e.GetOccurredAt()),
		Delay:       e.GetDelay().AsDuration(),
		Currency:    currencyOf(e),
		Attribution: attribution(e.GetAttribution()),
		Acceptance:  cmp.Or(recovery.Acceptance(e.GetAcceptance()), recovery.Accepted),
		Channel:     recovery.Channel(e.GetChannel()),
		Reach:       e.GetReach(),
		DepartsAt:   moment(e.GetDepartsAt()),
		Resource:    recovery.Resource(e.GetResourceLost()),
	}
	for _, kind := range e.GetKinds() {
		f.Kinds |= recovery.Kinds(recovery.Kind(kind))
	}
	currency, _ := rules.Currency(f.Currency)
	f.Value, _ = minor(e.GetOrderValue(), currency.Digits)
	f.Entitlement, _ = minor(e.GetEntitlement(), currency.Digits)
	f.Loss = f.Value
	if e.HasLoss() {
		f.Loss, _ = minor(e.GetLoss(), currency.Digits)
	}
	if e.HasSeverity() {
		f.Stated = new(e.GetSeverity())
	}
	f.Voice = cmp.Or(recovery.Voice(e.GetVoice()), f.Channel.Voice())
	f.Evidence = cmp.Or(recovery.Corroboration(e.GetCorroboration()), witness(f.Voice))
	return f
}

// witness is what stands behind a report that does not say: a system of the
// business noticed what the customer has not spoken about.
func witness(v recovery.Voice) recovery.Corroboration {
	if v == recovery.Unvoiced {
		return recovery.SystemObserved
	}
	return recovery.ClaimOnly
}

func attribution(a *recoveryv1.Attribution) recovery.Attribution {
	out := recovery.Attribution{
		Locus:     cmp.Or(recovery.Locus(a.GetLocus()), recovery.Firm),
		Recurring: a.GetRecurring(),
		Motive:    cmp.Or(recovery.Motive(a.GetMotive()), recovery.Unintended),
	}
	if a.HasControllability() {
		out.Controllability = new(a.GetControllability())
	}
	return out
}

func profile(c *recoveryv1.CustomerProfile, rules recovery.Rules) recovery.Profile {
	currency, _ := rules.Currency(c.GetLifetimeValue().GetCurrencyCode())
	value, _ := minor(c.GetLifetimeValue(), currency.Digits)
	if c.HasLifetimeValue() {
		value = recovery.KnownWorth(value)
	}
	return recovery.Profile{
		Relationship:  recovery.Relationship(c.GetRelationship()),
		LifetimeValue: value,
		Orders:        c.GetOrdersTotal(),
		Loyalty:       c.GetLoyaltyMember(),
	}
}

// moment is the zero time for a timestamp that is not set.
func moment(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}
