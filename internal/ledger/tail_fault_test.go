package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/redistest"
)

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
	const swift = tailTime / 2 // no look takes as short if it waits for the server that hangs
	// read looks until so many events have come, and tells how long the shortest look took.
	read := func(want int) time.Duration {
		t.Helper()
		least := time.Hour
		for end := time.Now().Add(30 * time.Second); want > 0; {
			began := time.Now()
			news, err := f.tail.After(t.Context(), f.marks, 10)
			least = min(least, time.Since(began))
			if away := new(*Unavailable); !errors.As(err, away) || time.Now().After(end) {
				t.Fatalf("%d events are missing beside a server that hangs: %v", want, err)
			}
			for _, e := range news.Events {
				f.marks[e.Bucket] = e.After()
				want--
			}
		}
		if want < 0 {
			t.Errorf("%d events more than there are", -want)
		}
		return least
	}
	add(l.buckets)
	hung.Pause()
	read(len(elsewhere))
	least := time.Hour
	for range 5 {
		add(elsewhere[:5])
		least = min(least, read(5))
	}
	if least > swift {
		t.Errorf("every look took %s or more", least)
	}
	var epoch string
	least = time.Hour
	for end, seen := time.Now().Add(30*time.Second), false; !seen || least > swift; {
		if time.Now().After(end) {
			t.Fatalf("the ends took %s or more; just those of the server that hangs are unseen: %t", least, seen)
		}
		began := time.Now()
		now, ends, err := f.tail.Ends(t.Context())
		least = min(least, time.Since(began))
		if err != nil || now != f.epoch {
			t.Fatalf("the ends: epoch %q, %v", now, err)
		}
		epoch, seen = now, true
		for i, n := range l.buckets {
			if slices.Contains(there, n) && !ends[i].Unseen() {
				t.Fatalf("the mark of bucket %d is %v", i, ends[i])
			}
			seen = seen && ends[i].Unseen() == slices.Contains(there, n)
		}
	}
	if whole, err := f.tail.Check(t.Context(), epoch, f.marks); err != nil || whole {
		t.Errorf("checked: %v, all of it: %t", err, whole)
	}
	hung.Resume()
	got := 0
	for end := time.Now().Add(30 * time.Second); got < len(there) && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
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
