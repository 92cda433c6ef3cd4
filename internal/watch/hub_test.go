package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/redistest"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// office is a ledger with hubs on it.
type office struct {
	*ledger.Ledger
	tail     *ledger.Tail
	watching atomic.Int64
	dropped  atomic.Int64
	loaded   atomic.Int64 // cases read for hubs
}

func openOffice(t testing.TB, url string, buckets ...int) *office {
	t.Helper()
	buckets = append(buckets, 4)
	l, err := ledger.Open(t.Context(), ledger.Options{URL: url, Secret: []byte(strings.Repeat("s", 32)), Buckets: buckets[0]})
	if err != nil {
		t.Fatal(err)
	}
	o := &office{Ledger: l, tail: l.Tail()}
	t.Cleanup(func() {
		if err := errors.Join(o.tail.Close(), l.Close()); err != nil {
			t.Error(err)
		}
		if n := o.watching.Load(); n != 0 {
			t.Errorf("%d watchers are counted after all have gone", n)
		}
	})
	return o
}

func (o *office) hub(t testing.TB, edits ...func(*Config)) *Hub {
	c := Config{
		Stream: o.tail, Buckets: o.tail.Buckets(), Hash: o.Hash,
		Cases: func(ctx context.Context, events []ledger.Event) ([]*recovery.Case, error) {
			o.loaded.Add(int64(len(events)))
			return o.tail.Cases(ctx, events)
		},
		Show: func(_ context.Context, _ []ledger.Event, cases []*recovery.Case) ([]*recoveryv1.Case, error) {
			out := make([]*recoveryv1.Case, len(cases))
			for i, k := range cases {
				if k != nil {
					out[i] = recoveryv1.Case_builder{Revision: k.Revision}.Build()
				}
			}
			return out, nil
		},
		Watching: func(n int) { o.watching.Add(int64(n)) },
		Dropped:  func() { o.dropped.Add(1) },
		Logger:   slog.New(slog.DiscardHandler),
	}
	for _, edit := range edits {
		edit(&c)
	}
	h := New(c)
	t.Cleanup(h.Close)
	return h
}

// opens opens that many cases of a customer in one commit.
func (o *office) opens(t testing.TB, customer string, cases int) {
	t.Helper()
	w := ledger.Write{Key: o.Key("shop", customer), Tenant: "shop", Requests: []ledger.Request{{ID: fmt.Sprint(rand.Uint64())}}}
	_, err := o.Update(t.Context(), w, func(c recovery.Customer, _ []int) (ledger.Judgement, error) {
		c.Open = nil // what was open is forgotten, so that customers stay small
		for range cases {
			c.Cases++
			c.Open = append(c.Open, recovery.Case{Number: c.Cases, State: recovery.Open, Revision: 1,
				Fresh: []recovery.Transition{{Change: recovery.ChangeOpened}}})
		}
		return ledger.Judgement{Customer: c, Answers: [][]byte{nil}}, nil
	})
	if err != nil {
		t.Error(err)
	}
}

func everything(*ledger.Event) bool { return true }

func watchFrom(t testing.TB, h *Hub, token string, want func(*ledger.Event) bool) *Watcher {
	t.Helper()
	at, err := h.Open("shop", token)
	if err != nil {
		t.Fatal(err)
	}
	w, err := h.Watch(t.Context(), at, want)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := w.Next(t.Context()); e != nil || err != nil {
		t.Fatalf("first %v, %v; want a place alone", e, err)
	}
	return w
}

// record is what one reader has seen.
type record struct {
	ids  map[string]bool
	last map[ledger.Key]int64 // number of the last case opened
}

func newRecord() *record { return &record{map[string]bool{}, map[ledger.Key]int64{}} }

// take holds the order and that nothing comes twice; cases are opened one by
// one, so a number left out is a lost event.
func (r *record) take(t *testing.T, e *Event) {
	t.Helper()
	if r.ids[e.ID] || e.ID == "" {
		t.Errorf("event %q came twice", e.ID)
	}
	if e.Case != r.last[e.Key]+1 {
		t.Errorf("case %d of %s came after case %d", e.Case, e.Key, r.last[e.Key])
	}
	r.ids[e.ID], r.last[e.Key] = true, e.Case
}

