package ledger

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/recovery"
)

//go:embed budget.lua
var budgetSource string

// MostBudget is the highest amount and the highest limit of a budget, in minor
// units; what is above counts as this. The script's numbers are exact far beyond.
const MostBudget int64 = 1<<52 - 1

// budgetTag keeps all budgets in one slot. Customers are in others, so nothing
// is atomic over both: see [Ledger.Book].
const budgetTag = "{budget}:"

// budgetNames are the keys beside the days: bookings to be looked at again, and
// what is written for WAIT.
var budgetNames = names{customer: budgetTag + "due", tag: budgetTag}

// budgetMargin is how long a day is kept after the last moment at which one of
// its bookings may change.
const budgetMargin = 7 * 24 * time.Hour

// Booking names a part of the budget of one tenant, one currency and one UTC
// day that is set aside for one offer.
type Booking struct {
	Tenant   string
	Currency string    // ISO 4217
	Day      time.Time // any moment of the UTC day
	CaseID   string
	Name     string // unique within the case; stored, so no raw id of a caller
}

// BookingOf names what an offer of a case holds. An offer without a booking has
// no name.
func BookingOf(tenant, caseID string, o *recovery.Offer) Booking {
	return Booking{Tenant: tenant, Currency: o.Currency, Day: bookedOn(o.Booking), CaseID: caseID, Name: o.Booking}
}

// Book sets aside as much of upTo minor units as the limit of the day leaves, at
// least 0. The total of a day never exceeds the limit, whoever books at the same
// time. A booking that is there already gives what it holds, so that a call
// whose answer was lost may be repeated; nothing is kept of a grant of 0.
//
// Instead names the booking of the same case that is to give way; empty: none.
// What it holds of the same budget at that moment counts as free, so the total may
// exceed the limit by so much until one of the two is returned. Whoever keeps the
// new offer must see that the old one gives nothing, or else give so much less.
//
// The offer itself is another Redis slot's, so: book first, commit the offer
// second, settle third. A process that ends in between leaves a booking that
// [Ledger.DoubtfulBookings] gives from check on, for somebody to compare with the
// case. Check must therefore be later than the deadline of the commit; a
// repetition may put it off, never bring it forward.
//
// Errors are those of Load. A call that failed may have booked all the same, but
// no customer was changed.
func (l *Ledger) Book(ctx context.Context, b Booking, instead string, upTo, limit int64, check time.Time) (granted int64, err error) {
	if check.IsZero() {
		return 0, errors.New("a booking that nobody looks at again would never return")
	}
	old := b
	old.Name = instead
	return l.account(ctx, b, entry{what: "book", amount: upTo, limit: limit, check: check, instead: l.bookingField(old)})
}

// SettleBooking lets a booking hold no more than hold minor units, which never
// raises it; at 0 it is gone, and a booking that is gone stays so. Check says when
// to look at it again; zero: never, as it is spent. To put off the look alone,
// hold [MostBudget]. It may be repeated.
func (l *Ledger) SettleBooking(ctx context.Context, b Booking, hold int64, check time.Time) error {
	_, err := l.account(ctx, b, entry{what: "settle", amount: hold, check: check})
	return err
}

// ReturnBooking gives all that a booking holds back to the budget. It may be
// repeated.
func (l *Ledger) ReturnBooking(ctx context.Context, b Booking) error {
	return l.SettleBooking(ctx, b, 0, time.Time{})
}

// ForgetBooking removes a booking and leaves its amount in the total of the day,
// as spent.
func (l *Ledger) ForgetBooking(ctx context.Context, b Booking) error {
	_, err := l.account(ctx, b, entry{what: "forget"})
	return err
}

// entry is one change of a booking.
type entry struct {
	what          string // of budget.lua
	amount, limit int64
	check         time.Time
	instead       string // field of a booking
}

// account runs the script, again while the store is not available.
func (l *Ledger) account(ctx context.Context, b Booking, e entry) (held int64, err error) {
	if err := b.check(); err != nil {
		return 0, err
	}
	keys := []string{b.dayKey(), budgetNames.customer, ranksKey(b.Currency, b.Day)}
	args := []any{
		e.what, totalField(b.Currency), l.bookingField(b), b.member(),
		min(max(e.amount, 0), MostBudget), min(max(e.limit, 0), MostBudget), score(e.check), l.budgetLife(b, e.check), b.Tenant, e.instead,
	}
	done := l.opts.Observe(ctx, "budget", "")
	defer func() { done(err) }()
	err = l.persist(ctx, func(ctx context.Context) error {
		held, err = l.run(ctx, l.budget, keys, args).Int64()
		if err != nil {
			return err
		}
		return l.confirm(ctx, budgetNames)
	})
	return held, err
}

