package ledger

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/redistest"
)

// The clock is that of Redis, and never ahead of it.
func TestClockIsThatOfRedis(t *testing.T) {
	server := redistest.Shared(t)
	l := openAt(t, server.URL())
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = client.Close() })
	for range 50 {
		if err := l.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		ours := l.Now()
		theirs, err := client.Time(t.Context()).Result()
		if err != nil {
			t.Fatal(err)
		}
		if ours.After(theirs) || theirs.Sub(ours) > time.Second {
			t.Errorf("the clock is %s behind that of Redis", theirs.Sub(ours))
		}
	}
}

// What Redis says counts, whatever the wall clock of this machine says.
func TestClockIsCarriedOn(t *testing.T) {
	var c storeClock
	if d := time.Since(c.Now()).Abs(); d > time.Second {
		t.Errorf("%s off before Redis was asked", d)
	}
	then := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	c.tell(then)
	first := c.Now()
	time.Sleep(2 * time.Millisecond)
	second := c.Now()
	if first.Before(then) || second.Sub(first) < 2*time.Millisecond || second.Sub(then) > time.Minute {
		t.Errorf("told %v, then %v and %v", then, first, second)
	}
}
