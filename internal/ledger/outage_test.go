package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/redisproc"
	"github.com/makeamends/amends/internal/redistest"
)

// unavailable checks that a call found the store away, and what it says of the change.
func unavailable(t *testing.T, err error, unknown bool) {
	t.Helper()
	var u *Unavailable
	if !errors.As(err, &u) || u.Unknown != unknown || u.RetryAfter <= 0 {
		t.Errorf("got %v (%v), want unavailable, unknown %t", err, Cause(err), unknown)
	}
}

// tryUpdate is Update with half a second to succeed.
func tryUpdate(t *testing.T, l *Ledger, w Write, judge Judge) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err := l.Update(ctx, w, judge)
	return err
}

// The connection is cut after Redis executed the commit and before it answers.
func TestACutConnectionCommitsOnce(t *testing.T) {
	t.Parallel()
	server := redistest.Shared(t)
	proxy := redistest.Proxy(t, server.Addr())
	l := openAt(t, proxy.URL())
	mustUpdate(t, l, one(l, "cut", "before"), count)

	proxy.LoseReplyTo("evalsha")
	judged := 0
	r := mustUpdate(t, l, one(l, "cut", "a"), func(c recovery.Customer, fresh []int) (Judgement, error) {
		judged++
		return count(c, fresh)
	})
	if proxy.LostReplies() != 1 || judged != 1 || r.Replayed || string(r.Answer) != "order 2" {
		t.Errorf("%d replies lost, judged %d times, %+v", proxy.LostReplies(), judged, r)
	}

	// No reply comes until the deadline: the caller must ask again.
	w := one(l, "cut", "b")
	err := tryUpdate(t, l, w, func(c recovery.Customer, fresh []int) (Judgement, error) {
		proxy.CutReplies()
		return count(c, fresh)
	})
	unavailable(t, err, true)
	proxy.Restore()
	if r := mustUpdate(t, l, w, count); !r.Replayed || string(r.Answer) != "order 3" {
		t.Errorf("asked again: %+v", r)
	}

	proxy.Cut()
	unavailable(t, l.Ping(t.Context()), false) // on the connection that is about to be closed
	unavailable(t, tryUpdate(t, l, one(l, "cut", "c"), count), false)
	proxy.Restore()
	if r := mustUpdate(t, l, one(l, "cut", "c"), count); r.Replayed || string(r.Answer) != "order 4" {
		t.Errorf("after the outage: %+v", r)
	}
}

// Redis is killed between commit and answer, and starts again from its log.
func TestAKilledServerCommitsOnce(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t, redistest.WithAOF())
	l := openAt(t, server.URL(), func(o *Options) { o.Production = true })
	mustUpdate(t, l, one(l, "killed", "before"), count)
	hook := &loseReply{then: server.Kill}
	l.client.AddHook(hook)
	hook.armed.Store(true)
	w := one(l, "killed", "a")
	unavailable(t, tryUpdate(t, l, w, count), true)
	server.Start()
	if r := mustUpdate(t, l, w, count); !r.Replayed || string(r.Answer) != "order 2" {
		t.Errorf("asked again: %+v", r)
	}
	if err := l.Ready(t.Context()); err != nil {
		t.Errorf("after the restart: %v", err)
	}
}

// tryUntilAnswered tries again, a few times, when Redis did not answer in time:
// on a busy machine that happens, and says nothing about how it refuses.
func tryUntilAnswered(t *testing.T, l *Ledger, w Write, judge Judge) (err error) {
	t.Helper()
	for range 3 {
		var gone *Unavailable
		if err = tryUpdate(t, l, w, judge); !errors.As(err, &gone) || !gone.Unknown {
			break
		}
	}
	return err
}

