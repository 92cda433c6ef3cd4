package serve

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/telemetry"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// words are the values that the labels of metrics can have.
var words = telemetry.Words{
	Bands:       names(recoveryv1.Band(0)),
	Bounds:      names(recoveryv1.Bound(0)),
	Kinds:       names(recoveryv1.FailureKind(0)),
	Milestones:  names(recoveryv1.Milestone(0)),
	Transitions: names(recoveryv1.TransitionKind(0)),
	OfferStates: names(recoveryv1.OfferState(0)),
	RedisErrors: ledger.ErrorClasses,
	Retries:     ledger.RetryCauses,
	Guesses:     ledger.Guesses,
}

// names are those of an enumeration of the contract without their prefix, but for
// the one that states nothing.
func names(of protoreflect.Enum) []string {
	values := of.Descriptor().Values()
	prefix := strings.TrimSuffix(string(values.ByNumber(0).Name()), "UNSPECIFIED")
	var all []string
	for i := range values.Len() {
		if v := values.Get(i); v.Number() != 0 {
			all = append(all, strings.TrimPrefix(string(v.Name()), prefix))
		}
	}
	return all
}

// transitionName is the contract's name of a change without its prefix.
func transitionName(c recovery.Change) string { return words.Transitions[c-1] }
