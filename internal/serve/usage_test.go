package serve_test

import (
	"context"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"
)

// usage is what a process has spent.
type usage struct {
	processor   float64 // nanoseconds
	allocations float64
	bytes       float64 // allocated
}

// spent is the usage of this process.
func spent() usage {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	var heap runtime.MemStats
	runtime.ReadMemStats(&heap)
	return usage{float64(used.Utime.Nano() + used.Stime.Nano()), float64(heap.Mallocs), float64(heap.TotalAlloc)}
}

// values are told in this order.
func (u usage) values() []any { return []any{u.processor, u.allocations, u.bytes} }

func (u usage) since(before usage) usage {
	return usage{u.processor - before.processor, u.allocations - before.allocations, u.bytes - before.bytes}
}

// runner is a process that is measured in rounds, in turn with others.
type runner struct {
	*process
	call func(context.Context, int) error

	took, cost         []float64 // microseconds a call, by round
	allocations, bytes []float64 // a call, by round
}

func (r *runner) round(b *testing.B, calls int) {
	b.Helper()
	began := time.Now()
	used := r.process.cost(b, func() { load(b, calls, r.call) })
	n := float64(calls)
	r.took = append(r.took, float64(time.Since(began).Microseconds())/n)
	r.cost = append(r.cost, used.processor/1000/n)
	r.allocations = append(r.allocations, used.allocations/n)
	r.bytes = append(r.bytes, used.bytes/n)
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// medianRatio compares two processes round by round.
func medianRatio(of, to []float64) float64 {
	ratios := make([]float64, len(of))
	for i := range of {
		ratios[i] = of[i] / to[i]
	}
	return median(ratios)
}