// Redis refuses every write for a while; nothing of the customer changes.
func TestRefusedWritesChangeNothing(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	l := openAt(t, server.URL())
	ctx := t.Context()
	set := func(name, value string) func() error {
		return func() error { return server.Client().ConfigSet(ctx, name, value).Err() }
	}
	for name, tc := range map[string]struct{ begin, end func() error }{
		"OOM":        {set("maxmemory", "1"), set("maxmemory", "0")},
		"NOREPLICAS": {set("min-replicas-to-write", "1"), set("min-replicas-to-write", "0")},
		"READONLY": {
			func() error { return server.Client().ReplicaOf(ctx, "127.0.0.1", "1").Err() },
			func() error { return server.Client().ReplicaOf(ctx, "NO", "ONE").Err() },
		},
		"BUSY": {
			func() error {
				err := set("busy-reply-threshold", "10")()
				go server.Client().Eval(ctx, "while true do end", nil)
				time.Sleep(50 * time.Millisecond)
				return err
			},
			func() error { return endScript(ctx, server.Client()) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			mustUpdate(t, l, one(l, name, "before"), opens)
			before := dump(t, l)
			if err := tc.begin(); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			unavailable(t, tryUntilAnswered(t, l, one(l, name, "a"), opens), false)
			if d := time.Since(start); name == "OOM" && d > 300*time.Millisecond {
				t.Errorf("waited %v for a memory that does not empty itself", d)
			}
			if err := tc.end(); err != nil {
				t.Fatal(err)
			}
			unchanged(t, l, before)
			if r := mustUpdate(t, l, one(l, name, "a"), opens); r.Replayed {
				t.Error("the refused request counts as carried out")
			}
		})
	}
}

