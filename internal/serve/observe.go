package serve

import (
	"context"
	"time"

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

// orderly is the ledger with two things added that only a process can do: the
// changes of one customer take turns, and judgements that a conflict with
// another process made void are counted.
type orderly struct {
	*ledger.Ledger
	turns   turns
	metrics *telemetry.Metrics
}

func inOrder(l *ledger.Ledger, m *telemetry.Metrics) *orderly {
	return &orderly{Ledger: l, metrics: m, turns: turns{lines: make(map[ledger.Key]*line)}}
}

// Erase is the ledger's.
func (o *orderly) Erase(ctx context.Context, tenant string, key ledger.Key, window time.Duration) (ledger.Erased, error) {
	done, err := o.turns.take(ctx, key)
	if err != nil {
		return ledger.Erased{}, err
	}
	defer done()
	return o.Ledger.Erase(ctx, tenant, key, window)
}

// Update is the ledger's.
func (o *orderly) Update(ctx context.Context, w ledger.Write, judge ledger.Judge) ([]ledger.Result, error) {
	done, err := o.turns.take(ctx, w.Key)
	if err != nil {
		return nil, err
	}
	defer done()
	again := false
	return o.Ledger.Update(ctx, w, func(c recovery.Customer, fresh []int) (ledger.Judgement, error) {
		if again {
			o.metrics.Conflicted()
		}
		again = true
		return judge(c, fresh)
	})
}
