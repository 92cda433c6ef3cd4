package ledger

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/internal/recovery"
	ledgerv1 "github.com/makeamends/amends/proto/recovery/ledger/v1"
)

// opens is a judge that opens a case for each fresh request.
func opens(c recovery.Customer, fresh []int) (Judgement, error) {
	j := Judgement{}
	for range fresh {
		c.Cases++
		c.Open = append(c.Open, recovery.Case{
			Number:   c.Cases,
			State:    recovery.Open,
			Revision: 1,
			Fresh:    []recovery.Transition{{Change: recovery.ChangeOpened}},
		})
		j.Answers = append(j.Answers, fmt.Appendf(nil, "case %d", c.Cases))
	}
	j.Customer, j.Due = c, time.UnixMilli(1_800_000_000_000)
	return j, nil
}

// closes is a judge that closes all open cases.
func closes(c recovery.Customer, fresh []int) (Judgement, error) {
	for _, k := range c.Open {
		k.State = recovery.Resolved
		k.Revision++
		k.Fresh = []recovery.Transition{{Change: recovery.ChangeResolved}}
		c.Closed = append(c.Closed, k)
	}
	c.Open = nil
	return Judgement{Customer: c, Answers: make([][]byte, len(fresh))}, nil
}

func sevenDays(t *testing.T, open opener) {
	at := newClock()
	l := open(t, func(o *Options) { o.Now = at.Now })
	w := one(l, "seven days", "old")
	mustUpdate(t, l, w, count)
	mustUpdate(t, l, one(l, "seven days", "on the same day"), count)
	at.add(7*24*time.Hour - time.Second)
	mustUpdate(t, l, one(l, "seven days", "young"), count)
	if r := mustUpdate(t, l, w, count); !r.Replayed || string(r.Answer) != "order 1" {
		t.Errorf("within seven days: %+v", r)
	}
	at.add(-30 * 24 * time.Hour) // a clock that steps back removes nothing
	mustUpdate(t, l, one(l, "seven days", "back"), count)
	at.add(30 * 24 * time.Hour)
	if r := mustUpdate(t, l, w, count); !r.Replayed {
		t.Errorf("after the clock stepped back: %+v", r)
	}

	at.add(9 * 24 * time.Hour)
	mustUpdate(t, l, one(l, "seven days", "new"), count)
	if _, fields := size(t, l, w.Key); fields != 3 { // v, s, r: of "new"
		t.Errorf("%d fields are left, want 3", fields)
	}
	if r := mustUpdate(t, l, w, count); r.Replayed {
		t.Errorf("after seven days: %+v", r)
	}
}

func cases(t *testing.T, open opener) {
	l := open(t)
	w := one(l, "cases", "a")
	mustUpdate(t, l, w, opens)
	mustUpdate(t, l, one(l, "cases", "b"), opens)
	mustUpdate(t, l, one(l, "cases", "close"), closes)
	mustUpdate(t, l, one(l, "cases", "c"), opens)

	for number, want := range map[int64]recovery.State{1: recovery.Resolved, 2: recovery.Resolved, 3: recovery.Open} {
		s, k, err := l.Case(t.Context(), CaseID(w.Key, number))
		if err != nil || k.Number != number || k.State != want || s.Tenant != "shop" || s.Key != w.Key {
			t.Errorf("case %d: %s %s %+v, %v", number, s.Tenant, s.Key, k, err)
		}
	}
	s, list, err := l.Cases(t.Context(), w.Key)
	if err != nil || len(list) != 3 || list[0].Number != 3 || list[2].Number != 1 || !s.Found {
		t.Errorf("all cases: %+v, %v", list, err)
	}

	for _, id := range []string{CaseID(w.Key, 4), CaseID(l.Key("shop", "nobody"), 1), "nonsense"} {
		if _, _, err := l.Case(t.Context(), id); !errors.Is(err, ErrNotFound) {
			t.Errorf("case %s: %v", id, err)
		}
	}
	if s, list, err := l.Cases(t.Context(), l.Key("shop", "nobody")); err != nil || s.Found || len(list) > 0 {
		t.Errorf("cases of a stranger: %+v, %v", list, err)
	}
	if _, err := l.Load(t.Context(), "nonsense"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a malformed key: %v", err)
	}

	// A case that is opened again is no closed one any more.
	mustUpdate(t, l, one(l, "cases", "reopen"), func(c recovery.Customer, _ []int) (Judgement, error) {
		c.Open = append(c.Open, recovery.Case{Number: 1, State: recovery.Open})
		return Judgement{Customer: c, Answers: [][]byte{nil}}, nil
	})
	if _, list, _ := l.Cases(t.Context(), w.Key); len(list) != 3 {
		t.Errorf("%d cases after one of three was opened again", len(list))
	}
}

