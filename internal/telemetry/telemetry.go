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
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc/stats"
)

// scope names the spans made by this service itself.
const scope = "github.com/makeamends/amends"

// Telemetry is all that one server tells of itself. Nothing of it is global, so
// several servers can live in one process.
type Telemetry struct {
	Metrics *Metrics

	registry *prometheus.Registry
	traces   trace.TracerProvider
	meters   *sdkmetric.MeterProvider
	exports  bool
	flush    []func(context.Context) error
}

// Setup prepares everything. Traces are exported when OTEL_EXPORTER_OTLP_ENDPOINT
// or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set and OTEL_SDK_DISABLED is not
// true; sampler, headers, queue and resource follow the other standard
// variables. The version is that of the running binary.
func Setup(ctx context.Context, version string) (*Telemetry, error) {
	t := &Telemetry{registry: prometheus.NewRegistry(), traces: noop.NewTracerProvider()}
	t.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	t.Metrics = newMetrics(t.registry, version)
	about, err := about(ctx, version)
	if err != nil {
		return nil, err
	}
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(t.registry), otelprometheus.WithoutScopeInfo())
	if err != nil {
		return nil, fmt.Errorf("prepare metrics: %w", err)
	}
	t.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter), sdkmetric.WithResource(about))
	t.flush = append(t.flush, t.meters.Shutdown)
	if !tracesWanted(os.Getenv) {
		return t, nil
	}
	if err := t.exportTraces(ctx, about); err != nil {
		return nil, errors.Join(err, t.Shutdown(ctx))
	}
	return t, nil
}

func tracesWanted(getenv func(string) string) bool {
	if getenv("OTEL_SDK_DISABLED") == "true" || getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// exportTraces dials nothing yet, so a collector that is down delays nothing.
func (t *Telemetry) exportTraces(ctx context.Context, about *resource.Resource) error {
	exporter, err := otlptracegrpc.New(ctx)
	if err != nil {
		return fmt.Errorf("prepare traces: %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	t.traces, t.exports = provider, true
	// The provider leaves an exporter running that did not finish in time.
	t.flush = append(t.flush, provider.Shutdown, exporter.Shutdown)
	return nil
}

func about(ctx context.Context, version string) (*resource.Resource, error) {
	r, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "amends"), attribute.String("service.version", version)),
		resource.WithTelemetrySDK(),
		resource.WithFromEnv(), // last: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win
	)
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("describe this service to the collector: %w", err)
	}
	return r, nil
}

// Tracer makes the spans of this service.
func (t *Telemetry) Tracer() trace.Tracer { return t.traces.Tracer(scope) }

// Tracing reports whether spans are made at all.
func (t *Telemetry) Tracing() bool { return t.exports }

// GRPC makes a span and a measurement of every call; it goes on with the trace
// that the caller sent. A watch lasts for hours, which is no length of a call,
// so watches are left out.
func (t *Telemetry) GRPC() stats.Handler {
	return otelgrpc.NewServerHandler(
		otelgrpc.WithFilter(func(call *stats.RPCTagInfo) bool { return !strings.HasSuffix(call.FullMethodName, "/WatchCases") }),
		otelgrpc.WithTracerProvider(t.traces),
		otelgrpc.WithMeterProvider(t.meters),
		otelgrpc.WithPropagators(propagation.TraceContext{}),
	)
}

// Handler serves the metrics to Prometheus, with exemplars for those who ask
// for OpenMetrics.
func (t *Telemetry) Handler() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// Shutdown sends what is still queued, and ends.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	var err error
	for _, flush := range t.flush {
		err = errors.Join(err, flush(ctx))
	}
	t.flush = nil
	return err
}
