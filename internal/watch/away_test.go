package watch

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/redistest"
)

// TestHungShard: while one shard does not answer, watches begin, go on and
// resume with the events of the others, in time; when it is back, what had
// happened there comes to everybody, once.
func TestHungShard(t *testing.T) {
	t.Parallel()
	c := redistest.Cluster(t, 3)
	o := openOffice(t, c.URL(), 32)
	h := o.hub(t, func(c *Config) { c.Silence = 100 * time.Millisecond })
	hung := c.Owner("amends:meta")
	var there, elsewhere []string // customers
	for i := range 60 {
		customer := fmt.Sprint("c", i)
		o.opens(t, customer, 1)
		if len(hung.Client().Keys(t.Context(), "*:c"+string(o.Key("shop", customer))).Val()) > 0 {
			there = append(there, customer)
		} else {
			elsewhere = append(elsewhere, customer)
		}
	}
	number := map[string]int{}
	record := func() *record {
		r := newRecord()
		for i := range 60 {
			r.last[o.Key("shop", fmt.Sprint("c", i))] = 1
		}
		for customer, n := range number {
			r.last[o.Key("shop", customer)] = int64(n + 1)
		}
		return r
	}
	open := func(customers ...string) {
		for _, customer := range customers {
			number[customer]++
			o.opens(t, customer, 1)
		}
	}
	steady := watchFrom(t, h, "", everything)
	defer steady.Close()
	all := record()
	open(there[0], elsewhere[0])
	all.until(t, steady, 2, time.Second)
	early := steady.Token()
	open(there[1], elsewhere[1])
	all.until(t, steady, 4, time.Second)

	hung.Pause()
	time.Sleep(1500 * time.Millisecond) // it is found out
	open(elsewhere[2])
	all.until(t, steady, 5, time.Second)
	fresh := watchFrom(t, h, "", everything)
	defer fresh.Close()
	news := record()
	open(elsewhere[3:6]...)
	all.until(t, steady, 8, time.Second)
	news.until(t, fresh, 3, time.Second)
	alone := o.hub(t, func(c *Config) { c.Silence = 100 * time.Millisecond }) // as another server would
	first := watchFrom(t, alone, "", everything)
	resumed := watchFrom(t, alone, early, everything)
	defer resumed.Close()
	token := first.Token()
	first.Close()
	later := watchFrom(t, alone, token, everything) // with places that nobody has seen
	defer later.Close()
	open(elsewhere[6])
	all.until(t, steady, 9, time.Second)
	news.until(t, fresh, 4, time.Second)
	rest := newRecord()
	rest.last = nil
	rest.until(t, resumed, 6, 2*time.Second)
	last := newRecord()
	last.last = nil
	last.until(t, later, 1, 2*time.Second)

	hung.Resume()
	c.WaitReady()
	open(there[2:5]...)
	all.until(t, steady, 12, 5*time.Second)
	rest.until(t, resumed, 10, 5*time.Second) // with the one that it had missed
	// Who began meanwhile may be given what was recorded shortly before.
	news.last, last.last = nil, nil
	for _, customer := range there[2:5] {
		news.untilSeen(t, fresh, string(o.Key("shop", customer)))
		last.untilSeen(t, later, string(o.Key("shop", customer)))
	}
}

// until reads on until that many events were seen.
func (r *record) until(t *testing.T, w *Watcher, events int, within time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	for len(r.ids) < events {
		r.next(t, ctx, w)
	}
}

// untilSeen reads on until an event of a customer was seen.
func (r *record) untilSeen(t *testing.T, w *Watcher, key string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for !r.ids[key] {
		if e := r.next(t, ctx, w); e != nil {
			r.ids[string(e.Key)] = true
		}
	}
}

func (r *record) next(t *testing.T, ctx context.Context, w *Watcher) *Event {
	t.Helper()
	e, err := w.Next(ctx)
	if err != nil {
		t.Fatalf("after %d events: %v", len(r.ids), err)
	}
	switch {
	case e == nil:
	case r.last != nil:
		r.take(t, e)
	case r.ids[e.ID]:
		t.Errorf("event %s came twice", e.ID)
	default:
		r.ids[e.ID] = true
	}
	return e
}

// BenchmarkQuietWatch prints how many commands one server is sent in a second
// while somebody watches and nothing happens.
func BenchmarkQuietWatch(b *testing.B) {
	r := redistest.Server(b)
	o := openOffice(b, r.URL(), 256)
	for i := range 1000 { // so that nearly every bucket has had events
		o.opens(b, fmt.Sprint("c", i), 1)
	}
	w := watchFrom(b, o.hub(b), "", everything)
	defer w.Close()
	done := make(chan error)
	ctx, cancel := context.WithCancel(b.Context())
	go func() {
		var err error
		for err == nil {
			_, err = w.Next(ctx)
		}
		done <- err
	}()
	commands := func() float64 {
		for line := range strings.Lines(r.Client().Info(b.Context(), "stats").Val()) {
			if n, ok := strings.CutPrefix(line, "total_commands_processed:"); ok {
				count, _ := strconv.ParseFloat(strings.TrimSpace(n), 64)
				return count
			}
		}
		b.Fatal("INFO does not tell how many commands were processed")
		return 0
	}
	time.Sleep(time.Second) // until it follows
	before, began := commands(), time.Now()
	for b.Loop() {
		time.Sleep(4 * checkEvery)
	}
	b.ReportMetric((commands()-before-1)/time.Since(began).Seconds(), "commands/s")
	cancel()
	<-done
}

// TestForeignTokenOfAHungShard: a token that does not fit what a shard holds is
// refused when the shard is back, although the others read on there without a
// gap.
func TestForeignTokenOfAHungShard(t *testing.T) {
	t.Parallel()
	c := redistest.Cluster(t, 2)
	o := openOffice(t, c.URL(), 8)
	quick := func(c *Config) { c.Silence = 100 * time.Millisecond }
	h := o.hub(t, quick)
	w := watchFrom(t, h, "", everything)
	for i := range 40 {
		o.opens(t, fmt.Sprint("c", i), 1)
	}
	seen := newRecord()
	seen.until(t, w, 40, 5*time.Second)
	token := w.Token()
	w.Close()
	// One shard comes back older and gives the same numbers to others.
	hung := c.Nodes()[0]
	for _, stream := range hung.Client().Keys(t.Context(), "*:ev").Val() {
		entries := hung.Client().XRange(t.Context(), stream, "-", "+").Val()
		hung.Client().Del(t.Context(), stream)
		for range entries {
			hung.Client().XAdd(t.Context(), &redis.XAddArgs{Stream: stream, ID: "1-*", Values: []string{"e", "another"}})
		}
	}
	others := watchFrom(t, h, "", everything)
	defer others.Close()
	for range 3 { // heartbeats: it follows the common reading
		if e, err := others.Next(t.Context()); e != nil || err != nil {
			t.Fatalf("%+v, %v", e, err)
		}
	}
	hung.Pause()
	resumed := watchFrom(t, h, token, everything)
	defer resumed.Close()
	hung.Resume()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		_, err := resumed.Next(ctx)
		if errors.Is(err, ErrResync) {
			return
		}
		if err != nil {
			t.Fatalf("ended with %v, want ErrResync", err)
		}
	}
}
