package client_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/makeamends/amends/client"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// A watch goes on after every end that is not a refusal, each time with the
// last token.
func TestWatchGoesOn(t *testing.T) {
	t.Parallel()
	d := newDesk(t, &desk{watch: func(n int, _ *recoveryv1.WatchCasesRequest, send func(string)) error {
		send(string(rune('a' + 2*n)))
		send(string(rune('b' + 2*n)))
		switch n {
		case 1:
			return refusal(codes.Unavailable, "SERVER_ENDING", after(time.Millisecond))
		case 2:
			return nil
		case 3:
			return refusal(codes.ResourceExhausted, "OVERLOADED", after(time.Millisecond))
		default:
			return refusal(codes.FailedPrecondition, "RESYNC_REQUIRED")
		}
	}})
	c := open(t, client.Config{Target: d.address})
	request := &recoveryv1.WatchCasesRequest{}
	var tokens []string
	var lost []codes.Code
	var last error
	for message, err := range c.Watch(t.Context(), request, func(e *client.Error) { lost = append(lost, e.Code) }) {
		if last = err; err == nil {
			tokens = append(tokens, message.GetToken())
		}
	}
	if want := []string{"c", "d", "e", "f", "g", "h", "i", "j"}; !slices.Equal(tokens, want) {
		t.Errorf("messages %v, want %v", tokens, want)
	}
	if want := []codes.Code{codes.Unavailable, codes.Unavailable, codes.ResourceExhausted}; !slices.Equal(lost, want) {
		t.Errorf("told of %v, want %v", lost, want)
	}
	if client.Reason(last) != recoveryv1.ErrorReason_ERROR_REASON_RESYNC_REQUIRED {
		t.Errorf("it ends with %v", last)
	}
	var resumed []string
	for _, asked := range d.asked() {
		resumed = append(resumed, asked.(*recoveryv1.WatchCasesRequest).GetResumeToken())
	}
	if want := []string{"", "d", "f", "h"}; !slices.Equal(resumed, want) || request.GetResumeToken() != "" {
		t.Errorf("it goes on after %q, want %q; the request has %q", resumed, want, request.GetResumeToken())
	}
}

// A watch ends when its caller has enough, or with the caller's context.
func TestWatchEnds(t *testing.T) {
	done := make(chan struct{})
	d := newDesk(t, &desk{watch: func(_ int, _ *recoveryv1.WatchCasesRequest, send func(string)) error {
		send("a")
		<-done
		return nil
	}})
	t.Cleanup(func() { close(done) })
	c := open(t, client.Config{Target: d.address})
	for range c.Watch(t.Context(), &recoveryv1.WatchCasesRequest{}) {
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range c.Watch(ctx, &recoveryv1.WatchCasesRequest{}) {
		cancel()
		last = err
	}
	if client.Reason(last) != recoveryv1.ErrorReason_ERROR_REASON_CANCELLED {
		t.Errorf("it ends with %v", last)
	}
}

// A service that says nothing at all is given up and asked again.
func TestSilentWatch(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	d := newDesk(t, &desk{watch: func(n int, _ *recoveryv1.WatchCasesRequest, _ func(string)) error {
		if n < 3 {
			<-done
		}
		return status.Error(codes.PermissionDenied, "no")
	}})
	t.Cleanup(func() { close(done) })
	c := open(t, client.Config{Target: d.address, Timeout: 100 * time.Millisecond})
	var lost []codes.Code
	for _, err := range c.Watch(t.Context(), &recoveryv1.WatchCasesRequest{}, func(e *client.Error) { lost = append(lost, e.Code) }) {
		if status.Code(err) != codes.PermissionDenied {
			t.Errorf("it ends with %v", err)
		}
	}
	if want := []codes.Code{codes.DeadlineExceeded, codes.DeadlineExceeded}; !slices.Equal(lost, want) {
		t.Errorf("told of %v, want %v", lost, want)
	}
}
