package serve_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/makeamends/amends/client"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// watches are some watches, each of one tenant.
type watches struct {
	resumed atomic.Int64

	mu   sync.Mutex
	each []*seen
	errs []error // with which they ended
}

// seen is what one watch gave, and how often.
type seen struct {
	tenant     string
	steps, ids map[string]int
}

// beginWatches returns when every watch has begun.
func beginWatches(t *testing.T, c *client.Client, n int) *watches {
	t.Helper()
	w := &watches{}
	ctx, cancel := context.WithCancel(t.Context())
	var all, begun sync.WaitGroup
	t.Cleanup(func() { cancel(); all.Wait() })
	for i := range n {
		s := &seen{tenantOf(5 * i), map[string]int{}, map[string]int{}}
		w.each = append(w.each, s)
		begun.Add(1)
		all.Go(func() { w.follow(ctx, c, s, sync.OnceFunc(begun.Done)) })
	}
	begun.Wait()
	return w
}

func (w *watches) follow(ctx context.Context, c *client.Client, s *seen, begun func()) {
	defer begun()
	request := recoveryv1.WatchCasesRequest_builder{Tenant: s.tenant}.Build()
	for message, err := range c.Watch(ctx, request, func(*client.Error) { w.resumed.Add(1) }) {
		begun()
		w.mu.Lock()
		if err != nil && ctx.Err() == nil {
			w.errs = append(w.errs, err)
		}
		if message.HasEvent() {
			e := message.GetEvent()
			s.ids[e.GetEventId()]++
			s.steps[e.GetCaseId()+" "+kindsOf([]*recoveryv1.CaseEvent{e})]++
		}
		w.mu.Unlock()
	}
}

// compare waits until every watch has had the steps of its tenant, or nothing
// has come for ten seconds. It counts those that are missing and the events that
// came more than once.
func (w *watches) compare(steps ...map[string][]string) (missing, repeated int) {
	last, since := -1, time.Now()
	for ; ; time.Sleep(50 * time.Millisecond) {
		missing, repeated = w.count(steps)
		if missing != last {
			last, since = missing, time.Now()
		}
		if missing == 0 || time.Since(since) > 10*time.Second {
			return missing, repeated
		}
	}
}

func (w *watches) count(steps []map[string][]string) (missing, repeated int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.each {
		for _, some := range steps {
			for _, step := range some[s.tenant] {
				if s.steps[step] == 0 {
					missing++
				}
			}
		}
		for _, times := range s.steps {
			repeated += times - 1
		}
		for _, times := range s.ids {
			repeated += times - 1
		}
	}
	return missing, repeated
}

// events is how many came in all.
func (w *watches) events() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.each {
		n += len(s.ids)
	}
	return n
}
