package rpc

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// TestFieldsWrittenByHand holds the numbers in report.go to the contract: the case is
// the same field in the answers to a report and to each step.
func TestFieldsWrittenByHand(t *testing.T) {
	check := func(m protoreflect.MessageDescriptor, name protoreflect.Name, want protoreflect.FieldNumber) {
		t.Helper()
		if n := m.Fields().ByName(name).Number(); n != want {
			t.Errorf("%s.%s is field %d, written as %d", m.Name(), name, n, want)
		}
	}
	kase := (&recoveryv1.Case{}).ProtoReflect().Descriptor()
	check(kase, "tenant", caseTenant)
	check(kase, "customer_id", caseCustomerID)
	methods := recoveryv1.File_recovery_v1_recovery_service_proto.Services().ByName("RecoveryService").Methods()
	answers := 0
	for i := range methods.Len() {
		answer := methods.Get(i).Output()
		if answer.Fields().ByName("case") != nil && methods.Get(i).Name() != "RequestOffer" { // whose answer is made as a message
			check(answer, "case", responseCase)
			answers++
		}
	}
	if answers < 12 {
		t.Errorf("%d answers have a case, fewer than there are", answers)
	}
}