func manyCases(t *testing.T, open opener) {
	l := open(t)
	key := l.Key("shop", "many cases")
	for i := range 30 {
		w := one(l, "many cases", fmt.Sprint("open ", i))
		for j := range 3 {
			w.Requests = append(w.Requests, Request{ID: fmt.Sprint("open ", i, " ", j)})
		}
		mustUpdate(t, l, w, opens)
		mustUpdate(t, l, one(l, "many cases", fmt.Sprint("close ", i)), closes)
	}
	_, list, err := l.Cases(t.Context(), key)
	if err != nil || len(list) != mostClosed || list[0].Number != 120 || list[99].Number != 21 {
		t.Errorf("%d cases are kept, %v", len(list), err)
	}
	if _, _, err := l.Case(t.Context(), CaseID(key, 20)); !errors.Is(err, ErrNotFound) {
		t.Errorf("the oldest case: %v", err)
	}
}

func dueAndLifetime(t *testing.T, open opener) {
	at := newClock()
	l := open(t, func(o *Options) { o.Now = at.Now })
	w := one(l, "due", "open")
	n, _ := l.buckets.of(w.Key)
	mustUpdate(t, l, w, func(c recovery.Customer, fresh []int) (Judgement, error) {
		j, err := opens(c, fresh)
		j.Due = time.Unix(1_800_000_000, 1) // a nanosecond past: never early
		return j, err
	})
	if got := asAdmin(t, l).client.ZScore(t.Context(), n.due, string(w.Key)).Val(); got != 1_800_000_000_001 {
		t.Errorf("due at %.0f ms", got)
	}
	if got := asAdmin(t, l).client.PTTL(t.Context(), n.customer).Val(); got != -1 {
		t.Errorf("with an open case, the customer lives %v", got)
	}
	mustUpdate(t, l, one(l, "due", "close"), closes)
	if err := asAdmin(t, l).client.ZScore(t.Context(), n.due, string(w.Key)).Err(); err == nil {
		t.Error("still due after the last case closed")
	}
	if got := asAdmin(t, l).client.PTTL(t.Context(), n.customer).Val(); got <= lifetime-time.Minute || got > lifetime {
		t.Errorf("without an open case, the customer lives %v", got)
	}
	asAdmin(t, l).client.PExpire(t.Context(), n.customer, time.Hour)
	mustUpdate(t, l, one(l, "due", "the same day"), count)
	if got := asAdmin(t, l).client.PTTL(t.Context(), n.customer).Val(); got > time.Hour {
		t.Errorf("on the same day, the lifetime begins anew: %v", got)
	}
	at.add(24 * time.Hour)
	mustUpdate(t, l, one(l, "due", "a day later"), count)
	if got := asAdmin(t, l).client.PTTL(t.Context(), n.customer).Val(); got <= lifetime-time.Minute {
		t.Errorf("a day later, the customer lives %v", got)
	}
	mustUpdate(t, l, one(l, "due", "again"), opens)
	if got := asAdmin(t, l).client.PTTL(t.Context(), n.customer).Val(); got != -1 {
		t.Errorf("with an open case again, the customer lives %v", got)
	}
}

// dueThatStays: a change that leaves alone what is due next leaves the index alone,
// unless it is to be written anew.
func dueThatStays(t *testing.T, open opener) {
	l := open(t)
	w := one(l, "due stays", "open")
	n := mustNames(t, l, w.Key)
	first, second := time.UnixMilli(1_800_000_000_000), time.UnixMilli(1_900_000_000_000)
	mustUpdate(t, l, w, func(c recovery.Customer, fresh []int) (Judgement, error) {
		j, err := opens(c, fresh)
		j.Due = first
		return j, err
	})
	for i, c := range []struct {
		before, due time.Time
		reindex     bool
		written     bool
	}{
		{before: first, due: first},
		{before: first, due: first, reindex: true, written: true},
		{due: first, written: true},
		{before: first, due: second, written: true},
		{before: second, due: second},
		{before: second, due: first, written: true},
	} {
		if err := asAdmin(t, l).client.ZRem(t.Context(), n.due, string(w.Key)).Err(); err != nil {
			t.Fatal(err)
		}
		again := one(l, "due stays", fmt.Sprint("again ", i))
		again.Reindex = c.reindex
		mustUpdate(t, l, again, func(customer recovery.Customer, fresh []int) (Judgement, error) {
			j, err := count(customer, fresh)
			j.DueBefore, j.Due = c.before, c.due
			return j, err
		})
		score, err := asAdmin(t, l).client.ZScore(t.Context(), n.due, string(w.Key)).Result()
		if written := err == nil && int64(score) == c.due.UnixMilli(); written != c.written {
			t.Errorf("%+v: written %t at %.0f (%v)", c, written, score, err)
		}
	}
	mustUpdate(t, l, one(l, "due stays", "close"), closes)
	if err := asAdmin(t, l).client.ZScore(t.Context(), n.due, string(w.Key)).Err(); err == nil {
		t.Error("still due after the last case closed")
	}
}

