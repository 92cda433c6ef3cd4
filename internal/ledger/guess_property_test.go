package ledger

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/redistest"
)

// pair is two processes on one store.
type pair struct {
	ledgers [2]*Ledger
	lose    [2]*loseReply
}

func newPair(t *testing.T, url string, edits ...func(*Options)) (p pair) {
	for i := range p.ledgers {
		p.ledgers[i] = openAt(t, url, edits...)
		p.lose[i] = &loseReply{}
		p.ledgers[i].client.AddHook(p.lose[i])
	}
	return p
}

// deed is what one of the two does.
type deed struct {
	process   int
	kind      string
	ids       []string
	number    int64
	loseReply bool
}

// do carries a deed out and tells what came of it.
func (p pair) do(t *testing.T, d deed, customer string) string {
	l := p.ledgers[d.process]
	key := l.Key("shop", customer)
	switch d.kind {
	case "erase":
		gone := mustErase(t, l, key, ninetyDays)
		return fmt.Sprint(gone.Found, gone.Cases, gone.Answers, gone.Events)
	case "load":
		return fmt.Sprint(mustLoad(t, l, key).Customer)
	}
	w := Write{Key: key, Tenant: "shop", Case: d.number}
	for _, id := range d.ids {
		w.Requests = append(w.Requests, Request{ID: id, Payload: []byte(strings.ToLower(id))})
	}
	if d.kind == "reuse" {
		w.Requests[0].Payload = []byte("another")
	}
	p.lose[d.process].armed.Store(d.loseReply)
	defer p.lose[d.process].armed.Store(false)
	results, err := l.Update(t.Context(), w, func(c recovery.Customer, fresh []int) (Judgement, error) {
		return judgeDeed(d, c, fresh)
	})
	return fmt.Sprint(results, err)
}

// judgeDeed writes into what it is given, as a judge may.
func judgeDeed(d deed, c recovery.Customer, fresh []int) (Judgement, error) {
	for i := range c.Open {
		c.Open[i].Revision++
	}
	switch {
	case d.kind == "refuse":
		return Judgement{}, fmt.Errorf("refused with %d orders and %d cases", c.Orders, len(c.Open))
	case d.kind == "open":
		return opens(c, fresh)
	case d.kind == "close" && len(c.Open) > 0:
		return closes(c, fresh)
	case d.kind == "step" && len(c.Closed) > 0:
		c.Open, c.Closed = append(c.Open, c.Closed[0]), nil // opened again
		return Judgement{Customer: c, Answers: make([][]byte, len(fresh))}, nil
	}
	return count(c, fresh)
}

// TestGuessesChangeNothing: whatever two processes do to one customer, in any
// order and with lost replies, is answered and kept as it is
// without guesses.
func TestGuessesChangeNothing(t *testing.T) {
	server := redistest.Shared(t)
	at := newClock()
	now := func(o *Options) { o.Now = at.Now }
	with, without := newPair(t, server.URL(), now), newPair(t, server.URL(), now, forgetful)
	ids := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "A"}), 1, 3)
	deeds := rapid.Custom(func(r *rapid.T) deed {
		d := deed{
			process:   rapid.IntRange(0, 1).Draw(r, "process"),
			kind:      rapid.SampledFrom([]string{"count", "count", "open", "open", "close", "step", "refuse", "reuse", "time", "erase", "load", "day"}).Draw(r, "kind"),
			loseReply: rapid.IntRange(0, 3).Draw(r, "lose") == 0,
		}
		if d.kind != "time" {
			d.ids = ids.Draw(r, "ids")
		}
		if d.kind == "step" {
			d.number = rapid.Int64Range(1, 4).Draw(r, "case")
		}
		return d
	})
	runs := 0
	rapid.Check(t, func(r *rapid.T) {
		runs++
		guessed, read := fmt.Sprint("guessed ", runs), fmt.Sprint("read ", runs)
		for i, d := range rapid.SliceOfN(deeds, 1, 20).Draw(r, "deeds") {
			if d.kind == "day" {
				at.add(30 * time.Hour)
				continue
			}
			for _, l := range with.ledgers { // so that it goes on guessing
				l.guesses.known.wrong.Store(0)
				l.guesses.strangers.wrong.Store(0)
			}
			if got, want := with.do(t, d, guessed), without.do(t, d, read); got != want {
				r.Fatalf("deed %d, %+v: %s; without guesses %s", i, d, got, want)
			}
		}
		one, other := with.ledgers[0], without.ledgers[0]
		if diff := cmp.Diff(kept(t, other, read), kept(t, one, guessed)); diff != "" {
			r.Fatalf("what is kept differs from what is without guesses (-):\n%s", diff)
		}
	})
}

// kept is what the store holds of a customer, without what differs by customer and
// call: fields, the indexes, the events, and the customer.
func kept(t *testing.T, l *Ledger, customer string) (all []string) {
	t.Helper()
	key := l.Key("shop", customer)
	n := mustNames(t, l, key)
	client := asAdmin(t, l).client
	all = append(all, fmt.Sprint(mustLoad(t, l, key).Customer), fmt.Sprint(client.ZScore(t.Context(), n.due, string(key)).Val()))
	fields, err := client.HKeys(t.Context(), n.customer).Result()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(fields)
	all = append(all, fields...)
	for _, z := range client.ZRangeWithScores(t.Context(), n.open("shop"), 0, -1).Val() {
		if number, ok := strings.CutPrefix(z.Member.(string), string(key)); ok {
			all = append(all, fmt.Sprint(number, " ", z.Score))
		}
	}
	for _, m := range client.XRange(t.Context(), n.events, "-", "+").Val() {
		if e, err := decodeEvent(0, m); err == nil && e.Key == key {
			all = append(all, fmt.Sprint(e.Case, e.State, e.Transition))
		}
	}
	return all
}
