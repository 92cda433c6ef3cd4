package ledger

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"

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

// TestErasedTwice: customers are erased one after the other, and whoever has read
// some of the events goes on from there; whatever was trimmed is a gap all the same.
func TestErasedTwice(t *testing.T) {
	c := redistest.Shared(t).Client()
	l := openAt(t, redistest.Shared(t).URL(), func(o *Options) { o.Buckets = 1 })
	n := l.buckets[0]
	for name, test := range map[string]struct {
		events  string // whose they are; "?" is junk with a number of the ledger
		trimmed int    // that many are left then
		erased  string // in this order
		whole   string // which of the marks, from before the first event on, are good
		known   int    // how many erased numbers are known in the end
	}{
		"all, the older ones first":        {events: "aabbc", trimmed: 5, erased: "abc", whole: "++++++", known: 5},
		"all, the newer ones first":        {events: "aabbc", trimmed: 5, erased: "cba", whole: "++++++", known: 5},
		"behind junk":                      {events: "aab?bd", trimmed: 6, erased: "ab", whole: "+++++++", known: 4},
		"behind trimmed ones":              {events: "dabbacd", trimmed: 6, erased: "abc", whole: "--++++++", known: 5},
		"the oldest alone":                 {events: "aadbcd", trimmed: 6, erased: "a", whole: "+++++++", known: 2},
		"some, and then more were trimmed": {events: "dabdbcd", trimmed: 4, erased: "abc", whole: "----++++", known: 2},
	} {
		t.Run(name, func(t *testing.T) {
			c.FlushAll(t.Context())
			f := follow(t, l)
			marks := [][]Mark{slices.Clone(f.marks)}
			for i, who := range test.events {
				if who == '?' {
					c.XAdd(t.Context(), &redis.XAddArgs{Stream: n.events, ID: "1-*", Values: []any{"e", "\xff"}})
				} else {
					mustUpdate(t, l, one(l, string(who), fmt.Sprint(i)), opens)
				}
				f.drain(t, 10)
				marks = append(marks, slices.Clone(f.marks))
			}
			c.XTrimMaxLen(t.Context(), n.events, int64(test.trimmed))
			for _, who := range test.erased {
				mustErase(t, l, l.Key("shop", string(who)), ninetyDays)
			}
			whole := ""
			for _, f.marks = range marks {
				whole += map[bool]string{true: "+", false: "-"}[f.whole(t)]
			}
			if known := c.ZCard(t.Context(), n.erased()).Val(); whole != test.whole || known != int64(test.known) {
				t.Errorf("whole %s, want %s; %d erased numbers are known, want %d", whole, test.whole, known, test.known)
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
