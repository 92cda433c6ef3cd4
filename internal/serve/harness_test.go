package serve_test

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/makeamends/amends/internal/serve"
	"github.com/makeamends/amends/internal/telemetry"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// noon is when the clocks of these tests begin.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// secret is the same for every server, so that one can follow another.
var secret = []byte(strings.Repeat("s", 32))

// clock stands still until it is moved.
type clock struct{ nanos atomic.Int64 }

func newClock(t time.Time) *clock {
	c := &clock{}
	c.nanos.Store(t.UnixNano())
	return c
}

func (c *clock) Now() time.Time       { return time.Unix(0, c.nanos.Load()).UTC() }
func (c *clock) move(d time.Duration) { c.nanos.Add(int64(d)) }

// lines collects what a server logs.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// running is a server with a client connected to it.
type running struct {
	*serve.Server
	clock    *clock
	log      *lines
	conn     *grpc.ClientConn
	recovery recoveryv1.RecoveryServiceClient
	policies recoveryv1.PolicyServiceClient
	health   healthv1.HealthClient
	probes   int // made by probe
}

// start runs a server on a free port for as long as the test runs.
func start(tb testing.TB, c serve.Config) *running {
	tb.Helper()
	r := &running{clock: newClock(noon), log: &lines{}}
	c.Listen = "127.0.0.1:0"
	if c.Now == nil {
		c.Now = r.clock.Now
	}
	if c.Secret == nil && c.KeyFile == "" {
		c.Secret = secret
	}
	least := slog.Leveler(slog.LevelDebug)
	if c.Level != nil {
		least = c.Level
	}
	c.Logger = slog.New(telemetry.Traced(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: least})))
	var err error
	if r.Server, err = serve.Start(tb.Context(), c); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := r.Stop(context.Background()); err != nil {
			tb.Errorf("stop: %v", err)
		}
		if tb.Failed() {
			tb.Logf("log of the server:\n%s", r.log)
		}
	})
	r.conn = dial(tb, r.Addr())
	r.recovery = recoveryv1.NewRecoveryServiceClient(r.conn)
	r.policies = recoveryv1.NewPolicyServiceClient(r.conn)
	r.health = healthv1.NewHealthClient(r.conn)
	return r
}

func dial(tb testing.TB, addr string) *grpc.ClientConn {
	tb.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableRetry())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	return conn
}

// event is a sound failure of a customer at noon.
func event(id, customer string) *recoveryv1.FailureEvent {
	return recoveryv1.FailureEvent_builder{
		EventId:    id,
		CustomerId: customer,
		OccurredAt: timestamppb.New(noon),
		Kinds:      []recoveryv1.FailureKind{recoveryv1.FailureKind_FAILURE_KIND_QUALITY},
		OrderValue: usd(18, 0),
		Channel:    recoveryv1.Channel_CHANNEL_EMAIL,
	}.Build()
}

func usd(units int64, nanos int32) *money.Money {
	return &money.Money{CurrencyCode: "USD", Units: units, Nanos: nanos}
}

func praise(id, customer string) *recoveryv1.Interaction {
	return recoveryv1.Interaction_builder{
		InteractionId: id,
		CustomerId:    customer,
		OccurredAt:    timestamppb.New(noon),
		Kind:          recoveryv1.InteractionKind_INTERACTION_KIND_PRAISE,
	}.Build()
}

func (r *running) report(ctx context.Context, e *recoveryv1.FailureEvent) (*recoveryv1.ReportFailureResponse, error) {
	return r.recovery.ReportFailure(ctx, recoveryv1.ReportFailureRequest_builder{Event: e}.Build())
}

func (r *running) mustReport(tb testing.TB, e *recoveryv1.FailureEvent) *recoveryv1.Case {
	tb.Helper()
	answer, err := r.report(tb.Context(), e)
	if err != nil {
		tb.Fatal(err)
	}
	return answer.GetCase()
}

func (r *running) praise(ctx context.Context, items ...*recoveryv1.Interaction) ([]*recoveryv1.InteractionResult, error) {
	answer, err := r.recovery.RecordInteractions(ctx, recoveryv1.RecordInteractionsRequest_builder{Interactions: items}.Build())
	return answer.GetResults(), err
}

func (r *running) assess(tb testing.TB, customer string) *recoveryv1.CustomerAssessment {
	tb.Helper()
	answer, err := r.recovery.AssessCustomer(tb.Context(), recoveryv1.AssessCustomerRequest_builder{CustomerId: customer}.Build())
	if err != nil {
		tb.Fatal(err)
	}
	return answer.GetAssessment()
}

func (r *running) serving(ctx context.Context) bool {
	answer, err := r.health.Check(ctx, &healthv1.HealthCheckRequest{Service: "recovery.v1.RecoveryService"})
	return err == nil && answer.GetStatus() == healthv1.HealthCheckResponse_SERVING
}

// eventually waits until something holds.
func eventually(tb testing.TB, within time.Duration, what string, holds func() bool) {
	tb.Helper()
	for end := time.Now().Add(within); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("not within %s: %s", within, what)
		}
	}
}

// refused takes an error apart: its code, its reason and its faults by field.
func refused(tb testing.TB, err error) (code codes.Code, reason string, faults map[string]string) {
	tb.Helper()
	return takeApart(tb, status.Convert(err))
}

func takeApart(tb testing.TB, st *status.Status) (code codes.Code, reason string, faults map[string]string) {
	tb.Helper()
	faults = map[string]string{}
	for _, detail := range st.Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			if d.GetDomain() != "amends" {
				tb.Errorf("domain %q, want amends", d.GetDomain())
			}
			reason = d.GetReason()
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				faults[v.GetField()] = strings.TrimSpace(faults[v.GetField()] + " " + v.GetDescription())
			}
		}
	}
	return st.Code(), reason, faults
}

func retryDelay(err error) time.Duration {
	for _, detail := range status.Convert(err).Details() {
		if d, ok := detail.(*errdetails.RetryInfo); ok {
			return d.GetRetryDelay().AsDuration()
		}
	}
	return 0
}

// summaries says of each result its status and, of a rejected one, why.
func summaries(tb testing.TB, results []*recoveryv1.InteractionResult) []string {
	tb.Helper()
	out := make([]string, len(results))
	for i, r := range results {
		out[i] = strings.TrimPrefix(r.GetStatus().String(), "INTERACTION_STATUS_")
		if r.HasError() {
			_, reason, faults := takeApart(tb, status.FromProto(r.GetError()))
			out[i] = strings.Join(append([]string{out[i], reason}, slices.Sorted(maps.Keys(faults))...), " ")
		}
	}
	return out
}
