package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/redistest"
)

// ask makes one request and tells whether it was refused because of an erasure.
func ask(t *testing.T, l *Ledger, customer, id string) (refused bool) {
	t.Helper()
	r := mustUpdate(t, l, one(l, customer, id), opens)
	if r.Err != nil && !errors.Is(r.Err, ErrErased) || r.Err != nil && (r.Answer != nil || r.Replayed) {
		t.Errorf("request %s: %+v", id, r)
	}
	return r.Err != nil
}

// askedAgain: whoever repeats what was answered in an erased life is refused for
// as long as the answer would have been kept, in whichever life.
func askedAgain(t *testing.T, open opener) {
	at := newClock()
	l := open(t, func(o *Options) { o.Now = at.Now })
	const customer = "asks again"
	key := l.Key("shop", customer)
	ask(t, l, customer, "first day")
	at.add(5 * 24 * time.Hour)
	ask(t, l, customer, "later")
	mustErase(t, l, key, ninetyDays)
	for _, id := range []string{"first day", "later"} {
		if !ask(t, l, customer, id) {
			t.Errorf("%s: carried out again after the erasure", id)
		}
	}
	if s := mustLoad(t, l, key); s.Found {
		t.Error("the refusal began a new life")
	}
	if ask(t, l, customer, "new") {
		t.Error("a new request is refused")
	}
	for _, id := range []string{"first day", "later"} {
		if !ask(t, l, customer, id) {
			t.Errorf("%s: carried out again in the new life", id)
		}
	}
	w := one(l, customer, "later")
	w.Requests = append(w.Requests, Request{ID: "beside"}, w.Requests[0], Request{ID: "later", Payload: []byte("another")})
	results, err := l.Update(t.Context(), w, opens)
	if err != nil || results[1].Err != nil || string(results[1].Answer) != "case 4" {
		t.Errorf("the request beside it: %+v, %v", results, err)
	}
	for _, i := range []int{0, 2, 3} {
		if !errors.Is(results[i].Err, ErrErased) {
			t.Errorf("request %d of the call: %+v", i, results[i])
		}
	}

	mustErase(t, l, key, ninetyDays) // both lives
	for _, id := range []string{"first day", "later", "new", "beside"} {
		if !ask(t, l, customer, id) {
			t.Errorf("%s: carried out again after the second erasure", id)
		}
	}
	at.add(4 * 24 * time.Hour) // the first day is nine days ago
	if ask(t, l, customer, "first day") || !ask(t, l, customer, "later") {
		t.Error("what is forgotten is not what is too old")
	}
	at.add(5 * 24 * time.Hour)
	if ask(t, l, customer, "later") || ask(t, l, customer, "beside") {
		t.Error("remembered for too long")
	}
	n := mustNames(t, l, key)
	if s, err := decodeState(asAdmin(t, l).client.HGet(t.Context(), n.customer, "s").Val()); err != nil || len(s.erased) > 0 {
		t.Errorf("kept for too long: %v, %v", s.erased, err)
	}
}

// Who left requests alone leaves them for as long as they count.
func TestTombstoneOfRequestsAlone(t *testing.T) {
	l := openAt(t, Embedded)
	w := one(l, "requests alone", "a")
	mustUpdate(t, l, w, func(c recovery.Customer, _ []int) (Judgement, error) {
		c.Positives = 1
		return Judgement{Customer: c, Answers: [][]byte{nil}}, nil
	})
	mustErase(t, l, w.Key, ninetyDays)
	if ttl := asAdmin(t, l).client.PTTL(t.Context(), mustNames(t, l, w.Key).customer).Val(); ttl > erasedTime || ttl < erasedTime-time.Minute {
		t.Errorf("the tombstone lives %v, want %v", ttl, erasedTime)
	}
}

