package sweep

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/policy"
	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/redistest"
)

// A shard of a cluster that lacks the replicas it must write to, with deadlines of two
// hundred customers: those of the other shards are missed in time, and its own soon
// after it has them.
func TestAShardWithoutReplicas(t *testing.T) {
	t.Parallel()
	c, ctx := redistest.Cluster(t, 3), t.Context()
	l, err := ledger.Open(ctx, ledger.Options{URL: c.URL(), Secret: []byte("a secret of this test")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	sick := c.Masters()[0]
	due := time.Now().Add(2 * time.Second)
	var theirs, others []ledger.Key
	for i := 0; len(theirs) < 200 || len(others) < 20; i++ {
		name := fmt.Sprint(i)
		switch server := l.Server(ctx, l.Key("t", name)); {
		case server == sick.Addr() && len(theirs) < 200:
			theirs = append(theirs, at(t, l, name, due.Add(-time.Minute)))
		case server != sick.Addr() && len(others) < 20:
			others = append(others, at(t, l, name, due))
		}
	}
	replicas := func(n string) {
		if err := sick.Client().ConfigSet(ctx, "min-replicas-to-write", n).Err(); err != nil {
			t.Fatal(err)
		}
	}
	missed := func(keys []ledger.Key) func() bool {
		return func() bool {
			return !slices.ContainsFunc(keys, func(key ledger.Key) bool {
				s, err := l.Load(ctx, key)
				return err != nil || !slices.ContainsFunc(s.Customer.Open[0].Deadlines, func(d recovery.Deadline) bool { return d.Verdict == recovery.Missed })
			})
		}
	}
	replicas("1")
	sweeping, cancel := context.WithCancel(ctx)
	rules := &shelf{rules: recovery.Rules{Active: policy.Default().Rules}}
	var end sync.WaitGroup
	end.Go(func() { Run(sweeping, Config{Ledger: l, Rules: rules, Logger: slog.New(slog.DiscardHandler)}) })
	time.Sleep(time.Until(due))
	soon(t, DefaultEvery+2*time.Second, "the deadlines of the other shards are missed", missed(others))
	replicas("0")
	soon(t, 5*time.Second, "those of the shard are missed when it can write", missed(theirs))
	cancel()
	end.Wait()
}
