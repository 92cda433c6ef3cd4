package serve

import (
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/spans"
	"github.com/makeamends/amends/internal/telemetry"
)

// orderly is the ledger with three things added that only a process can do: the
// changes of one customer take turns, what was changed is counted, and changes
// are told to the trace that they belong to.
type orderly struct {
	*ledger.Ledger
	turns  turns
	tally  tally
	tracer trace.Tracer
}

func inOrder(l *ledger.Ledger, t *telemetry.Telemetry) *orderly {
	return &orderly{Ledger: l, tally: tally{t.Metrics, l.Now}, tracer: t.Tracer(), turns: turns{lines: make(map[ledger.Key]line)}}
}

// Erase is the ledger's.
func (o *orderly) Erase(ctx context.Context, tenant string, key ledger.Key, window time.Duration) (ledger.Erased, error) {
	if err := o.turns.take(ctx, key); err != nil {
		return ledger.Erased{}, err
	}
	defer o.turns.end(key)
	return o.Ledger.Erase(ctx, tenant, key, window)
}

// Update is the ledger's.
func (o *orderly) Update(ctx context.Context, w ledger.Write, judge ledger.Judge) ([]ledger.Result, error) {
	if err := o.turns.take(ctx, w.Key); err != nil {
		return nil, err
	}
	defer o.turns.end(w.Key)
	w.TraceParent = spans.TraceParent(ctx)
	var last change
	results, err := o.Ledger.Update(ctx, w, func(c recovery.Customer, fresh []int) (ledger.Judgement, error) {
		last.judged++
		last.before(c)
		j, err := judge(c, fresh)
		last.open, last.closed = j.Customer.Open, j.Customer.Closed
		return j, err
	})
	spans.Changed(ctx, w.Key, max(last.judged-1, 0))
	if slices.ContainsFunc(results, carriedOut) {
		spans.Missed(ctx, o.tracer, w.Key, o.Now(), last.open, last.closed)
		o.tally.count(ctx, &last)
	}
	return results, err
}

// carriedOut reports whether this very change has carried out what was asked for.
func carriedOut(r ledger.Result) bool { return !r.Replayed && r.Err == nil }