func TestErasedRequestsAreBounded(t *testing.T) {
	var days []erasedDay
	for d := range int32(5) {
		days = addErased(days, erasedDay{d, bytes.Repeat([]byte{byte(d)}, requestSize*mostErased/2)})
	}
	days = addErased(days, erasedDay{4, []byte("one and " + "the last" + "half")})
	kept := stillErased(days, 5)
	size := 0
	for _, d := range kept {
		size += len(d.hashes)
	}
	last := kept[len(kept)-1]
	if size != requestSize*mostErased || last.day != 4 || !bytes.HasSuffix(last.hashes, []byte("the last")) || kept[0].day != 3 {
		t.Errorf("%d bytes are kept, of days %d to %d", size, kept[0].day, last.day)
	}
}

// eraseDamaged: what is known of a customer who cannot be read goes, without a
// tombstone; nothing of the neighbours does.
func eraseDamaged(t *testing.T, open opener) {
	var log bytes.Buffer
	at := newClock()
	l := open(t, func(o *Options) { o.Now, o.Logger = at.Now, slog.New(slog.NewTextHandler(&log, nil)) })
	w := one(l, "damaged", "a")
	n := mustNames(t, l, w.Key)
	mustUpdate(t, l, one(l, "damaged", "closed"), promises(at.Now(), BookingName(at.Now(), "one")))
	mustUpdate(t, l, one(l, "damaged", "close"), closes)
	mustUpdate(t, l, w, promises(at.Now(), BookingName(at.Now(), "two")))
	neighbour := one(l, "beside the damaged", "a")
	mustUpdate(t, l, neighbour, opens)
	b := Booking{Tenant: "shop", Currency: "USD", Day: at.Now(), CaseID: CaseID(w.Key, 2), Name: BookingName(at.Now(), "two")}
	if _, err := l.Book(t.Context(), b, "", 500, 10_000, at.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	asAdmin(t, l).client.HSet(t.Context(), n.customer, "s", "\xff\xff")
	want := Erased{Found: true, Cases: 2, Answers: 3, Events: 3}
	if gone := mustErase(t, l, w.Key, ninetyDays); gone != want {
		t.Errorf("erased %+v, want %+v", gone, want)
	}
	if left := traces(t, l, w.Key); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	if !strings.Contains(log.String(), n.customer) {
		t.Errorf("the log does not name the key: %s", log.String())
	}
	if s := mustLoad(t, l, neighbour.Key); len(s.Customer.Open) != 1 {
		t.Errorf("the neighbour has %d open cases", len(s.Customer.Open))
	}

	// A tombstone that cannot be read goes, too.
	asAdmin(t, l).client.HSet(t.Context(), n.customer, tombField, "\xff\xff")
	if gone := mustErase(t, l, w.Key, ninetyDays); gone != (Erased{Found: true}) || len(traces(t, l, w.Key)) > 0 {
		t.Errorf("a damaged tombstone: %+v, left %q", gone, traces(t, l, w.Key))
	}
}

// TestEraseEndsAtTheDeadline: changes that come between time and again are told
// as such, and are no fault of the store.
func TestEraseEndsAtTheDeadline(t *testing.T) {
	var l *Ledger
	var n atomic.Int64
	l = openAt(t, redistest.Shared(t).URL(), func(o *Options) {
		o.Observe = func(_ context.Context, op string, _ Key) func(error) {
			if op == "erase" {
				mustUpdate(t, l, one(l, "never at rest", fmt.Sprint(n.Add(1))), opens)
			}
			return func(error) {}
		}
	})
	w := one(l, "never at rest", "first")
	mustUpdate(t, l, w, opens)
	var err error
	for range 10 { // a deadline that falls into the last round trip leaves open what was done
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		_, err = l.Erase(ctx, "shop", w.Key, ninetyDays)
		cancel()
		if gone := new(Unavailable); !errors.As(err, &gone) || !gone.Unknown {
			break
		}
	}
	if !errors.Is(err, ErrConflict) || n.Load() < 2 {
		t.Errorf("after %d changes: %v (%v), want ErrConflict", n.Load(), err, Cause(err))
	}
}

// eraseBesideJunk: what nobody here wrote speaks of no customer.
func eraseBesideJunk(t *testing.T, open opener) {
	l := open(t)
	w := one(l, "beside junk", "a")
	n := mustNames(t, l, w.Key)
	mustUpdate(t, l, w, opens)
	for _, junk := range [][]string{{"e", "\xff\xff"}, {"x", "y"}} {
		if err := asAdmin(t, l).client.XAdd(t.Context(), &redis.XAddArgs{Stream: n.events, ID: "1-*", Values: junk}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	mustUpdate(t, l, one(l, "beside junk", "b"), opens)
	if gone := mustErase(t, l, w.Key, ninetyDays); gone.Events != 2 {
		t.Errorf("erased %+v, want two events", gone)
	}
	asAdmin(t, l).client.Del(t.Context(), n.events, n.erased()) // others use the bucket
}

// TestDamagedCustomerIsAlone: one customer who cannot be read hides no other
// from lists and from the walk that mends indexes, and is named in the log.
func TestDamagedCustomerIsAlone(t *testing.T) {
	var log bytes.Buffer
	l := openAt(t, redistest.Shared(t).URL(), func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	var keys []Key
	for i := range 40 {
		keys = append(keys, keep(t, l, "shop", fmt.Sprint(i), at(1, 7)))
		mustUpdate(t, l, Write{Key: keys[i]}, asItIs(l, keys[i]))
	}
	damaged, mistyped := mustNames(t, l, keys[0]).customer, mustNames(t, l, keys[1]).customer
	asAdmin(t, l).client.HSet(t.Context(), damaged, "s", "\xff\xff")
	if got := pages(t, l, Query{Tenant: "shop", Most: 100}); len(got) != 39 || !strings.Contains(log.String(), damaged) {
		t.Errorf("%d cases are listed, want all but one; log:\n%s", len(got), log.String())
	}
	if err := l.Ready(t.Context()); err != nil {
		t.Errorf("the store is blamed: %v", err)
	}
	if _, err := l.Load(t.Context(), keys[0]); !errors.Is(err, ErrDamaged) || !errors.Is(err, ErrBroken) || !strings.Contains(Cause(err).Error(), damaged) {
		t.Errorf("loaded: %v (%v)", err, Cause(err))
	}
	asAdmin(t, l).client.Del(t.Context(), mistyped)
	asAdmin(t, l).client.Set(t.Context(), mistyped, "a string", 0)
	for _, key := range keys[2:] {
		asAdmin(t, l).client.ZRem(t.Context(), mustNames(t, l, key).due, string(key))
	}
	told := map[Key]bool{}
	_, err := l.Repair(t.Context(), soon, func(key Key) { told[key] = true })
	if len(told) != 38 {
		t.Errorf("%d customers are told of, want 38", len(told))
	}
	for _, name := range []string{damaged, mistyped} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named: %v", name, err)
		}
	}
	if got := pages(t, l, Query{Tenant: "shop", Most: 100}); len(got) != 38 {
		t.Errorf("%d cases are listed, want 38", len(got))
	}
	if err := l.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), mistyped) {
		t.Errorf("a key of the wrong type: %v", err)
	}
}

