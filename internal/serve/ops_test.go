package serve_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/makeamends/amends/internal/serve"
)

func TestMetrics(t *testing.T) {
	s := start(t, serve.Config{OpsListen: "127.0.0.1:0", Version: "v1.2.3"})
	band := strings.TrimPrefix(s.mustReport(t, event("e", "c")).GetAssessment().GetRisk().GetBand().String(), "BAND_")
	s.mustReport(t, event("e", "c")) // a repetition decides nothing
	if _, err := s.report(t.Context(), event("", "c")); err == nil {
		t.Fatal("a bad report was taken")
	}
	// A call is counted after it is answered.
	eventually(t, 5*time.Second, "all calls are counted", func() bool {
		return strings.Contains(s.metrics(t), `rpc_response_status_code="INVALID_ARGUMENT"`)
	})
	text := s.metrics(t)
	for _, want := range []string{
		`amends_decisions_total{band="` + band + `",bound="BAND"} 1`,
		`amends_calls_total{code="OK",method="recovery.v1.RecoveryService/ReportFailure",reason=""} 2`,
		`amends_calls_total{code="INVALID_ARGUMENT",method="recovery.v1.RecoveryService/ReportFailure",reason="INVALID_REQUEST"} 1`,
		`amends_calls_in_flight{method="recovery.v1.RecoveryService/ReportFailure"} 0`,
		`amends_build_info{go_version="go`, `version="v1.2.3"} 1`,
		`amends_policy_info{version="p-`, "amends_policy_last_reload_success 1", "amends_policy_reload_failures_total 0",
		"amends_policy_condition_errors_total 0", `amends_ledger_retries_total{cause="conflict"} 0`, `amends_ledger_guesses_total{outcome="right"}`,
		"amends_ready 1", "amends_store_durable 0", `amends_currency_minor_units{currency="USD"} 100`,
		`amends_redis_operation_duration_seconds_count{command="evalsha"}`, `amends_redis_pool_connections{pool="calls",state="idle"}`,
		`rpc_server_call_duration_seconds_count{`,
		"go_goroutines", "process_cpu_seconds_total",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics have no %s:\n%s", want, text)
		}
	}
}

func TestHealthOverHTTP(t *testing.T) {
	s := start(t, serve.Config{OpsListen: "127.0.0.1:0"})
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusOK, "/": http.StatusOK, "/nothing": http.StatusNotFound} {
		if _, code := s.get(t, path); code != want {
			t.Errorf("%s answers %d, want %d", path, code, want)
		}
	}
}

var traceID = regexp.MustCompile(`"trace_id":"[0-9a-f]{32}"`)

// TestLog: one line a call, that names neither the caller's ids nor texts.
func TestLog(t *testing.T) {
	s := start(t, serve.Config{})
	e := event("secret-event", "secret-customer")
	e.SetOrderId("secret-order")
	e.SetIncidentId("secret-incident")
	s.mustReport(t, e)
	e.SetSeverity(7)
	if _, err := s.report(t.Context(), e); err == nil {
		t.Fatal("a bad report was taken")
	}
	e = event("secret-event", "secret-customer")
	if _, err := s.report(t.Context(), e); status.Code(err) != codes.AlreadyExists {
		t.Fatal(err)
	}
	log := s.log.String()
	for _, want := range []string{
		`"method":"recovery.v1.RecoveryService/ReportFailure","code":"OK"`, `"code":"InvalidArgument"`, `"reason":"INVALID_REQUEST"`,
		`"reason":"ID_REUSED"`,
	} {
		if n := strings.Count(log, want); n != 1 {
			t.Errorf("%s stands in %d lines, want 1:\n%s", want, n, log)
		}
	}
	for line := range strings.Lines(log) {
		if strings.Contains(line, `"msg":"call"`) && !traceID.MatchString(line) {
			t.Errorf("a call has no trace id: %s", line)
		}
	}
	if strings.Contains(log, "secret") {
		t.Errorf("the log names what the caller sent:\n%s", log)
	}
}

