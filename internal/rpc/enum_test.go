package rpc

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/makeamends/amends/internal/recovery"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// TestEnumsHaveTheNumbersOfTheContract walks every enumeration that converts by
// a cast: the same number has the same name on both sides, and neither side has
// more.
func TestEnumsHaveTheNumbersOfTheContract(t *testing.T) {
	enums := []struct {
		contract protoreflect.Enum
		core     func(int32) fmt.Stringer
	}{
		{recoveryv1.FailureKind(0), func(n int32) fmt.Stringer { return recovery.Kind(n) }},
		{recoveryv1.Voice(0), func(n int32) fmt.Stringer { return recovery.Voice(n) }},
		{recoveryv1.Channel(0), func(n int32) fmt.Stringer { return recovery.Channel(n) }},
		{recoveryv1.Acceptance(0), func(n int32) fmt.Stringer { return recovery.Acceptance(n) }},
		{recoveryv1.Locus(0), func(n int32) fmt.Stringer { return recovery.Locus(n) }},
		{recoveryv1.Motive(0), func(n int32) fmt.Stringer { return recovery.Motive(n) }},
		{recoveryv1.Relationship(0), func(n int32) fmt.Stringer { return recovery.Relationship(n) }},
		{recoveryv1.ResourceLost(0), func(n int32) fmt.Stringer { return recovery.Resource(n) }},
		{recoveryv1.Corroboration(0), func(n int32) fmt.Stringer { return recovery.Corroboration(n) }},
		{recoveryv1.Band(0), func(n int32) fmt.Stringer { return recovery.Band(n) }},
		{recoveryv1.ReasonCode(0), func(n int32) fmt.Stringer { return recovery.Code(n) }},
		{recoveryv1.EvidenceGrade(0), func(n int32) fmt.Stringer { return recovery.Grade(n) }},
		{recoveryv1.ServiceLevel(0), func(n int32) fmt.Stringer { return recovery.ServiceLevel(n) }},
		{recoveryv1.CaseState(0), func(n int32) fmt.Stringer { return recovery.State(n) }},
		{recoveryv1.Outcome(0), func(n int32) fmt.Stringer { return recovery.Outcome(n) }},
		{recoveryv1.Milestone(0), func(n int32) fmt.Stringer { return recovery.Milestone(n) }},
		{recoveryv1.Bound(0), func(n int32) fmt.Stringer { return recovery.Bound(n) }},
		{recoveryv1.DeadlineState(0), func(n int32) fmt.Stringer { return recovery.Verdict(n) }},
		{recoveryv1.ItemKind(0), func(n int32) fmt.Stringer { return recovery.ItemKind(n) }},
		{recoveryv1.Medium(0), func(n int32) fmt.Stringer { return recovery.Medium(n) }},
		{recoveryv1.Speaker(0), func(n int32) fmt.Stringer { return recovery.Speaker(n) }},
		{recoveryv1.ResponseForm(0), func(n int32) fmt.Stringer { return recovery.Form(n) }},
	}
	for _, e := range enums {
		values := e.contract.Descriptor().Values()
		prefix := screaming(string(e.contract.Descriptor().Name())) + "_"
		for i := range values.Len() {
			v := values.Get(i)
			want := strings.TrimPrefix(string(v.Name()), prefix)
			if got := e.core(int32(v.Number())).String(); got != want {
				t.Errorf("%s = %d: the core calls it %s", v.Name(), v.Number(), got)
			}
		}
		beyond := int32(values.Len())
		if name := e.core(beyond).String(); name != "UNSPECIFIED" {
			t.Errorf("%s has no number %d, the core calls it %s", e.contract.Descriptor().Name(), beyond, name)
		}
	}
}

// screaming writes FailureKind as FAILURE_KIND.
func screaming(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToUpper(b.String())
}

// TestPositivesAndChanges: the enumerations of which one side has more, or no names.
func TestPositivesAndChanges(t *testing.T) {
	kinds := recoveryv1.InteractionKind(0).Descriptor().Values()
	for i := range kinds.Len() {
		want := strings.TrimPrefix(string(kinds.Get(i).Name()), "INTERACTION_KIND_")
		if got := recovery.Positive(kinds.Get(i).Number()).String(); got != want {
			t.Errorf("interaction kind %s is %s in the core", want, got)
		}
	}
	changes := map[recoveryv1.TransitionKind]recovery.Change{
		recoveryv1.TransitionKind_TRANSITION_KIND_OPENED:          recovery.ChangeOpened,
		recoveryv1.TransitionKind_TRANSITION_KIND_JOINED:          recovery.ChangeJoined,
		recoveryv1.TransitionKind_TRANSITION_KIND_REASSESSED:      recovery.ChangeReassessed,
		recoveryv1.TransitionKind_TRANSITION_KIND_WARNED:          recovery.ChangeWarned,
		recoveryv1.TransitionKind_TRANSITION_KIND_MISSED:          recovery.ChangeMissed,
		recoveryv1.TransitionKind_TRANSITION_KIND_ACKNOWLEDGED:    recovery.ChangeAcknowledged,
		recoveryv1.TransitionKind_TRANSITION_KIND_CONTACTED:       recovery.ChangeContacted,
		recoveryv1.TransitionKind_TRANSITION_KIND_HELD:            recovery.ChangeHeld,
		recoveryv1.TransitionKind_TRANSITION_KIND_RELEASED:        recovery.ChangeReleased,
		recoveryv1.TransitionKind_TRANSITION_KIND_OFFER_REQUESTED: recovery.ChangeOfferRequested,
		recoveryv1.TransitionKind_TRANSITION_KIND_OFFER_APPROVED:  recovery.ChangeOfferApproved,
		recoveryv1.TransitionKind_TRANSITION_KIND_OFFER_MADE:      recovery.ChangeOfferMade,
		recoveryv1.TransitionKind_TRANSITION_KIND_OFFER_ANSWERED:  recovery.ChangeOfferAnswered,
		recoveryv1.TransitionKind_TRANSITION_KIND_RESOLVED:        recovery.ChangeResolved,
		recoveryv1.TransitionKind_TRANSITION_KIND_FOLLOWED_UP:     recovery.ChangeFollowedUp,
		recoveryv1.TransitionKind_TRANSITION_KIND_REOPENED:        recovery.ChangeReopened,
		recoveryv1.TransitionKind_TRANSITION_KIND_LAPSED:          recovery.ChangeLapsed,
		recoveryv1.TransitionKind_TRANSITION_KIND_OFFER_EXPIRED:   recovery.ChangeOfferExpired,
	}
	if len(changes) != len(recoveryv1.TransitionKind_name)-1 {
		t.Errorf("%d kinds of transition are held together, the contract has %d", len(changes), len(recoveryv1.TransitionKind_name)-1)
	}
	for kind, change := range changes {
		if int32(kind) != int32(change) {
			t.Errorf("%s is %d, the core's change is %d", kind, kind, change)
		}
	}
}
