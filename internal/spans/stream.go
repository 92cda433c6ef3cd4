package spans

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/makeamends/amends/internal/ledger"
)

// Streams last for hours: what passes through them has traces of its own, one a
// piece, and these link to where they belong.

var itemsSpan = []trace.SpanStartOption{trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindConsumer)}

// Items begins the trace of items of one customer that came in a stream and are
// carried out together. It links to the stream.
func Items(ctx context.Context, tracer trace.Tracer, n int) (context.Context, trace.Span) {
	stream := trace.SpanContextFromContext(ctx)
	ctx, span := tracer.Start(ctx, "recovery.ingest", itemsSpan...)
	if span.IsRecording() {
		if stream.IsSampled() {
			span.AddLink(trace.Link{SpanContext: stream})
		}
		span.SetAttributes(attribute.Int("recovery.items", n))
	}
	return ctx, span
}

// Deliver begins the trace of one event that is sent to one who watches. It
// links to the call, or the sweep, that made the change, and to whoever watches.
func Deliver(ctx context.Context, tracer trace.Tracer, e *ledger.Event) trace.Span {
	_, span := tracer.Start(ctx, "recovery.deliver", trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindProducer))
	if !span.IsRecording() {
		return span
	}
	for _, link := range links(e.TraceParent, TraceParent(ctx)) {
		span.AddLink(link)
	}
	span.SetAttributes(Customer(e.Key), Case(e.Key, e.Case),
		attribute.String("recovery.band", e.Band.String()),
		attribute.String("recovery.state", e.State.String()),
		attribute.String("recovery.recorded_at", e.RecordedAt.UTC().Format(time.RFC3339Nano)),
	)
	span.SetAttributes(transition(e.Transition)...)
	return span
}
