package spans

import (
	"math"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/recovery"
)

// leastContribution is how much log-odds a reason must add or take away to be an
// event of the span: 0.1 moves a probability by 2.5 points at most, which
// changes no decision that a person would look at. The case itself has them all.
const leastContribution = 0.1

// Decide tells of a decision on a case: what was found, and an event for each
// reason that weighs.
func Decide(span trace.Span, key ledger.Key, k *recovery.Case) {
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(append(decision(key, k), bound(k.Newest(recovery.FirstResponse)))...)
	reasons(span, k)
}

// decision describes the judgement of a case without naming anybody.
func decision(key ledger.Key, k *recovery.Case) []attribute.KeyValue {
	return []attribute.KeyValue{
		Customer(key),
		attribute.String("recovery.band", k.Assessment.Risk.Band.String()),
		attribute.String("recovery.voice", k.Failure.Voice.String()),
		attribute.String("recovery.kinds", k.Failure.Kinds.String()),
		attribute.Bool("recovery.double_deviation", k.Assessment.Double),
		attribute.String("recovery.policy_version", k.Policy),
	}
}

// bound is the rule that set a deadline; that of none is UNSPECIFIED.
func bound(d recovery.Deadline) attribute.KeyValue {
	return attribute.String("recovery.bound_by", d.BoundBy.String())
}

// reasons adds an event for each reason that weighs, in the order of the case.
func reasons(span trace.Span, k *recovery.Case) {
	for _, r := range k.Assessment.Reasons {
		if math.Abs(r.Contribution) < leastContribution {
			continue
		}
		span.AddEvent("recovery.reason", trace.WithAttributes(
			attribute.String("recovery.reason.code", r.Code.String()),
			attribute.Float64("recovery.reason.contribution", r.Contribution),
		))
	}
}
