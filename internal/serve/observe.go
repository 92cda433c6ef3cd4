package serve

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/spans"
)

// observe makes spans of what the ledger does within a call or a sweep, and lets
// a call give way to others when the store does not do what it is asked.
func (s *Server) observe() func(context.Context, string, ledger.Key) func(error) {
	tracing, tracer := s.telemetry.Tracing(), s.telemetry.Tracer()
	return func(ctx context.Context, op string, key ledger.Key) func(error) {
		end := func(error) {}
		if tracing && trace.SpanFromContext(ctx).IsRecording() { // else nobody traces, or a loop looks at everybody
			span := spans.Ledger(ctx, tracer, op, key)
			end = func(err error) { spans.EndLedger(span, err) }
		}
		return func(err error) {
			if ledger.Away(err) {
				giveWay(ctx)
			}
			end(err)
		}
	}
}
