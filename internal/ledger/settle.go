package ledger

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/makeamends/amends/internal/recovery"
)

// bookingGrace is how long after an offer has ended its booking is looked at
// again: by then the sweep has let it expire.
const bookingGrace = time.Minute

// BookingName names a booking by what asked for it and by the day that it counts
// in, so that it can be found whenever the offer was kept.
func BookingName(now time.Time, hash string) string {
	return now.UTC().Format(time.DateOnly) + "." + hash
}

// SameBooking reports whether two names were made for the same request, on
// whatever day.
func SameBooking(a, b string) bool {
	_, x, _ := strings.Cut(a, ".")
	_, y, _ := strings.Cut(b, ".")
	return x != "" && x == y
}

// bookedOn is the day that a booking counts in.
func bookedOn(name string) time.Time {
	day, _, _ := strings.Cut(name, ".")
	t, _ := time.Parse(time.DateOnly, day) // our own writing
	return t
}

// SettleOffers brings the bookings of a case in line with its offers: what was
// refused or has expired goes back to the budget, what was accepted is spent,
// and what can still be answered is looked at again when it has ended.
func (l *Ledger) SettleOffers(ctx context.Context, tenant string, key Key, k *recovery.Case) error {
	var err error
	for i := range k.Offers {
		if o := &k.Offers[i]; o.Booking != "" {
			err = errors.Join(err, l.settleOffer(ctx, BookingOf(tenant, CaseID(key, k.Number), o), o))
		}
	}
	return err
}

func (l *Ledger) settleOffer(ctx context.Context, b Booking, o *recovery.Offer) error {
	switch {
	case o.Live():
		return l.SettleBooking(ctx, b, o.Reserved, o.ExpiresAt.Add(bookingGrace))
	case o.State == recovery.OfferAccepted:
		return l.SettleBooking(ctx, b, o.Reserved, time.Time{})
	default:
		return l.SettleBooking(ctx, b, 0, time.Time{})
	}
}

// Reconcile compares a doubtful booking with its case, which is the truth: a
// booking whose offer was never kept goes back to the budget.
func (l *Ledger) Reconcile(ctx context.Context, b Booking) error {
	_, k, err := l.Case(ctx, b.CaseID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	for i := range k.Offers {
		if k.Offers[i].Booking == b.Name {
			return l.settleOffer(ctx, b, &k.Offers[i])
		}
	}
	return l.SettleBooking(ctx, b, 0, time.Time{})
}
