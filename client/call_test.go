package client_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/makeamends/amends/client"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

func after(d time.Duration) protoadapt.MessageV1 {
	return &errdetails.RetryInfo{RetryDelay: durationpb.New(d)}
}

// What may pass is repeated as it was, and all else is not.
func TestRepetition(t *testing.T) {
	for name, row := range map[string]struct {
		fails int // calls before the first that works
		err   error
		calls int
		want  codes.Code
	}{
		"unavailable":           {2, status.Error(codes.Unavailable, "starting"), 3, codes.OK},
		"unavailable for long":  {99, refusal(codes.Unavailable, "STATE_UNKNOWN"), 5, codes.Unavailable},
		"overloaded":            {2, refusal(codes.ResourceExhausted, "OVERLOADED", after(time.Millisecond)), 3, codes.OK},
		"in conflict":           {1, refusal(codes.Aborted, "CONFLICT", after(time.Millisecond)), 2, codes.OK},
		"overloaded for long":   {1, refusal(codes.ResourceExhausted, "OVERLOADED", after(time.Hour)), 1, codes.ResourceExhausted},
		"too large":             {1, refusal(codes.ResourceExhausted, "MESSAGE_TOO_LARGE"), 1, codes.ResourceExhausted},
		"changed meanwhile":     {1, refusal(codes.Aborted, "REVISION_MISMATCH"), 1, codes.Aborted},
		"refused":               {1, refusal(codes.FailedPrecondition, "WRONG_STATE"), 1, codes.FailedPrecondition},
		"a fault":               {1, refusal(codes.Internal, "INTERNAL"), 1, codes.Internal},
		"late by its own words": {1, refusal(codes.DeadlineExceeded, "DEADLINE_EXCEEDED"), 1, codes.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, &desk{fail: func(n int) error {
				if n <= row.fails {
					return row.err
				}
				return nil
			}})
			_, err := open(t, client.Config{Target: d.address}).ReportFailure(t.Context(), late("e-1", "c-1"))
			if status.Code(err) != row.want {
				t.Errorf("ends as %v, want %v", err, row.want)
			}
			asked := d.asked()
			if len(asked) != row.calls {
				t.Errorf("%d calls, want %d", len(asked), row.calls)
			}
			for _, again := range asked[1:] {
				if !proto.Equal(asked[0], again) {
					t.Errorf("repeated as %v, was %v", again, asked[0])
				}
			}
		})
	}
}

// A request of the largest size is repeated like any other.
func TestLargeRequestsAreRepeated(t *testing.T) {
	d := newDesk(t, &desk{fail: func(n int) error {
		if n == 1 {
			return status.Error(codes.Unavailable, "starting")
		}
		return nil
	}})
	request := &recoveryv1.RecordInteractionsRequest{}
	for proto.Size(request) < 1<<20 {
		request.SetInteractions(append(request.GetInteractions(), recoveryv1.Interaction_builder{InteractionId: strings.Repeat("i", 8<<10)}.Build()))
	}
	if _, err := open(t, client.Config{Target: d.address}).RecordInteractions(t.Context(), request); err != nil {
		t.Error(err)
	}
}

// gRPC repeats no call of which the answer has begun; all the same an answer
// that breaks off is asked for again.
func TestAnswersThatBreakOff(t *testing.T) {
	t.Parallel()
	d := newDesk(t, &desk{begins: true, fail: func(n int) error {
		if n < 3 {
			return status.Error(codes.Unavailable, "gone")
		}
		return nil
	}})
	if _, err := open(t, client.Config{Target: d.address}).ReportFailure(t.Context(), late("e-1", "c-1")); err != nil || len(d.asked()) != 3 {
		t.Errorf("%d calls, %v", len(d.asked()), err)
	}
	d = newDesk(t, &desk{begins: true, fail: func(int) error { return status.Error(codes.Unavailable, "gone") }})
	if _, err := open(t, client.Config{Target: d.address}).ReportFailure(t.Context(), late("e-1", "c-1")); status.Code(err) != codes.Unavailable || len(d.asked()) != 5 {
		t.Errorf("%d calls, %v", len(d.asked()), err)
	}
}

// A service that refuses everything is not asked more and more: after some
// hundred failures nothing is repeated, until calls work again.
func TestRepetitionsAreBounded(t *testing.T) {
	t.Parallel()
	var works atomic.Bool
	d := newDesk(t, &desk{fail: func(int) error {
		if works.Load() {
			return nil
		}
		return refusal(codes.ResourceExhausted, "OVERLOADED", after(100*time.Microsecond))
	}})
	c := open(t, client.Config{Target: d.address})
	tries := func() int {
		before := len(d.asked())
		_, _ = c.ReportFailure(t.Context(), late("e-1", "c-1"))
		return len(d.asked()) - before
	}
	if n := tries(); n != 5 {
		t.Errorf("%d tries, want 5", n)
	}
	for range 200 {
		tries()
	}
	if n := tries(); n != 1 {
		t.Errorf("%d tries, want 1", n)
	}
	works.Store(true)
	for range 2600 {
		tries()
	}
	works.Store(false)
	if n := tries(); n != 5 {
		t.Errorf("%d tries, want 5 again", n)
	}
}

