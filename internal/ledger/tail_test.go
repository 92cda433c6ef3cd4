package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/redistest"
)

// TestTail runs on every kind of store: pipelines over all buckets reach every
// node of a cluster, and the embedded store knows the commands.
func TestTail(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { tail(t, Embedded) })
	t.Run("server", func(t *testing.T) { tail(t, redistest.Shared(t).URL()) })
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		tail(t, redistest.Cluster(t, 3).URL())
	})
}

func tail(t *testing.T, url string) {
	l := openAt(t, url)
	f := follow(t, l)
	const customers = 60
	for i := range customers {
		mustUpdate(t, l, one(l, fmt.Sprint("tail ", i), "a"), opens)
		mustUpdate(t, l, one(l, fmt.Sprint("tail ", i), "b"), opens)
	}
	mustUpdate(t, l, one(l, "tail 0", "close"), closes)
	seen := map[Key]int{}
	var all []Event
	for _, e := range f.drain(t, 3) {
		if e.Tenant != "shop" || e.Transition.Change == recovery.ChangeOpened && e.Case != int64(seen[e.Key]+1) {
			t.Errorf("event %d of bucket %d: %+v", e.Number, e.Bucket, e)
		}
		seen[e.Key]++
		all = append(all, e)
	}
	if len(all) != 2*customers+2 || len(seen) != customers {
		t.Errorf("%d events of %d customers, want %d of %d", len(all), len(seen), 2*customers+2, customers)
	}
	cases, err := f.tail.Cases(t.Context(), append(all, Event{Key: l.Key("shop", "nobody"), Case: 1}, Event{Key: "nonsense"}))
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range all {
		want := recovery.Open
		if e.Key == l.Key("shop", "tail 0") {
			want = recovery.Resolved
		}
		if k := cases[i]; k == nil || k.Number != e.Case || k.State != want {
			t.Fatalf("case %d of %s: %+v, want it %s", e.Case, e.Key, k, want)
		}
	}
	if cases[len(all)] != nil || cases[len(all)+1] != nil {
		t.Errorf("cases that never were: %+v", cases[len(all):])
	}
	if _, ends, _ := f.tail.Ends(t.Context()); fmt.Sprint(ends) != fmt.Sprint(f.marks) {
		t.Errorf("the ends are\n%v after reading up to\n%v", ends, f.marks)
	}
}

// follower reads events as a watcher does.
type follower struct {
	tail  *Tail
	epoch string
	marks []Mark
}

