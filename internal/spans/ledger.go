package spans

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/makeamends/amends/internal/ledger"
)

// Ledger begins the span of one operation of the ledger. The key is empty when it
// is about nobody in particular.
func Ledger(ctx context.Context, tracer trace.Tracer, op string, key ledger.Key) trace.Span {
	_, span := tracer.Start(ctx, "ledger."+op, trace.WithSpanKind(trace.SpanKindClient))
	if key != "" {
		span.SetAttributes(Customer(key))
	}
	return span
}

// EndLedger ends it. A conflict is no failure: the change is judged again.
func EndLedger(span trace.Span, err error) {
	if err != nil {
		meaning := ledger.Meaning(err)
		span.SetAttributes(attribute.String("error.type", meaning))
		if meaning != ledger.Conflict {
			span.SetStatus(codes.Error, "")
		}
	}
	span.End()
}
