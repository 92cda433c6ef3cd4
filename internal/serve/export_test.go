package serve_test

import (
	"context"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	collectorv1 "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	metricsv1 "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/makeamends/amends/internal/serve"
)

// openMetrics is what a Prometheus that takes exemplars is shown.
func (r *running) openMetrics(t *testing.T) string {
	t.Helper()
	return scrape(t, "http://"+r.OpsAddr()+"/metrics", formats[1])
}

// Histograms name the traces of calls that are sampled, and of no others: from a
// slow bucket one goes to a call that was slow.
func TestExemplars(t *testing.T) {
	s := start(t, serve.Config{OpsListen: "127.0.0.1:0"})
	const sampled, dropped = "0af7651916cd43dd8448eb211c80319c", "11111111111111111111111111111111"
	call := func(id, trace, flags string) {
		t.Helper()
		ctx := metadata.AppendToOutgoingContext(t.Context(), "traceparent", "00-"+trace+"-b7ad6b7169203331-"+flags)
		if _, err := s.report(ctx, event(id, "c")); err != nil {
			t.Fatal(err)
		}
	}
	call("a", sampled, "01")
	call("b", dropped, "00")
	for _, name := range []string{"rpc_server_call_duration_seconds", "amends_decision_risk_ratio", "amends_redis_operation_duration_seconds"} {
		pattern := regexp.MustCompile(name + `_bucket\{[^}]*\} \d+ # \{[^}]*trace_id="` + sampled + `"`)
		eventually(t, 5*time.Second, name+" names the trace", func() bool { return pattern.MatchString(s.openMetrics(t)) })
	}
	if strings.Contains(s.openMetrics(t), dropped) {
		t.Error("the metrics name a trace that nobody keeps")
	}
}

// metricsCollector takes in metrics.
type metricsCollector struct {
	collectorv1.UnimplementedMetricsServiceServer
	mu    sync.Mutex
	last  map[string]*metricsv1.Metric // by name, as received last
	about string
}

func (c *metricsCollector) Export(_ context.Context, r *collectorv1.ExportMetricsServiceRequest) (*collectorv1.ExportMetricsServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range r.GetResourceMetrics() {
		c.about = resource.GetResource().String()
		for _, scope := range resource.GetScopeMetrics() {
			for _, m := range scope.GetMetrics() {
				c.last[m.GetName()] = m
			}
		}
	}
	return &collectorv1.ExportMetricsServiceResponse{}, nil
}

// The same metrics go to a collector that asks for them: those that the service
// counts and those of the gRPC instrumentation, each once.
func TestMetricsOverOTLP(t *testing.T) {
	c := &metricsCollector{last: map[string]*metricsv1.Metric{}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	collectorv1.RegisterMetricsServiceServer(server, c)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	t.Setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://"+listener.Addr().String())
	s := start(t, serve.Config{OpsListen: "127.0.0.1:0", Version: "v1.2.3"})
	s.mustReport(t, event("e", "c"))
	eventually(t, 5*time.Second, "the call is measured", func() bool { return strings.Contains(s.metrics(t), "rpc_server_call_duration_seconds_count") })
	if err := s.Stop(t.Context()); err != nil { // flushes
		t.Fatal(err)
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	decided := 0.0
	for _, point := range c.last["amends_decisions_total"].GetSum().GetDataPoints() {
		decided += point.GetAsDouble()
	}
	calls := c.last["rpc.server.call.duration"].GetHistogram().GetDataPoints()
	if decided != 1 || len(calls) != 1 || calls[0].GetCount() != 1 || c.last["amends_deadlines_total"] == nil || c.last["go_goroutines"] == nil {
		t.Errorf("%v decisions and the calls %v were sent, want one each, and all that is counted", decided, calls)
	}
	if c.last["rpc_server_call_duration_seconds"] != nil {
		t.Error("calls are sent twice, under two names")
	}
	if !strings.Contains(c.about, "v1.2.3") {
		t.Errorf("the metrics are of %s", c.about)
	}
}

// A collector that takes nothing costs neither a call nor the end any time.
func TestDeadMetricsCollector(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://"+listener.Addr().String())
	t.Setenv("OTEL_METRIC_EXPORT_INTERVAL", "50")
	s := start(t, serve.Config{OpsListen: "127.0.0.1:0"})
	s.mustReport(t, event("e", "c"))
	began := time.Now()
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("the end took %s", took)
	}
}
