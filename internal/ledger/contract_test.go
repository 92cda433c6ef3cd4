package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/redistest"
)

// opener opens a ledger on the store under test; each call may find what the
// one before left, so tests use customers of their own.
type opener func(t testing.TB, edits ...func(*Options)) *Ledger

// Contract is what a ledger promises on every kind of store.
func Contract(t *testing.T, open opener) {
	for name, test := range map[string]func(*testing.T, opener){
		"one request from 64 callers is carried out once":  oneRequest,
		"64 requests of one customer all count":            manyRequests,
		"a reused id with another payload is refused":      reusedID,
		"the same id twice in one call":                    twinRequests,
		"a change in between is judged anew":               conflict,
		"endless conflict ends at the deadline":            endlessConflict,
		"what judge refuses is not written":                judgeRefuses,
		"one request of several is refused":                oneRefused,
		"time alone may change a customer":                 noRequest,
		"a key of the wrong type stops all before a write": wrongType,
		"a commit that is sent again is made once":         sentAgain,
		"a commit whose reply is lost is made once":        lostReply,
		"answers are kept without their words":             packedAnswers,
		"requests of a customer are bounded":               boundedRequests,
		"answers are kept seven days":                      sevenDays,
		"cases, open and closed":                           cases,
		"closed cases beyond a hundred go":                 manyCases,
		"due index and lifetime follow the customer":       dueAndLifetime,
		"what is due and stays is left alone":              dueThatStays,
		"events are numbered without a gap":                eventNumbers,
		"policies are archived":                            policies,
		"no raw id reaches the store":                      canary,
		"a thousand requests in one call":                  thousand,
		"indexes":                                          indexes,
		"erasing":                                          erasing,
		"budgets":                                          budgets,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

func TestEmbedded(t *testing.T) {
	Contract(t, func(t testing.TB, edits ...func(*Options)) *Ledger { return openAt(t, Embedded, edits...) })
}

func TestServer(t *testing.T) {
	url := redistest.Shared(t).URL()
	Contract(t, func(t testing.TB, edits ...func(*Options)) *Ledger { return openAt(t, url, edits...) })
}

func TestCluster(t *testing.T) {
	t.Parallel()
	c := redistest.Cluster(t, 3)
	open := func(t testing.TB, edits ...func(*Options)) *Ledger { return openAt(t, c.URL(), edits...) }
	Contract(t, open)
	t.Run("too few replicas", func(t *testing.T) { tooFewReplicas(t, open) })
	t.Run("a slot that moves", func(t *testing.T) { slotMoves(t, c, open) })
	t.Run("a lost master fails its customers alone", func(t *testing.T) { lostMaster(t, c, open) })
}

func oneRequest(t *testing.T, open opener) {
	l := open(t)
	w := one(l, "one request", "the request")
	var answers [64][]byte
	var replayed atomic.Int32
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			r, err := l.Update(t.Context(), w, func(c recovery.Customer, fresh []int) (Judgement, error) {
				j, _ := count(c, fresh)
				j.Answers[0] = fmt.Appendf(j.Answers[0], " by %d", i) // tells who won
				return j, nil
			})
			if err != nil {
				t.Errorf("caller %d: %v (%v)", i, err, Cause(err))
				return
			}
			answers[i] = r[0].Answer
			if r[0].Replayed {
				replayed.Add(1)
			}
		})
	}
	wg.Wait()
	for i, a := range answers {
		if !bytes.Equal(a, answers[0]) {
			t.Errorf("caller %d is answered %q, caller 0 %q", i, a, answers[0])
		}
	}
	if n := replayed.Load(); n != 63 {
		t.Errorf("%d answers are replays, want 63", n)
	}
	if s := mustLoad(t, l, w.Key); s.Customer.Orders != 1 || s.Version != 1 || s.Tenant != "shop" {
		t.Errorf("stored: %d orders, version %d, tenant %q", s.Customer.Orders, s.Version, s.Tenant)
	}
}

func manyRequests(t *testing.T, open opener) {
	l, l2 := open(t), open(t) // as two processes would
	if l.store.mode == embedded {
		l2 = l
	}
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			on := l
			if i%2 == 0 {
				on = l2
			}
			if _, err := on.Update(t.Context(), one(l, "many requests", fmt.Sprint("request ", i)), count); err != nil {
				t.Errorf("caller %d: %v (%v)", i, err, Cause(err))
			}
		})
	}
	wg.Wait()
	if s := mustLoad(t, l, l.Key("shop", "many requests")); s.Customer.Orders != 64 || s.Version != 64 {
		t.Errorf("%d of 64 requests count, version %d", s.Customer.Orders, s.Version)
	}
}

