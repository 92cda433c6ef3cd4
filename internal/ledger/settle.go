package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/makeamends/amends/internal/recovery"
)

// bookingGrace is how long after an offer has ended its booking is looked at
// again: by then the sweep has let it expire.
const bookingGrace = time.Minute

// BookingName names a booking by the day that it counts in, by the request that
// asked for it, and by a nonce: each attempt books for itself, so that none can
// cancel what another has kept.
func BookingName(now time.Time, request string) string {
	var nonce [8]byte
	_, _ = rand.Read(nonce[:]) // never fails
	return strings.Join([]string{now.UTC().Format(time.DateOnly), request, nonceText(nonce[:])}, ".")
}

// SameBooking reports whether two names were made for the same request.
func SameBooking(a, b string) bool {
	return bookingPart(a, 1) != "" && bookingPart(a, 1) == bookingPart(b, 1)
}

func bookingPart(name string, part int) string {
	parts := strings.Split(name, ".")
	if part >= len(parts) {
		return ""
	}
	return parts[part]
}

// bookedOn is the day that a booking counts in.
func bookedOn(name string) time.Time {
	t, _ := time.Parse(time.DateOnly, bookingPart(name, 0)) // our own writing
	return t
}

// ChangedOffers gives the cases of a customer of which offers have just changed:
// also those that the change was not about, since time passes for all of them, and
// one may have had to make room.
func ChangedOffers(c recovery.Customer) (changed []recovery.Case) {
	for _, list := range [][]recovery.Case{c.Open, c.Closed} {
		for i := range list {
			if slices.ContainsFunc(list[i].Fresh, func(t recovery.Transition) bool { return t.Offer != 0 }) {
				changed = append(changed, list[i])
			}
		}
	}
	return changed
}

// SettleOffers brings the bookings of the [ChangedOffers] in line with them, once
// the change is committed: what was refused or has expired goes back to the budget,
// what was accepted is spent, and what can still be answered is looked at again when
// it has ended.
func (l *Ledger) SettleOffers(ctx context.Context, tenant string, key Key, changed []recovery.Case) error {
	var err error
	for _, k := range changed {
		for i := range k.Offers {
			o := &k.Offers[i]
			fresh := slices.ContainsFunc(k.Fresh, func(t recovery.Transition) bool { return t.Offer == o.Number })
			if o.Booking != "" && fresh {
				err = errors.Join(err, l.settleOffer(ctx, BookingOf(tenant, CaseID(key, k.Number), o), o))
			}
		}
	}
	return err
}

// ReconcileOffers does the same for all offers of a case as it stands, for who finds
// that a change was made, and not whether the budget was told of it.
func (l *Ledger) ReconcileOffers(ctx context.Context, caseID string) error {
	at, k, err := l.Case(ctx, caseID)
	for i := 0; err == nil && i < len(k.Offers); i++ { // a budget that is out of reach is tried once
		if o := &k.Offers[i]; o.Booking != "" {
			err = l.settleOffer(ctx, BookingOf(at.Tenant, caseID, o), o)
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
		return l.ReturnBooking(ctx, b)
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
	return l.ReturnBooking(ctx, b)
}
