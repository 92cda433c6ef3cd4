package sweep

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/policy"
	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/redistest"
)

// poison is a rulebook one of whose policies nobody survives.
type poison struct{ rules recovery.Rules }

func (p *poison) Rules(_ context.Context, versions ...string) (recovery.Rules, error) {
	if slices.Contains(versions, "poison") {
		panic("boom")
	}
	return p.rules, nil
}

// A customer who cannot be judged without a panic is put off and told of, by the
// looks and by the walk over the index; time passes for all others.
func TestPanicOverOneCustomer(t *testing.T) {
	store := redistest.Server(t)
	l, err := ledger.Open(t.Context(), ledger.Options{URL: store.URL(), Secret: []byte("a secret of this test"), Buckets: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	poisoned, good := at(t, l, "poisoned", time.Now()), at(t, l, "good", time.Now())
	_, err = l.Update(t.Context(), ledger.Write{Key: poisoned}, func(c recovery.Customer, _ []int) (ledger.Judgement, error) {
		c.Open[0].Policy = "poison"
		return ledger.Judgement{Customer: c, Due: time.Now()}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	missed := func() bool {
		s, err := l.Load(t.Context(), good)
		return err == nil && len(s.Customer.Open) == 1 && slices.ContainsFunc(s.Customer.Open[0].Deadlines,
			func(d recovery.Deadline) bool { return d.Verdict == recovery.Missed })
	}
	var mu sync.Mutex
	var log bytes.Buffer
	told := func(what string) bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.Contains(log.String(), what)
	}
	sweeping, cancel := context.WithCancel(t.Context())
	var end sync.WaitGroup
	end.Go(func() {
		Run(sweeping, Config{Ledger: l, Rules: &poison{recovery.Rules{Active: policy.Default().Rules}}, Every: 20 * time.Millisecond,
			RepairEvery: 50 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&locked{&mu, &log}, nil))})
	})
	soon(t, 5*time.Second, "time passes for the other customer", missed)
	for _, what := range []string{"what is due cannot be dealt with", "the index of a customer cannot be mended", string(poisoned), "boom"} {
		soon(t, 5*time.Second, "the log tells "+what, func() bool { return told(what) })
	}
	cancel()
	end.Wait()
}

// locked is a buffer that several may write.
type locked struct {
	mu *sync.Mutex
	to *bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(p)
}
