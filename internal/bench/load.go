package bench

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/makeamends/amends/internal/bench/size"
)

const (
	fewCallers = 8                      // so few that a server refuses none of them
	callLimit  = 10 * time.Second       // deadline of a call
	mostAtOnce = 4096                   // calls under way in an open loop; who comes then waits, and that counts
	afterFault = 100 * time.Millisecond // before the next call of somebody whose call failed
)

// calling makes one call and tells how long its answer was.
type calling func(context.Context) (answer int, err error)

// outcome is what became of the calls of a loop. Refused are those that the
// server turned away for load; their times are not among those of the done.
type outcome struct {
	times                 *hdrhistogram.Histogram // of the done, in microseconds
	done, refused, failed int64
	answered              int64 // bytes
	fault                 error // of the first that failed
	took                  time.Duration
}

func newOutcome() *outcome {
	return &outcome{times: hdrhistogram.New(1, int64(time.Minute/time.Microsecond), 3)}
}

// note adds one call that ended with err.
func (o *outcome) note(took time.Duration, answer int, err error) {
	switch {
	case err == nil:
		o.done++
		o.answered += int64(answer)
		_ = o.times.RecordValue(int64(took / time.Microsecond)) // a minute is more than any call may take
	case status.Code(err) == codes.ResourceExhausted:
		o.refused++
	default:
		o.failed++
		o.fault = cmp.Or(o.fault, err)
	}
}

// broken says why a turn gives no figures: without the calls that failed they would
// be too good, since mostly those fail that took long.
func (o *outcome) broken() error {
	switch all := o.done + o.refused + o.failed; {
	case o.failed > 0:
		return fmt.Errorf("%d of %d calls failed, the first of them: %w", o.failed, all, o.fault)
	case o.done == 0:
		return fmt.Errorf("no call was carried out: %d were refused for load", o.refused)
	default:
		return nil
	}
}

func (o *outcome) add(other *outcome) {
	o.times.Merge(other.times)
	o.done += other.done
	o.refused += other.refused
	o.failed += other.failed
	o.answered += other.answered
	o.fault = cmp.Or(o.fault, other.fault)
}

// rate is how many calls were done in a second.
func (o *outcome) rate() float64 { return float64(o.done) / o.took.Seconds() }

// refusedShare is how many of the calls were refused, of 1.
func (o *outcome) refusedShare() float64 {
	return float64(o.refused) / float64(max(1, o.done+o.refused))
}

// quantile is the time within which so many percent were done, in milliseconds.
func (o *outcome) quantile(percent float64) float64 {
	return float64(o.times.ValueAtPercentile(percent)) / 1000
}

// pause is how long a caller waits after a call that failed: as the server says,
// if it says so.
func pause(err error) time.Duration {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration()
		}
	}
	return afterFault
}

// closed keeps a number of callers busy, each of whom calls again as soon as it
// is answered. It shows what a server can do, and little of how long callers wait:
// while the server stalls nobody asks.
func closed(ctx context.Context, callers int, lasts time.Duration, call calling) *outcome {
	var (
		all     = newOutcome()
		mu      sync.Mutex
		wait    sync.WaitGroup
		begin   = time.Now()
		stopped = begin.Add(lasts)
	)
	for range callers {
		wait.Go(func() {
			own := newOutcome()
			for now := time.Now(); now.Before(stopped) && ctx.Err() == nil; now = time.Now() {
				answer, err := within(ctx, call)
				own.note(time.Since(now), answer, err)
				if err != nil {
					time.Sleep(min(pause(err), time.Until(stopped)))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			all.add(own)
		})
	}
	wait.Wait()
	all.took = time.Since(begin)
	return all
}

// open makes so many calls a second at moments that do not depend on the answers,
// as they come from many callers who do not know of each other. The time of a call
// counts from the moment for which it was planned: when the server stalls, those
// who would have come meanwhile wait, and it shows.
func open(ctx context.Context, rate float64, lasts time.Duration, call calling) *outcome {
	var (
		all   = newOutcome()
		mu    sync.Mutex
		wait  sync.WaitGroup
		room  = make(chan struct{}, mostAtOnce)
		begin = time.Now()
		next  = begin
	)
	for end := begin.Add(lasts); next.Before(end) && ctx.Err() == nil; {
		time.Sleep(time.Until(next))
		planned := next
		next = next.Add(time.Duration(rand.ExpFloat64() / rate * float64(time.Second)))
		room <- struct{}{}
		wait.Go(func() {
			answer, err := within(ctx, call)
			took := time.Since(planned)
			<-room
			mu.Lock()
			defer mu.Unlock()
			all.note(took, answer, err)
		})
	}
	wait.Wait()
	all.took = time.Since(begin)
	return all
}

// fixed makes a number of calls, as the requests are numbered.
func fixed(ctx context.Context, t *target, calls int, body func(int) []byte) *outcome {
	all, begin := newOutcome(), time.Now()
	var mu sync.Mutex
	_ = inParallel(ctx, calls, func(ctx context.Context, n int) error { // what failed is counted
		began := time.Now()
		answer, err := t.call(ctx, body(n))
		mu.Lock()
		defer mu.Unlock()
		all.note(time.Since(began), answer, err)
		return nil
	})
	all.took = time.Since(begin)
	return all
}

// rest makes no calls.
func rest(ctx context.Context, lasts time.Duration) *outcome {
	o, begin := newOutcome(), time.Now()
	select {
	case <-ctx.Done():
	case <-time.After(lasts):
	}
	o.took = time.Since(begin)
	return o
}

// inParallel does something n times, some at a time, patiently. It gives up at the
// first error.
func inParallel(ctx context.Context, n int, do func(context.Context, int) error) error {
	return size.InParallel(ctx, fewCallers, n, func(ctx context.Context, i int) error {
		return patiently(ctx, func(ctx context.Context) error { return do(ctx, i) })
	})
}

// patiently does something again when it was refused for load, or took too long on
// a machine that has other work.
func patiently(ctx context.Context, do func(context.Context) error) (err error) {
	const most = 20
	for range most {
		_, err = within(ctx, func(ctx context.Context) (int, error) { return 0, do(ctx) })
		if code := status.Code(err); code != codes.ResourceExhausted && code != codes.DeadlineExceeded || ctx.Err() != nil {
			return err
		}
		time.Sleep(pause(err))
	}
	return err
}

// within gives a call a deadline, as every caller should.
func within(ctx context.Context, call calling) (int, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callLimit)
	defer cancel()
	return call(ctx)
}
