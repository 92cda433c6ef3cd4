package ledger

import (
	"maps"
	"slices"
	"time"

	"github.com/makeamends/amends/internal/recovery"
)

// tombField holds the tombstone: alone in the hash of a customer who was
// erased, until the customer comes back or the tombstone is over.
const tombField = "t"

// remains is what is kept of a customer who is erased: as much as keeps the caps
// and the abuse guard from being evaded by being forgotten, and an id of an
// erased case from naming another one. Everything personal is left out.
func remains(c recovery.Customer, window time.Duration, now time.Time) recovery.Customer {
	return recovery.Customer{
		Cases:  c.Cases,
		Orders: c.Orders,
		Claims: c.Claims,
		Grants: foldGrants(c.Grants, window, now),
	}
}

// foldGrants books what still counts as one grant a currency, under the time of
// the latest, so that none of it is forgotten early. It belongs to case 0, which
// no case ever is: every case that is opened later counts it.
func foldGrants(grants []recovery.Grant, window time.Duration, now time.Time) []recovery.Grant {
	sums := map[string]recovery.Grant{}
	for _, g := range grants {
		if now.Sub(g.At) >= window {
			continue
		}
		sum := sums[g.Currency]
		sum.Currency = g.Currency
		sum.Minor += g.Minor
		sum.Units += g.Units
		if g.At.After(sum.At) {
			sum.At = g.At
		}
		sums[g.Currency] = sum
	}
	var folded []recovery.Grant
	for _, currency := range slices.Sorted(maps.Keys(sums)) {
		folded = append(folded, sums[currency])
	}
	return folded
}

// bare reports whether there is nothing to keep.
func bare(c recovery.Customer) bool {
	return c.Cases == 0 && c.Orders == 0 && c.Claims == 0 && len(c.Grants) == 0
}
