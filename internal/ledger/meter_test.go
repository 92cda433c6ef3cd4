package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/redistest"
)

// counts is a Meter that remembers.
type counts struct {
	mu       sync.Mutex
	commands map[string]int
	classes  map[string]int
	retries  map[string]int
	guesses  map[string]int
}

func newCounts() *counts {
	return &counts{commands: map[string]int{}, classes: map[string]int{}, retries: map[string]int{}, guesses: map[string]int{}}
}

func (c *counts) Operation(_ context.Context, command string, took time.Duration, class string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if took <= 0 || took > time.Minute || strings.ContainsAny(command, " {:") || class != "" && !slices.Contains(ErrorClasses, class) {
		command = "wrong: " + command + " " + class
	}
	c.commands[command]++
	if class != "" {
		c.classes[class]++
	}
}

func (c *counts) Retried(cause string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retries[cause]++
}

func (c *counts) Guessed(outcome string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.guesses[outcome]++
}

// of gives how often something was counted.
func (c *counts) of(which map[string]int, what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return which[what]
}

// checkNames fails when anything but the name of a command was told.
func (c *counts) checkNames(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for command := range c.commands {
		if strings.HasPrefix(command, "wrong") {
			t.Errorf("the meter was told %q", command)
		}
	}
}

// Each round trip is measured once, by the name of its command alone, also where
// a change waits for replicas; a conflict is a retry.
func TestEveryRoundTripIsMeasured(t *testing.T) {
	for name, url := range map[string]string{"embedded": Embedded, "server": redistest.Server(t).URL(), "cluster": redistest.Cluster(t, 3).URL()} {
		t.Run(name, func(t *testing.T) {
			m := newCounts()
			l := openAt(t, url, func(o *Options) { o.Meter = m })
			mustUpdate(t, l, one(l, "measured", "first"), count) // the script may be unknown until now
			loads, commits := m.of(m.commands, "hmget"), m.of(m.commands, "evalsha")
			mustUpdate(t, l, one(l, "measured", "second"), count)
			if loads, commits = m.of(m.commands, "hmget")-loads, m.of(m.commands, "evalsha")-commits; loads != 0 || commits != 1 {
				t.Errorf("an update of a customer who is known is %d loads and %d commits, want one commit", loads, commits)
			}
			judged := 0 // what is remembered first, and then what was read
			mustUpdate(t, l, one(l, "measured", "third"), func(c recovery.Customer, fresh []int) (Judgement, error) {
				if judged++; judged <= 2 {
					mustUpdate(t, l, one(l, "measured", fmt.Sprint("in between ", judged)), count)
				}
				return count(c, fresh)
			})
			if got := m.of(m.retries, causeConflict); got != 1 {
				t.Errorf("%d conflicts, want 1", got)
			}
			if len(m.classes) > 0 && name != "cluster" { // where a node may say who owns a slot
				t.Errorf("errors where there are none: %v", m.classes)
			}
			m.checkNames(t)

			tail := l.Tail()
			defer tail.Close()
			if _, _, err := tail.Ends(t.Context()); err != nil {
				t.Fatal(err)
			}
			if m.of(m.commands, "xrevrange") == 0 {
				t.Errorf("reading events is not measured: %v", m.commands)
			}
			if p := l.Pool(); p.Misses == 0 || p.Hits == 0 || p.Idle == 0 || p.Busy != 0 {
				t.Errorf("the pool of calls tells %+v, want connections that were made, used and are idle", p)
			}
			if p := tail.Pool(); p.Misses == 0 {
				t.Errorf("the pool of events tells %+v, want connections that were made", p)
			}
		})
	}
}

// With replicas to wait for, the commit and its WAIT are one round trip.
func TestACommitThatWaitsIsMeasured(t *testing.T) {
	m := newCounts()
	l := openAt(t, redistest.Sentinel(t).URL(), func(o *Options) { o.Meter, o.Wait = m, 1 })
	mustUpdate(t, l, one(l, "c", "first"), count)
	before := m.of(m.commands, "evalsha")
	mustUpdate(t, l, one(l, "c", "second"), count)
	if got := m.of(m.commands, "evalsha") - before; got != 1 || m.of(m.commands, "wait") != 0 {
		t.Errorf("a commit counted %d times, its WAIT %d times; want once and not for itself", got, m.of(m.commands, "wait"))
	}
}

// A store that goes away is errors and retries of an outage.
func TestAnOutageIsMeasured(t *testing.T) {
	store := redistest.Server(t)
	m := newCounts()
	l := openAt(t, store.URL(), func(o *Options) { o.Meter = m })
	store.Kill()
	if _, err := l.Load(t.Context(), l.Key("shop", "c")); err == nil {
		t.Fatal("loaded from a store that is gone")
	}
	if m.of(m.classes, "refused")+m.of(m.classes, "unanswered") == 0 || m.of(m.retries, causeOutage) == 0 {
		t.Errorf("errors %v, retries %v; want some of an outage", m.classes, m.retries)
	}
	m.checkNames(t)
}

func TestErrorClasses(t *testing.T) {
	for text, want := range map[string]string{
		"MOVED 1 127.0.0.1:1": "redirected", "NOSCRIPT No matching script": "", "LOADING Redis is loading": "refused",
		"OOM command not allowed": "full", "WRONGTYPE Operation": "broken", "ERR max number of clients reached": "overloaded",
	} {
		if got := errorClass(mistyped(text)); got != want {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
	for err, want := range map[error]string{
		nil: "", redis.Nil: "", context.Canceled: "cancelled", context.DeadlineExceeded: "unanswered", errors.New("EOF"): "unanswered",
		redis.ErrPoolTimeout: "overloaded",
	} {
		if got := errorClass(err); got != want {
			t.Errorf("%v is %q, want %q", err, got, want)
		}
	}
}

// Durable is what the servers say, now and when it changes.
func TestDurable(t *testing.T) {
	store := redistest.Server(t)
	l := openAt(t, store.URL())
	look := func(what string, want bool) {
		t.Helper()
		_ = l.Ready(t.Context()) // refuses what evicts
		if got := l.Durable(); got != want {
			t.Errorf("%s: durable %v, want %v", what, got, want)
		}
	}
	set := func(name, value string) {
		t.Helper()
		if err := store.Client().ConfigSet(t.Context(), name, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	set("appendonly", "no")
	look("without an append-only file", false)
	set("appendonly", "yes")
	look("with one", true)
	set("appendfsync", "no")
	look("with one that reaches the disk whenever it likes", false)
	set("appendfsync", "everysec")
	look("with one that reaches the disk within a second", true)
	set("maxmemory-policy", "allkeys-lru")
	look("that evicts", false)
	set("maxmemory-policy", "noeviction")
	look("that evicts no more", true)
	short := openAt(t, store.URL(), func(o *Options) { o.Wait = 1 })
	if short.Durable() {
		t.Error("durable without the replica that a change must reach")
	}
	if openAt(t, Embedded).Durable() {
		t.Error("the embedded store is no durable one")
	}
}
