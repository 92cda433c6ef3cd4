package spans

import (
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/recovery"
)

// Missed makes a span, within that of the context, of every deadline that the
// change of a customer has found broken. Each links to the call that made the
// promise: the report, the step, or the sweep that promised anew what had been
// broken before.
func Missed(ctx context.Context, tracer trace.Tracer, key ledger.Key, now time.Time, changed ...[]recovery.Case) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return
	}
	for _, list := range changed {
		for i := range list {
			for _, t := range list[i].Fresh {
				if t.Change == recovery.ChangeMissed {
					missed(ctx, tracer, key, &list[i], t, now)
				}
			}
		}
	}
}

func missed(ctx context.Context, tracer trace.Tracer, key ledger.Key, k *recovery.Case, t recovery.Transition, now time.Time) {
	d := broken(k, t)
	_, span := tracer.Start(ctx, "recovery.missed",
		trace.WithLinks(links(d.TraceParent)...), trace.WithAttributes(decision(key, k)...))
	defer span.End()
	span.SetAttributes(Case(key, k.Number), bound(d),
		attribute.String("recovery.milestone", t.Milestone.String()),
		attribute.String("recovery.due_at", t.At.UTC().Format(time.RFC3339Nano)),
		attribute.Float64("recovery.late_seconds", now.Sub(t.At).Seconds()),
	)
	reasons(span, k)
}

// broken finds the deadline that a transition is about: the newest that was
// broken by then.
func broken(k *recovery.Case, t recovery.Transition) recovery.Deadline {
	for _, d := range slices.Backward(k.Deadlines) {
		if d.Milestone == t.Milestone && d.Verdict == recovery.Missed && !d.DueAt.After(t.At) {
			return d
		}
	}
	return recovery.Deadline{}
}
