package ledger

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/recovery"
)

// clock is a time that tests move; several goroutines may read it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

var secret = []byte("thirty-two bytes of a test secret")

// openAt opens a ledger that is closed with the test.
func openAt(t testing.TB, url string, edits ...func(*Options)) *Ledger {
	t.Helper()
	opts := Options{URL: url, Secret: secret}
	for _, edit := range edits {
		edit(&opts)
	}
	l, err := Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// one is a change asked for by one request.
func one(l *Ledger, customer, id string) Write {
	return Write{Key: l.Key("shop", customer), Tenant: "shop", Requests: []Request{{ID: id, Payload: []byte("payload of " + id)}}}
}

// count is a judge that counts each fresh request as an order and answers with
// the count.
func count(c recovery.Customer, fresh []int) (Judgement, error) {
	j := Judgement{}
	for range fresh {
		c.Orders++
		j.Answers = append(j.Answers, fmt.Appendf(nil, "order %d", c.Orders))
	}
	j.Customer = c
	return j, nil
}

// mustUpdate is Update of one request that must succeed.
func mustUpdate(t testing.TB, l *Ledger, w Write, judge Judge) Result {
	t.Helper()
	results, err := l.Update(t.Context(), w, judge)
	if err != nil {
		t.Fatalf("Update: %v (%v)", err, Cause(err))
	}
	if len(results) != max(1, len(w.Requests)) { // one says the tenant when nothing was asked for
		t.Fatalf("%d results for %d requests", len(results), len(w.Requests))
	}
	if len(results) == 0 {
		return Result{}
	}
	return results[0]
}

func mustLoad(t testing.TB, l *Ledger, key Key) Snapshot {
	t.Helper()
	s, err := l.Load(t.Context(), key)
	if err != nil {
		t.Fatalf("Load: %v (%v)", err, Cause(err))
	}
	return s
}

// dump reads all that the store holds, key and field by key and field.
func dump(t testing.TB, l *Ledger) map[string]string {
	t.Helper()
	nodes, err := asAdmin(t, l).nodes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, n := range nodes {
		keys := n.client.Scan(t.Context(), 0, "*", 1_000_000).Iterator()
		for keys.Next(t.Context()) {
			maps.Copy(all, dumpKey(t, n.client, keys.Val()))
		}
		if err := keys.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func dumpKey(t testing.TB, c *redis.Client, key string) map[string]string {
	t.Helper()
	ctx := context.Background()
	out := map[string]string{}
	switch kind := c.Type(ctx, key).Val(); kind {
	case "hash":
		for field, value := range c.HGetAll(ctx, key).Val() {
			out[key+" "+field] = value
		}
	case "zset":
		for _, z := range c.ZRangeWithScores(ctx, key, 0, -1).Val() {
			out[key+" "+z.Member.(string)] = fmt.Sprintf("%.0f", z.Score)
		}
	case "stream":
		for _, m := range c.XRange(ctx, key, "-", "+").Val() {
			out[key+" "+m.ID] = fmt.Sprint(m.Values["e"])
		}
	case "string":
		out[key] = c.Get(ctx, key).Val()
	case "none": // has expired since it was found
	default:
		t.Fatalf("%s is a %s", key, kind)
	}
	return out
}

// unchanged fails when the store holds anything else than before.
func unchanged(t testing.TB, l *Ledger, before map[string]string) {
	t.Helper()
	after := dump(t, l)
	for _, k := range slices.Sorted(maps.Keys(after)) {
		if after[k] != before[k] {
			t.Errorf("%q was written", k)
		}
	}
	for k := range before {
		if _, ok := after[k]; !ok {
			t.Errorf("%q was removed", k)
		}
	}
}

// size is the number of bytes in a customer's hash.
func size(t testing.TB, l *Ledger, key Key) (bytes, fields int) {
	t.Helper()
	n, err := l.buckets.of(key)
	if err != nil {
		t.Fatal(err)
	}
	for field, value := range asAdmin(t, l).client.HGetAll(t.Context(), n.customer).Val() {
		bytes += len(field) + len(value)
		fields++
	}
	return bytes, fields
}
