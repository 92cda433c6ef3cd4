package telemetry

import (
	"context"
	"encoding/binary"
	"math/rand/v2"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// numbered gives a call that belongs to no trace the id of one, so that its line
// in the log and its caller can name it. Nobody keeps such a trace: it is not
// sampled.
type numbered struct{ noop.TracerProvider }

func (numbered) Tracer(string, ...trace.TracerOption) trace.Tracer { return numberedTracer{} }

type numberedTracer struct{ noop.Tracer }

func (t numberedTracer) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		var ids trace.SpanContextConfig
		binary.NativeEndian.PutUint64(ids.TraceID[:8], rand.Uint64())
		binary.NativeEndian.PutUint64(ids.TraceID[8:], rand.Uint64())
		binary.NativeEndian.PutUint64(ids.SpanID[:], rand.Uint64())
		ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(ids))
	}
	return t.Tracer.Start(ctx, name, opts...)
}
