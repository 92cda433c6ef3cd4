package redistest_test

import (
	"net"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/redistest"
	"github.com/redis/go-redis/v9"
)

// through returns a client of p with one connection, open already, that sends a
// command at most retries times more.
func through(t *testing.T, p *redistest.ProxyInstance, retries int) *redis.Client {
	t.Helper()
	if retries == 0 {
		retries = -1 // go-redis takes 0 for its default of 3
	}
	o := redistest.Options(p.Addr())
	o.PoolSize, o.MaxRetries = 1, retries
	c := redis.NewClient(o)
	t.Cleanup(func() { c.Close() })
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestACutReplyLeavesTheCommandExecuted(t *testing.T) {
	t.Parallel()
	i := redistest.Server(t)
	p := redistest.Proxy(t, i.Addr())
	c := through(t, p, 2)

	p.CutReplies()
	if n, err := c.Incr(t.Context(), "n").Result(); err == nil {
		t.Fatalf("INCR answered %d though replies are cut", n)
	}
	if n, _ := i.Client().Get(t.Context(), "n").Int(); n != 1 {
		t.Errorf("INCR was executed %d times, want once", n)
	}
	if p.LostReplies() == 0 {
		t.Error("no lost reply was counted")
	}
	p.Restore()
	if n, err := c.Incr(t.Context(), "n").Result(); n != 2 || err != nil {
		t.Errorf("after Restore INCR answered %d (%v), want 2", n, err)
	}
}

func TestLosingTheReplyToOneCommand(t *testing.T) {
	t.Parallel()
	i := redistest.Server(t)
	p := redistest.Proxy(t, i.Addr())

	p.LoseReplyTo("INCR")
	c := through(t, p, 0)
	if err := c.Set(t.Context(), "incr", "incr", 0).Err(); err != nil {
		t.Fatalf("SET failed though only INCR loses its reply: %v", err)
	}
	if n, err := c.Incr(t.Context(), "n").Result(); err == nil {
		t.Fatalf("INCR answered %d, its reply was to be lost", n)
	}
	if n, err := c.Incr(t.Context(), "n").Result(); n != 2 || err != nil {
		t.Errorf("the second INCR answered %d (%v), want 2: the first was executed, the fault is over", n, err)
	}
	if n := p.LostReplies(); n != 1 {
		t.Errorf("%d lost replies, want 1", n)
	}
}

// A client that repeats on its own executes twice: what such a fault is for.
func TestARepeatedCommandIsExecutedTwice(t *testing.T) {
	t.Parallel()
	p := redistest.Proxy(t, redistest.Server(t).Addr())
	c := through(t, p, 1)
	p.LoseReplyTo("incr")
	if n, err := c.Incr(t.Context(), "n").Result(); n != 2 || err != nil {
		t.Errorf("INCR answered %d (%v), want 2", n, err)
	}
}

func TestCutClosesAndRefusesUntilRestore(t *testing.T) {
	t.Parallel()
	p := redistest.Proxy(t, redistest.Server(t).Addr())
	// More than one connection: a go-redis pool that met as many dial errors
	// as it may hold connections repeats the last for a second.
	o := redistest.Options(p.Addr())
	o.PoolSize = 10
	c := redis.NewClient(o)
	t.Cleanup(func() { c.Close() })
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	addr := p.Addr()
	p.Cut()
	if err := c.Ping(t.Context()).Err(); err == nil {
		t.Error("PING was answered through a cut proxy")
	}
	if !closedSoon(addr) {
		t.Error("a cut proxy accepts connections")
	}
	p.Restore()
	if err := c.Ping(t.Context()).Err(); err != nil || p.Addr() != addr {
		t.Errorf("after Restore at %s (before: %s): %v", p.Addr(), addr, err)
	}
	p.Restore() // again: nothing to do
}

// closedSoon tells whether nobody listens at addr, at the latest in a second.
func closedSoon(addr string) bool {
	for range 100 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return true
		}
		c.Close()
		time.Sleep(10 * time.Millisecond)
	}
	return false
}