func follow(t *testing.T, l *Ledger) *follower {
	t.Helper()
	f := &follower{tail: l.Tail()}
	t.Cleanup(func() { f.tail.Close() })
	var err error
	if f.epoch, f.marks, err = f.tail.Ends(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f
}

// drain reads all there is, that many of a bucket at once.
func (f *follower) drain(t *testing.T, most int) (all []Event) {
	t.Helper()
	for more := true; more; {
		news, err := f.tail.After(t.Context(), f.marks, most)
		if err != nil {
			t.Fatal(err, Cause(err))
		}
		for _, e := range news.Events {
			f.marks[e.Bucket] = e.After()
		}
		more = news.More
		all = append(all, news.Events...)
	}
	return all
}

// whole reports whether reading and checking agree that nothing is missing.
func (f *follower) whole(t *testing.T) bool {
	t.Helper()
	_, checked := f.tail.Check(t.Context(), f.epoch, f.marks)
	_, read := f.tail.After(t.Context(), f.marks, 100)
	for _, err := range []error{checked, read} {
		if err != nil && !errors.Is(err, ErrGap) {
			t.Fatal(err)
		}
	}
	return checked == nil && read == nil
}

// TestGaps: all ways in which events go missing but one are noticed.
func TestGaps(t *testing.T) {
	r := redistest.Shared(t)
	l := openAt(t, r.URL(), func(o *Options) { o.Buckets = 1 })
	n := l.buckets[0]
	const read, unread = 10, 10 // events 0 to 9 were read
	for name, test := range map[string]struct {
		change func(*redis.Client) error
		whole  bool
	}{
		"nothing":                   {func(*redis.Client) error { return nil }, true},
		"the read ones are trimmed": {func(c *redis.Client) error { return c.XTrimMaxLen(t.Context(), n.events, unread+1).Err() }, true},
		"one more is trimmed":       {func(c *redis.Client) error { return c.XTrimMaxLen(t.Context(), n.events, unread).Err() }, false},
		"unread ones are trimmed":   {func(c *redis.Client) error { return c.XTrimMaxLen(t.Context(), n.events, 3).Err() }, false},
		"an unread one is removed":  {func(c *redis.Client) error { return c.XDel(t.Context(), n.events, "1-15").Err() }, false},
		"unread ones are erased":    {func(c *redis.Client) error { return eraseByHand(t, c, n, 10, 11, 15, 19) }, true},
		"read ones are erased":      {func(c *redis.Client) error { return eraseByHand(t, c, n, 0, 9) }, true},
		"all are erased":            {func(c *redis.Client) error { return eraseByHand(t, c, n, span(0, 20)...) }, true},
		"other numbers are erased": {func(c *redis.Client) error {
			return errors.Join(eraseByHand(t, c, n, 14, 16), c.XDel(t.Context(), n.events, "1-15").Err())
		}, false},
		"the bucket is lost": {func(c *redis.Client) error { return c.Del(t.Context(), n.events).Err() }, false},
		"the store came back older and went on": {func(c *redis.Client) error {
			return errors.Join(c.Del(t.Context(), n.events).Err(), addEvents(t, c, n, 25))
		}, false},
		"the store is another": {func(c *redis.Client) error {
			return c.HSet(t.Context(), metaKey, epochField, "another").Err()
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := r.Client()
			if err := errors.Join(c.Del(t.Context(), n.events, n.erased()).Err(), addEvents(t, c, n, read)); err != nil {
				t.Fatal(err)
			}
			f := follow(t, l)
			if err := errors.Join(addEvents(t, c, n, unread), test.change(c)); err != nil {
				t.Fatal(err)
			}
			if got := f.whole(t); got != test.whole {
				t.Errorf("whole: %v, want %v", got, test.whole)
			}
			if !test.whole {
				return
			}
			f.drain(t, 4)
			if _, ends, _ := f.tail.Ends(t.Context()); ends[0].Next != read+unread {
				t.Errorf("the end is before event %d, want %d", ends[0].Next, read+unread)
			}
			if !f.whole(t) {
				t.Error("something is missing after reading on")
			}
		})
	}
}

// addEvents adds events, each with a body of its own.
func addEvents(t *testing.T, c *redis.Client, n names, events int) error {
	t.Helper()
	pipe := c.Pipeline()
	for range events {
		body, err := encodeEvent(origin{key: "key", tenant: "shop"}, &recovery.Case{Number: nextCase()}, recovery.Transition{Change: recovery.ChangeOpened})
		if err != nil {
			return err
		}
		pipe.XAdd(t.Context(), &redis.XAddArgs{Stream: n.events, ID: "1-*", Values: []any{"e", body}})
	}
	_, err := pipe.Exec(t.Context())
	return err
}

var caseNumber int64

func nextCase() int64 {
	caseNumber++
	return caseNumber
}

func span(from, to int) []int {
	list := make([]int, 0, to-from)
	for i := from; i < to; i++ {
		list = append(list, i)
	}
	return list
}

// eraseByHand takes events out as an erasure does.
func eraseByHand(t *testing.T, c *redis.Client, n names, numbers ...int) error {
	t.Helper()
	for _, i := range numbers {
		err := errors.Join(
			c.ZAdd(t.Context(), n.erased(), redis.Z{Score: float64(i), Member: strconv.Itoa(i)}).Err(),
			c.XDel(t.Context(), n.events, "1-"+strconv.Itoa(i)).Err(),
		)
		if err != nil {
			return err
		}
	}
	return nil
}

// TestTailAway: a store that is away is no gap.
func TestTailAway(t *testing.T) {
	r := redistest.Server(t)
	l := openAt(t, r.URL())
	f := follow(t, l)
	r.Kill()
	var away *Unavailable
	if _, err := f.tail.After(t.Context(), f.marks, 10); !errors.As(err, &away) {
		t.Errorf("reading from a dead store: %v", err)
	}
	if _, err := f.tail.Check(t.Context(), f.epoch, f.marks); !errors.As(err, &away) {
		t.Errorf("checking a dead store: %v", err)
	}
	if _, _, err := f.tail.Ends(t.Context()); !errors.As(err, &away) {
		t.Errorf("the ends of a dead store: %v", err)
	}
}

// TestTailPastJunk: what the ledger has not written is passed over and logged
// once; what stands beside it in the bucket, and elsewhere, is read.
func TestTailPastJunk(t *testing.T) {
	r := redistest.Shared(t)
	for name, junk := range map[string][]*redis.XAddArgs{
		"no protobuf":     {{ID: "1-*", Values: []any{"e", "\xff\xff"}}},
		"another field":   {{ID: "1-*", Values: []any{"x", "y"}}},
		"two in a row":    {{ID: "1-*", Values: []any{"e", "\xff"}}, {ID: "1-*", Values: []any{"x", "y"}}},
		"another number":  {{ID: "2-0", Values: []any{"e", "\x10\x01"}}},
		"another and bad": {{ID: "1-*", Values: []any{"e", "\xff"}}, {ID: "2-0", Values: []any{"x", "y"}}},
	} {
		t.Run(name, func(t *testing.T) {
			c := r.Client()
			c.FlushAll(t.Context())
			var log bytes.Buffer
			l := openAt(t, r.URL(), func(o *Options) { o.Buckets, o.Logger = 2, slog.New(slog.NewTextHandler(&log, nil)) })
			f := follow(t, l)
			log.Reset()
			if err := addEvents(t, c, l.buckets[0], 3); err != nil {
				t.Fatal(err)
			}
			good := 6
			for _, args := range junk {
				args.Stream = l.buckets[0].events
				if err := c.XAdd(t.Context(), args).Err(); err != nil {
					t.Fatal(err)
				}
				if !strings.HasPrefix(args.ID, eventPrefix) { // the ledger cannot write behind it
					good = 3
				}
			}
			if good == 6 {
				addEvents(t, c, l.buckets[0], 3)
			}
			addEvents(t, c, l.buckets[1], 3)
			read := 0
			for _, e := range f.drain(t, 2) {
				if e.Tenant == "shop" {
					read++
				}
			}
			if read != good+3 || !f.whole(t) {
				t.Errorf("%d events are read, want %d", read, good+3)
			}
			if n := strings.Count(log.String(), "an event cannot be read"); n != len(junk) {
				t.Errorf("told %d times in the log, want %d:\n%s", n, len(junk), &log)
			}
			if _, ends, err := f.tail.Ends(t.Context()); err != nil || fmt.Sprint(ends) != fmt.Sprint(f.marks) {
				t.Errorf("the ends are %v, %v, after reading up to %v", ends, err, f.marks)
			}
		})
	}
}

// TestTailBesideAWrongType: a bucket whose keys are none is told to Ready, and
// keeps nobody from the events of others.
func TestTailBesideAWrongType(t *testing.T) {
	r := redistest.Shared(t)
	for name, key := range map[string]func(names) string{
		"stream": func(n names) string { return n.events },
		"erased": func(n names) string { return n.erased() },
	} {
		t.Run(name, func(t *testing.T) {
			c := r.Client()
			c.FlushAll(t.Context())
			l := openAt(t, r.URL(), func(o *Options) { o.Buckets = 4 })
			f := follow(t, l)
			for _, n := range l.buckets[1:] {
				addEvents(t, c, n, 3)
			}
			if name == "erased" {
				addEvents(t, c, l.buckets[0], 3)
			}
			wrong := key(l.buckets[0])
			c.Set(t.Context(), wrong, "a string", 0)
			news, err := f.tail.After(t.Context(), f.marks, 10)
			var away *Unavailable
			if len(news.Events) != 9 || !errors.As(err, &away) || !strings.Contains(Cause(err).Error(), wrong) {
				t.Errorf("%d events, %v (%v); want those of the others, and the key named", len(news.Events), err, Cause(err))
			}
			if _, err := f.tail.Check(t.Context(), f.epoch, f.marks); err != nil {
				t.Errorf("checked: %v", err)
			}
			_, ends, err := f.tail.Ends(t.Context())
			if err != nil || !ends[0].Unseen() || ends[1].Unseen() {
				t.Errorf("the ends are %v, %v; want all but the first", ends, err)
			}
			if err := l.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), wrong) {
				t.Errorf("ready: %v, want %s named", err, wrong)
			}
			c.Del(t.Context(), wrong)
			if got := f.drain(t, 10); len(got) != 9+3*strings.Count(name, "erased") {
				t.Errorf("%d events after the repair", len(got))
			}
		})
	}
}

