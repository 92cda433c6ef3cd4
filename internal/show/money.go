package show

import (
	"cmp"
	"fmt"
	"strings"

	"golang.org/x/text/currency"
	"google.golang.org/genproto/googleapis/type/money"
)

// Money writes an amount exactly: all decimals that are not zero, and at least as many as the currency has. It is empty for nil.
func Money(m *money.Money) string {
	if m == nil {
		return ""
	}
	units, nanos, sign := uint64(m.GetUnits()), m.GetNanos(), ""
	if m.GetUnits() < 0 || nanos < 0 {
		// The most negative amount has no positive twin in int64, but its bits are the right number in uint64.
		units, nanos, sign = uint64(-m.GetUnits()), -nanos, "−"
	}
	decimals := strings.TrimRight(fmt.Sprintf("%09d", nanos), "0")
	if missing := minorDigits(m.GetCurrencyCode()) - len(decimals); missing > 0 {
		decimals += strings.Repeat("0", missing)
	}
	if decimals != "" {
		decimals = "." + decimals
	}
	return fmt.Sprintf("%s%d%s %s", sign, units, decimals, m.GetCurrencyCode())
}

// minorDigits is how many decimals the currency usually has; 2 if it is not known.
func minorDigits(code string) int {
	unit, err := currency.ParseISO(code)
	if err != nil {
		return 2
	}
	digits, _ := currency.Standard.Rounding(unit)
	return digits
}

func isZero(m *money.Money) bool { return m.GetUnits() == 0 && m.GetNanos() == 0 }

const nanosOfAUnit = 1_000_000_000

// plus adds two amounts of one currency, neither below 0; nil is nothing.
func plus(a, b *money.Money) *money.Money {
	units, nanos := a.GetUnits()+b.GetUnits(), a.GetNanos()+b.GetNanos()
	if nanos >= nanosOfAUnit {
		units, nanos = units+1, nanos-nanosOfAUnit
	}
	return &money.Money{CurrencyCode: cmp.Or(a.GetCurrencyCode(), b.GetCurrencyCode()), Units: units, Nanos: nanos}
}

// minus takes b off a, amounts of one currency and neither below 0; what would be below 0 is 0.
func minus(a, b *money.Money) *money.Money {
	units, nanos := a.GetUnits()-b.GetUnits(), a.GetNanos()-b.GetNanos()
	if nanos < 0 {
		units, nanos = units-1, nanos+nanosOfAUnit
	}
	if units < 0 {
		units, nanos = 0, 0
	}
	return &money.Money{CurrencyCode: cmp.Or(a.GetCurrencyCode(), b.GetCurrencyCode()), Units: units, Nanos: nanos}
}
