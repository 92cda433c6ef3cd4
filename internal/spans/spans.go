// Package spans says what the spans of this service tell. Every attribute is
// made here, so here is all that can be in a trace: bands, kinds, rules, codes,
// numbers, and keyed hashes in place of whom it is about. No id and no text that
// a caller has sent, and no key and no value of the store.
package spans

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/recovery"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// Customer names a customer by the keyed hash.
func Customer(key ledger.Key) attribute.KeyValue {
	return attribute.String("recovery.customer", string(key))
}

// Case names a case, by the keyed hash of its customer and its number.
func Case(key ledger.Key, number int64) attribute.KeyValue {
	return attribute.String("recovery.case_id", ledger.CaseID(key, number))
}

// Part begins the span of a part of what the span of the context is about. Where
// that is not recorded there is none: samplers let a part be recorded only with
// the whole, and a span that nobody sees costs as much as it tells.
func Part(ctx context.Context, tracer trace.Tracer, name string) trace.Span {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return noop.Span{}
	}
	_, span := tracer.Start(ctx, name)
	return span
}

// Changed tells, on the span of a call, whom it has changed and how often that
// was judged again because another change came between.
func Changed(ctx context.Context, key ledger.Key, conflicts int) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(Customer(key), attribute.Int("recovery.conflicts", conflicts))
	}
}

// Answered tells, on the span of a call, which case is answered, 0 when that is
// not known, and whether an earlier call had carried out what was asked for.
func Answered(ctx context.Context, key ledger.Key, number int64, replayed bool) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(attribute.Bool("recovery.replayed", replayed))
	if number > 0 {
		span.SetAttributes(Case(key, number))
	}
}

// transition names what has happened to a case.
func transition(t recovery.Transition) []attribute.KeyValue {
	const prefix = len("TRANSITION_KIND_")
	about := []attribute.KeyValue{attribute.String("recovery.transition", recoveryv1.TransitionKind(t.Change).String()[prefix:])}
	if t.Milestone != 0 {
		about = append(about, attribute.String("recovery.milestone", t.Milestone.String()))
	}
	return about
}

// Refused says on the span of a call why it was refused. Reason is a name of
// ErrorReason.
func Refused(ctx context.Context, reason string) {
	trace.SpanFromContext(ctx).SetAttributes(attribute.String("recovery.refusal", reason))
}

// Failed marks a span as failed. The text of the error is for the log, under the
// same trace, and is not told here.
func Failed(span trace.Span) { span.SetStatus(codes.Error, "") }

// TraceParent names the span of the context in the W3C form; empty when there
// is none that anybody keeps.
func TraceParent(ctx context.Context) string {
	span := trace.SpanContextFromContext(ctx)
	if !span.IsSampled() {
		return ""
	}
	return "00-" + span.TraceID().String() + "-" + span.SpanID().String() + "-" + span.TraceFlags().String()
}

// links are to the spans that W3C texts name; what names none is left out.
func links(traceParents ...string) (found []trace.Link) {
	for _, text := range traceParents {
		ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": text})
		if at := trace.SpanContextFromContext(ctx); at.IsValid() {
			found = append(found, trace.Link{SpanContext: at})
		}
	}
	return found
}
