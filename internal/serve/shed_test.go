package serve_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// gate holds up whoever asks for the time while it is shut.
type gate struct {
	clock *clock
	mu    sync.Mutex
	shut  chan struct{} // nil: it is open
	held  atomic.Int64
}

func (g *gate) Now() time.Time {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		g.held.Add(1)
		<-shut
	}
	return g.clock.Now()
}

// set shuts or opens the gate for those who come; free lets go those who are held.
func (g *gate) set(shut chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = shut
}

// TestOverload fills a server with calls that do not end: reports, reads, praise,
// lists and trials are refused and change nothing, steps of cases are carried
// out, health answers. When the calls have ended, everything is as before.
func TestOverload(t *testing.T) {
	g := &gate{clock: newClock(noon)}
	const most = 64
	s := start(t, serve.Config{Now: g.Now, MostCalls: most, OpsListen: "127.0.0.1:0", Sweep: time.Hour})
	id := s.mustReport(t, event("before", "c")).GetCaseId()

	shut := make(chan struct{})
	g.set(shut)
	const reports = most * 7 / 8
	ended := make(chan error, reports)
	for i := range reports {
		go func() {
			_, err := s.report(context.Background(), event("held", "held-"+string(rune('A'+i))))
			ended <- err
		}()
	}
	eventually(t, 5*time.Second, "all places are taken", func() bool { return g.held.Load() >= reports })
	g.set(nil)

	ctx := t.Context()
	for name, call := range map[string]func() error{
		"report": func() error { _, err := s.report(ctx, event("late", "late")); return err },
		"dry run": func() error {
			_, err := s.recovery.RequestOffer(ctx, recoveryv1.RequestOfferRequest_builder{CaseId: new(id), ValidateOnly: true}.Build())
			return err
		},
		"assess": func() error {
			_, err := s.recovery.AssessCustomer(ctx, recoveryv1.AssessCustomerRequest_builder{CustomerId: "c"}.Build())
			return err
		},
		"praise": func() error { _, err := s.praise(ctx, praise("p", "late")); return err },
		"list": func() error {
			_, err := s.recovery.ListCases(ctx, recoveryv1.ListCasesRequest_builder{CustomerId: "c"}.Build())
			return err
		},
	} {
		code, reason, _ := refused(t, call())
		if delay := retryDelay(call()); code != codes.ResourceExhausted || reason != "OVERLOADED" || delay < time.Second/2 || delay > 3*time.Second/2 {
			t.Errorf("%s: answered %s %s, repeat after %s; want ResourceExhausted OVERLOADED, about a second", name, code, reason, delay)
		}
	}
	d := &desk{running: s, id: id}
	if _, err := d.ack(ctx); err != nil {
		t.Errorf("acknowledge: %v", err)
	}
	if _, err := d.resolve(ctx, recoveryv1.Outcome_OUTCOME_SATISFIED); err != nil {
		t.Errorf("resolve: %v", err)
	}
	if !s.serving(ctx) {
		t.Error("health does not answer SERVING")
	}
	if text := s.metrics(t); !strings.Contains(text, `amends_calls_total{code="RESOURCE_EXHAUSTED",method="recovery.v1.RecoveryService/ReportFailure",reason="OVERLOADED"} 2`) {
		t.Error("the refused reports are not counted")
	}

	close(shut)
	for range reports {
		if err := <-ended; err != nil {
			t.Errorf("a report that was held up: %v", err)
		}
	}
	untouched(t, s, "late")
	if _, err := s.report(ctx, event("late", "late")); err != nil {
		t.Errorf("a report when all is over: %v", err)
	}
	eventually(t, 5*time.Second, "nothing is under way", func() bool { _, _, calls := s.UnderWay(); return calls == 0 })
}

// twoAtMost opens two watches, beside which a third is refused.
func twoAtMost[T any](t *testing.T, open func() (grpc.ServerStreamingClient[T], error)) {
	t.Helper()
	watch := func() error {
		stream, err := open()
		if err != nil {
			return err
		}
		_, err = stream.Recv()
		return err
	}
	for range 2 {
		if err := watch(); err != nil {
			t.Fatal(err)
		}
	}
	if code, reason, _ := refused(t, watch()); code != codes.ResourceExhausted || reason != "OVERLOADED" {
		t.Errorf("a watch too many: answered %s %s, want ResourceExhausted OVERLOADED", code, reason)
	}
}

// TestMostHealthWatches: they are bounded for themselves.
func TestMostHealthWatches(t *testing.T) {
	s := start(t, serve.Config{})
	s.SetMost(3, 100, 2)
	twoAtMost(t, func() (grpc.ServerStreamingClient[healthv1.HealthCheckResponse], error) {
		return s.health.Watch(t.Context(), &healthv1.HealthCheckRequest{})
	})
	if _, err := s.report(t.Context(), event("e", "c")); err != nil || !s.serving(t.Context()) {
		t.Errorf("a call beside them: %v", err)
	}
}

// TestIngestWaits: the items of a bulk load wait for their turn and are not refused.
func TestIngestWaits(t *testing.T) {
	s := start(t, serve.Config{})
	free := s.Occupy()
	stream, err := s.recovery.Ingest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(recoveryv1.IngestRequest_builder{Failure: event("e", "c")}.Build()); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "the item waits", func() bool { return s.Waiting() == 1 })
	free()
	answer, err := stream.Recv()
	if err != nil || !answer.HasFailure() {
		t.Errorf("%v, %v; want the item carried out", answer, err)
	}
}

// TestMostStreams opens more watches and bulk loads than there may be, and then
// more calls of any kind.
func TestMostStreams(t *testing.T) {
	s := start(t, serve.Config{})
	s.SetMost(3, 100, 2)
	twoAtMost(t, func() (grpc.ServerStreamingClient[recoveryv1.WatchCasesResponse], error) {
		return s.recovery.WatchCases(t.Context(), &recoveryv1.WatchCasesRequest{})
	})
	watches := func() bool { open, _, _ := s.UnderWay(); return open == 2 }
	eventually(t, 5*time.Second, "the watch too many has ended", watches)
	if _, err := s.report(t.Context(), event("e1", "c")); err != nil {
		t.Errorf("a report beside the watches: %v", err)
	}
	eventually(t, 5*time.Second, "the watches alone are open", watches)
	load, err := s.recovery.Ingest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "three streams are open", func() bool { open, _, _ := s.UnderWay(); return open == 3 })
	if _, err := s.report(t.Context(), event("e2", "c")); status.Code(err) != codes.ResourceExhausted {
		open, _, _ := s.UnderWay()
		t.Errorf("a report beside as many streams as may be open: %v, want ResourceExhausted; %d are open", err, open)
	}
	if !s.serving(t.Context()) {
		t.Error("health does not answer SERVING")
	}
	if err := load.CloseSend(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "a report is carried out when a stream has ended", func() bool {
		_, err := s.report(t.Context(), event("e2", "c"))
		return err == nil
	})
}