// TestUnseenMarks: a bucket that could not be read when watching began is read
// from that moment on, whenever that becomes possible.
func TestUnseenMarks(t *testing.T) {
	r := redistest.Shared(t)
	at := newClock()
	l := openAt(t, r.URL(), func(o *Options) { o.Buckets, o.Now = 1, at.Now })
	n := l.buckets[0]
	f := follow(t, l)
	for i := range 5 {
		mustUpdate(t, l, one(l, "unseen", fmt.Sprint(i)), opens)
		at.add(time.Minute)
	}
	from := func(d time.Duration) (News, error) {
		return f.tail.After(t.Context(), []Mark{unseen(newClock().Now().Add(d))}, 10)
	}
	for d, want := range map[time.Duration]int{
		-time.Hour: 5, lookBack: 5, lookBack + time.Second: 4, 2*time.Minute + lookBack + time.Second: 2, 5 * time.Minute: 0,
	} {
		news, err := from(d)
		mark, seen := news.Begun[0]
		if err != nil || len(news.Events) != want || !seen || mark.Next != uint64(5-want) {
			t.Errorf("after %s: %d events behind %v, %v; want %d", d, len(news.Events), mark, err, want)
		}
	}
	r.Client().XTrimMaxLen(t.Context(), n.events, 3)
	if news, err := from(5 * time.Minute); err != nil || len(news.Events) > 0 {
		t.Errorf("what is trimmed was before: %v, %v", news, err)
	}
	if _, err := from(0); !errors.Is(err, ErrGap) {
		t.Errorf("what is trimmed may have been one of those: %v", err)
	}
	mustErase(t, l, l.Key("shop", "unseen"), ninetyDays)
	if news, err := from(5 * time.Minute); err != nil || news.Begun[0].Next != 5 {
		t.Errorf("all are erased: %v, %v", news, err)
	}
}