// A call that runs out of time between two tries says what the last one was
// answered, and one that is under way that it is late.
func TestOutOfTime(t *testing.T) {
	t.Parallel()
	away := newDesk(t, &desk{fail: func(int) error { return refusal(codes.Unavailable, "STORE_UNAVAILABLE") }})
	c := open(t, client.Config{Target: away.address})
	// On a slow machine time may run out in the middle of a try, but not each time; and never after the last of five.
	said := recoveryv1.ErrorReason_ERROR_REASON_DEADLINE_EXCEEDED
	for n := 0; n < 20 && said == recoveryv1.ErrorReason_ERROR_REASON_DEADLINE_EXCEEDED; n++ {
		before := len(away.asked())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err := c.ReportFailure(ctx, late("e-1", "c-1"))
		cancel()
		said = client.Reason(err)
		if tries := len(away.asked()) - before; tries > 4 {
			t.Fatalf("%d tries within a second", tries)
		}
	}
	if said != recoveryv1.ErrorReason_ERROR_REASON_STORE_UNAVAILABLE {
		t.Errorf("%v, want the last answer", said)
	}
	done := make(chan struct{})
	slow := newDesk(t, &desk{fail: func(int) error { <-done; return nil }})
	t.Cleanup(func() { close(done) })
	_, err := open(t, client.Config{Target: slow.address, Timeout: 100 * time.Millisecond}).ReportFailure(t.Context(), late("e-1", "c-1"))
	if got := client.Reason(err); got != recoveryv1.ErrorReason_ERROR_REASON_DEADLINE_EXCEEDED || status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("%v, want that it is late", err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	_, err = open(t, client.Config{Target: slow.address}).ReportFailure(gone, late("e-1", "c-1"))
	if got := client.Reason(err); got != recoveryv1.ErrorReason_ERROR_REASON_CANCELLED || status.Code(err) != codes.Canceled {
		t.Errorf("%v, want that it was given up", err)
	}
}

// A call waits for a server that is not there yet.
func TestWaitsForAServer(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{address: listener.Addr().String()}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	c := open(t, client.Config{Target: d.address})
	go func() {
		_, err := c.ReportFailure(t.Context(), late("e-1", "c-1"))
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Fatalf("it did not wait: %v", err)
	case <-time.After(2200 * time.Millisecond): // longer than it would be repeated
	}
	newDesk(t, d)
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// Calls go to all servers in turn, and around one that says that it does not
// serve.
func TestCallsGoWhereTheyAreServed(t *testing.T) {
	t.Parallel()
	one, other := newDesk(t, &desk{}), newDesk(t, &desk{})
	c := open(t, client.Config{Target: one.address + "," + other.address})
	call := func() {
		if _, err := c.ReportFailure(t.Context(), late("e-1", "c-1")); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "both are called", func() bool { call(); return len(one.asked()) > 0 && len(other.asked()) > 0 })
	one.setServing(false)
	eventually(t, "only one is called", func() bool {
		before := len(one.asked())
		for range 10 {
			call()
		}
		return len(one.asked()) == before
	})
	one.setServing(true)
	before := len(one.asked())
	eventually(t, "both are called again", func() bool { call(); return len(one.asked()) > before })
}

// Every method has its place in the published settings: a call is bounded and
// repeated, a stream neither.
func TestServiceConfig(t *testing.T) {
	c := open(t, client.Config{Target: address})
	if _, err := c.AssessCustomer(t.Context(), recoveryv1.AssessCustomerRequest_builder{CustomerId: "c-1"}.Build()); err != nil {
		t.Fatal(err) // the settings arrive with the first call
	}
	conn := c.Conn().(*grpc.ClientConn)
	for _, service := range []grpc.ServiceDesc{recoveryv1.RecoveryService_ServiceDesc, recoveryv1.PolicyService_ServiceDesc} {
		for _, m := range service.Methods {
			got := conn.GetMethodConfig("/" + service.ServiceName + "/" + m.MethodName)
			if got.Timeout == nil || *got.Timeout <= 0 || got.RetryPolicy == nil || got.WaitForReady == nil || !*got.WaitForReady {
				t.Errorf("%s: %+v", m.MethodName, got)
			}
		}
		for _, s := range service.Streams {
			got := conn.GetMethodConfig("/" + service.ServiceName + "/" + s.StreamName)
			if got.Timeout != nil || got.RetryPolicy != nil || got.WaitForReady == nil || !*got.WaitForReady {
				t.Errorf("%s: %+v", s.StreamName, got)
			}
		}
	}
}