func eventNumbers(t *testing.T, open opener) {
	l := open(t)
	w := one(l, "events", "a")
	n, _ := l.buckets.of(w.Key)
	asAdmin(t, l).client.Del(t.Context(), n.events) // what others left in this bucket
	for i := range 3 {
		mustUpdate(t, l, one(l, "events", fmt.Sprint("open ", i)), opens)
		mustUpdate(t, l, one(l, "events", fmt.Sprint("nothing ", i)), count)
	}
	mustUpdate(t, l, one(l, "events", "close"), closes)
	entries := asAdmin(t, l).client.XRange(t.Context(), n.events, "-", "+").Val()
	if len(entries) != 6 {
		t.Fatalf("%d events, want 6", len(entries))
	}
	for i, entry := range entries {
		var e ledgerv1.Event
		if err := proto.Unmarshal([]byte(entry.Values["e"].(string)), &e); err != nil {
			t.Fatal(err)
		}
		change, revision := recovery.ChangeOpened, int64(1)
		if i >= 3 {
			change, revision = recovery.ChangeResolved, 2
		}
		if entry.ID != fmt.Sprintf("1-%d", i) || e.GetKey() != string(w.Key) || e.GetTenant() != "shop" ||
			e.GetCaseNumber() != int64(i%3+1) || e.GetChange() != uint32(change) || e.GetRevision() != revision {
			t.Errorf("event %s: %v", entry.ID, &e)
		}
	}
	if l.store.mode != embedded { // miniredis takes any number
		foreignStream(t, l, n)
	}

	// The numbers go on when old entries, or all of them, are trimmed.
	asAdmin(t, l).client.XTrimMaxLen(t.Context(), n.events, 0)
	mustUpdate(t, l, one(l, "events", "after"), opens)
	if entries := asAdmin(t, l).client.XRange(t.Context(), n.events, "-", "+").Val(); len(entries) != 1 || entries[0].ID != "1-6" {
		t.Errorf("after trimming: %v", entries)
	}
}

