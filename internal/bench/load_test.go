package bench

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// A server that answers at once, but for half a second in which it answers nobody:
// whoever would have come then has waited, and the open loop shows it. The closed
// loop does not: it asked nobody.
func TestAStallShowsInAnOpenLoop(t *testing.T) {
	const lasts, stall = 2 * time.Second, 500 * time.Millisecond
	stalling := func() calling {
		begin := time.Now()
		var still sync.Mutex
		return func(context.Context) (int, error) {
			still.Lock()
			defer still.Unlock()
			if since := time.Since(begin); since > time.Second && since < time.Second+stall {
				time.Sleep(time.Second + stall - since)
			}
			return 0, nil
		}
	}
	// A quarter of the calls come while it stalls, and wait 250 ms at the median.
	o := open(t.Context(), 500, lasts, stalling())
	if p := o.quantile(95); p < 250 {
		t.Errorf("p95 of the open loop is %v ms, though one in five calls waited for 100 ms and one in ten for 300", p)
	}
	if c := closed(t.Context(), 4, lasts, stalling()); c.quantile(95) > 100 {
		t.Errorf("p95 of the closed loop is %v ms: the test shows nothing", c.quantile(95))
	}
	if o.done < 800 || o.done > 1200 {
		t.Errorf("%d calls were made, about 1,000 were asked for", o.done)
	}
}

// Who is refused is counted apart, and comes again when the server says so.
func TestRefusedCallsAreNotDone(t *testing.T) {
	refusal, err := status.New(codes.ResourceExhausted, "").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(50 * time.Millisecond)})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	o := closed(t.Context(), 1, time.Second, func(context.Context) (int, error) {
		n++
		switch n % 3 {
		case 0:
			return 0, refusal.Err()
		case 1:
			return 0, errors.New("broken")
		default:
			return 7, nil
		}
	})
	// Each three take 150 ms.
	if o.refused < 2 || o.refused > 8 || o.failed < o.refused || o.fault == nil || o.done > o.failed || o.answered != 7*o.done || o.times.TotalCount() != o.done {
		t.Errorf("%+v", o)
	}
}

// No figure leaves out calls that failed: a turn with such calls is an error, which says
// how many they were and why the first one failed.
func TestATurnWithFailedCallsIsAnError(t *testing.T) {
	turn := func(notes ...error) *outcome {
		of, other := newOutcome(), newOutcome()
		for _, err := range notes {
			of.note(time.Millisecond, 1, err)
		}
		other.note(time.Millisecond, 1, status.Error(codes.Aborted, "later"))
		if of.failed > 0 {
			of.add(other)
		}
		return of
	}
	refusal := status.Error(codes.ResourceExhausted, "")
	if err := turn(nil, refusal, nil).broken(); err != nil {
		t.Errorf("who is refused comes again, and yet: %v", err)
	}
	late := status.Error(codes.DeadlineExceeded, "late")
	err := turn(nil, nil, refusal, late, errors.New("more")).broken()
	if err == nil || !errors.Is(err, late) || !strings.Contains(err.Error(), "3 of 6 calls failed") || !strings.Contains(err.Error(), "DeadlineExceeded") {
		t.Errorf("%v", err)
	}
	if err := turn(refusal, refusal).broken(); err == nil || !strings.Contains(err.Error(), "2 were refused for load") {
		t.Errorf("nothing was done: %v", err)
	}
}

// What was measured before an interruption counts.
func TestALoopEndsWhenItIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	call := func(ctx context.Context) (int, error) {
		time.Sleep(time.Millisecond)
		return 0, ctx.Err()
	}
	for name, loop := range map[string]func() *outcome{
		"closed": func() *outcome { return closed(ctx, 2, time.Minute, call) },
		"open":   func() *outcome { return open(ctx, 100, time.Minute, call) },
	} {
		if o := loop(); o.failed > 0 {
			t.Errorf("%s: calls under way were cut off: %+v", name, o)
		}
	}
}
