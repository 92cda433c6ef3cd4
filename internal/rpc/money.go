package rpc

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/type/money"

	"github.com/makeamends/amends/internal/policy"
	"github.com/makeamends/amends/internal/recovery"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// powers of ten, for the digits of a currency and those of nanos.
var powers = [...]int64{1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9}

const nanoDigits = 9

// minor converts an amount into minor units; false when it is finer than the
// currency has digits.
func minor(m *money.Money, digits int) (int64, bool) {
	step := powers[nanoDigits-digits]
	nanos := int64(m.GetNanos())
	return m.GetUnits()*powers[digits] + nanos/step, nanos%step == 0
}

// split converts minor units into whole ones and the nanos beside them.
func split(minor int64, digits int) (units, nanos int64) {
	unit := powers[digits]
	return minor / unit, minor % unit * powers[nanoDigits-digits]
}

// amount converts minor units into an amount.
func amount(minor int64, currency string) *money.Money {
	units, nanos := split(minor, policy.Digits(currency))
	return &money.Money{CurrencyCode: currency, Units: units, Nanos: int32(nanos)}
}

// sums are the amounts of an event by their field.
type sum struct {
	field string
	money *money.Money
}

func sums(e *recoveryv1.FailureEvent) [4]sum {
	return [...]sum{
		{"order_value", e.GetOrderValue()},
		{"loss", e.GetLoss()},
		{"entitlement", e.GetEntitlement()},
		{"customer.lifetime_value", e.GetCustomer().GetLifetimeValue()},
	}
}

// currencyOf is the one currency of an event; empty when it names no money.
func currencyOf(e *recoveryv1.FailureEvent) string {
	for _, s := range sums(e) {
		if code := s.money.GetCurrencyCode(); code != "" {
			return code
		}
	}
	return ""
}

// moneyFaults finds what every policy at hand has against the money of an event.
// Callers know them by that name.
func moneyFaults(e *recoveryv1.FailureEvent, rules recovery.Rules, name string) (faults []fault) {
	for _, s := range sums(e) {
		code := s.money.GetCurrencyCode()
		if len(code) != 3 {
			continue // none, or a breach of the contract
		}
		currency, listed := rules.Currency(code)
		if !listed {
			faults = append(faults, fault{field: s.field, currency: true,
				allowed: name + " lists no such currency, but " + strings.Join(slices.Sorted(maps.Keys(rules.Active.Currencies)), ", ")})
			continue
		}
		if _, whole := minor(s.money, currency.Digits); !whole {
			faults = append(faults, fault{field: s.field,
				allowed: fmt.Sprintf("must have at most %d decimals, as the currency has", currency.Digits)})
		}
	}
	return faults
}
