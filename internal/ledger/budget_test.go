package ledger

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/recovery"
)

// budgets is what a budget promises on every kind of store.
func budgets(t *testing.T, open opener) {
	for name, test := range map[string]func(*testing.T, opener){
		"200 who book at once never exceed the limit":        bookedAtOnce,
		"books and returns at once keep the account":         returnedAtOnce,
		"a booking is made once and settled once":            bookedOnce,
		"what gives way is free as far as it is held":        givesWay,
		"a booking that nobody settles is given to be seen":  doubtful,
		"what nobody here wrote hides no booking":            foreignBookings,
		"tenants, currencies and days have their own budget": ownBudgets,
		"no amount is too large":                             largeAmounts,
		"bookings of an erased customer":                     erasedBookings,
		"a budget that is no number stops all":               brokenBudget,
		"the tenant that has used most is known":             mostUsed,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

// booking is one of a tenant of the test's own; every call gives the same.
func booking(l *Ledger, t testing.TB, at *clock, name string) Booking {
	tenant := strings.ToLower(strings.NewReplacer("/", "-", "_", "-", ",", "").Replace(t.Name()))
	return Booking{Tenant: tenant, Currency: "USD", Day: at.Now(), CaseID: CaseID(l.Key(tenant, name), 1), Name: name}
}

func mustBook(t testing.TB, l *Ledger, b Booking, upTo, limit int64, check time.Time) int64 {
	t.Helper()
	granted, err := unhurried(func() (int64, error) { return l.Book(t.Context(), b, "", upTo, limit, check) })
	if err != nil {
		t.Errorf("Book: %v (%v)", err, Cause(err))
	}
	return granted
}

func mustSettle(t testing.TB, l *Ledger, b Booking, hold int64, check time.Time) {
	t.Helper()
	if _, err := unhurried(func() (int64, error) { return 0, l.SettleBooking(t.Context(), b, hold, check) }); err != nil {
		t.Errorf("SettleBooking: %v (%v)", err, Cause(err))
	}
}

// used fails unless so much of the booking's budget is used.
func used(t testing.TB, l *Ledger, b Booking, want int64) {
	t.Helper()
	got, err := unhurried(func() (int64, error) { return l.BudgetUsed(t.Context(), b.Tenant, b.Currency, b.Day) })
	if err != nil || got != want {
		t.Errorf("%d of the budget are used, %v; want %d", got, err, want)
	}
}

// dueBy are the names of this test's bookings that are to be looked at by then.
func dueBy(t testing.TB, l *Ledger, tenant string, by time.Time) string {
	t.Helper()
	list, err := l.DoubtfulBookings(t.Context(), by, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, b := range list {
		if b.Tenant == tenant {
			names = append(names, b.Name)
		}
	}
	return strings.Join(names, " ")
}

// unhurried asks again, for a minute, while too many ask at a time or a slow machine
// does not answer in time. What was done all the same is not done again.
func unhurried(ask func() (int64, error)) (n int64, err error) {
	for end := time.Now().Add(time.Minute); ; {
		n, err = ask()
		if !errors.Is(err, ErrOverloaded) && !errors.As(err, new(*Unavailable)) || time.Now().After(end) {
			return n, err
		}
	}
}

func bookedAtOnce(t *testing.T, open opener) {
	at := newClock()
	l := open(t, func(o *Options) { o.Now = at.Now })
	const limit = 10_007
	var mu sync.Mutex
	var sum int64
	var wg sync.WaitGroup
	for i := range 200 {
		b := booking(l, t, at, fmt.Sprint("booking ", i))
		wg.Go(func() {
			granted, err := unhurried(func() (int64, error) {
				return l.Book(t.Context(), b, "", 60+int64(i%7), limit, at.Now().Add(time.Hour))
			})
			if err != nil {
				t.Errorf("%v (%v)", err, Cause(err))
			}
			now, err := unhurried(func() (int64, error) { return l.BudgetUsed(t.Context(), b.Tenant, "USD", b.Day) })
			if err != nil || now > limit {
				t.Errorf("%d of %d are used, %v", now, limit, err)
			}
			mu.Lock()
			defer mu.Unlock()
			sum += granted
		})
	}
	wg.Wait()
	if sum != limit {
		t.Errorf("%d were granted, want exactly %d", sum, limit)
	}
	used(t, l, booking(l, t, at, ""), limit)
}

// returnedAtOnce: whatever is booked, lowered and returned in whatever order, the
// total is the sum of what is held, and never above the limit.
func returnedAtOnce(t *testing.T, open opener) {
	at := newClock()
	l := open(t, func(o *Options) { o.Now = at.Now })
	const limit = 1000
	var mu sync.Mutex
	var sum int64
	var wg sync.WaitGroup
	for i := range 50 {
		b := booking(l, t, at, fmt.Sprint("booking ", i))
		keep, twice := rand.Int64N(60), rand.IntN(2)+1
		wg.Go(func() {
			granted := mustBook(t, l, b, 50, limit, at.Now().Add(time.Hour))
			for range twice {
				mustSettle(t, l, b, keep, time.Time{})
			}
			now, err := unhurried(func() (int64, error) { return l.BudgetUsed(t.Context(), b.Tenant, "USD", b.Day) })
			if err != nil || now > limit {
				t.Errorf("%d of %d are used, %v", now, limit, err)
			}
			mu.Lock()
			defer mu.Unlock()
			sum += min(keep, granted)
		})
	}
	wg.Wait()
	used(t, l, booking(l, t, at, ""), sum)
}

func bookedOnce(t *testing.T, open opener) {
	at := newClock()
	l := open(t, func(o *Options) { o.Now = at.Now })
	later := at.Now().Add(time.Hour)
	b := booking(l, t, at, "one")
	if _, err := l.Book(t.Context(), b, "", 1, 1, time.Time{}); err == nil {
		t.Error("booked without a time to look at it")
	}
	for range 2 { // the second is a repetition
		if got := mustBook(t, l, b, 700, 1000, later); got != 700 {
			t.Errorf("granted %d, want 700", got)
		}
	}
	used(t, l, b, 700)
	other := booking(l, t, at, "two")
	if got := mustBook(t, l, other, 700, 1000, later); got != 300 {
		t.Errorf("granted %d of what is left, want 300", got)
	}
	third := booking(l, t, at, "three")
	for _, limit := range []int64{1000, 900, 0, -5} {
		if got := mustBook(t, l, third, 700, limit, later); got != 0 {
			t.Errorf("granted %d under a limit of %d that is used up", got, limit)
		}
	}
	if got := mustBook(t, l, third, -7, 2000, later); got != 0 {
		t.Errorf("granted %d of less than nothing", got)
	}
	for range 2 {
		mustSettle(t, l, b, 500, later)
		used(t, l, b, 800)
	}
	mustSettle(t, l, b, 600, later) // never raised
	used(t, l, b, 800)
	for range 2 {
		mustSettle(t, l, b, 0, time.Time{})
		mustSettle(t, l, third, 5, later) // nothing was ever kept of it
		used(t, l, b, 300)
	}
	if got := mustBook(t, l, b, 800, 1000, later); got != 700 {
		t.Errorf("after the return, granted %d, want 700", got)
	}
	used(t, l, b, 1000)
	if err := l.ForgetBooking(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	used(t, l, b, 1000) // spent
	if err := l.ReturnBooking(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	used(t, l, b, 700)
	if left := dueBy(t, l, b.Tenant, later); left != "" {
		t.Errorf("still to be looked at: %s", left)
	}
}

// givesWay: what a booking holds that is to give way counts as free when the other
// is made, and once; what it held earlier or elsewhere does not.
func givesWay(t *testing.T, open opener) {
	at := newClock()
	l := open(t, func(o *Options) { o.Now = at.Now })
	book := func(name, instead string, upTo, want int64) {
		t.Helper()
		b := booking(l, t, at, "case")
		b.Name = name
		got, err := unhurried(func() (int64, error) {
			return l.Book(t.Context(), b, instead, upTo, 1000, at.Now().Add(time.Hour))
		})
		if err != nil || got != want {
			t.Errorf("%s instead of %q: granted %d, %v; want %d", name, instead, got, err, want)
		}
	}
	old := booking(l, t, at, "case")
	old.Name = "old"
	book("old", "", 700, 700)
	for range 2 { // the second is a repetition
		book("new", "old", 900, 900)
		used(t, l, old, 1600)
	}
	book("beside new", "old", 500, 100)
	mustSettle(t, l, old, 0, time.Time{})
	book("too late", "old", 500, 0)
	book("instead of nobody", "nobody", 500, 0)
	used(t, l, old, 1000)

	for _, elsewhere := range []func(*Booking){
		func(b *Booking) { b.Currency = "EUR" },
		func(b *Booking) { b.Day = b.Day.Add(24 * time.Hour) },
		func(b *Booking) { b.Tenant += "-b" },
		func(b *Booking) { b.CaseID = CaseID(l.Key(b.Tenant, "another"), 1) },
	} {
		b := old
		elsewhere(&b)
		mustBook(t, l, b, 700, 10_000, at.Now().Add(time.Hour))
		book("instead of what is elsewhere", "old", 500, 0)
		mustSettle(t, l, b, 0, time.Time{})
	}
}

func doubtful(t *testing.T, open opener) {
	at := newClock()
	l := open(t, func(o *Options) { o.Now = at.Now })
	in := func(minutes int) time.Time { return at.Now().Add(time.Duration(minutes) * time.Minute) }
	crashed, slow, made, accepted := booking(l, t, at, "crashed"), booking(l, t, at, "slow"), booking(l, t, at, "made"), booking(l, t, at, "accepted")
	for _, b := range []Booking{crashed, slow, made, accepted} {
		mustBook(t, l, b, 10, 100, in(1))
	}
	mustBook(t, l, slow, 10, 100, in(5)) // tried again: the commit has more time
	mustBook(t, l, slow, 10, 100, in(2)) // an older try that was held up
	mustSettle(t, l, made, 10, in(10))
	mustSettle(t, l, accepted, 10, time.Time{})
	mustBook(t, l, accepted, 10, 100, in(3)) // a sending that was held up
	for minutes, want := range map[int]string{0: "", 1: "crashed", 4: "crashed", 5: "crashed slow", 10: "crashed slow made"} {
		if got := dueBy(t, l, crashed.Tenant, in(minutes)); got != want {
			t.Errorf("to be looked at after %d minutes: %s, want %s", minutes, got, want)
		}
	}
	if got := dueBy(t, l, crashed.Tenant, in(1).Add(-time.Millisecond)); got != "" {
		t.Errorf("looked at too early: %s", got)
	}
	list, err := l.DoubtfulBookings(t.Context(), in(1), 1_000_000)
	want := crashed
	want.Day = crashed.Day.Truncate(24 * time.Hour)
	found := false
	for _, b := range list {
		found = found || cmp.Equal(b, want)
	}
	if err != nil || !found {
		t.Errorf("%+v, %v; want %+v in it", list, err, want)
	}
	if list, err := l.DoubtfulBookings(t.Context(), in(10), 1); err != nil || len(list) != 1 {
		t.Errorf("at most one: %+v, %v", list, err)
	}
	if list, err := l.DoubtfulBookings(t.Context(), in(10), 0); err != nil || len(list) != 0 {
		t.Errorf("none: %+v, %v", list, err)
	}
	mustSettle(t, l, want, 0, time.Time{}) // as it was given
	mustSettle(t, l, slow, MostBudget, in(20))
	if got := dueBy(t, l, crashed.Tenant, in(10)); got != "made" {
		t.Errorf("after the look: %s, want made", got)
	}
	used(t, l, crashed, 30)

	// The day is there for as long as a booking of it may change.
	if ttl := asAdmin(t, l).client.PTTL(t.Context(), crashed.dayKey()).Val(); ttl < 8*24*time.Hour-time.Hour || ttl > 9*24*time.Hour {
		t.Errorf("the day lives %v", ttl)
	}
	mustSettle(t, l, made, 10, at.Now().Add(100*24*time.Hour))
	mustBook(t, l, booking(l, t, at, "later"), 10, 100, in(1))
	if ttl := asAdmin(t, l).client.PTTL(t.Context(), crashed.dayKey()).Val(); ttl < 106*24*time.Hour {
		t.Errorf("with a booking for a hundred days, the day lives %v", ttl)
	}
}

func ownBudgets(t *testing.T, open opener) {
	at := newClock()
	l := open(t, func(o *Options) { o.Now = at.Now })
	b := booking(l, t, at, "one")
	list := []Booking{b, b, b, b, b}
	list[1].Tenant += "-b"
	list[2].Currency = "EUR"
	list[3].Day = b.Day.Add(15 * time.Hour) // midnight in UTC
	list[4].Day = b.Day.Add(-10 * time.Hour)
	for i, b := range list {
		if got := mustBook(t, l, b, 100, 100, at.Now().Add(time.Hour)); got != 100 {
			t.Errorf("booking %d: granted %d", i, got)
		}
		used(t, l, b, 100)
	}
	same := b
	same.Name, same.Day = "two", b.Day.Add(15*time.Hour-1).In(time.FixedZone("", 3600))
	if got := mustBook(t, l, same, 100, 100, at.Now().Add(time.Hour)); got != 0 {
		t.Errorf("another hour of the same UTC day: granted %d", got)
	}
	broken := b
	broken.Tenant = "a|b"
	if _, err := l.Book(t.Context(), broken, "", 1, 1, at.Now().Add(time.Hour)); err == nil {
		t.Error("booked what cannot be read back")
	}
}

// largeAmounts: up to the bound nothing is rounded, and what is above counts as
// the bound.
func largeAmounts(t *testing.T, open opener) {
	at := newClock()
	l := open(t, func(o *Options) { o.Now = at.Now })
	b := booking(l, t, at, "one")
	later := at.Now().Add(time.Hour)
	if got := mustBook(t, l, b, MostBudget-1, recovery.NoBudget, later); got != MostBudget-1 {
		t.Errorf("granted %d", got)
	}
	used(t, l, b, MostBudget-1)
	if got := mustBook(t, l, booking(l, t, at, "two"), 1<<62, 1<<62, later); got != 1 {
		t.Errorf("granted %d, want the last 1", got)
	}
	mustSettle(t, l, b, 1<<51+1, later)
	used(t, l, b, 1<<51+2)
	mustSettle(t, l, b, 1, later)
	used(t, l, b, 2)
	mustBook(t, l, booking(l, t, at, "three"), MostBudget, MostBudget, later)
	used(t, l, b, MostBudget)
	four := booking(l, t, at, "three")
	four.Name = "four"
	if got, err := l.Book(t.Context(), four, "three", MostBudget, MostBudget, later); err != nil || got != MostBudget-2 {
		t.Errorf("instead of all but 2: granted %d, %v", got, err)
	}
	used(t, l, b, 2*MostBudget-2)
	mustSettle(t, l, four, 1, later)
	used(t, l, b, MostBudget+1)
}

// erasedBookings: of what an erased customer was offered, the accepted stays
// counted without a name, and all else returns.
func erasedBookings(t *testing.T, open opener) {
	at := newClock()
	l := open(t, func(o *Options) { o.Now = at.Now })
	key := l.Key("shop", "erased bookings")
	b := booking(l, t, at, "")
	b.CaseID = CaseID(key, 1)
	states := []recovery.OfferState{recovery.OfferAccepted, recovery.Made, recovery.Approved}
	names := []string{BookingName(at.Now(), "a"), BookingName(at.Now(), "b"), BookingName(at.Now(), "c"), BookingName(at.Now(), "stray")}
	w := one(l, "erased bookings", "a")
	w.Tenant = b.Tenant
	mustUpdate(t, l, w, func(c recovery.Customer, fresh []int) (Judgement, error) {
		j, err := opens(c, fresh)
		for i, state := range states {
			j.Customer.Open[0].Offers = append(j.Customer.Open[0].Offers, recovery.Offer{
				Number: int64(i + 1), State: state, Currency: "USD", Booking: names[i]})
		}
		return j, err
	})
	for i, name := range names {
		b.Name = name
		mustBook(t, l, b, 1<<i, 1000, at.Now().Add(time.Hour))
		if i == 2 { // not to be looked at again, and still live
			mustSettle(t, l, b, 1<<i, time.Time{})
		}
	}
	used(t, l, b, 15)
	mustErase(t, l, key, ninetyDays)
	used(t, l, b, 1)
	if left := dueBy(t, l, b.Tenant, at.Now().Add(time.Hour)); left != "" {
		t.Errorf("still to be looked at: %s", left)
	}
	for k := range dump(t, l) {
		if strings.HasPrefix(k, b.dayKey()+" b:") {
			t.Errorf("%q is left", k)
		}
	}
}

func foreignBookings(t *testing.T, open opener) {
	at := newClock()
	l := open(t, func(o *Options) { o.Now = at.Now })
	for _, b := range mustDoubt(t, l, at.Now()) { // of other tests
		mustSettle(t, l, b, 0, time.Time{})
	}
	var mine []string
	for i := range 3 {
		b := booking(l, t, at, fmt.Sprint(i))
		mine = append(mine, b.Name)
		mustBook(t, l, b, 10, 100, at.Now().Add(time.Duration(i-2)*time.Second))
	}
	var foreign []any
	for i := range 7 {
		foreign = append(foreign, fmt.Sprint("foreign ", i))
		asAdmin(t, l).client.ZAdd(t.Context(), budgetNames.customer, redis.Z{Score: float64(i), Member: foreign[i]})
	}
	defer asAdmin(t, l).client.ZRem(t.Context(), budgetNames.customer, foreign...)
	for most := 1; most < 12; most++ {
		list, err := l.DoubtfulBookings(t.Context(), at.Now(), most)
		var names []string
		for _, b := range list {
			names = append(names, b.Name)
		}
		if !slices.Equal(names, mine[:min(most, len(mine))]) {
			t.Errorf("at most %d: given %q", most, names)
		}
		if !errors.Is(err, ErrBroken) || !strings.Contains(Cause(err).Error(), `"foreign 0"`) {
			t.Errorf("at most %d: told %v", most, Cause(err))
		}
	}
	if err := l.Ready(t.Context()); err != nil {
		t.Errorf("an entry that nobody here wrote stops all calls: %v", err)
	}
}

func mustDoubt(t testing.TB, l *Ledger, by time.Time) []Booking {
	t.Helper()
	list, err := l.DoubtfulBookings(t.Context(), by, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func brokenBudget(t *testing.T, open opener) {
	at := newClock()
	l := open(t, func(o *Options) { o.Now = at.Now })
	b := booking(l, t, at, "one")
	for _, text := range []string{"nan", "1e3", "-1", ""} {
		asAdmin(t, l).client.HSet(t.Context(), b.dayKey(), totalField("USD"), text)
		before := dump(t, l)
		if _, err := l.Book(t.Context(), b, "", 1, 100, at.Now().Add(time.Hour)); !errors.Is(err, ErrBroken) {
			t.Errorf("a total of %q: %v", text, err)
		}
		unchanged(t, l, before)
	}
	asAdmin(t, l).client.Del(t.Context(), b.dayKey())
	old := b
	old.Name = "old"
	asAdmin(t, l).client.HSet(t.Context(), b.dayKey(), l.bookingField(old), "nan")
	before := dump(t, l)
	if _, err := l.Book(t.Context(), b, "old", 1, 100, at.Now().Add(time.Hour)); !errors.Is(err, ErrBroken) {
		t.Errorf("instead of what is no number: %v", err)
	}
	unchanged(t, l, before)
	asAdmin(t, l).client.Del(t.Context(), b.dayKey())

	mustBook(t, l, b, 50, 100, at.Now().Add(time.Hour))
	for _, text := range []string{"007", "9223372036854775808"} { // digits, and yet not as Redis counts
		asAdmin(t, l).client.HSet(t.Context(), b.dayKey(), l.bookingField(b), text)
		before := dump(t, l)
		if err := l.SettleBooking(t.Context(), b, 1, time.Time{}); !errors.Is(err, ErrBroken) {
			t.Errorf("a booking of %q: %v", text, err)
		}
		unchanged(t, l, before)
	}
	asAdmin(t, l).client.Del(t.Context(), b.dayKey())

	asAdmin(t, l).client.ZAdd(t.Context(), budgetNames.customer, redis.Z{Member: "nonsense"})
	if _, err := l.DoubtfulBookings(t.Context(), at.Now(), 10); !errors.Is(err, ErrBroken) {
		t.Errorf("a booking that cannot be read: %v", err)
	}
	asAdmin(t, l).client.ZRem(t.Context(), budgetNames.customer, "nonsense")
}