func TestReflection(t *testing.T) {
	s := start(t, serve.Config{})
	stream, err := reflectionv1.NewServerReflectionClient(s.conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if answer := askForServices(t, stream); !strings.Contains(answer.String(), "recovery.v1.RecoveryService") {
		t.Errorf("reflection names %v", answer)
	}
}

func askForServices(t *testing.T, stream reflectionv1.ServerReflection_ServerReflectionInfoClient) *reflectionv1.ServerReflectionResponse {
	t.Helper()
	err := stream.Send(&reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{ListServices: "*"},
	})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// TestOtherProtocols: what health checks and reflection say of a request is what
// their own protocols want, and no fault of the service.
func TestOtherProtocols(t *testing.T) {
	s := start(t, serve.Config{OpsListen: "127.0.0.1:0"})
	if _, err := s.health.Check(t.Context(), &healthv1.HealthCheckRequest{Service: "nothing"}); status.Code(err) != codes.NotFound {
		t.Errorf("health of a service that is not known: %v, want NotFound", err)
	}
	stream, err := reflectionv1.NewServerReflectionClient(s.conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&reflectionv1.ServerReflectionRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.InvalidArgument {
		t.Errorf("reflection that asks for nothing: %v, want InvalidArgument", err)
	}
	if log := s.log.String(); strings.Contains(log, `"level":"ERROR"`) {
		t.Errorf("the log tells of a fault:\n%s", log)
	}
	text := s.metrics(t)
	for _, want := range []string{
		`amends_calls_total{code="NOT_FOUND",method="grpc.health.v1.Health/Check",reason=""} 1`,
		`amends_calls_total{code="INVALID_ARGUMENT",method="grpc.reflection.v1.ServerReflection/ServerReflectionInfo",reason=""} 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
	// Bytes that are no message are still answered in our own words.
	if code, reason, _ := refused(t, s.conn.Invoke(t.Context(), healthv1.Health_Check_FullMethodName, []byte{0x0a, 0x20}, new([]byte), grpc.ForceCodec(raw{}))); code != codes.InvalidArgument || reason != "MALFORMED_MESSAGE" {
		t.Errorf("bytes that are no message: %s %s", code, reason)
	}
}

// TestPanic: a handler that panics fails its call, not the process. A loop goes on.
func TestPanic(t *testing.T) {
	boom := newClock(noon)
	var armed atomic.Bool
	s := start(t, serve.Config{Sweep: 10 * time.Millisecond, Now: func() time.Time {
		if armed.Load() {
			panic("boom")
		}
		return boom.Now()
	}})
	armed.Store(true)
	_, err := s.report(t.Context(), event("e", "c"))
	code, reason, _ := refused(t, err)
	if code != codes.Internal || reason != "INTERNAL" || strings.Contains(err.Error(), "boom") {
		t.Errorf("answered %v (%s), want INTERNAL without the cause", err, reason)
	}
	eventually(t, 5*time.Second, "the sweep tells of it", func() bool { return strings.Contains(s.log.String(), "the look for what is due ends early") })
	armed.Store(false)
	if !strings.Contains(s.log.String(), "boom") {
		t.Error("the log does not have the cause")
	}
	eventually(t, 5*time.Second, "the sweep works again", func() bool { return strings.Contains(s.log.String(), "works again: the look for what is due") })
	s.mustReport(t, event("e", "c"))
}

// TestPanicInABatch: a panic over one customer of a batch, which has a goroutine
// of its own, costs that one.
func TestPanicInABatch(t *testing.T) {
	calls := 0
	var mu sync.Mutex
	s := start(t, serve.Config{Sweep: time.Hour, Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		if calls++; calls == 3 { // after both items were inspected
			panic("boom")
		}
		return noon
	}})
	mu.Lock()
	calls = 0
	mu.Unlock()
	results, err := s.praise(t.Context(), praise("i", "c"), praise("j", "d"))
	if err != nil {
		t.Fatal(err)
	}
	got := summaries(t, results)
	slices.Sort(got)
	if want := []string{"RECORDED", "REJECTED INTERNAL"}; !slices.Equal(got, want) {
		t.Errorf("results %v, want %v", got, want)
	}
	lines := s.loggedItems(t, "RecordInteractions")
	if len(lines) != 1 || len(lines[0].Items) != 1 || !strings.Contains(lines[0].Cause, "boom") {
		t.Errorf("the log tells of it as %+v", lines)
	}
}
