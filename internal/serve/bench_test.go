package serve_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

const (
	benchLanes  = 32 // calls under way at a time
	benchWarmUp = 2000
)

// runner is a process that is measured in rounds, in turn with others.
type runner struct {
	*process
	call func(context.Context) error

	took, cost []float64 // microseconds a call, by round
}

func (r *runner) round(b *testing.B, calls int) {
	b.Helper()
	began := time.Now()
	spent := r.cpu(b, func() { load(b, calls, r.call) })
	r.took = append(r.took, float64(time.Since(began).Microseconds())/float64(calls))
	r.cost = append(r.cost, float64(spent.Microseconds())/float64(calls))
}

// load makes n calls, some at a time.
func load(b *testing.B, n int, call func(context.Context) error) {
	b.Helper()
	var made atomic.Int64
	var wait sync.WaitGroup
	for range benchLanes {
		wait.Go(func() {
			for made.Add(1) <= int64(n) {
				ctx, cancel := context.WithTimeout(b.Context(), 5*time.Second)
				err := call(ctx)
				cancel()
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
}

// reporter sends failures, two of each customer; who they are begins with first.
func reporter(b *testing.B, addr string, first int64) func(context.Context) error {
	client := recoveryv1.NewRecoveryServiceClient(dial(b, addr))
	var sent atomic.Int64
	sent.Store(first)
	return func(ctx context.Context) error {
		i := sent.Add(1)
		e := event(fmt.Sprintf("event-%08d", i), fmt.Sprintf("customer-%08d", i/2))
		e.SetOccurredAt(timestamppb.Now())
		e.SetOrderId(fmt.Sprintf("order-%08d", i))
		_, err := client.ReportFailure(ctx, recoveryv1.ReportFailureRequest_builder{Event: e}.Build())
		return err
	}
}

// spent is the processor time of this process so far.
func spent() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}
