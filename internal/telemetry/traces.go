package telemetry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc/stats"
)

// scope names the spans made by this service itself.
const scope = "github.com/makeamends/amends"

// Traces makes spans and sends them to a collector, or to nobody.
type Traces struct {
	provider trace.TracerProvider
	exports  bool
	flush    []func(context.Context) error
}

// openTraces makes spans under the name of about, if the standard variables name
// an endpoint. It dials nothing yet, so a collector that is down delays nothing.
// The error names every variable that asks for what is not supported.
func openTraces(ctx context.Context, about *resource.Resource, persistent bool) (*Traces, error) {
	t := &Traces{provider: noop.NewTracerProvider()}
	settings, err := readTraceSettings(os.Getenv)
	if err != nil || !settings.wanted {
		return t, err
	}
	exporter, err := settings.exporter(ctx, persistent)
	if err != nil {
		return t, fmt.Errorf("prepare traces: %w", err)
	}
	// The sampler, the queue and the limits of a span are read from the
	// environment by the provider itself.
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	t.provider, t.exports = provider, true
	// The provider leaves an exporter running that did not finish in time.
	t.flush = []func(context.Context) error{provider.Shutdown, exporter.Shutdown}
	return t, nil
}

// exporter speaks OTLP by the protocol that the settings name. Persistent is one
// that sends again what was not taken.
func (s traceSettings) exporter(ctx context.Context, persistent bool) (*otlptrace.Exporter, error) {
	if s.http {
		var opts []otlptracehttp.Option
		if !persistent {
			opts = append(opts, otlptracehttp.WithRetry(otlptracehttp.RetryConfig{}))
		}
		return otlptracehttp.New(ctx, opts...)
	}
	var opts []otlptracegrpc.Option
	if !persistent {
		opts = append(opts, otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{}))
	}
	return otlptracegrpc.New(ctx, opts...)
}

// Client makes the spans of one that calls the service, such as the command
// line, under a service name of its own. It is not meant to last: what the
// collector does not take at once is lost. Shutdown must follow.
func Client(ctx context.Context, name, version string) (*Traces, error) {
	about, err := about(ctx, name, version)
	if err != nil {
		return nil, err
	}
	return openTraces(ctx, about, false)
}

// Tracing reports whether spans are made at all.
func (t *Traces) Tracing() bool { return t.exports }

// Tracer makes the spans of this service.
func (t *Traces) Tracer() trace.Tracer { return t.provider.Tracer(scope) }

// Provider makes the spans of whatever library is given it.
func (t *Traces) Provider() trace.TracerProvider { return t.provider }

// isCall tells what has a span from watches, which last for hours.
func isCall(call *stats.RPCTagInfo) bool {
	return !strings.HasSuffix(call.FullMethodName, "/WatchCases")
}

// Shutdown sends what is still queued, and ends.
func (t *Traces) Shutdown(ctx context.Context) error {
	var err error
	for _, flush := range t.flush {
		err = errors.Join(err, flush(ctx))
	}
	t.flush = nil
	return err
}