func policies(t *testing.T, open opener) {
	l := open(t)
	for range 2 {
		if err := l.KeepPolicy(t.Context(), "b", []byte("version: b")); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.KeepPolicy(t.Context(), "a", []byte("version: a")); err != nil {
		t.Fatal(err)
	}
	if err := l.KeepPolicy(t.Context(), "a", []byte("something else")); err != nil {
		t.Fatal(err)
	}
	if yaml, err := l.Policy(t.Context(), "a"); err != nil || string(yaml) != "version: a" {
		t.Errorf("policy a: %q, %v", yaml, err)
	}
	if _, err := l.Policy(t.Context(), "c"); !errors.Is(err, ErrNotFound) {
		t.Errorf("policy c: %v", err)
	}
	if list, err := l.Policies(t.Context()); err != nil || fmt.Sprint(list) != "[a b]" {
		t.Errorf("policies: %v, %v", list, err)
	}
}

func canary(t *testing.T, open opener) {
	l := open(t)
	w := Write{Key: l.Key("shop", "CANARY-customer"), Tenant: "shop", Requests: []Request{{ID: "CANARY-request", Payload: []byte("CANARY-payload")}}}
	mustUpdate(t, l, w, func(c recovery.Customer, fresh []int) (Judgement, error) {
		j, err := opens(c, fresh)
		j.Customer.Open[0].Order = l.Hash("order", "CANARY-order")
		j.Customer.Open[0].Incident = l.Hash("incident", "CANARY-incident")
		return j, err
	})
	all := dump(t, l)
	for k, v := range all {
		if strings.Contains(k+v, "CANARY") {
			t.Errorf("%q holds a raw id", k)
		}
	}
	if len(all) < 5 {
		t.Errorf("only %d entries were searched", len(all))
	}
}

func thousand(t *testing.T, open opener) {
	at := newClock()
	l := open(t, func(o *Options) { o.Now = at.Now })
	w := Write{Key: l.Key("shop", "thousand"), Tenant: "shop"}
	for i := range 1000 {
		w.Requests = append(w.Requests, Request{ID: fmt.Sprint("request ", i)})
	}
	for round := range 2 {
		results, err := l.Update(t.Context(), w, count)
		if err != nil {
			t.Fatal(err, Cause(err))
		}
		for i, r := range results {
			if r.Err != nil || r.Replayed != (round == 1) || string(r.Answer) != fmt.Sprint("order ", i+1) {
				t.Fatalf("round %d, request %d: %+v", round, i, r)
			}
		}
	}
	at.add(9 * 24 * time.Hour)
	mustUpdate(t, l, one(l, "thousand", "later"), count)
	if _, fields := size(t, l, w.Key); fields != 3 {
		t.Errorf("%d fields are left, want 3", fields)
	}
}

// boundedRequests: what is too much is refused, alone, until the oldest are
// forgotten; what was carried out before is still answered, and cases go on.
func boundedRequests(t *testing.T, open opener) {
	at := newClock()
	l := open(t, func(o *Options) { o.Now = at.Now })
	w := Write{Key: l.Key("shop", "too busy"), Tenant: "shop", Requests: make([]Request, 1000)}
	ask := func(kind string, step int64) (carried int, last error) {
		t.Helper()
		for i := range w.Requests {
			w.Requests[i].ID = fmt.Sprint(kind, i)
		}
		w.Requests[999] = Request{ID: w.Requests[998].ID, Payload: []byte("another")} // comes twice
		w.Case = step
		results, err := l.Update(t.Context(), w, count)
		if err != nil {
			t.Fatal(err, Cause(err))
		}
		for _, r := range results {
			if r.Err == nil && !r.Replayed {
				carried++
			}
		}
		return carried, results[999].Err
	}
	for day := range 5 {
		if n, err := ask(fmt.Sprint("day ", day), 0); n != 999 || !errors.Is(err, ErrReused) {
			t.Fatalf("day %d: %d carried out, %v", day, n, err)
		}
		at.add(24 * time.Hour)
	}
	n, err := ask("one day more", 0)
	var full *LimitError
	if n != 5 || !errors.As(err, &full) || full.RetryAfter != 4*24*time.Hour-9*time.Hour {
		t.Errorf("of 999 more %d are carried out, then %v (%+v)", n, err, full)
	}
	before := dump(t, l)
	if n, err := ask("day 3", 0); n != 0 || !errors.Is(err, ErrReused) {
		t.Errorf("again: %d carried out, %v", n, err)
	}
	if n, err := ask("none", 0); n != 0 || !errors.As(err, &full) {
		t.Errorf("none is left: %d carried out, %v", n, err)
	}
	unchanged(t, l, before)
	if n, err := ask("steps", 1); n != 999 || !errors.Is(err, ErrReused) {
		t.Errorf("steps: %d carried out, %v", n, err)
	}
	if n, err := ask("more steps", 1); n != 1 || !errors.As(err, &full) {
		t.Errorf("more steps: %d carried out, %v", n, err)
	}
	mustUpdate(t, l, Write{Key: w.Key}, count) // time
	if _, fields := size(t, l, w.Key); fields > 6000*34/32 {
		t.Errorf("%d fields", fields)
	}
	at.add(full.RetryAfter - time.Second)
	if n, _ := ask("too early", 1); n != 0 {
		t.Errorf("too early: %d carried out", n)
	}
	at.add(time.Second)
	if n, err := ask("when told", 1); n != 999 || !errors.Is(err, ErrReused) {
		t.Errorf("when told: %d carried out, %v", n, err)
	}
}

// foreignStream: a stream that somebody else numbered stops a change as a whole.
func foreignStream(t *testing.T, l *Ledger, n names) {
	foreign := asAdmin(t, l).client.XAdd(t.Context(), &redis.XAddArgs{Stream: n.events, Values: []string{"e", ""}}).Val()
	before := dump(t, l)
	if _, err := l.Update(t.Context(), one(l, "events", "foreign"), opens); !errors.Is(err, ErrBroken) {
		t.Errorf("a stream with entry %s: %v", foreign, err)
	}
	unchanged(t, l, before)
	asAdmin(t, l).client.Del(t.Context(), n.events)
	for i := range 6 {
		mustUpdate(t, l, one(l, "events", fmt.Sprint("again ", i)), opens)
	}
}
