package rpc

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// TestFieldsWrittenByHand holds the numbers in respond to the contract.
func TestFieldsWrittenByHand(t *testing.T) {
	number := func(m protoreflect.ProtoMessage, name protoreflect.Name) protoreflect.FieldNumber {
		return m.ProtoReflect().Descriptor().Fields().ByName(name).Number()
	}
	if n := number(&recoveryv1.ReportFailureResponse{}, "case"); n != responseCase {
		t.Errorf("ReportFailureResponse.case is field %d, written as %d", n, responseCase)
	}
	if n := number(&recoveryv1.Case{}, "customer_id"); n != caseCustomerID {
		t.Errorf("Case.customer_id is field %d, written as %d", n, caseCustomerID)
	}
}
