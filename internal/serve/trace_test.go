package serve_test

import (
	"context"
	"encoding/hex"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	collectorv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/makeamends/amends/internal/serve"
)

// collector takes in spans.
type collector struct {
	collectorv1.UnimplementedTraceServiceServer
	mu    sync.Mutex
	spans []*tracev1.Span
	text  strings.Builder // all that was received, as JSON
}

func (c *collector) Export(_ context.Context, r *collectorv1.ExportTraceServiceRequest) (*collectorv1.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text.WriteString(protojson.Format(r))
	for _, resource := range r.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			c.spans = append(c.spans, scope.GetSpans()...)
		}
	}
	return &collectorv1.ExportTraceServiceResponse{}, nil
}

func collect(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	collectorv1.RegisterTraceServiceServer(server, c)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+listener.Addr().String())
	return c
}

// TestTrace: a call goes on with the caller's trace, and shows load, decision
// and commit below it, but not whose customer it was.
func TestTrace(t *testing.T) {
	c := collect(t)
	s := start(t, serve.Config{})
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	ctx := metadata.AppendToOutgoingContext(t.Context(), "traceparent", parent)
	e := event("secret-event", "secret-customer")
	e.SetOrderId("secret-order")
	answer, err := s.report(ctx, e)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(t.Context()); err != nil { // flushes
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	byName := map[string]*tracev1.Span{}
	for _, span := range c.spans {
		byName[span.GetName()] = span
	}
	call := byName["recovery.v1.RecoveryService/ReportFailure"]
	if call == nil || len(c.spans) != 3 {
		t.Fatalf("spans %v, want three: the call, decide and commit", byName)
	}
	if !strings.Contains(parent, hex.EncodeToString(call.GetTraceId())) || !strings.Contains(parent, hex.EncodeToString(call.GetParentSpanId())) {
		t.Errorf("the call does not go on with the caller's trace: %v", call)
	}
	if want := "00-" + hex.EncodeToString(call.GetTraceId()) + "-" + hex.EncodeToString(call.GetSpanId()) + "-01"; answer.GetCase().GetTraceParent() != want {
		t.Errorf("the case keeps %s, want %s", answer.GetCase().GetTraceParent(), want)
	}
	for _, name := range []string{"recovery.decide", "ledger.commit"} {
		if span := byName[name]; span == nil || hex.EncodeToString(span.GetParentSpanId()) != hex.EncodeToString(call.GetSpanId()) {
			t.Errorf("%s is not below the call: %v", name, span)
		}
	}
	attributes := map[string]string{}
	for _, a := range byName["recovery.decide"].GetAttributes() {
		attributes[a.GetKey()] = a.GetValue().String()
	}
	for key, want := range map[string]string{
		"recovery.voice": "PRIVATE", "recovery.kinds": "QUALITY", "recovery.bound_by": "BAND", "recovery.double_deviation": "false",
		"recovery.policy_version": answer.GetCase().GetPolicyVersion(),
		"recovery.band":           strings.TrimPrefix(answer.GetCase().GetAssessment().GetRisk().GetBand().String(), "BAND_"),
	} {
		if !strings.Contains(attributes[key], want) {
			t.Errorf("%s is %q, want %q", key, attributes[key], want)
		}
	}
	if strings.Contains(c.text.String(), "secret") {
		t.Errorf("the spans name what the caller sent:\n%s", c.text.String())
	}
	if log := s.log.String(); !strings.Contains(log, `"trace_id":"`+hex.EncodeToString(call.GetTraceId())) {
		t.Errorf("the log line does not have the trace:\n%s", log)
	}
}

// TestDeadCollector: spans that nobody takes cost no call anything, however many
// they are, nor more than their time at the end.
func TestDeadCollector(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()                              // nobody is there
	t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "20") // far fewer than the spans of 100 calls
	t.Setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")
	for name, row := range map[string]struct {
		listener net.Listener
		protocol string
	}{
		"hangs": {listener, "grpc"}, "is not there": {gone, "http/protobuf"}, "refuses": {refusing(t), "grpc"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+row.listener.Addr().String())
			t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", row.protocol)
			s := start(t, serve.Config{})
			began := time.Now()
			for range 100 {
				s.assess(t, "c")
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("100 calls took %s", took)
			}
			began = time.Now()
			if err := s.Stop(t.Context()); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took > 4*time.Second {
				t.Errorf("the end took %s", took)
			}
		})
	}
}
