package serve

import (
	"context"

	"go.opentelemetry.io/otel/codes"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/telemetry"
)

// observe makes spans of what the ledger does; nothing when nobody traces.
func (s *Server) observe() func(context.Context, string) func(error) {
	if !s.telemetry.Tracing() {
		return nil
	}
	tracer := s.telemetry.Tracer()
	return func(ctx context.Context, op string) func(error) {
		_, span := tracer.Start(ctx, "ledger."+op)
		return func(err error) {
			if err != nil {
				span.SetStatus(codes.Error, "")
			}
			span.End()
		}
	}
}

// metered counts the judgements that a conflict made void.
type metered struct {
	*ledger.Ledger
	metrics *telemetry.Metrics
}

// Update is the ledger's.
func (m *metered) Update(ctx context.Context, w ledger.Write, judge ledger.Judge) ([]ledger.Result, error) {
	again := false
	return m.Ledger.Update(ctx, w, func(c recovery.Customer, fresh []int) (ledger.Judgement, error) {
		if again {
			m.metrics.Conflicted()
		}
		again = true
		return judge(c, fresh)
	})
}
