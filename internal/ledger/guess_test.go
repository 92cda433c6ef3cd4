package ledger

import (
	"errors"
	"fmt"
	"testing"

	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/redistest"
)

// forgetful opens ledgers that remember nobody.
func forgetful(o *Options) { o.Cache = -1 }

// trips is what a ledger with a meter did at Redis since it was last asked.
func (c *counts) trips() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := fmt.Sprint(c.commands["hmget"], " reads, ", c.commands["evalsha"], " commits, ",
		c.guesses[guessRight], " right, ", c.guesses[guessWrong], " wrong, ", c.guesses[guessUnused], " unused")
	clear(c.commands)
	clear(c.guesses)
	return text
}

// One who is remembered, and a stranger, is changed in one round trip.
func TestOneRoundTrip(t *testing.T) {
	server := redistest.Shared(t)
	m := newCounts()
	l := openAt(t, server.URL(), func(o *Options) { o.Meter = m })
	mustUpdate(t, l, one(l, "loads the script", "a"), opens)
	m.trips()
	for i := range 100 {
		mustUpdate(t, l, one(l, fmt.Sprint("one trip ", i/10), fmt.Sprint("request ", i)), opens)
	}
	if got, want := m.trips(), "0 reads, 100 commits, 100 right, 0 wrong, 0 unused"; got != want {
		t.Errorf("a hundred changes were %s; want %s", got, want)
	}
	before := openAt(t, server.URL(), forgetful, func(o *Options) { o.Meter = m })
	for i := range 100 {
		mustUpdate(t, before, one(l, fmt.Sprint("one trip ", i/10), fmt.Sprint("another request ", i)), opens)
	}
	if got, want := m.trips(), "100 reads, 100 commits, 0 right, 0 wrong, 0 unused"; got != want {
		t.Errorf("without a memory a hundred changes were %s; want %s", got, want)
	}
}

func TestGuesses(t *testing.T) {
	for name, url := range map[string]string{"server": redistest.Shared(t).URL(), "cluster": redistest.Cluster(t, 3).URL()} {
		open := func(t testing.TB, edits ...func(*Options)) *Ledger { return openAt(t, url, edits...) }
		t.Run(name, func(t *testing.T) { guesses(t, open) })
		t.Run(name+", filed cases", func(t *testing.T) { guessFiled(t, open) })
	}
}

// Each step is what one of two processes does to one customer, and what it costs.
func guesses(t *testing.T, open opener) {
	m := newCounts()
	l := open(t, func(o *Options) { o.Meter = m })
	other := open(t, forgetful)
	const name = "guessed"
	key := l.Key("shop", name)
	step := func(what, want string, do func()) {
		t.Helper()
		l.guesses.known.wrong.Store(0) // so that it goes on guessing
		do()
		if got := m.trips(); got != want {
			t.Errorf("%s: %s; want %s", what, got, want)
		}
	}
	update := func(on *Ledger, id, answer string, replayed bool) {
		t.Helper()
		if r := mustUpdate(t, on, one(l, name, id), count); string(r.Answer) != answer || r.Replayed != replayed {
			t.Errorf("%s is answered %q, replayed %t; want %q, %t", id, r.Answer, r.Replayed, answer, replayed)
		}
	}
	mustUpdate(t, l, one(l, "loads the script", "a"), count)
	m.trips()

	step("a stranger", "0 reads, 1 commits, 1 right, 0 wrong, 0 unused", func() { update(l, "a", "order 1", false) })
	step("one who is known", "0 reads, 1 commits, 1 right, 0 wrong, 0 unused", func() { update(l, "b", "order 2", false) })
	step("a replay", "1 reads, 0 commits, 0 right, 0 wrong, 1 unused", func() { update(l, "a", "order 1", true) })
	update(other, "c", "order 3", false)
	step("changed elsewhere", "0 reads, 2 commits, 0 right, 1 wrong, 0 unused", func() { update(l, "d", "order 4", false) })
	update(other, "e", "order 5", false)
	step("done elsewhere, the memory stale", "0 reads, 1 commits, 0 right, 1 wrong, 0 unused", func() { update(l, "e", "order 5", true) })
	step("done elsewhere, the memory fresh", "1 reads, 0 commits, 0 right, 0 wrong, 1 unused", func() { update(l, "c", "order 3", true) })
	step("another payload under a known id", "1 reads, 0 commits, 0 right, 0 wrong, 1 unused", func() {
		w := one(l, name, "c")
		w.Requests[0].Payload = []byte("another")
		if r := mustUpdate(t, l, w, count); !errors.Is(r.Err, ErrReused) {
			t.Errorf("answered %+v", r)
		}
	})
	step("some done before, some not", "1 reads, 1 commits, 0 right, 0 wrong, 1 unused", func() {
		w := one(l, name, "f")
		w.Requests = append(w.Requests, one(l, name, "a").Requests...)
		got, err := l.Update(t.Context(), w, count)
		if err != nil || string(got[0].Answer) != "order 6" || string(got[1].Answer) != "order 1" || !got[1].Replayed {
			t.Errorf("answered %+v, %v", got, err)
		}
	})
	refusal := errors.New("refused")
	step("a refusal is read first", "1 reads, 0 commits, 0 right, 0 wrong, 1 unused", func() {
		update(other, "g", "order 7", false)
		_, err := l.Update(t.Context(), one(l, name, "h"), func(c recovery.Customer, _ []int) (Judgement, error) {
			return Judgement{}, fmt.Errorf("%w: %d orders", refusal, c.Orders)
		})
		if err == nil || err.Error() != "refused: 7 orders" {
			t.Errorf("refused with %v, want what stands", err)
		}
	})
	step("so is whose the customer is", "1 reads, 0 commits, 0 right, 0 wrong, 1 unused", func() {
		w := one(l, name, "h")
		w.Owned = func(string) error { return refusal }
		if _, err := l.Update(t.Context(), w, count); !errors.Is(err, refusal) {
			t.Errorf("got %v", err)
		}
	})
	step("time alone", "0 reads, 1 commits, 1 right, 0 wrong, 0 unused", func() {
		mustUpdate(t, l, Write{Key: key}, func(c recovery.Customer, _ []int) (Judgement, error) {
			c.Claims++
			return Judgement{Customer: c}, nil
		})
	})
	lists := Write{Key: key, Tenant: "shop"}
	for i := range listLength {
		lists.Requests = append(lists.Requests, one(l, name, fmt.Sprint("of a list ", i)).Requests...)
	}
	step("as many as fill a list", "0 reads, 1 commits, 1 right, 0 wrong, 0 unused", func() { mustUpdate(t, l, lists, count) })
	step("a replay that is not carried with the customer", "0 reads, 1 commits, 0 right, 1 wrong, 0 unused", func() { update(l, "a", "order 1", true) })
	step("some done before, some not, nor carried", "0 reads, 2 commits, 0 right, 1 wrong, 0 unused", func() {
		w := one(l, name, "a")
		w.Requests = append(w.Requests, one(l, name, "after the list").Requests...)
		got, err := l.Update(t.Context(), w, count)
		if err != nil || string(got[0].Answer) != "order 1" || !got[0].Replayed || string(got[1].Answer) != "order 40" {
			t.Errorf("answered %+v, %v", got, err)
		}
	})
	mustErase(t, other, key, ninetyDays)
	l.cache.drop(key)
	step("erased elsewhere", "0 reads, 1 commits, 0 right, 1 wrong, 0 unused", func() {
		if r := mustUpdate(t, l, one(l, name, "a"), count); !errors.Is(r.Err, ErrErased) {
			t.Errorf("answered %+v, want that it was erased", r)
		}
	})
	step("a new life", "0 reads, 2 commits, 0 right, 1 wrong, 0 unused", func() { update(l, "i", "order 41", false) })
	mustErase(t, l, key, ninetyDays)
	if token, _ := l.cache.get(key); token != "" {
		t.Error("who is erased here is remembered")
	}
}