// TestTailBesideAHungServer: the events of a server that does not answer come
// when it does; those of others are not kept waiting.
func TestTailBesideAHungServer(t *testing.T) {
	t.Parallel()
	c := redistest.Cluster(t, 3)
	l := openAt(t, c.URL())
	f := follow(t, l)
	hung := c.Owner(metaKey)                  // which the epoch needs
	owners := map[names]*redistest.Instance{} // nobody knows while one hangs
	var there, elsewhere []names
	for _, n := range l.buckets {
		owners[n] = c.Owner(n.events)
		if owners[n] == hung {
			there = append(there, n)
		} else {
			elsewhere = append(elsewhere, n)
		}
	}
	add := func(list []names) {
		t.Helper()
		for _, n := range list {
			if err := addEvents(t, owners[n].Client(), n, 1); err != nil {
				t.Fatal(err)
			}
		}
	}
	look := func(want int, within time.Duration) {
		t.Helper()
		began := time.Now()
		news, err := f.tail.After(t.Context(), f.marks, 10)
		var away *Unavailable
		if took := time.Since(began); took > within || len(news.Events) != want || !errors.As(err, &away) {
			t.Errorf("%d events in %s, %v; want %d in %s", len(news.Events), took, err, want, within)
		}
		for _, e := range news.Events {
			f.marks[e.Bucket] = e.After()
		}
	}
	add(l.buckets)
	hung.Pause()
	look(len(elsewhere), tailTime+500*time.Millisecond)
	for range 5 {
		add(elsewhere[:5])
		look(5, 200*time.Millisecond)
	}
	began := time.Now()
	epoch, ends, err := f.tail.Ends(t.Context())
	if err != nil || epoch != f.epoch || time.Since(began) > time.Second {
		t.Errorf("the ends in %s: epoch %q, %v", time.Since(began), epoch, err)
	}
	for i, n := range l.buckets {
		if ends[i].Unseen() != slices.Contains(there, n) {
			t.Errorf("the mark of bucket %d is %v", i, ends[i])
		}
	}
	if whole, err := f.tail.Check(t.Context(), epoch, f.marks); err != nil || whole {
		t.Errorf("checked: %v, all of it: %t", err, whole)
	}
	hung.Resume()
	got := 0
	for end := time.Now().Add(10 * time.Second); got < len(there) && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		news, _ := f.tail.After(t.Context(), f.marks, 10)
		for _, e := range news.Events {
			f.marks[e.Bucket] = e.After()
			got++
		}
	}
	if got != len(there) || !f.whole(t) {
		t.Errorf("%d events after it was back, want %d", got, len(there))
	}
}

// BenchmarkTailIdle is what one look at 256 streams costs when nothing is new.
func BenchmarkTailIdle(b *testing.B) {
	l := openAt(b, redistest.Server(b).URL())
	t := l.Tail()
	defer t.Close()
	_, marks, err := t.Ends(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := t.After(b.Context(), marks, 8); err != nil {
			b.Fatal(err)
		}
	}
}
