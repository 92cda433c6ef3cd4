package ledger

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

func cacheOf(t *testing.T, room int) *cache {
	t.Helper()
	c, err := newCache(room)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Whatever is done to the cache, it gives a customer as it was put there last or
// not at all, counts right, and has no more than there is room for.
func TestCacheTellsWhatItWasTold(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		c := cacheOf(t, 1<<10+r.IntN(8<<10))
		clock := time.Now()
		c.now = func() time.Time { return clock }
		last, found := map[Key]string{}, 0
		for n := range 2000 {
			key := Key(fmt.Sprint("customer ", r.IntN(20)))
			switch r.IntN(10) {
			case 0:
				c.drop(key)
				delete(last, key)
			case 1:
				clock = clock.Add(time.Duration(r.IntN(20)) * time.Minute)
			default:
				body := strings.Repeat(string(rune('a'+n%26)), r.IntN(200))
				c.put(key, fmt.Sprint(n, ".token"), body)
				last[key] = fmt.Sprint(n, ".token", body)
			}
			key = Key(fmt.Sprint("customer ", r.IntN(20)))
			if token, body := c.get(key); token != "" {
				if found++; token+body != last[key] {
					t.Fatalf("step %d: %q is remembered as %q, was %q", n, key, token+body, last[key])
				}
			}
			held := 0
			for _, place := range c.index {
				held += c.at(place).size
			}
			if held != c.held || held > len(c.ring) || c.end-c.begin > int64(len(c.ring)) {
				t.Fatalf("step %d: %d bytes are held, %d counted, %d to %d of a ring of %d", n, held, c.held, c.begin, c.end, len(c.ring))
			}
		}
		if found == 0 {
			t.Fatal("nobody was ever remembered")
		}
	}
}

// Those who were put there last are remembered, as many as there is room for.
func TestCacheForgetsTheOldest(t *testing.T) {
	c := cacheOf(t, 64<<10)
	name := func(i int) Key { return Key(fmt.Sprintf("customer %014d", i)) }
	body := strings.Repeat("s", 200)
	for i := range 1000 {
		c.put(name(i), "1.a", body)
	}
	n := len(c.index)
	if fit := len(c.ring) / (headSize + 23 + 3 + len(body)); n < fit*9/10 || n > fit {
		t.Errorf("%d are remembered where %d have room", n, fit)
	}
	for i := range 1000 {
		token, _ := c.get(name(i))
		if known := i >= 1000-n; known != (token != "") {
			t.Errorf("%d of 1000 is remembered: %v", i, !known)
		}
	}
	for range 10 * n { // as it is when it is only read
		c.put(name(999), "1.a", body)
	}
	c.put("large", "1.a", strings.Repeat("s", len(c.ring)/mostShare))
	if token, _ := c.get("large"); token != "" || len(c.index) != n {
		t.Errorf("one who takes too much room is remembered (%q), or others were pushed out: %d are left of %d", token, len(c.index), n)
	}
}

// Nothing is left of who is forgotten, neither of an earlier state.
func TestCacheWipes(t *testing.T) {
	c := cacheOf(t, 64<<10)
	c.put("a", "1.a", "the first state")
	c.put("a", "2.b", "the second state, which is longer")
	c.put("b", "1.c", "of another")
	c.drop("a")
	if bytes.Contains(c.ring, []byte("state")) || bytes.Contains(c.ring, []byte("1.a")) {
		t.Errorf("of who was dropped there is still %q", bytes.Trim(c.ring[:200], "\x00"))
	}
	clock := time.Now().Add(cacheTime)
	c.now = func() time.Time { return clock }
	if token, _ := c.get("b"); token != "" {
		t.Error("one who did not change for an hour is remembered")
	}
	c.put("c", "1.d", strings.Repeat("s", len(c.ring))) // which has no room
	if bytes.Contains(c.ring, []byte("another")) || len(c.index) != 0 || c.held != 0 {
		t.Errorf("%d are remembered, want nobody", len(c.index))
	}
}

// Two customers with one hash are not taken for each other.
func TestCacheTellsKeysApart(t *testing.T) {
	c := cacheOf(t, 64<<10)
	c.put("a", "1.a", "state")
	c.index[c.hash("b")] = c.index[c.hash("a")]
	if token, _ := c.get("b"); token != "" {
		t.Error("one customer passes for another")
	}
	c.put("b", "1.b", "other")
	if token, body := c.get("b"); token != "1.b" || body != "other" {
		t.Errorf("b is remembered as %q, %q", token, body)
	}
}

// What comes when the ledger is closed is not remembered, and touches no memory that
// was given back.
func TestCacheCloses(t *testing.T) {
	c := cacheOf(t, 0)
	c.put("before", "1.a", "state")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 1000 {
				c.put(Key(fmt.Sprint(i)), "1.a", "state")
				c.get(Key(fmt.Sprint(i)))
				c.drop(Key(fmt.Sprint(i / 2)))
			}
		})
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	all.Wait()
	c.put("after", "1.a", "state")
	if token, _ := c.get("after"); token != "" || len(c.ring) > 0 {
		t.Error("something is remembered")
	}
	if err := c.Close(); err != nil {
		t.Error("closed twice:", err)
	}
}

// Guesses that are wrong too often are no longer made but for a few, and are made
// again when those are right.
func TestOdds(t *testing.T) {
	var o odds
	made := func(right func() bool) (n int) {
		for range 2000 {
			if o.good() {
				n++
				o.learn(right())
			}
		}
		return n
	}
	always := func() bool { return true }
	never := func() bool { return false }
	if n := made(always); n != 2000 {
		t.Errorf("%d of 2000 guesses were made where all are right", n)
	}
	if n := made(never); n > 200 {
		t.Errorf("%d of 2000 guesses were made where none is right", n)
	}
	_ = made(always)
	_ = made(always)
	if n := made(always); n != 2000 {
		t.Errorf("%d of 2000 guesses were made after they had become right", n)
	}
}