// A case that is filed away is not remembered: a step with it is read first.
func guessFiled(t *testing.T, open opener) {
	m := newCounts()
	l := open(t, func(o *Options) { o.Meter = m })
	other := open(t, forgetful)
	mustUpdate(t, l, one(l, "guess filed", "a"), opens)
	mustUpdate(t, l, one(l, "guess filed", "b"), opens)
	m.trips()
	see := func(id string, wantOpen, wantClosed int) {
		t.Helper()
		w := one(l, "guess filed", id)
		w.Case = 1
		mustUpdate(t, l, w, func(c recovery.Customer, _ []int) (Judgement, error) {
			if last := len(c.Open) == wantOpen && len(c.Closed) == wantClosed; !last {
				return Judgement{}, fmt.Errorf("given %d open and %d closed cases", len(c.Open), len(c.Closed))
			}
			return Judgement{Customer: c, Answers: [][]byte{nil}}, nil
		})
	}
	see("open", 2, 0)
	if got, want := m.trips(), "0 reads, 1 commits, 1 right, 0 wrong, 0 unused"; got != want {
		t.Errorf("an open case: %s; want %s", got, want)
	}
	mustUpdate(t, other, one(l, "guess filed", "closes"), func(c recovery.Customer, _ []int) (Judgement, error) {
		c.Closed, c.Open = c.Open[:1], c.Open[1:]
		return Judgement{Customer: c, Answers: [][]byte{nil}}, nil
	})
	see("closed elsewhere", 1, 1)
	if got, want := m.trips(), "1 reads, 1 commits, 0 right, 0 wrong, 1 unused"; got != want {
		t.Errorf("closed elsewhere: %s; want %s", got, want)
	}
	see("closed", 1, 1)
	if got, want := m.trips(), "1 reads, 1 commits, 0 right, 0 wrong, 0 unused"; got != want {
		t.Errorf("a closed case: %s; want %s", got, want)
	}
}

// A store that can write nothing more still answers what was carried out before,
// whether or not the process knows that it was.
func TestGuessAtAFullStore(t *testing.T) {
	server := redistest.Server(t)
	m := newCounts()
	l := openAt(t, server.URL(), func(o *Options) { o.Meter = m })
	for i := range listLength + 1 {
		mustUpdate(t, l, one(l, "full", fmt.Sprint("request ", i)), count)
	}
	m.trips()
	if err := server.Client().ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if r := mustUpdate(t, l, one(l, "full", "request 0"), count); string(r.Answer) != "order 1" || !r.Replayed {
		t.Errorf("answered %+v", r)
	}
	if got, want := m.trips(), "1 reads, 1 commits, 0 right, 0 wrong, 0 unused"; got != want {
		t.Errorf("that took %s; want %s", got, want)
	}
	unavailable(t, tryUpdate(t, l, one(l, "full", "another"), count), false)
}
