package rpc

import (
	"go.opentelemetry.io/otel/attribute"

	"github.com/makeamends/amends/internal/recovery"
)

// decisionAttributes describe a decision without naming anybody.
func decisionAttributes(k *recovery.Case) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("recovery.band", k.Assessment.Risk.Band.String()),
		attribute.String("recovery.voice", k.Failure.Voice.String()),
		attribute.String("recovery.kinds", k.Failure.Kinds.String()),
		attribute.Bool("recovery.double_deviation", k.Assessment.Double),
		attribute.String("recovery.bound_by", responseBound(k).String()),
		attribute.String("recovery.policy_version", k.Policy),
	}
}

// responseBound is the rule that set the first response, by the newest promise.
func responseBound(k *recovery.Case) (by recovery.Bound) {
	for _, d := range k.Deadlines {
		if d.Milestone == recovery.FirstResponse {
			by = d.BoundBy
		}
	}
	return by
}