func reusedID(t *testing.T, open opener) {
	l := open(t)
	w := one(l, "reused", "a")
	first := mustUpdate(t, l, w, count)
	w.Requests = append(w.Requests, Request{ID: "b"}, w.Requests[0])
	w.Requests[0].Payload = []byte("another payload")
	results, err := l.Update(t.Context(), w, count)
	if err != nil {
		t.Fatal(err)
	}
	if !errors.Is(results[0].Err, ErrReused) || results[0].Answer != nil {
		t.Errorf("reused id: %+v", results[0])
	}
	if results[1].Err != nil || string(results[1].Answer) != "order 2" {
		t.Errorf("the request beside it: %+v", results[1])
	}
	if !results[2].Replayed || !bytes.Equal(results[2].Answer, first.Answer) {
		t.Errorf("the payload that was carried out: %+v", results[2])
	}
}

func twinRequests(t *testing.T, open opener) {
	l := open(t)
	w := Write{Key: l.Key("shop", "twins"), Requests: []Request{
		{ID: "a", Payload: []byte("1")}, {ID: "b"}, {ID: "a", Payload: []byte("1")}, {ID: "a", Payload: []byte("2")},
	}}
	for round, want := range []string{
		"[{order 1 false <nil>} {order 2 false <nil>} {order 1 true <nil>} { false request id was used before with another payload}]",
		"[{order 1 true <nil>} {order 2 true <nil>} {order 1 true <nil>} { false request id was used before with another payload}]",
	} {
		results, err := l.Update(t.Context(), w, count)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range results {
			got = append(got, fmt.Sprintf("{%s %t %v}", r.Answer, r.Replayed, r.Err))
		}
		if fmt.Sprint(got) != want {
			t.Errorf("round %d: %v", round, got)
		}
	}
}

func conflict(t *testing.T, open opener) {
	l := open(t)
	calls := 0
	r := mustUpdate(t, l, one(l, "conflict", "slow"), func(c recovery.Customer, fresh []int) (Judgement, error) {
		calls++
		if calls == 1 {
			mustUpdate(t, l, one(l, "conflict", "fast"), count)
		}
		return count(c, fresh)
	})
	if calls != 2 || string(r.Answer) != "order 2" {
		t.Errorf("judged %d times, answered %q", calls, r.Answer)
	}
}

func endlessConflict(t *testing.T, open opener) {
	l := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	n := 0
	_, err := l.Update(ctx, one(l, "endless", "slow"), func(c recovery.Customer, fresh []int) (Judgement, error) {
		n++
		mustUpdate(t, l, one(l, "endless", fmt.Sprint("fast ", n)), count)
		return count(c, fresh)
	})
	t.Logf("judged %d times: %v", n, err)
	// The deadline may also come while a commit is on its way.
	var u *Unavailable
	if !errors.Is(err, ErrConflict) && !(errors.As(err, &u) && u.Unknown) {
		t.Errorf("got %v (%v)", err, Cause(err))
	}
	if s := mustLoad(t, l, l.Key("shop", "endless")); s.Customer.Orders != int64(n) {
		t.Errorf("%d orders after %d fast requests", s.Customer.Orders, n)
	}
}

func judgeRefuses(t *testing.T, open opener) {
	l := open(t)
	w := one(l, "refused", "a")
	mustUpdate(t, l, one(l, "refused", "before"), count)
	before := dump(t, l)
	refusal := errors.New("no such state")
	if _, err := l.Update(t.Context(), w, func(recovery.Customer, []int) (Judgement, error) { return Judgement{}, refusal }); err != refusal {
		t.Errorf("got %v", err)
	}
	if _, err := l.Update(t.Context(), w, func(recovery.Customer, []int) (Judgement, error) { return Judgement{}, nil }); err == nil {
		t.Error("a missing answer was not noticed")
	}
	unchanged(t, l, before)
	if r := mustUpdate(t, l, w, count); r.Replayed {
		t.Error("a refused request counts as carried out")
	}
}

func noRequest(t *testing.T, open opener) {
	l := open(t)
	mustUpdate(t, l, one(l, "time", "a"), count)
	w := Write{Key: l.Key("shop", "time")}
	for range 2 {
		mustUpdate(t, l, w, func(c recovery.Customer, fresh []int) (Judgement, error) {
			if len(fresh) > 0 {
				t.Errorf("fresh: %v", fresh)
			}
			c.Claims++
			return Judgement{Customer: c}, nil
		})
	}
	if s := mustLoad(t, l, w.Key); s.Customer.Claims != 2 || s.Customer.Orders != 1 || s.Version != 3 || s.Tenant != "shop" {
		t.Errorf("stored: %+v", s)
	}
}