// TestComingAndGoing: watchers that come and go between two hubs while others
// stay, each with its own history, all see every event once and in order.
func TestComingAndGoing(t *testing.T) {
	o := openOffice(t, redistest.Shared(t).URL())
	hubs := [2]*Hub{o.hub(t), o.hub(t)}
	const customers, rounds, each = 40, 30, 3
	const events = customers * rounds * each
	var wait sync.WaitGroup
	for n := range 8 {
		first := watchFrom(t, hubs[n%2], "", everything)
		wait.Go(func() {
			random := rand.New(rand.NewPCG(uint64(n), 3))
			seen, w := newRecord(), first
			for len(seen.ids) < events && !t.Failed() {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				e, err := w.Next(ctx)
				cancel()
				if err != nil {
					t.Errorf("watcher %d after %d events: %v", n, len(seen.ids), err)
					break
				}
				seen.take(t, e)
				if n > 1 && random.IntN(100) == 0 {
					token := w.Token()
					w.Close()
					w = watchFrom(t, hubs[random.IntN(2)], token, everything)
				}
			}
			w.Close()
		})
	}
	for range rounds {
		for c := range customers {
			o.opens(t, fmt.Sprint("c", c), each)
		}
	}
	wait.Wait()
	if o.dropped.Load() > 0 {
		t.Errorf("%d watchers were dropped", o.dropped.Load())
	}
}

// TestSlow: who does not read is dropped, and has lost nothing; who reads
// beside it sees everything, at once.
func TestSlow(t *testing.T) {
	o := openOffice(t, redistest.Shared(t).URL())
	h := o.hub(t, func(c *Config) { c.Buffer = 200 })
	slow, fast := watchFrom(t, h, "", everything), watchFrom(t, h, "", everything)
	defer fast.Close()
	seen := newRecord()
	// Both must follow the common reading: the slow one takes its first event.
	o.opens(t, "c", 1)
	first, err := slow.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	token, place := slow.Token(), slices.Clone(slow.marks)
	const events = 1000
	go func() {
		for range events / 10 {
			o.opens(t, "c", 10)
			time.Sleep(5 * time.Millisecond)
		}
	}()
	for len(seen.ids) < events+1 {
		e, err := fast.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		seen.take(t, e)
	}
	select {
	case <-slow.Ended():
	default:
		t.Error("the slow one was not told")
	}
	if _, err := slow.Next(t.Context()); !errors.Is(err, ErrSlow) {
		t.Errorf("the slow one gets %v, want ErrSlow", err)
	}
	if stays := slices.Equal(slow.marks, place); !stays || o.dropped.Load() != 1 {
		t.Errorf("%d dropped; its place has stayed: %v", o.dropped.Load(), stays)
	}
	slow.Close()
	again := watchFrom(t, h, token, everything)
	defer again.Close()
	rest := newRecord()
	rest.take(t, first)
	for len(rest.ids) < events+1 {
		e, err := again.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		rest.take(t, e)
	}
}

