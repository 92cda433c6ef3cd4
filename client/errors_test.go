package client_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/client"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// What the service refuses says why, to programs and to people.
func TestErrorsOfTheService(t *testing.T) {
	c := open(t, client.Config{Target: address})
	_, err := c.GetCase(t.Context(), getCase("none"))
	wrapped := fmt.Errorf("read the case: %w", err)
	if got := client.Reason(wrapped); got != recoveryv1.ErrorReason_ERROR_REASON_CASE_NOT_FOUND {
		t.Errorf("reason %v of %v", got, err)
	}
	if want := "CASE_NOT_FOUND: no such case; it never was, was erased, or gave way to 100 newer closed ones"; err.Error() != want {
		t.Errorf("says %q, want %q", err, want)
	}
	if s, ok := status.FromError(err); !ok || s.Code() != codes.NotFound || len(s.Details()) == 0 {
		t.Errorf("the status is %v with %v", s, s.Details())
	}

	request := late("", "")
	_, err = c.ReportFailure(t.Context(), request)
	var e *client.Error
	if !errors.As(err, &e) || e.Code != codes.InvalidArgument || e.Reason != recoveryv1.ErrorReason_ERROR_REASON_INVALID_REQUEST {
		t.Fatalf("%#v", err)
	}
	var fields []string
	for _, v := range e.Violations {
		if fields = append(fields, v.Field); v.Description == "" {
			t.Errorf("%s: nothing says what is allowed", v.Field)
		}
	}
	if want := []string{"event.event_id", "event.customer_id"}; !slices.Equal(fields, want) {
		t.Errorf("faults of %v, want of %v", fields, want)
	}

	batch := recoveryv1.RecordInteractionsRequest_builder{Interactions: []*recoveryv1.Interaction{{}}}.Build()
	answer, err := c.RecordInteractions(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	if e := client.FromStatus(answer.GetResults()[0].GetError()); e.Reason != recoveryv1.ErrorReason_ERROR_REASON_INVALID_REQUEST || len(e.Violations) == 0 {
		t.Errorf("the item was refused with %v", e)
	}
	if e := client.FromStatus(status.New(codes.OK, "").Proto()); e != nil {
		t.Errorf("success is %v", e)
	}
}

// Streams fail with the same type.
func TestErrorsOfStreams(t *testing.T) {
	c := open(t, client.Config{Target: address})
	stream, err := c.WatchCases(t.Context(), recoveryv1.WatchCasesRequest_builder{Tenant: "NO TENANT"}.Build())
	if err != nil {
		t.Fatal(err)
	}
	if _, err = stream.Recv(); client.Reason(err) != recoveryv1.ErrorReason_ERROR_REASON_INVALID_REQUEST {
		t.Errorf("%#v", err)
	}
}

// However a server errs in how long to wait, the caller is told something that it
// can wait for, and a call that is refused so ends.
func TestWaitsThatAreNone(t *testing.T) {
	for _, test := range []struct{ says, want time.Duration }{
		{-10 * time.Second, 0}, {-1, 0}, {math.MinInt64, 0}, {0, 0}, {1, 1}, {math.MaxInt64, time.Hour},
	} {
		d := newDesk(t, &desk{fail: func(int) error { return refusal(codes.ResourceExhausted, "OVERLOADED", after(test.says)) }})
		c := open(t, client.Config{Target: d.address})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := c.ReportFailure(ctx, late("e-1", "c-1"))
		var e *client.Error
		if !errors.As(err, &e) || e.Code != codes.ResourceExhausted || e.RetryAfter != test.want {
			t.Errorf("told to wait %v: %+v, want %v", test.says, err, test.want)
		}
	}
}

// Every detail of an error finds its place, and what is not the service's has
// no reason.
func TestDetailsOfErrors(t *testing.T) {
	for reason := range recoveryv1.ErrorReason_name {
		if reason == 0 {
			continue
		}
		want := recoveryv1.ErrorReason(reason)
		info := &errdetails.ErrorInfo{
			Domain: "amends", Reason: want.String()[len("ERROR_REASON_"):], Metadata: map[string]string{"trace_id": "4bf92f3577b34da6"},
		}
		s, err := status.New(codes.Unavailable, "so").WithDetails(info, after(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if e := client.FromStatus(s.Proto()); e.Reason != want || e.RetryAfter != time.Second || e.TraceID != "4bf92f3577b34da6" {
			t.Errorf("%v is %+v", want, e)
		}
	}
	for name, info := range map[string]*errdetails.ErrorInfo{
		"of another service": {Domain: "elsewhere", Reason: "CASE_NOT_FOUND"},
		"of the future":      {Domain: "amends", Reason: "NOT_THOUGHT_OF"},
	} {
		s, err := status.New(codes.NotFound, "so").WithDetails(proto.CloneOf(info))
		if err != nil {
			t.Fatal(err)
		}
		if e := client.FromStatus(s.Proto()); e.Reason != 0 || e.Error() != "NotFound: so" {
			t.Errorf("%s: %+v", name, e)
		}
	}
	for _, err := range []error{nil, errors.New("else")} {
		if got := client.Reason(err); got != 0 {
			t.Errorf("%v has the reason %v", err, got)
		}
	}
}

// What cannot pass by itself is told from what may.
func TestTemporary(t *testing.T) {
	for reason, code := range map[string]codes.Code{
		"MESSAGE_TOO_LARGE": codes.ResourceExhausted, "CUSTOMER_LIMIT": codes.ResourceExhausted, "REVISION_MISMATCH": codes.Aborted,
		"MALFORMED_MESSAGE": codes.InvalidArgument,
	} {
		if e := client.FromStatus(status.Convert(refusal(code, reason, after(time.Second))).Proto()); e.Temporary() {
			t.Errorf("%v is taken for temporary", e)
		}
	}
	for reason, code := range map[string]codes.Code{
		"OVERLOADED": codes.ResourceExhausted, "RATE_LIMITED": codes.ResourceExhausted, "CONFLICT": codes.Aborted,
		"STORE_UNAVAILABLE": codes.Unavailable, "INTERNAL": codes.Internal,
	} {
		if e := client.FromStatus(status.Convert(refusal(code, reason, after(time.Second))).Proto()); !e.Temporary() {
			t.Errorf("%v is taken for a refusal", e)
		}
	}
}

// A request that cannot be sent is told as the fault that it is, of every call.
func TestRequestsThatAreNotUTF8(t *testing.T) {
	c := open(t, client.Config{Target: address})
	check := func(name string, err error) {
		t.Helper()
		var e *client.Error
		if !errors.As(err, &e) || e.Code != codes.InvalidArgument || e.Reason != recoveryv1.ErrorReason_ERROR_REASON_MALFORMED_MESSAGE || e.Temporary() {
			t.Errorf("%s: %#v", name, err)
		}
	}
	_, err := c.AssessCustomer(t.Context(), recoveryv1.AssessCustomerRequest_builder{CustomerId: "\xff"}.Build())
	check("assess", err)
	bad := recoveryv1.WatchCasesRequest_builder{CustomerId: "\xff"}.Build()
	_, err = c.WatchCases(t.Context(), bad)
	check("watch", err)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	for _, err = range c.Watch(ctx, bad, func(e *client.Error) { t.Errorf("tried again after %v", e) }) {
		continue
	}
	check("watch on", err)
}

// Every call of a closed client says so and ends.
func TestClosedClient(t *testing.T) {
	c, err := client.New(client.Config{Target: address})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	check := func(name string, err error) {
		t.Helper()
		var e *client.Error
		if !errors.Is(err, client.ErrClosed) || !errors.As(err, &e) || e.Temporary() || e.Code != codes.Canceled {
			t.Errorf("%s: %#v", name, err)
		}
	}
	watched := func() (last error) {
		for _, last = range c.Watch(ctx, &recoveryv1.WatchCasesRequest{}) {
			if last == nil {
				last = c.Close()
			}
		}
		return last
	}
	check("a watch under way", watched())
	check("a watch", watched())
	for _, err = range c.IngestAll(ctx, numbered(3)) {
		continue
	}
	check("a load", err)
	_, err = c.GetCase(ctx, getCase("c"))
	check("a call", err)
}

// Who waits to try again does not wait on when the client is closed.
func TestClosedBetweenTries(t *testing.T) {
	later := refusal(codes.ResourceExhausted, "OVERLOADED", after(time.Hour))
	d := newDesk(t, &desk{
		fail:   func(int) error { return later },
		watch:  func(int, *recoveryv1.WatchCasesRequest, func(string)) error { return later },
		ingest: func(int, loading) error { return later },
	})
	for name, use := range map[string]func(*client.Client, func(*client.Error)) error{
		"a watch": func(c *client.Client, lost func(*client.Error)) (last error) {
			for _, last = range c.Watch(t.Context(), nil, lost) {
				continue
			}
			return last
		},
		"a load": func(c *client.Client, lost func(*client.Error)) (last error) {
			for _, last = range c.IngestAll(t.Context(), numbered(3), lost) {
				continue
			}
			return last
		},
	} {
		c, err := client.New(client.Config{Target: d.address})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- use(c, func(*client.Error) { _ = c.Close() }) }()
		select {
		case err := <-ended:
			if !errors.Is(err, client.ErrClosed) {
				t.Errorf("%s ends with %v", name, err)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("%s goes on", name)
		}
	}
}

// No request is an empty one.
func TestNoRequest(t *testing.T) {
	c := open(t, client.Config{Target: address})
	for _, err := range c.Watch(t.Context(), nil) {
		if err != nil {
			t.Error(err)
		}
		break
	}
	for _, err := range c.Cases(t.Context(), nil) {
		if err != nil {
			t.Error(err)
		}
	}
}
