package ledger

import (
	"fmt"
	"strings"
	"testing"
)

// The cache is bounded by bytes, forgets those first whom nobody asked for, and
// counts right whatever is done to it.
func TestCacheIsBounded(t *testing.T) {
	c := newCache(100 << 10)
	for i := range 1000 {
		c.put(Key(fmt.Sprint(i)), "token", strings.Repeat("s", i))
		c.put(Key(fmt.Sprint(i)), "token", strings.Repeat("s", 1000-i))
		c.put("asked for", "1.a", "state")
		if i%3 == 0 {
			c.drop(Key(fmt.Sprint(i)))
		}
		used := 0
		for _, e := range c.entries.Values() {
			used += e.size()
		}
		if used != c.used || used > c.room {
			t.Fatalf("after %d: %d bytes are held, %d counted, there is room for %d", i, used, c.used, c.room)
		}
	}
	if n := c.entries.Len(); n < 100 || n > 500 {
		t.Errorf("%d are remembered", n)
	}
	if token, body := c.get("asked for"); token != "1.a" || body != "state" {
		t.Errorf("one who was asked for is remembered as %q, %q", token, body)
	}
	if token, _ := c.get("1"); token != "" {
		t.Error("one nobody asked for is remembered")
	}
	c.put("large", "token", strings.Repeat("s", c.room))
	if c.entries.Len() != 0 || c.used != 0 {
		t.Errorf("one who has no room is remembered: %d entries, %d bytes", c.entries.Len(), c.used)
	}
}

// Whom nobody asks for is forgotten after an hour.
func TestCacheForgets(t *testing.T) {
	c := newCache(0)
	c.put("old", "1.a", "state")
	e, _ := c.entries.Peek("old")
	e.at = e.at.Add(-cacheTime)
	c.entries.Add("old", e)
	c.put("new", "1.a", "state")
	if _, ok := c.entries.Peek("old"); ok || c.entries.Len() != 1 {
		t.Errorf("%d are remembered, want the new one alone", c.entries.Len())
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
