package policy

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/makeamends/amends/internal/recovery"
	policyv1 "github.com/makeamends/amends/proto/recovery/policy/v1"
)

// event turns the failure of a trial into that of the decision, with the same
// defaults as a reported one.
func (t *trial) event(m *policyv1.TrialEvent, at time.Time) (recovery.Event, error) {
	channel := term[recovery.Channel](m.GetChannel())
	f := recovery.Failure{
		OccurredAt: at,
		Delay:      m.GetDelay().AsDuration(),
		Attribution: recovery.Attribution{
			Locus:     cmp.Or(term[recovery.Locus](m.GetLocus()), recovery.Firm),
			Recurring: m.GetRecurring(),
			Motive:    cmp.Or(term[recovery.Motive](m.GetMotive()), recovery.Unintended),
		},
		Acceptance: cmp.Or(term[recovery.Acceptance](m.GetAcceptance()), recovery.Accepted),
		Voice:      cmp.Or(term[recovery.Voice](m.GetVoice()), channel.Voice()),
		Channel:    channel,
		Reach:      m.GetReach(),
		Resource:   term[recovery.Resource](m.GetResourceLost()),
		Evidence:   term[recovery.Corroboration](m.GetCorroboration()),
	}
	for _, kind := range m.GetKinds() {
		f.Kinds |= recovery.Kinds(term[recovery.Kind](kind))
	}
	if m.HasSeverity() {
		f.Stated = new(m.GetSeverity())
	}
	if m.HasControllability() {
		f.Attribution.Controllability = new(m.GetControllability())
	}
	if m.HasDepartsIn() {
		f.DepartsAt = t.reported.Add(m.GetDepartsIn().AsDuration())
	}
	if f.Evidence == 0 {
		f.Evidence = recovery.ClaimOnly
		if f.Voice == recovery.Unvoiced {
			f.Evidence = recovery.SystemObserved
		}
	}
	profile, err := t.money(&f, m)
	return recovery.Event{Failure: f, Profile: profile, Order: m.GetOrder(), Incident: m.GetIncident()}, err
}

// money fills in the amounts, all of one currency, and the profile.
func (t *trial) money(f *recovery.Failure, m *policyv1.TrialEvent) (recovery.Profile, error) {
	customer := t.message.GetCustomer()
	profile := recovery.Profile{
		Relationship: term[recovery.Relationship](customer.GetRelationship()),
		Orders:       customer.GetOrders(),
		Loyalty:      customer.GetLoyaltyMember(),
	}
	for _, a := range []struct {
		text string
		into *int64
	}{
		{m.GetValue(), &f.Value},
		{cmp.Or(m.GetLoss(), m.GetValue()), &f.Loss},
		{m.GetEntitlement(), &f.Entitlement},
		{customer.GetLifetimeValue(), &profile.LifetimeValue},
	} {
		minor, currency, err := t.amount(a.text)
		if err != nil {
			return profile, err
		}
		if f.Currency != "" && currency != "" && f.Currency != currency {
			return profile, fmt.Errorf("one event has one currency, not %s and %s", f.Currency, currency)
		}
		f.Currency = cmp.Or(f.Currency, currency)
		*a.into = minor
	}
	if customer.GetLifetimeValue() != "" {
		profile.LifetimeValue = recovery.KnownWorth(profile.LifetimeValue)
	}
	return profile, nil
}

// amount reads "18.00 USD"; nothing is no money at all.
func (t *trial) amount(text string) (minor int64, currency string, err error) {
	if text == "" {
		return 0, "", nil
	}
	decimal, currency, _ := strings.Cut(text, " ")
	rules, listed := t.policy.Currencies[currency]
	if !listed {
		return 0, "", fmt.Errorf("%s: the policy does not list %s", text, currency)
	}
	minor, problem := minorUnits(decimal, rules.Digits)
	if problem != "" && strings.Trim(decimal, "0.") != "" {
		return 0, "", fmt.Errorf("%s: %s", text, problem)
	}
	return minor, currency, nil
}