func wrongType(t *testing.T, open opener) {
	l := open(t)
	for i, plant := range []func(names) string{
		func(n names) string { return n.customer },
		func(n names) string { return n.due },
		func(n names) string { return n.events },
		func(n names) string { return n.open("shop") },
	} {
		customer := fmt.Sprint("wrong type ", i)
		n, err := l.buckets.of(l.Key("shop", customer))
		if err != nil {
			t.Fatal(err)
		}
		planted := plant(n)
		if err := asAdmin(t, l).client.Del(t.Context(), planted).Err(); err != nil {
			t.Fatal(err)
		}
		if err := asAdmin(t, l).client.Set(t.Context(), planted, "not ours", 0).Err(); err != nil {
			t.Fatal(err)
		}
		before := dump(t, l)
		_, err = l.Update(t.Context(), one(l, customer, "a"), opensDue)
		if !errors.Is(err, ErrBroken) {
			t.Errorf("%s: got %v (%v)", planted, err, Cause(err))
		}
		unchanged(t, l, before)
		if err := l.Ready(t.Context()); err == nil {
			t.Error("ready although the store is broken")
		}
		if err := asAdmin(t, l).client.Del(t.Context(), planted).Err(); err != nil {
			t.Fatal(err)
		}
		mustUpdate(t, l, one(l, customer, "a"), opensDue)
	}
}

// opensDue is a judge that opens a case with something due.
func opensDue(c recovery.Customer, fresh []int) (Judgement, error) {
	j, err := opens(c, fresh)
	j.Due = time.Now().Add(time.Hour)
	return j, err
}

// A driver, a proxy or a network may deliver a command twice, and others may
// change the customer in between.
func sentAgain(t *testing.T, open opener) {
	l := open(t)
	for _, w := range []Write{one(l, "sent again", "a"), {Key: l.Key("shop", "sent again without a request")}} {
		n, _ := l.buckets.of(w.Key)
		u := &update{ledger: l, write: w, names: n, requests: l.requests(w.Requests), nonce: [6]byte{7}}
		for i := range w.Requests {
			u.fresh = append(u.fresh, i)
		}
		j, _ := opens(recovery.Customer{}, []int{0})
		c, err := u.change(&loaded{}, j)
		if err != nil {
			t.Fatal(err)
		}
		send := func() {
			t.Helper()
			if stands, err := l.send(t.Context(), n, c); err != nil || stands != nil {
				t.Errorf("%v stands, want version %q; %v", stands, c.to, err)
			}
		}
		send()
		after := dump(t, l)
		send()
		unchanged(t, l, after)
		if len(w.Requests) == 0 {
			continue // once others went on, only a request can be recognised
		}
		mustUpdate(t, l, one(l, "sent again", "b"), opens)
		after = dump(t, l)
		send()
		unchanged(t, l, after)
	}
}

// alone is the part of a hook on single commands that leaves all else as it is.
type alone struct{}

func (alone) DialHook(next redis.DialHook) redis.DialHook { return next }

func (alone) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// loseReply loses the reply to the next commit, as a cut connection would.
type loseReply struct {
	alone
	armed atomic.Bool
	then  func()
}

func (h *loseReply) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if err != nil || cmd.Name() != "evalsha" || !h.armed.CompareAndSwap(true, false) {
			return err
		}
		if h.then != nil {
			h.then()
		}
		cmd.SetErr(io.EOF)
		return io.EOF
	}
}

func lostReply(t *testing.T, open opener) {
	l := open(t)
	mustUpdate(t, l, one(l, "lost reply", "before"), count) // the script is known
	hook := &loseReply{}
	l.client.AddHook(hook)
	hook.armed.Store(true)
	r := mustUpdate(t, l, one(l, "lost reply", "a"), count)
	if hook.armed.Load() {
		t.Fatal("no reply was lost")
	}
	if string(r.Answer) != "order 2" || r.Replayed {
		t.Errorf("answered %q, replayed %t", r.Answer, r.Replayed)
	}

	// The same for a change without a request, and when others come in between.
	hook.armed.Store(true)
	mustUpdate(t, l, Write{Key: l.Key("shop", "lost reply")}, func(c recovery.Customer, _ []int) (Judgement, error) {
		c.Claims++
		return Judgement{Customer: c}, nil
	})
	hook.then = func() { mustUpdate(t, l, one(l, "lost reply", "between"), count) }
	hook.armed.Store(true)
	mustUpdate(t, l, one(l, "lost reply", "b"), count)
	if s := mustLoad(t, l, l.Key("shop", "lost reply")); s.Customer.Orders != 4 || s.Customer.Claims != 1 || s.Version != 5 {
		t.Errorf("stored: %d orders, %d claims, version %d", s.Customer.Orders, s.Customer.Claims, s.Version)
	}
}
