package bench

import (
	"context"
	"fmt"
	"time"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// crew starts the store, the service with its customers, and the baselines; once.
func (r *Run) crew(ctx context.Context) (err error) {
	if r.plain != nil {
		return nil
	}
	if err := r.needStore(ctx); err != nil {
		return err
	}
	r.say("starting the service", 0, 0)
	if r.service, err = r.startService(ctx, r.store.url, roomForAll); err != nil {
		return err
	}
	if err := r.settle(ctx); err != nil {
		return err
	}
	for _, b := range []struct {
		to   **target
		kind string
		more []string
	}{
		{&r.echo, "echo", nil},
		{&r.bare, "bare", []string{"--redis", r.store.others, "--sends", fmt.Sprint(r.sends)}},
		{&r.plain, "plain", []string{"--redis", r.store.others}},
	} {
		if *b.to, err = r.startBaseline(ctx, b.kind, b.more); err != nil {
			return err
		}
	}
	return r.acquaint(ctx, r.plain, 0, r.Customers)
}

// roomForAll has the service remember all customers of a run, in all sections that
// share it: how it is where it does not, the section on customers shows.
const roomForAll = "--remember=512"

// needStore has a store ready; once.
func (r *Run) needStore(ctx context.Context) (err error) {
	if r.store == nil {
		r.store, err = openStore(ctx, r.Redis, r.NotEmpty)
	}
	return err
}

// startBaseline runs one of the baselines.
func (r *Run) startBaseline(ctx context.Context, kind string, more []string) (*target, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	server, err := startChild(r.dir, kind, r.Program, r.traced(),
		append([]string{"bench", "baseline", kind, "--listen", addr, "--answer", fmt.Sprint(r.answer)}, more...)...)
	if err != nil {
		return nil, err
	}
	t, err := dial(ctx, server, addr, baselineMethod)
	if err != nil {
		server.stop()
	}
	return t, err
}

// How a known customer has become known, beside one failure.
const (
	goodTimes = 3 // good experiences
	batchSize = 1000
)

// settle makes the customers known to the service, and sees how long its messages are.
func (r *Run) settle(ctx context.Context) error {
	before, err := usageOf(ctx, r.store.client)
	if err != nil {
		return err
	}
	if err := r.makeKnown(ctx, 0, r.Customers); err != nil {
		return err
	}
	if err := r.acquaint(ctx, r.service.target, 0, r.Customers); err != nil {
		return err
	}
	after, err := usageOf(ctx, r.store.client)
	if err != nil {
		return err
	}
	r.perCustomer = (after.memory - before.memory) / float64(r.Customers)
	if err := r.stock(ctx); err != nil {
		return err
	}
	if err := r.acquaint(ctx, r.service.target, firstFresh, between); err != nil {
		return err
	}
	const calls = 1000 * failuresEach // as in the turns that follow, half of them first failures
	s, err := r.take(ctx, r.service.target, func() *outcome {
		return fixed(ctx, r.service.target, calls, func(int) []byte { return r.work.report(r.work.fresh()) })
	})
	if err != nil {
		return err
	}
	r.answer, r.request = int(s.answered/s.done), len(r.work.report(r.work.known()))
	r.sends = int(s.redis.in) / int(s.done)
	// How many reports a second there are, before a longer turn needs customers for them.
	_, err = r.take(ctx, r.service.target, func() *outcome {
		return closed(ctx, r.Callers, r.Slice/4, r.reporting(r.service.target))
	})
	return err
}

// makeKnown records the good experiences of n customers from a number on.
func (r *Run) makeKnown(ctx context.Context, from, n int) error {
	batches := (n*goodTimes + batchSize - 1) / batchSize
	err := inParallel(ctx, batches, func(ctx context.Context, i int) error {
		r.say("making customers known to the service", i, batches)
		size := min(batchSize, n*goodTimes-i*batchSize)
		body := r.work.batch(size, func(at int) string { return r.work.customer(from + (i*batchSize+at)%n) })
		_, err := r.service.invoke(ctx, recoveryv1.RecoveryService_RecordInteractions_FullMethodName, body)
		return err
	})
	if err != nil {
		return fmt.Errorf("make customers known: %w", err)
	}
	return nil
}

// stock sees to it that there are enough customers who can report failures in the
// longest of turns.
func (r *Run) stock(ctx context.Context) error {
	n := r.work.missing(r.longest())
	if n <= 0 {
		return nil
	}
	if err := r.makeKnown(ctx, firstFresh+int(r.work.stocked.Load()), n); err != nil {
		return err
	}
	r.work.stocked.Add(int64(n))
	return nil
}

// longest is how long the longest of turns is, that of the profile.
func (r *Run) longest() time.Duration { return max(3*r.Slice, time.Second).Round(time.Second) }

// acquaint reports one failure of each of so many customers from a number on.
func (r *Run) acquaint(ctx context.Context, t *target, first, customers int) error {
	err := inParallel(ctx, customers, func(ctx context.Context, n int) error {
		if n%100 == 0 {
			r.say("a first failure of each customer at the "+t.name, n, customers)
		}
		_, err := t.call(ctx, r.work.report(r.work.customer(first+n)))
		return err
	})
	if err != nil {
		return fmt.Errorf("a first failure of each customer at the %s: %w", t.name, err)
	}
	return nil
}

// reporting reports new failures of known customers. What a baseline does for one
// does not depend on what was reported before.
func (r *Run) reporting(t *target) calling {
	who := r.work.known
	if t == r.serviceTarget() {
		who = r.work.fresh
	}
	return func(ctx context.Context) (int, error) { return t.call(ctx, r.work.report(who())) }
}
