package sweep

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/policy"
	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/redistest"
)

// at keeps a customer with a case whose acknowledgement is due then, and gives
// the key.
func at(t *testing.T, l *ledger.Ledger, customer string, due time.Time) ledger.Key {
	t.Helper()
	rules := recovery.Rules{Active: policy.Default().Rules}
	key := l.Key("t", customer)
	_, err := l.Update(t.Context(), ledger.Write{Key: key, Tenant: "t"}, func(c recovery.Customer, _ []int) (ledger.Judgement, error) {
		e := complaint(recovery.Private)
		e.OccurredAt = due.Add(-rules.Active.Deadlines.Acknowledge)
		c, _, err := recovery.Report(c, e, rules, e.OccurredAt)
		return ledger.Judgement{Customer: c, Due: c.NextDue(rules)}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// A hundred customers who cannot be read, entries of nobody, of who has nothing
// due and of who has something due later: all before one for whom something is
// due. That one is served at once; what is wrong in the index is mended soon.
func TestHeadOfTheIndex(t *testing.T) {
	store := redistest.Server(t)
	l, err := ledger.Open(t.Context(), ledger.Options{URL: store.URL(), Secret: []byte("a secret of this test"), Buckets: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	c, ctx := store.Client(), t.Context()
	const index = "{b000}:due"
	enter := func(member string) { c.ZAdd(ctx, index, redis.Z{Score: 1000, Member: member}) }
	for i := range 100 {
		key := at(t, l, fmt.Sprint("unreadable ", i), time.Now())
		c.HSet(ctx, "{b000}:c"+string(key), "s", "not ours")
		enter(string(key))
		enter(fmt.Sprint("foreign ", i))
	}
	stranger, later := l.Key("t", "stranger"), at(t, l, "later", time.Now().Add(time.Hour))
	enter(string(stranger))
	right := c.ZScore(ctx, index, string(later)).Val()
	enter(string(later))
	good := at(t, l, "good", time.Now())
	misses := func() (n int) {
		s, err := l.Load(ctx, good)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range s.Customer.Open[0].Deadlines {
			if d.Verdict == recovery.Missed {
				n++
			}
		}
		return n
	}

	var log bytes.Buffer
	sweeping, cancel := context.WithCancel(ctx)
	rules := &shelf{rules: recovery.Rules{Active: policy.Default().Rules}}
	var replicas sync.WaitGroup
	for i := range 2 {
		logger := slog.New(slog.DiscardHandler)
		if i == 0 {
			logger = slog.New(slog.NewTextHandler(&log, nil))
		}
		replicas.Go(func() { Run(sweeping, Config{Ledger: l, Rules: rules, Every: 50 * time.Millisecond, Logger: logger}) })
	}
	soon(t, 3*time.Second, "what is due behind is dealt with", func() bool { return misses() == 1 })
	soon(t, 6*time.Second, "the index is mended", func() bool {
		return c.ZScore(ctx, index, string(later)).Val() == right && c.ZScore(ctx, index, string(stranger)).Err() == redis.Nil
	})
	if n := c.Exists(ctx, "{b000}:c"+string(stranger)).Val(); n != 0 {
		t.Error("a customer was made of a stranger")
	}
	cancel()
	replicas.Wait()
	if n := strings.Count(log.String(), "level=ERROR"); n < 1 || n > 3 || strings.Contains(log.String(), "works again") || !strings.Contains(log.String(), "customer ") {
		t.Errorf("the log is to tell each reason once, and of whom:\n%s", &log)
	}
	if err := l.Ready(ctx); err != nil {
		t.Errorf("a server with these customers would serve nobody: %v", err)
	}
}

func soon(t *testing.T, within time.Duration, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}

// stale is a shelf whose index says that the customer is due when nothing is.
type stale struct {
	shelf
	wrong   time.Time // what the index says
	looked  int
	mended  []time.Duration
	another time.Duration // when another replica commits; 0: never
}

func (s *stale) Due(_ context.Context, now time.Time, _ int, aside map[ledger.Due]bool) ([]ledger.Due, error) {
	d := ledger.Due{Key: "k", At: s.wrong}
	if aside[d] || s.another > 0 && time.Since(s.began) >= s.another {
		return nil, nil
	}
	return []ledger.Due{d}, nil
}

func (s *stale) Update(_ context.Context, w ledger.Write, judge ledger.Judge) ([]ledger.Result, error) {
	s.looked++
	if _, err := judge(s.customer, nil); err != nil {
		return nil, err
	}
	if w.Reindex {
		s.mended = append(s.mended, time.Since(s.began))
	}
	return []ledger.Result{{}}, nil
}

// An entry that is wrong twice is mended, and again only after longer and longer
// pauses; one that was right when it was read is left to who has dealt with it.
func TestStaleEntry(t *testing.T) {
	for _, tt := range []struct {
		name    string
		another time.Duration
		mends   int
	}{
		{"nobody else", 0, 9},
		{"another replica has just committed", 500 * time.Millisecond, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &stale{shelf: shelf{rules: recovery.Rules{Active: policy.Default().Rules}}}
				s.report(t, complaint(recovery.Private), recovery.Action{Step: recovery.StepHold})
				s.wrong, s.another = time.Now().Add(-time.Hour), tt.another
				ctx, cancel := context.WithCancel(t.Context())
				go Run(ctx, Config{Ledger: s, Rules: s, Every: 100 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
				time.Sleep(10 * time.Minute)
				cancel()
				synctest.Wait()
				if len(s.mended) != tt.mends || s.looked != 1+2*tt.mends {
					t.Errorf("looked at %d times, mended %d times, want %d", s.looked, len(s.mended), tt.mends)
				}
				if tt.mends > 0 && (s.mended[0] < firstPause || s.mended[0] > 2*firstPause) {
					t.Errorf("mended after %v", s.mended[0])
				}
			})
		})
	}
}
