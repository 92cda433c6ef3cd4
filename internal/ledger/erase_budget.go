package ledger

import (
	"context"
	"slices"

	"github.com/makeamends/amends/internal/recovery"
)

// bookings lists what the offers hold: of those that were accepted, and of all
// others.
func (e *erasure) bookings(found estate) (spent, live []Booking) {
	for i := range found.cases {
		k := &found.cases[i]
		for j := range k.Offers {
			o := &k.Offers[j]
			if o.Booking == "" {
				continue
			}
			b := BookingOf(found.at.state.tenant, CaseID(e.key, k.Number), o)
			if o.State == recovery.OfferAccepted {
				spent = append(spent, b)
			} else {
				live = append(live, b)
			}
		}
	}
	return spent, live
}

func each(ctx context.Context, list []Booking, end func(context.Context, Booking) error) error {
	for _, b := range list {
		if err := end(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// forgetStrays returns the bookings that no offer came of: their process ended
// in between, or the offer is just being committed and will find no case. Those of a
// life that has begun since are left alone.
func (e *erasure) forgetStrays(ctx context.Context) error {
	found := e.ledger.client.ZScan(ctx, budgetNames.customer, 0, "*"+bookingSeparator+casePrefix+string(e.key)+".*", streamPage).Iterator()
	var members []string
	for found.Next(ctx) {
		members = append(members, found.Val())
		found.Next(ctx) // its score
	}
	if err := found.Err(); err != nil {
		return err
	}
	strays, err := e.ledger.bookings(members)
	if err != nil {
		return err
	}
	strays = slices.DeleteFunc(strays, func(b Booking) bool {
		_, number, _ := ParseCaseID(b.CaseID)
		return e.cases > 0 && number > e.cases
	})
	return each(ctx, strays, e.ledger.ReturnBooking)
}