// budgetLife is for how many milliseconds at least the day is needed.
func (l *Ledger) budgetLife(b Booking, check time.Time) int64 {
	end := b.Day.Add(24 * time.Hour)
	if check.After(end) {
		end = check
	}
	return max(end.Sub(l.opts.Now()), 0).Milliseconds() + budgetMargin.Milliseconds()
}

// BudgetUsed is how many minor units of the budget of that day are booked or spent.
func (l *Ledger) BudgetUsed(ctx context.Context, tenant, currency string, day time.Time) (used int64, err error) {
	key := Booking{Tenant: tenant, Day: day}.dayKey()
	err = l.persist(ctx, func(ctx context.Context) (err error) {
		used, err = l.client.HGet(ctx, key, totalField(currency)).Int64()
		return naming(key, err)
	})
	if errors.Is(err, redis.Nil) {
		return 0, nil
	}
	return used, err
}

// DoubtfulBookings gives the bookings whose time to be looked at has come, the
// longest overdue first. Those that are not settled are given again. What nobody
// here wrote is passed over, does not count, and is told in the error, an
// ErrBroken that comes together with the bookings.
func (l *Ledger) DoubtfulBookings(ctx context.Context, now time.Time, most int) (list []Booking, err error) {
	for from := 0; len(list) < most; from += most {
		var members []string
		failed := l.persist(ctx, func(ctx context.Context) (err error) {
			members, err = l.client.ZRangeArgs(ctx, redis.ZRangeArgs{
				Key: budgetNames.customer, ByScore: true, Start: "-inf", Stop: strconv.FormatInt(now.UnixMilli(), 10),
				Offset: int64(from), Count: int64(most),
			}).Result()
			return naming(budgetNames.customer, err)
		})
		if failed != nil {
			return list, failed
		}
		found, broken := l.bookings(members)
		list = append(list, found[:min(len(found), most-len(list))]...)
		if err == nil {
			err = broken
		}
		if len(members) < most {
			break
		}
	}
	return list, err
}

// bookings reads what is to be looked at again. The error tells of the first
// member that cannot be read, and how many there are.
func (l *Ledger) bookings(members []string) ([]Booking, error) {
	list := make([]Booking, 0, len(members))
	var first error
	var name string
	for _, m := range members {
		b, err := parseBooking(m)
		switch {
		case err == nil:
			list = append(list, b)
		case first == nil:
			first = err
			name = m
		}
	}
	if first == nil {
		return list, nil
	}
	// In one piece, since the log is told the innermost reason alone.
	return list, &fault{kind: ErrBroken, cause: fmt.Errorf("%d members of %s cannot be read, such as %q: %s",
		len(members)-len(list), budgetNames.customer, name, first.Error())}
}

// SameBudget reports whether two bookings are of the same tenant's budget of one day
// and currency.
func (b Booking) SameBudget(o Booking) bool {
	return b.dayKey() == o.dayKey() && b.Currency == o.Currency
}

// dayKey names the hash of a tenant's day.
func (b Booking) dayKey() string {
	return budgetTag + b.Tenant + ":" + b.Day.UTC().Format(time.DateOnly)
}

func totalField(currency string) string { return "t:" + currency }

// bookingField tells bookings apart without naming the case.
func (l *Ledger) bookingField(b Booking) string {
	sum := l.keys.sum("", "booking", b.CaseID, b.Name)
	return "b:" + b.Currency + ":" + string(sum[:])
}

const bookingSeparator = "|"

// check refuses what could not be read back.
func (b Booking) check() error {
	if strings.Contains(b.Tenant+b.Currency+b.CaseID, bookingSeparator) {
		return errors.New("no tenant, currency or case id of a booking holds a " + bookingSeparator)
	}
	return nil
}

// member says all that is needed to look at the booking again.
func (b Booking) member() string {
	return strings.Join([]string{b.Tenant, b.Currency, b.Day.UTC().Format(time.DateOnly), b.CaseID, b.Name}, bookingSeparator)
}

func parseBooking(member string) (Booking, error) {
	parts := strings.SplitN(member, bookingSeparator, 5)
	if len(parts) < 5 {
		return Booking{}, errors.New("not a booking")
	}
	day, err := time.Parse(time.DateOnly, parts[2])
	return Booking{Tenant: parts[0], Currency: parts[1], Day: day, CaseID: parts[3], Name: parts[4]}, err
}
