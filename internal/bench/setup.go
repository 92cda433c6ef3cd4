package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/makeamends/amends/internal/redisproc"
)

// setup is a service with a store of its own.
type setup struct {
	about             string
	masters, replicas []*redisproc.Server
	service           *service
}

// alone starts a service on a Redis of its own; sweep 0: it looks for what is due as
// often as is usual.
func (r *Run) alone(ctx context.Context, sweep time.Duration) (_ *setup, stop func(), err error) {
	redis, err := redisproc.Start(ctx, redisproc.Config{Settings: redisproc.InMemory()})
	if err != nil {
		return nil, func() {}, err
	}
	var more []string
	if sweep > 0 {
		more = append(more, "--sweep="+sweep.String())
	}
	of := &setup{masters: []*redisproc.Server{redis}}
	stop = func() {
		if of.service != nil {
			of.service.end()
		}
		redis.Stop()
	}
	of.service, err = r.startService(ctx, redis.URL(), more...)
	return of, stop, err
}

// take measures a turn of calls.
func (of *setup) take(ctx context.Context, turn func() *outcome) (s sample, did meters, err error) {
	s, did, err = of.spend(ctx, turn)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return s, did, err
	}
	if err := s.broken(); err != nil {
		return s, did, fmt.Errorf("%s: %w", of.about, err)
	}
	return s, did, nil
}

// spend measures what is spent meanwhile, whether or not there are calls.
func (of *setup) spend(ctx context.Context, turn func() *outcome) (s sample, did meters, err error) {
	before, err := of.look(ctx)
	if err != nil {
		return s, did, err
	}
	s.outcome = turn()
	after, err := of.look(ctx)
	if err != nil {
		return s, did, err
	}
	did = after.since(before)
	s.cpu, s.redis = did.service, did.together()
	return s, did, nil
}

// meters is what the processes of a setup have done.
type meters struct {
	masters  []usage
	replicas time.Duration // of processors
	service  time.Duration
}

// look tells what they have done so far.
func (of *setup) look(ctx context.Context) (m meters, err error) {
	for _, server := range of.masters {
		u, err := usageOf(ctx, server.Client())
		if err != nil {
			return m, err
		}
		m.masters = append(m.masters, u)
	}
	for _, server := range of.replicas {
		took, err := server.CPU(ctx)
		if err != nil {
			return m, err
		}
		m.replicas += took
	}
	m.service, err = spent(of.service.server.pid())
	return m, err
}

// since is what was done between two looks.
func (m meters) since(before meters) meters {
	did := meters{replicas: m.replicas - before.replicas, service: m.service - before.service}
	for i, u := range m.masters {
		did.masters = append(did.masters, u.since(before.masters[i]))
	}
	return did
}

// together is what all masters have done.
func (m meters) together() usage {
	sum := usage{byName: map[string]float64{}}
	for _, u := range m.masters {
		sum.cpu += u.cpu
		sum.reads += u.reads
		sum.commands += u.commands
		sum.in += u.in
		sum.out += u.out
		for name, n := range u.byName {
			sum.byName[name] += n
		}
	}
	return sum
}
