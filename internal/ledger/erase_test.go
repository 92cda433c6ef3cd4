package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/redistest"
)

const ninetyDays = 90 * 24 * time.Hour

// erasing is what erasure promises on every kind of store.
func erasing(t *testing.T, open opener) {
	for name, test := range map[string]func(*testing.T, opener){
		"nothing but the tombstone is left":               nothingLeft,
		"a later life begins from the tombstone":          laterLife,
		"who left nothing to keep leaves no tombstone":    noTombstone,
		"a change that comes between is not lost":         changeBetween,
		"a commit judged before the erasure is refused":   judgedBefore,
		"an erasure that is sent again answers the same":  erasedTwiceSent,
		"changes and erasures at once keep every account": erasedAtOnce,
		"holes in the stream are known":                   knownHoles,
		"a key of the wrong type stops all":               eraseWrongType,
		"what was asked for is not carried out again":     askedAgain,
		"a customer who cannot be read is erased":         eraseDamaged,
		"an event that cannot be read is passed over":     eraseBesideJunk,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

func mustErase(t testing.TB, l *Ledger, key Key, window time.Duration) Erased {
	t.Helper()
	gone, err := l.Erase(t.Context(), "shop", key, window)
	if err != nil {
		t.Fatalf("Erase: %v (%v)", err, Cause(err))
	}
	return gone
}

// promises is a judge that opens a case with an offer for each fresh request,
// and grants five dollars with it.
func promises(now time.Time, booking string) Judge {
	return func(c recovery.Customer, fresh []int) (Judgement, error) {
		j, err := opens(c, fresh)
		c = j.Customer
		for i := len(c.Open) - len(fresh); i < len(c.Open); i++ {
			k := &c.Open[i]
			k.Offers = []recovery.Offer{{Number: 1, State: recovery.Made, Currency: "USD", Booking: booking}}
			c.Grants = append(c.Grants, recovery.Grant{Case: k.Number, At: now, Currency: "USD", Minor: 500, Units: 5})
			c.Failures = append(c.Failures, recovery.Past{Case: k.Number, At: now})
		}
		c.Orders, c.Claims = c.Orders+1, c.Claims+1
		j.Customer = c
		return j, err
	}
}

// traces are the entries of a store that name a customer.
func traces(t testing.TB, l *Ledger, key Key) (found []string) {
	t.Helper()
	for k, v := range dump(t, l) {
		if strings.Contains(k+v, string(key)) {
			found = append(found, k)
		}
	}
	return found
}

func nothingLeft(t *testing.T, open opener) {
	at := newClock()
	l := open(t, func(o *Options) { o.Now = at.Now })
	w := one(l, "nothing left", "a")
	n, _ := l.buckets.of(w.Key)
	mustUpdate(t, l, one(l, "nothing left", "closed"), promises(at.Now(), BookingName(at.Now(), "one")))
	mustUpdate(t, l, one(l, "nothing left", "close"), closes)
	mustUpdate(t, l, w, promises(at.Now(), BookingName(at.Now(), "two")))
	mustUpdate(t, l, one(l, "nothing left", "more"), count)
	other := one(l, "somebody else", "a")
	mustUpdate(t, l, other, opens)
	for i, name := range []string{"one", "two", "stray"} {
		b := Booking{Tenant: "shop", Currency: "USD", Day: at.Now(), CaseID: CaseID(w.Key, int64(min(i+1, 2))), Name: BookingName(at.Now(), name)}
		if _, err := l.Book(t.Context(), b, "", 500, 10_000, at.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if len(traces(t, l, w.Key)) < 8 {
		t.Fatalf("only %q is there to be erased", traces(t, l, w.Key))
	}

	gone := mustErase(t, l, w.Key, ninetyDays)
	want := Erased{Found: true, Cases: 2, Failures: 2, Answers: 4, Events: 3, Until: at.Now().Add(ninetyDays)}
	if gone != want {
		t.Errorf("erased %+v, want %+v", gone, want)
	}
	if left := traces(t, l, w.Key); len(left) != 1 || left[0] != n.customer+" t" {
		t.Errorf("left: %q", left)
	}
	if ttl := asAdmin(t, l).client.PTTL(t.Context(), n.customer).Val(); ttl <= ninetyDays-time.Minute || ttl > ninetyDays {
		t.Errorf("the tombstone lives %v", ttl)
	}
	for number := range int64(3) {
		if _, _, err := l.Case(t.Context(), CaseID(w.Key, number+1)); !errors.Is(err, ErrNotFound) {
			t.Errorf("case %d: %v", number+1, err)
		}
	}
	if _, list, err := l.Cases(t.Context(), w.Key); err != nil || len(list) > 0 {
		t.Errorf("cases %v, %v", list, err)
	}
	if used, err := l.BudgetUsed(t.Context(), "shop", "USD", at.Now()); err != nil || used != 0 {
		t.Errorf("%d of the budget did not return, %v", used, err)
	}
	if _, list, err := l.Cases(t.Context(), other.Key); err != nil || len(list) != 1 {
		t.Errorf("the cases of somebody else: %v, %v", list, err)
	}

	asAdmin(t, l).client.PExpire(t.Context(), n.customer, time.Hour)
	again := mustErase(t, l, w.Key, ninetyDays)
	left := again.Until.Sub(at.Now())
	again.Until = time.Time{}
	if again != (Erased{}) || left > time.Hour || left < time.Hour-time.Minute {
		t.Errorf("erased again: %+v, tombstone for %v", again, left)
	}
	if ttl := asAdmin(t, l).client.PTTL(t.Context(), n.customer).Val(); ttl > time.Hour {
		t.Errorf("erased again, the tombstone lives %v longer", ttl)
	}
}

func laterLife(t *testing.T, open opener) {
	at := newClock()
	l := open(t, func(o *Options) { o.Now = at.Now })
	w := one(l, "later life", "a")
	n, _ := l.buckets.of(w.Key)
	mustUpdate(t, l, w, promises(at.Now(), ""))
	mustErase(t, l, w.Key, ninetyDays)

	s := mustLoad(t, l, w.Key)
	want := recovery.Customer{Cases: 1, Orders: 1, Claims: 1,
		Grants: []recovery.Grant{{At: at.Now(), Currency: "USD", Minor: 500, Units: 5}}}
	if diff := cmp.Diff(want, s.Customer); s.Found || s.Version != 0 || diff != "" {
		t.Errorf("found %t, version %d (-want +got):\n%s", s.Found, s.Version, diff)
	}

	// A case that is opened now has another number.
	at.add(time.Hour)
	if r := mustUpdate(t, l, one(l, "later life", "b"), promises(at.Now(), "")); r.Replayed || string(r.Answer) != "case 2" {
		t.Errorf("after the erasure: %+v", r)
	}
	if _, _, err := l.Case(t.Context(), CaseID(w.Key, 1)); !errors.Is(err, ErrNotFound) {
		t.Errorf("the erased case: %v", err)
	}
	if asAdmin(t, l).client.HExists(t.Context(), n.customer, tombField).Val() {
		t.Error("the tombstone stays in the new life")
	}
	if ttl := asAdmin(t, l).client.PTTL(t.Context(), n.customer).Val(); ttl != -1 {
		t.Errorf("with an open case, the customer lives %v", ttl)
	}

	// Both lives are in the next tombstone; what is too old is not.
	mustErase(t, l, w.Key, ninetyDays)
	want = recovery.Customer{Cases: 2, Orders: 2, Claims: 2,
		Grants: []recovery.Grant{{At: at.Now(), Currency: "USD", Minor: 1000, Units: 10}}}
	if diff := cmp.Diff(want, mustLoad(t, l, w.Key).Customer); diff != "" {
		t.Errorf("after two lives (-want +got):\n%s", diff)
	}
	mustUpdate(t, l, one(l, "later life", "order"), count)
	if ttl := asAdmin(t, l).client.PTTL(t.Context(), n.customer).Val(); ttl < lifetime-time.Minute {
		t.Errorf("without an open case, the customer lives %v", ttl)
	}
	at.add(ninetyDays)
	mustErase(t, l, w.Key, ninetyDays)
	if got := mustLoad(t, l, w.Key).Customer; len(got.Grants) > 0 || got.Orders != 3 {
		t.Errorf("after ninety days: %+v", got)
	}

	// A tombstone goes by itself.
	mustUpdate(t, l, Write{Key: w.Key, Tenant: "shop"}, func(c recovery.Customer, _ []int) (Judgement, error) {
		c.Orders++
		return Judgement{Customer: c}, nil
	})
	at.add(erasedTime)
	mustErase(t, l, w.Key, 20*time.Millisecond)
	for end := time.Now().Add(10 * time.Second); len(traces(t, l, w.Key)) > 0; {
		if time.Now().After(end) {
			t.Fatalf("left after the tombstone is over: %q", traces(t, l, w.Key))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func noTombstone(t *testing.T, open opener) {
	l := open(t)
	w := one(l, "no tombstone", "a")
	mustUpdate(t, l, Write{Key: w.Key, Tenant: "shop"}, func(c recovery.Customer, _ []int) (Judgement, error) {
		c.Positives = 3
		return Judgement{Customer: c}, nil
	})
	if gone := mustErase(t, l, w.Key, ninetyDays); gone != (Erased{Found: true}) {
		t.Errorf("erased %+v", gone)
	}
	if left := traces(t, l, w.Key); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	if gone := mustErase(t, l, l.Key("shop", "nobody at all"), ninetyDays); gone != (Erased{}) {
		t.Errorf("of a stranger: %+v", gone)
	}
	if _, err := l.Erase(t.Context(), "shop", "nonsense", ninetyDays); !errors.Is(err, ErrNotFound) {
		t.Errorf("a malformed key: %v", err)
	}

	// Events outlive a customer who was not seen for 400 days.
	mustUpdate(t, l, w, opens)
	n, _ := l.buckets.of(w.Key)
	asAdmin(t, l).client.Del(t.Context(), n.customer)
	if gone := mustErase(t, l, w.Key, ninetyDays); gone != (Erased{Found: true, Events: 1}) {
		t.Errorf("erased %+v of a customer long gone", gone)
	}
}

// changeBetween commits between the reading and the erasing of the first round.
func changeBetween(t *testing.T, open opener) {
	var l *Ledger
	var w Write
	between := 1
	l = open(t, func(o *Options) {
		o.Observe = func(_ context.Context, op string, _ Key) func(error) {
			if op == "erase" && between > 0 {
				between--
				mustUpdate(t, l, w, opens)
			}
			return func(error) {}
		}
	})
	w = one(l, "between", "second")
	mustUpdate(t, l, one(l, "between", "first"), opens)
	if gone := mustErase(t, l, w.Key, ninetyDays); gone.Cases != 2 || gone.Events != 2 || gone.Answers != 2 {
		t.Errorf("erased %+v; the change between is lost", gone)
	}
	if left := traces(t, l, w.Key); len(left) != 1 {
		t.Errorf("left: %q", left)
	}
}

// judgedBefore: whoever judged a stranger, or another tombstone, judges again.
func judgedBefore(t *testing.T, open opener) {
	l := open(t)
	w := one(l, "judged before", "late")
	for round := range 3 {
		judged := 0
		w.Requests[0].ID = fmt.Sprint("late ", round)
		mustUpdate(t, l, w, func(c recovery.Customer, fresh []int) (Judgement, error) {
			if judged++; judged == 1 { // meanwhile a life goes by
				mustUpdate(t, l, one(l, "judged before", fmt.Sprint("early ", round)), opens)
				mustErase(t, l, w.Key, ninetyDays)
			}
			return opens(c, fresh)
		})
		if s := mustLoad(t, l, w.Key); judged != 2 || s.Customer.Cases != int64(2*round+2) {
			t.Errorf("round %d: judged %d times, %d cases; want 2 and %d", round, judged, s.Customer.Cases, 2*round+2)
		}
		mustErase(t, l, w.Key, ninetyDays)
	}
}

// erasedTwiceSent loses the answer of the script: the second sending, and a call
// that finds the customer gone, tell what the first removed.
func erasedTwiceSent(t *testing.T, open opener) {
	l := open(t)
	w := one(l, "sent twice", "a")
	mustUpdate(t, l, w, opens)
	n, _ := l.buckets.of(w.Key)
	e := &erasure{ledger: l, key: w.Key, names: n, window: ninetyDays}
	at, err := l.fetch(t.Context(), n, nil)
	if err != nil {
		t.Fatal(err)
	}
	found, err := e.survey(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	e.done = found.count
	for sending := range 2 {
		if err := e.remove(t.Context(), found); err != nil {
			t.Errorf("sending %d: %v", sending+1, err)
		}
	}
	if err := e.try(t.Context()); err != nil || !e.done.Found || e.done.Cases != 1 || e.done.Until.IsZero() {
		t.Errorf("after a lost answer: %+v, %v", e.done, err)
	}
}

// erasedAtOnce: every change is made once, on top of what was there before or of
// its tombstone, and what is left at any moment is whole.
func erasedAtOnce(t *testing.T, open opener) {
	l := open(t)
	const callers = 32
	key := l.Key("shop", "at once")
	var mu sync.Mutex
	answers := map[string]bool{}
	var wg sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for i := range callers {
		wg.Go(func() {
			results, err := l.Update(ctx, one(l, "at once", fmt.Sprint("request ", i)), opens)
			if err != nil {
				t.Errorf("caller %d: %v (%v)", i, err, Cause(err))
				return
			}
			mu.Lock()
			defer mu.Unlock()
			answers[string(results[0].Answer)] = true
		})
		if i%4 > 0 {
			continue
		}
		wg.Go(func() {
			if _, err := l.Erase(ctx, "shop", key, ninetyDays); err != nil {
				t.Errorf("erasure %d: %v (%v)", i, err, Cause(err))
			}
		})
	}
	wg.Wait()
	if c := mustLoad(t, l, key).Customer; c.Cases != callers || len(answers) != callers {
		t.Errorf("%d cases were opened and %d answered, want %d", c.Cases, len(answers), callers)
	}
	mustUpdate(t, l, one(l, "at once", "last"), opens)
	left := len(mustLoad(t, l, key).Customer.Open)
	n, _ := l.buckets.of(key)
	listed := 0
	for _, member := range asAdmin(t, l).client.ZRange(t.Context(), n.open("shop"), 0, -1).Val() {
		if strings.HasPrefix(member, string(key)) {
			listed++
		}
	}
	last := mustErase(t, l, key, ninetyDays)
	if last.Cases != left || last.Answers != left || last.Events != left || listed != left {
		t.Errorf("%d cases are left, and of them %d in the index, and erased %+v", left, listed, last)
	}
	if left := traces(t, l, key); len(left) != 1 {
		t.Errorf("left: %q", left)
	}
}

// knownHoles: the numbers that are missing in the stream are those recorded.
func knownHoles(t *testing.T, open opener) {
	l := open(t, func(o *Options) { o.Buckets = 0 })
	w := one(l, "holes", "a")
	n, _ := l.buckets.of(w.Key)
	asAdmin(t, l).client.Del(t.Context(), n.events, n.erased())
	neighbour := w // of the same bucket
	for i := 0; neighbour.Key == w.Key || sameBucket(l, neighbour.Key) != n.tag; i++ {
		neighbour = one(l, fmt.Sprint("neighbour ", i), "a")
	}
	for i := range 3 {
		w.Requests[0].ID, neighbour.Requests[0].ID = fmt.Sprint(i), fmt.Sprint(i)
		mustUpdate(t, l, w, opens)
		mustUpdate(t, l, neighbour, opens)
	}
	mustErase(t, l, w.Key, ninetyDays)
	if got := fmt.Sprint(asAdmin(t, l).client.ZRange(t.Context(), n.erased(), 0, -1).Val()); got != "[0 2 4]" {
		t.Errorf("erased: %s", got)
	}
	var ids []string
	for _, entry := range asAdmin(t, l).client.XRange(t.Context(), n.events, "-", "+").Val() {
		ids = append(ids, entry.ID)
	}
	if fmt.Sprint(ids) != "[1-1 1-3 1-5]" {
		t.Errorf("left in the stream: %v", ids)
	}

	// The numbers go on, even when all events are gone; what lies before the
	// oldest event is forgotten, but for the one next to it.
	asAdmin(t, l).client.XTrimMaxLen(t.Context(), n.events, 1)
	mustErase(t, l, neighbour.Key, ninetyDays)
	w.Requests[0].ID = "another"
	mustUpdate(t, l, w, opens)
	if entries := asAdmin(t, l).client.XRange(t.Context(), n.events, "-", "+").Val(); len(entries) != 1 || entries[0].ID != "1-6" {
		t.Errorf("the next event: %v", entries)
	}
	if got := fmt.Sprint(asAdmin(t, l).client.ZRange(t.Context(), n.erased(), 0, -1).Val()); got != "[4 5]" {
		t.Errorf("erased: %s", got)
	}
}

func sameBucket(l *Ledger, key Key) string {
	n, _ := l.buckets.of(key)
	return n.tag
}

func eraseWrongType(t *testing.T, open opener) {
	l := open(t)
	w := one(l, "wrong type", "a")
	n, _ := l.buckets.of(w.Key)
	asAdmin(t, l).client.Del(t.Context(), n.erased())
	mustUpdate(t, l, w, opens)
	asAdmin(t, l).client.Set(t.Context(), n.erased(), "a string", 0)
	before := dump(t, l)
	if _, err := l.Erase(t.Context(), "shop", w.Key, ninetyDays); !errors.Is(err, ErrBroken) {
		t.Errorf("got %v", err)
	}
	unchanged(t, l, before)
	asAdmin(t, l).client.Del(t.Context(), n.erased())
	mustErase(t, l, w.Key, ninetyDays)
}

func TestATombstoneSurvivesTheStore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := recovery.Customer{
			Cases:  rapid.Int64().Draw(t, "cases"),
			Orders: rapid.Int64().Draw(t, "orders"),
			Claims: rapid.Int64().Draw(t, "claims"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "grants") {
			c.Grants = append(c.Grants, recovery.Grant{At: moment(rapid.Int64().Draw(t, "at")), Currency: "USD",
				Minor: rapid.Int64().Draw(t, "minor"), Units: rapid.Float64().Draw(t, "units")})
		}
		var erased []erasedDay
		for d := range rapid.Int32Range(0, 3).Draw(t, "days") {
			erased = append(erased, erasedDay{d, rapid.SliceOfN(rapid.Byte(), 16, 64).Draw(t, "hashes")})
		}
		body, err := encodeTombstone(c, erased)
		if err != nil {
			t.Fatal(err)
		}
		got, err := read(string(body), tombstoneFields)
		if diff := cmp.Diff(state{customer: c, erased: erased}, got, cmp.AllowUnexported(state{}, erasedDay{})); err != nil || diff != "" {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
	})
}

func TestGrantsAreFolded(t *testing.T) {
	now := newClock().Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	got := foldGrants([]recovery.Grant{
		{Case: 1, At: ago(ninetyDays), Currency: "USD", Minor: 1, Units: 1},
		{Case: 2, At: ago(ninetyDays - 1), Currency: "USD", Minor: 2, Units: 2},
		{Case: 3, At: ago(time.Hour), Currency: "EUR", Minor: 4, Units: 5},
		{Case: 4, At: ago(time.Minute), Currency: "USD", Minor: 8, Units: 8},
		{Case: 5, At: ago(time.Hour), Currency: "USD", Minor: 16, Units: 16},
	}, ninetyDays, now)
	want := []recovery.Grant{
		{At: ago(time.Hour), Currency: "EUR", Minor: 4, Units: 5},
		{At: ago(time.Minute), Currency: "USD", Minor: 26, Units: 26},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("folded (-want +got):\n%s", diff)
	}
}

// Too few replicas: what was done is there, but whoever asked must ask again.
func TestErasingAndBookingWaitForReplicas(t *testing.T) {
	t.Parallel()
	url := redistest.Shared(t).URL()
	l := openAt(t, url)
	waiting := openAt(t, url, func(o *Options) { o.Wait = 1 })
	w := one(l, "awaited", "a")
	mustUpdate(t, l, w, opens)
	var gone *Unavailable
	for range 2 { // the erasure, and a repetition that finds nothing
		if _, err := waiting.Erase(t.Context(), "shop", w.Key, ninetyDays); !errors.As(err, &gone) || !gone.Unknown {
			t.Errorf("erased: %v", err)
		}
	}
	b := booking(l, t, newClock(), "one")
	if _, err := waiting.Book(t.Context(), b, "", 1, 1, b.Day.Add(time.Hour)); !errors.As(err, &gone) || !gone.Unknown {
		t.Errorf("booked: %v", err)
	}
	if left := traces(t, l, w.Key); len(left) != 1 {
		t.Errorf("left: %q", left)
	}
}