// afterwards does something once, before the bookings of who was erased are looked for.
type afterwards struct {
	alone
	do func()
}

func (h *afterwards) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if do := h.do; do != nil && cmd.Name() == "zscan" {
			h.do = nil
			do()
		}
		return next(ctx, cmd)
	}
}

// Who comes back while the rest of the erasure is under way keeps what is booked for
// the new life.
func TestABookingOfANewLifeIsNoStray(t *testing.T) {
	url := redistest.Server(t).URL()
	l, other := openAt(t, url), openAt(t, url)
	w := one(l, "back at once", "a")
	mustUpdate(t, l, w, opens)
	b := Booking{Tenant: "shop", Currency: "USD", Day: time.Now(), CaseID: CaseID(w.Key, 1), Name: BookingName(time.Now(), "a")}
	check := time.Now().Add(time.Hour)
	mustBook(t, l, b, 500, 10_000, check)
	l.client.AddHook(&afterwards{do: func() {
		mustUpdate(t, other, one(l, "back at once", "b"), opens)
		b.CaseID = CaseID(w.Key, 2)
		mustBook(t, other, b, 30, 10_000, check)
	}})
	mustErase(t, l, w.Key, ninetyDays)
	used(t, l, b, 30)
	mustErase(t, l, w.Key, ninetyDays)
	used(t, l, b, 0)
}
