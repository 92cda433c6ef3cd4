package bench

import (
	"context"
	"fmt"
	"time"
)

// sample is one turn of one target: what became of the calls, and what they cost.
type sample struct {
	*outcome
	cpu    time.Duration // of the server
	redis  usage
	allocs float64 // of the service
	bytes  float64 // that it allocated
	memory float64 // of the server at the end of the turn, in MiB
}

// take measures a turn.
func (r *Run) take(ctx context.Context, t *target, turn func() *outcome) (s sample, err error) {
	if t == r.service.target {
		if err := r.stock(ctx); err != nil {
			return s, err
		}
	}
	before, err := r.look(ctx, t)
	if err != nil {
		return s, err
	}
	told := r.work.told.Load()
	s.outcome = turn()
	after, err := r.look(ctx, t)
	if err != nil {
		return s, err
	}
	if err := s.broken(); err != nil && ctx.Err() == nil {
		return s, fmt.Errorf("the %s: %w", t.name, err)
	}
	if err := r.work.reported(told, s.took); err != nil {
		return s, err
	}
	s.cpu, s.redis = after.cpu-before.cpu, after.redis.since(before.redis)
	s.allocs, s.bytes = after.allocs-before.allocs, after.bytes-before.bytes
	s.memory = memory(t.server.pid())
	return s, ctx.Err()
}

// look reads all meters once.
func (r *Run) look(ctx context.Context, t *target) (s sample, err error) {
	if t == r.service.target {
		if s.allocs, err = r.service.counted(ctx, "go_memstats_mallocs_total"); err != nil {
			return s, err
		}
		if s.bytes, err = r.service.counted(ctx, "go_memstats_alloc_bytes_total"); err != nil {
			return s, err
		}
	}
	if s.redis, err = usageOf(ctx, r.store.client); err != nil {
		return s, err
	}
	s.cpu, err = spent(t.server.pid())
	return s, err
}

// samples are the turns of one target, round by round.
type samples []sample

// each makes a figure of the rounds.
func (all samples) each(name, about, unit string, of func(sample) float64) Figure {
	var rounds []float64
	for _, s := range all {
		rounds = append(rounds, of(s))
	}
	return NewFigure(name, about, unit, rounds...)
}

// perCall is a figure of what one call took of something.
func (all samples) perCall(name, about, unit string, of func(sample) float64) Figure {
	return all.each(name, about, unit, func(s sample) float64 { return of(s) / float64(s.done) })
}

// What most figures are made of: processor time in microseconds, round trips to Redis,
// and the time of a call in milliseconds.
func (s sample) serverCPU() float64 { return micros(s.cpu) }
func (s sample) redisCPU() float64  { return micros(s.redis.cpu) }
func (s sample) trips() float64     { return s.redis.reads }
func (s sample) p50() float64       { return s.quantile(50) }
func (s sample) p99() float64       { return s.quantile(99) }

// add takes in a further turn, of which no allocations were counted.
func (s *sample) add(other sample) {
	s.outcome.add(other.outcome)
	s.took += other.took
	s.cpu += other.cpu
	s.redis.cpu += other.redis.cpu
	s.redis.reads += other.redis.reads
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// together is what became of the calls of all rounds.
func (all samples) together() *outcome {
	sum := newOutcome()
	for _, s := range all {
		sum.add(s.outcome)
		sum.took += s.took
	}
	return sum
}
