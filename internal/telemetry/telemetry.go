// Package telemetry makes the service visible: traces over OTLP, metrics for
// Prometheus, and log lines that carry the trace they belong to.
//
// Traces follow the standard OTEL_* environment variables and are made only
// when an endpoint is named. They leave through a bounded queue: a collector
// that is slow or dead costs spans, never time of a call. Nothing here holds an
// id or a text that a caller sent.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/attribute"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"google.golang.org/grpc/stats"
)

// Telemetry is all that one server tells of itself. Nothing of it is global, so
// several servers can live in one process.
type Telemetry struct {
	Metrics *Metrics
	*Traces

	own    *prometheus.Registry // what this program counts
	grpc   *prometheus.Registry // what the gRPC instrumentation does
	meters *sdkmetric.MeterProvider
}

// Setup prepares everything. Traces are exported when OTEL_EXPORTER_OTLP_ENDPOINT
// or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set and OTEL_SDK_DISABLED is not
// true; protocol, sampler, headers, queue and resource follow the other standard
// variables. Metrics are always there for Prometheus, and are sent over OTLP as
// well when OTEL_METRICS_EXPORTER=otlp or OTEL_EXPORTER_OTLP_METRICS_ENDPOINT asks
// for it. The version is that of the running binary.
func Setup(ctx context.Context, version string) (*Telemetry, error) {
	t := &Telemetry{own: prometheus.NewRegistry(), grpc: prometheus.NewRegistry()}
	t.own.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	t.Metrics = newMetrics(t.own, version)
	about, err := about(ctx, "amends", version)
	if err != nil {
		return nil, err
	}
	if err := t.measure(ctx, about); err != nil {
		return nil, err
	}
	if t.Traces, err = openTraces(ctx, about, true); err != nil {
		return nil, errors.Join(err, t.Shutdown(ctx))
	}
	return t, nil
}

// about describes who makes the spans and measurements.
func about(ctx context.Context, name, version string) (*resource.Resource, error) {
	r, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", name), attribute.String("service.version", version)),
		resource.WithTelemetrySDK(),
		resource.WithFromEnv(), // last: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win
	)
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("describe this service to the collector: %w", err)
	}
	return r, nil
}

// measure prepares the metrics of the gRPC instrumentation, and to send all
// metrics where that is wanted.
func (t *Telemetry) measure(ctx context.Context, about *resource.Resource) error {
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(t.grpc), otelprometheus.WithoutScopeInfo())
	if err != nil {
		return fmt.Errorf("prepare metrics: %w", err)
	}
	options := []sdkmetric.Option{sdkmetric.WithReader(exporter), sdkmetric.WithResource(about), sdkmetric.WithView(callBuckets)}
	reader, err := t.metricsReader(ctx, os.Getenv)
	if err != nil {
		return err
	}
	if reader != nil {
		options = append(options, sdkmetric.WithReader(reader))
	}
	t.meters = sdkmetric.NewMeterProvider(options...)
	return nil
}

// callBuckets tell calls apart that take less than the 5 ms with which the
// standard buckets begin, as most do.
var callBuckets = sdkmetric.NewView(
	sdkmetric.Instrument{Name: "rpc.server.call.duration"},
	sdkmetric.Stream{Aggregation: sdkmetric.AggregationExplicitBucketHistogram{
		Boundaries: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10},
	}},
)

// GRPC makes a span and a measurement of every call; it goes on with the trace
// that the caller sent. A watch lasts for hours, which is no length of a call,
// so watches are left out: what they deliver has spans of its own. So are methods
// that are not offered: their names are the callers' own.
func (t *Telemetry) GRPC(offered func(method string) bool) stats.Handler {
	traces := t.provider
	if !t.exports {
		traces = numbered{}
	}
	return otelgrpc.NewServerHandler(
		otelgrpc.WithFilter(func(call *stats.RPCTagInfo) bool { return isCall(call) && offered(call.FullMethodName) }),
		otelgrpc.WithTracerProvider(traces),
		otelgrpc.WithMeterProvider(t.meters),
		otelgrpc.WithPropagators(parentOnly{}),
	)
}

// parentOnly goes on with the trace of a caller and leaves its tracestate: that is
// a text of the caller, and every span below would hold it.
type parentOnly struct{ propagation.TraceContext }

func (p parentOnly) Extract(ctx context.Context, from propagation.TextMapCarrier) context.Context {
	parent := from.Get("traceparent")
	if parent == "" {
		return ctx
	}
	return p.TraceContext.Extract(ctx, propagation.MapCarrier{"traceparent": parent})
}

// Handler serves the metrics to Prometheus, with exemplars for those who ask
// for OpenMetrics.
func (t *Telemetry) Handler() http.Handler {
	return promhttp.HandlerFor(prometheus.Gatherers{t.own, t.grpc}, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// Shutdown sends what is still queued, and ends.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	return errors.Join(t.meters.Shutdown(ctx), t.Traces.Shutdown(ctx))
}
