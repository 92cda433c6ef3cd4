package serve

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/spans"
)

// observe makes spans of what the ledger does within a call or a sweep; nothing
// when nobody traces.
func (s *Server) observe() func(context.Context, string, ledger.Key) func(error) {
	if !s.telemetry.Tracing() {
		return nil
	}
	tracer := s.telemetry.Tracer()
	return func(ctx context.Context, op string, key ledger.Key) func(error) {
		if !trace.SpanFromContext(ctx).IsRecording() {
			return func(error) {} // of a loop that looks at everybody
		}
		span := spans.Ledger(ctx, tracer, op, key)
		return func(err error) { spans.EndLedger(span, err) }
	}
}
