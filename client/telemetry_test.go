package client_test

import (
	"strings"
	"testing"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/makeamends/amends/client"
)

// Every try of a call is a span of the caller's trace, which goes on with the
// call.
func TestTraces(t *testing.T) {
	d := newDesk(t, &desk{fail: func(n int) error {
		if n == 1 {
			return status.Error(codes.Unavailable, "starting")
		}
		return nil
	}})
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	c := open(t, client.Config{Target: d.address, Telemetry: []otelgrpc.Option{otelgrpc.WithTracerProvider(provider)}})
	ctx, parent := provider.Tracer("caller").Start(t.Context(), "an order is late")
	if _, err := c.ReportFailure(ctx, late("e-1", "c-1")); err != nil {
		t.Fatal(err)
	}
	ended := spans.Ended()
	if len(ended) != 2 {
		t.Fatalf("%d spans, want one for each try and none for health checks", len(ended))
	}
	for n, span := range ended {
		if span.Parent().SpanID() != parent.SpanContext().SpanID() || span.Name() != "recovery.v1.RecoveryService/ReportFailure" {
			t.Errorf("span %d is %s", n, span.Name())
		}
		sent := strings.Join(d.header(n, "traceparent"), " ")
		if want := "00-" + span.SpanContext().TraceID().String() + "-" + span.SpanContext().SpanID().String() + "-01"; sent != want {
			t.Errorf("the service is sent %q, want %q", sent, want)
		}
		for _, a := range span.Attributes() {
			if strings.Contains(a.Value.String(), "c-1") {
				t.Errorf("a span tells of a customer: %s", a.Key)
			}
		}
	}
}