// endScript kills the script that runs and waits until it has ended: Redis says
// OK to the order and goes on being busy for a moment.
func endScript(ctx context.Context, client *redis.Client) error {
	for {
		err := client.ScriptKill(ctx).Err()
		if redis.HasErrorPrefix(err, "NOTBUSY") {
			return nil
		}
		if err != nil && !redis.HasErrorPrefix(err, "BUSY") {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// A server that hangs is no server: calls end with their deadline. What was only
// read has changed nothing; what was sent without a read may be done later.
func TestAHangingServer(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	l := openAt(t, server.URL())
	reads := openAt(t, server.URL(), forgetful)
	mustUpdate(t, l, one(l, "hangs", "before"), count)
	mustUpdate(t, reads, one(l, "hangs", "before"), count)
	server.Pause()
	for on, unknown := range map[*Ledger]bool{l: true, reads: false} {
		begin := time.Now()
		unavailable(t, tryUpdate(t, on, one(l, "hangs", "a"), count), unknown)
		if d := time.Since(begin); d > time.Second {
			t.Errorf("a call with half a second took %v", d)
		}
	}
	server.Resume()
	mustUpdate(t, l, one(l, "hangs", "a"), count)
	if r := mustUpdate(t, reads, one(l, "hangs", "a"), count); !r.Replayed || string(r.Answer) != "order 2" {
		t.Errorf("asked again: %+v", r)
	}
}

func TestReplicasConfirm(t *testing.T) {
	t.Parallel()
	s := redistest.Sentinel(t)
	l := openAt(t, s.URL(), func(o *Options) { o.Wait = 1 })
	w := one(l, "wait", "a")
	mustUpdate(t, l, w, count)
	if n := s.Replica().Client().Exists(t.Context(), mustNames(t, l, w.Key).customer).Val(); n != 1 {
		t.Error("confirmed, but not on the replica")
	}

	s.Replica().Pause()
	b := one(l, "wait", "b")
	unavailable(t, tryUpdate(t, l, b, count), true)
	// Whoever asks again must not be told that it is safe either.
	unavailable(t, tryUpdate(t, l, b, count), true)
	s.Replica().Resume()
	if r := mustUpdate(t, l, b, count); !r.Replayed || string(r.Answer) != "order 2" {
		t.Errorf("asked again: %+v", r)
	}
}

func mustNames(t testing.TB, l *Ledger, key Key) names {
	t.Helper()
	n, err := l.buckets.of(key)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// lostMaster: the loss of a node is the loss of its customers alone.
func lostMaster(t *testing.T, c *redistest.ClusterInstance, open opener) {
	l := open(t)
	coverage := func(value string) {
		t.Helper()
		if err := c.Nodes()[1].Client().ConfigSet(t.Context(), "cluster-require-full-coverage", value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	coverage("yes")
	want := "run there: redis-cli CONFIG SET cluster-require-full-coverage no"
	if err := l.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "the Redis at "+c.Nodes()[1].Addr()) || !strings.Contains(err.Error(), want) {
		t.Errorf("a cluster that stops as a whole: %v", err)
	}
	coverage("no")

	// A customer beside the record of the ledger, whose loss must not matter.
	owner, lost, kept := c.Owner(metaKey), "lost", "kept"
	for c.Owner(mustNames(t, l, l.Key("shop", lost)).customer) != owner {
		lost += "'"
	}
	for c.Owner(mustNames(t, l, l.Key("shop", kept)).customer) == owner {
		kept += "'"
	}
	mustUpdate(t, l, one(l, lost, "a"), count)
	if at, other := l.Server(t.Context(), l.Key("shop", lost)), l.Server(t.Context(), l.Key("shop", kept)); at != owner.Addr() || other == at || other == "" {
		t.Errorf("%s is at %s, want %s, and %s at %s", lost, at, owner.Addr(), kept, other)
	}
	owner.Kill()
	unavailable(t, tryUpdate(t, l, one(l, lost, "b"), count), false)
	mustUpdate(t, l, one(l, kept, "b"), count)
	// What is due with the others is found all the same; a list would have a hole.
	mustUpdate(t, l, Write{Key: l.Key("shop", kept)}, func(c recovery.Customer, _ []int) (Judgement, error) {
		return Judgement{Customer: c, Due: time.UnixMilli(1)}, nil
	})
	found, err := l.Due(t.Context(), time.UnixMilli(1), 1000, nil)
	unavailable(t, err, false)
	if !slices.ContainsFunc(found, func(d Due) bool { return d.Key == l.Key("shop", kept) }) {
		t.Errorf("due: %v", found)
	}
	_, err = l.List(t.Context(), Query{Tenant: "shop", Most: 1})
	unavailable(t, err, false)
	if err := l.Ready(t.Context()); err != nil {
		t.Errorf("with a lost master: %v", err)
	}
	owner.Start()
	c.WaitReady()
	mustUpdate(t, l, one(l, lost, "b"), count)
}

// slotMoves: while a slot moves from node to node, its keys are on two of them
// and no script can run; a call waits for the end of it.
func slotMoves(t *testing.T, c *redistest.ClusterInstance, open opener) {
	var refused atomic.Int32
	l := open(t, func(o *Options) {
		o.Observe = func(context.Context, string, Key) func(error) {
			return func(err error) {
				if redis.HasErrorPrefix(err, "TRYAGAIN") {
					refused.Add(1)
				}
			}
		}
	})
	ctx := t.Context()
	n := mustNames(t, l, l.Key("shop", "moves"))
	mustUpdate(t, l, one(l, "moves", "a"), opens)
	from, to := c.Owner(n.customer), c.Nodes()[0]
	if to == from {
		to = c.Nodes()[1]
	}
	must := func(i *redistest.Instance, args ...any) string {
		t.Helper()
		answer, err := i.Client().Do(ctx, args...).Result()
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return fmt.Sprint(answer)
	}
	slot := must(from, "cluster", "keyslot", n.customer)
	fromID, toID := must(from, "cluster", "myid"), must(to, "cluster", "myid")
	host, port, _ := net.SplitHostPort(to.Addr())
	all := redistest.Options(to.Addr())
	move := func(keys ...any) {
		t.Helper()
		must(from, append([]any{"migrate", host, port, "", "0", "1000", "auth2", all.Username, all.Password, "keys"}, keys...)...)
	}
	must(to, "cluster", "setslot", slot, "importing", fromID)
	must(from, "cluster", "setslot", slot, "migrating", toID)
	move(n.customer)

	done := make(chan error)
	go func() {
		_, err := l.Update(ctx, one(l, "moves", "b"), opens)
		done <- err
	}()
	time.Sleep(2 * outageTime) // longer than an outage is waited out
	rest, err := from.Client().ClusterGetKeysInSlot(ctx, int(from.Client().ClusterKeySlot(ctx, n.due).Val()), 1000).Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range rest { // the indexes and the stream, which it shares with others
		move(name)
	}
	for _, i := range []*redistest.Instance{to, from} {
		must(i, "cluster", "setslot", slot, "node", toID)
	}
	if err := <-done; err != nil {
		t.Errorf("got %v (%v)", err, Cause(err))
	}
	if refused.Load() == 0 {
		t.Error("no call met the slot on its way")
	}
	if s := mustLoad(t, l, l.Key("shop", "moves")); s.Customer.Cases != 2 {
		t.Errorf("%d cases", s.Customer.Cases)
	}
}

// Without enough replicas a change is made but not confirmed.
func tooFewReplicas(t *testing.T, open opener) {
	l := open(t, func(o *Options) { o.Wait = 1 })
	w := one(l, "alone", "a")
	for range 2 { // the change, and a repetition that finds it
		unavailable(t, tryUpdate(t, l, w, count), true)
	}
	l2 := open(t)
	if r := mustUpdate(t, l2, w, count); !r.Replayed || string(r.Answer) != "order 1" {
		t.Errorf("asked again without waiting: %+v", r)
	}
}

// TestConfirmedWhileASlotMoves: whoever asks again, books or erases while a slot
// moves for longer than an outage is waited out has an answer that replicas have.
func TestConfirmedWhileASlotMoves(t *testing.T) {
	t.Parallel()
	c := redistest.ClusterOf(t, redisproc.ClusterConfig{Masters: 3, Replicas: 1, KeyPause: 2 * outageTime})
	l := openAt(t, c.URL(), func(o *Options) { o.Buckets, o.Wait = 1, 1 })
	w := one(l, "moves", "a")
	mustUpdate(t, l, w, count)
	b := Booking{Tenant: "shop", Currency: "USD", Day: time.Now(), CaseID: CaseID(w.Key, 1), Name: BookingName(time.Now(), "one")}
	book := func(ctx context.Context) error {
		_, err := l.Book(ctx, b, "", 500, 10_000, time.Now().Add(time.Hour))
		return err
	}
	if err := book(t.Context()); err != nil {
		t.Fatal(err)
	}
	for tag, calls := range map[string][]func(context.Context) error{
		budgetNames.customer: {book},
		l.buckets[0].due: {
			func(ctx context.Context) error { _, err := l.Update(ctx, w, count); return err },
			func(ctx context.Context) error {
				_, err := l.Erase(ctx, "shop", l.Key("shop", "nobody"), ninetyDays)
				return err
			},
		},
	} {
		to := c.Masters()[0]
		if to == c.Owner(tag) {
			to = c.Masters()[1]
		}
		over := make(chan struct{})
		go func() {
			defer close(over)
			c.MoveKey(tag, to)
		}()
		time.Sleep(outageTime / 2)
		var wait sync.WaitGroup
		for i, call := range calls {
			wait.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				if err := call(ctx); err != nil {
					t.Errorf("call %d about %s: %v (%v)", i, tag, err, Cause(err))
				}
			})
		}
		wait.Wait()
		<-over
	}
}

// late delivers the first commit only when the second is sent, as a server that
// hung may read what a caller sent before it gave up.
type late struct {
	loseReply
	held []any
}

func (h *late) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		switch {
		case cmd.Name() != "evalsha":
		case h.armed.CompareAndSwap(true, false):
			h.held = cmd.Args()
			cmd.SetErr(io.EOF)
			return io.EOF
		case h.held != nil:
			held := h.held
			h.held = nil
			_ = next(ctx, redis.NewCmd(ctx, held...))
		}
		return next(ctx, cmd)
	}
}

// Of two attempts of one call the first may be carried out although the second was
// judged since: the call is answered with what is kept, and nothing is decided on
// what is not.
func TestALateCommit(t *testing.T) {
	l := openAt(t, redistest.Shared(t).URL())
	mustUpdate(t, l, one(l, "late", "before"), count)
	hook := &late{}
	l.client.AddHook(hook)
	hook.armed.Store(true)
	w := one(l, "late", "a")
	n := 0
	r := mustUpdate(t, l, w, func(c recovery.Customer, fresh []int) (Judgement, error) {
		n++
		c.Claims += int64(n)
		j, err := count(c, fresh)
		j.Answers[0] = fmt.Append(nil, "judged ", n)
		return j, err
	})
	if again := mustUpdate(t, l, w, count); n != 2 || r.Replayed || string(again.Answer) != string(r.Answer) {
		t.Errorf("judged %d times and answered %q; asked again %q", n, r.Answer, again.Answer)
	}
	mustUpdate(t, l, one(l, "late", "b"), count)
	if s := mustLoad(t, l, w.Key); s.Customer.Orders != 3 || s.Customer.Claims != 1 {
		t.Errorf("%d orders and %d claims are kept, want 3 and what was judged first", s.Customer.Orders, s.Customer.Claims)
	}
}

// An attempt that finds an earlier one carried out writes, too: WAIT speaks of the
// writes of its own connection alone (from Redis 7.2 on), and the earlier one came on
// another.
func TestALateCommitIsConfirmed(t *testing.T) {
	t.Parallel()
	s := redistest.Server(t)
	l := openAt(t, s.URL())
	w := one(l, "late and confirmed", "a")
	u := &update{ledger: l, write: w, names: mustNames(t, l, w.Key), requests: l.requests(w.Requests), fresh: []int{0}, nonce: [6]byte{7}}
	changes := func() string {
		return s.Client().InfoMap(t.Context(), "persistence").Item("Persistence", "rdb_changes_since_last_save")
	}
	var stored map[string]string
	for attempt := range 2 {
		j, _ := count(recovery.Customer{}, u.fresh)
		c, err := u.change(&loaded{}, j)
		if err != nil {
			t.Fatal(err)
		}
		before := changes()
		if stands, err := l.send(t.Context(), u.names, c); err != nil || stands != nil {
			t.Fatalf("attempt %d: %v stands, %v", attempt, stands, err)
		}
		if after := changes(); after == "" || after == before {
			t.Errorf("attempt %d: nothing is written, after %q changes", attempt, before)
		}
		if attempt == 0 {
			stored = dump(t, l)
		}
	}
	unchanged(t, l, stored)
}

// A master that is made a replica while a change waits for its replicas lets the wait
// go with an error of its own. The change was made there, and may be lost: that is
// unknown, and no fault that somebody must repair.
func TestAMasterThatIsReplaced(t *testing.T) {
	t.Parallel()
	s := redistest.Server(t)
	l := openAt(t, s.URL(), forgetful, func(o *Options) { o.Wait = 1 })
	w := one(l, "replaced", "a")
	customer := mustNames(t, l, w.Key).customer
	answered := make(chan error, 1)
	go func() { answered <- tryUpdate(t, l, w, count) }()
	for s.Client().Exists(t.Context(), customer).Val() == 0 || strings.Contains(s.Client().Info(t.Context(), "clients").Val(), "blocked_clients:0") {
		time.Sleep(time.Millisecond)
	}
	if err := s.Client().ReplicaOf(t.Context(), "127.0.0.1", "1").Err(); err != nil {
		t.Fatal(err)
	}
	unavailable(t, <-answered, true)
	if err := l.trouble.recent(); err != nil {
		t.Errorf("it passes for trouble: %v", err)
	}
	if err := s.Client().ReplicaOf(t.Context(), "no", "one").Err(); err != nil {
		t.Fatal(err)
	}
	if r := mustUpdate(t, openAt(t, s.URL()), w, count); !r.Replayed {
		t.Errorf("asked again: %+v", r)
	}
}
