package rpc

import (
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// No caller is told a pattern of the contract: all are put in words.
func TestPatternsAreInWords(t *testing.T) {
	for _, file := range []protoreflect.FileDescriptor{
		recoveryv1.File_recovery_v1_recovery_service_proto, recoveryv1.File_recovery_v1_offer_requests_proto, recoveryv1.File_recovery_v1_failure_proto,
		recoveryv1.File_recovery_v1_interaction_proto,
	} {
		for i := range file.Messages().Len() {
			fields := file.Messages().Get(i).Fields()
			for n := range fields.Len() {
				rules, _ := proto.GetExtension(fields.Get(n).Options(), validate.E_Field).(*validate.FieldRules)
				if pattern := rules.GetString().GetPattern(); pattern != "" && patterns[pattern] == "" {
					t.Errorf("%s: %q", fields.Get(n).FullName(), pattern)
				}
			}
		}
	}
}
