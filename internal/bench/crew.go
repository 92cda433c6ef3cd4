package bench

import (
	"context"
	"fmt"

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
	return r.acquaint(ctx, r.plain, 0)
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
	if err := r.acquaint(ctx, r.service.target, 0); err != nil {
		return err
	}
	after, err := usageOf(ctx, r.store.client)
	if err != nil {
		return err
	}
	r.perCustomer = (after.memory - before.memory) / float64(r.Customers)
	s, err := r.take(ctx, r.service.target, func() *outcome {
		return closed(ctx, fewCallers, r.Slice/4, r.reporting(r.service.target))
	})
	if err != nil {
		return err
	}
	r.answer, r.request = int(s.answered/s.done), len(r.work.report(r.work.known()))
	r.sends = int(s.redis.in) / int(s.done)
	return nil
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
	const perSecond, longest = 8000, 3 // failures; slices
	want := int(perSecond * longest * r.Slice.Seconds())
	if r.work.inStock() >= want {
		return nil
	}
	from := int(r.work.stocked.Load())
	n := (want/failuresEach/freshBlock + 1) * freshBlock
	if err := r.makeKnown(ctx, firstFresh+from, n); err != nil {
		return err
	}
	r.work.stocked.Add(int64(n))
	return nil
}

// acquaint reports one failure of each of as many customers from a number on.
func (r *Run) acquaint(ctx context.Context, t *target, first int) error {
	err := inParallel(ctx, r.Customers, func(ctx context.Context, n int) error {
		if n%100 == 0 {
			r.say("a first failure of each customer at the "+t.name, n, r.Customers)
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