// TestStoreChangesUnderWatch: an emptied store, or one that lost events, ends
// the watch although nothing new happens.
func TestStoreChangesUnderWatch(t *testing.T) {
	r := redistest.Shared(t)
	for name, change := range map[string]func() error{
		"emptied":      func() error { return r.Client().FlushAll(t.Context()).Err() },
		"another":      func() error { return r.Client().HSet(t.Context(), "amends:meta", "epoch", "x").Err() },
		"events gone":  func() error { return r.Client().XTrimMaxLen(t.Context(), "{b000}:ev", 0).Err() },
		"events later": func() error { return r.Client().XTrimMaxLen(t.Context(), "{b000}:ev", 0).Err() },
	} {
		t.Run(name, func(t *testing.T) {
			if err := r.Client().FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			o := openOffice(t, r.URL())
			h := o.hub(t)
			h.checkEvery = 50 * time.Millisecond
			if name == "events later" {
				h.checkEvery = time.Hour
			}
			w := watchFrom(t, h, "", everything)
			defer w.Close()
			for i := range 20 {
				o.opens(t, fmt.Sprint("c", i), 1)
			}
			for range 20 {
				if _, err := w.Next(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if err := change(); err != nil {
				t.Fatal(err)
			}
			if name == "events later" {
				for i := range 20 {
					o.opens(t, fmt.Sprint("c", i), 1)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			for {
				_, err := w.Next(ctx)
				if errors.Is(err, ErrResync) {
					break
				}
				if err != nil {
					t.Fatalf("ended with %v, want ErrResync", err)
				}
			}
			at, _ := h.Open("shop", w.Token())
			if _, err := h.Watch(t.Context(), at, everything); !errors.Is(err, ErrResync) {
				t.Errorf("resumed: %v, want ErrResync", err)
			}
			watchFrom(t, h, "", everything).Close()
		})
	}
}

// TestStoreAway: while the store is away those who watch hear nothing, and
// afterwards everything.
func TestStoreAway(t *testing.T) {
	r := redistest.Server(t, redistest.WithAOF())
	o := openOffice(t, r.URL())
	h := o.hub(t, func(c *Config) { c.Silence = 100 * time.Millisecond })
	w := watchFrom(t, h, "", everything)
	defer w.Close()
	seen := newRecord()
	o.opens(t, "c", 5)
	next := func() {
		t.Helper()
		e, err := w.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if e != nil {
			seen.take(t, e)
		}
	}
	for len(seen.ids) < 5 {
		next()
	}
	r.Kill()
	for range 5 {
		next() // heartbeats
	}
	r.Start()
	o.opens(t, "c", 5)
	for len(seen.ids) < 10 {
		next()
	}
}

// TestFilters: what nobody wants is not loaded, and a token goes past it.
func TestFilters(t *testing.T) {
	o := openOffice(t, redistest.Shared(t).URL())
	h := o.hub(t, func(c *Config) { c.Silence = 200 * time.Millisecond })
	one := o.Key("shop", "one")
	w := watchFrom(t, h, "", func(e *ledger.Event) bool { return e.Key == one })
	before := w.Token()
	for i := range 100 {
		o.opens(t, fmt.Sprint("c", i), 1)
	}
	for w.Token() == before {
		if e, err := w.Next(t.Context()); e != nil || err != nil {
			t.Fatalf("%+v, %v; want a heartbeat", e, err)
		}
	}
	if n := o.loaded.Load(); n != 0 {
		t.Errorf("%d cases were loaded that nobody wants", n)
	}
	o.opens(t, "one", 2)
	var ids []string
	for len(ids) < 2 {
		e, err := w.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if e != nil {
			ids = append(ids, e.ID)
		}
	}
	if n := o.loaded.Load(); n != 2 {
		t.Errorf("%d cases were loaded, want 2", n)
	}
	w.Close()
	other := watchFrom(t, h, before, everything)
	defer other.Close()
	seen := newRecord()
	for len(seen.ids) < 102 {
		e, err := other.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if e != nil {
			seen.take(t, e)
		}
	}
	for _, id := range ids {
		if !seen.ids[id] {
			t.Errorf("event %s has another id for another watcher", id)
		}
	}
}

// TestNobodyWatches: the store is read only while somebody watches.
func TestNobodyWatches(t *testing.T) {
	r := redistest.Shared(t)
	o := openOffice(t, r.URL())
	h := o.hub(t)
	reads := func() string {
		for line := range strings.Lines(r.Client().Info(t.Context(), "commandstats").Val()) {
			if calls, ok := strings.CutPrefix(line, "cmdstat_xread:calls="); ok {
				calls, _, _ = strings.Cut(calls, ",")
				return calls
			}
		}
		return "0"
	}
	before := reads()
	time.Sleep(2 * pollEvery)
	if after := reads(); after != before {
		t.Errorf("%s reads before anybody came, %s a while later", before, after)
	}
	w := watchFrom(t, h, "", everything)
	o.opens(t, "c", 1)
	if _, err := w.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Close()
	before = reads()
	time.Sleep(3 * pollEvery)
	if after := reads(); after != before {
		t.Errorf("%s reads when the last one went, %s a while later", before, after)
	}
}

// TestJoinedMeanwhile: an event that was read while nobody wanted it has its
// case, and its name, for a watcher that came just then.
func TestJoinedMeanwhile(t *testing.T) {
	o := openOffice(t, redistest.Shared(t).URL())
	var wants atomic.Bool
	w := watchFrom(t, o.hub(t), "", func(*ledger.Event) bool { return wants.Load() })
	defer w.Close()
	done := make(chan *Event)
	go func() {
		e, err := w.Next(t.Context())
		if err != nil {
			t.Error(err)
		}
		done <- e
	}()
	time.Sleep(2 * pollEvery) // it follows the common reading now
	w.mu.Lock()               // and cannot take what is queued
	w.queue = append(w.queue, &Event{Event: ledger.Event{Tenant: "shop", Key: o.Key("shop", "c"), Case: 1}})
	wants.Store(true)
	w.wake <- struct{}{}
	w.mu.Unlock()
	if e := <-done; e == nil || e.ID == "" || e.Number != 0 {
		t.Errorf("%+v, want it named", e)
	}
}

// valve is the store's own stream, which can be shut: nothing is read meanwhile.
type valve struct {
	Stream
	shut sync.RWMutex
}

func (v *valve) After(ctx context.Context, from []ledger.Mark, most int) (ledger.News, error) {
	v.shut.RLock()
	defer v.shut.RUnlock()
	return v.Stream.After(ctx, from, most)
}

// Who reads all the while is not dropped when many buckets have much at once,
// although the reading has gone fast for one of them.
func TestManyBucketsAtOnce(t *testing.T) {
	o := openOffice(t, redistest.Shared(t).URL(), 256)
	v := &valve{Stream: o.tail}
	h := o.hub(t, func(c *Config) { c.Stream = v })
	w := watchFrom(t, h, "", everything)
	defer w.Close()
	seen := newRecord()
	until := func(events int) {
		t.Helper()
		for len(seen.ids) < events {
			e, err := w.Next(t.Context())
			if err != nil {
				t.Fatalf("after %d events: %v", len(seen.ids), err)
			}
			if e != nil {
				seen.take(t, e)
			}
		}
	}
	const hot, others, each = 4000, 200, 60
	o.opens(t, "hot", 1)
	until(1) // it follows the common reading
	v.shut.Lock()
	for range 10 {
		o.opens(t, "hot", hot/10)
	}
	v.shut.Unlock()
	until(1000)
	v.shut.Lock()
	for n := range others {
		o.opens(t, fmt.Sprint("c", n), each)
	}
	v.shut.Unlock()
	until(1 + hot + others*each)
}

// Whoever pauses for a moment is not dropped for what happened before: the rest is
// read when the queue was emptied.
func TestQueuesAreEmptiedInBetween(t *testing.T) {
	o := openOffice(t, redistest.Shared(t).URL())
	v := &valve{Stream: o.tail}
	w := watchFrom(t, o.hub(t, func(c *Config) { c.Stream, c.Buffer = v, 200 }), "", everything)
	defer w.Close()
	const customers, each = 20, 30
	v.shut.Lock()
	for n := range customers {
		o.opens(t, fmt.Sprint("c", n), each)
	}
	time.AfterFunc(2*pollEvery, v.shut.Unlock)
	for seen := newRecord(); len(seen.ids) < customers*each; {
		e, err := w.Next(t.Context())
		if err != nil {
			t.Fatalf("after %d events: %v", len(seen.ids), err)
		}
		if e == nil {
			continue
		}
		if seen.take(t, e); len(seen.ids) == 1 {
			time.Sleep(pollEvery / 3)
		}
	}
}
