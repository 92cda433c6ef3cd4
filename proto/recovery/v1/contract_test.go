package recoveryv1_test

import (
	"strings"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "github.com/makeamends/amends/proto/recovery/v1"
)

// unruled lists the fields that a caller may set to anything, each with the reason. Messages without a rule of their own have fields with rules.
var unruled = map[protoreflect.FullName]string{
	"recovery.v1.FailureEvent.attribution":           "may be left out; its fields have rules",
	"recovery.v1.FailureEvent.customer":              "may be left out; its fields have rules",
	"recovery.v1.Attribution.recurring":              "both values of a bool are allowed",
	"recovery.v1.CustomerProfile.loyalty_member":     "both values of a bool are allowed",
	"recovery.v1.ReportFailureRequest.validate_only": "both values of a bool are allowed",
	"recovery.v1.IngestRequest.failure":              "the oneof is required; its fields have rules",
	"recovery.v1.IngestRequest.interaction":          "the oneof is required; its fields have rules",
	"recovery.v1.RequestOfferRequest.event":          "the oneof is required; its fields have rules",
	"recovery.v1.RequestOfferRequest.validate_only":  "both values of a bool are allowed; a rule of the message ties it to event",
	"recovery.v1.RecordContactRequest.public":        "both values of a bool are allowed",
}

func TestEveryRequestCompiles(t *testing.T) {
	requests := requestTypes(t)
	if len(requests) != 23 {
		t.Errorf("found %d request types, want 23: 19 of RecoveryService and 4 of PolicyService", len(requests))
	}
	for _, request := range requests {
		// A validator for one type alone, so that a rule that does not compile is reported with the type that it belongs to.
		validator, err := protovalidate.New(protovalidate.WithDisableLazy(), protovalidate.WithMessageDescriptors(request))
		if err != nil {
			t.Errorf("%s: %v", request.FullName(), err)
			continue
		}
		message, err := protoregistry.GlobalTypes.FindMessageByName(request.FullName())
		if err != nil {
			t.Fatal(err)
		}
		// An empty message may break rules, but judging it must not fail in any other way.
		if err := validator.Validate(message.New().Interface()); err != nil && violations(err) == nil {
			t.Errorf("%s: %v", request.FullName(), err)
		}
	}
}

func TestEveryRequestFieldHasARule(t *testing.T) {
	seen := map[protoreflect.FullName]bool{}
	used := map[protoreflect.FullName]bool{}
	var visit func(protoreflect.MessageDescriptor)
	visit = func(message protoreflect.MessageDescriptor) {
		if seen[message.FullName()] || message.ParentFile().Package() != "recovery.v1" {
			return
		}
		seen[message.FullName()] = true
		for i := range message.Fields().Len() {
			field := message.Fields().Get(i)
			_, excused := unruled[field.FullName()]
			ruled := proto.HasExtension(field.Options(), validate.E_Field)
			switch {
			case ruled && excused:
				t.Errorf("%s has a rule: take it off the list of those that need none", field.FullName())
			case !ruled && !excused:
				t.Errorf("%s has no rule: a caller may send anything", field.FullName())
			}
			used[field.FullName()] = true
			if field.Message() != nil {
				visit(field.Message())
			}
		}
	}
	for _, request := range requestTypes(t) {
		visit(request)
	}
	for name := range unruled {
		if !used[name] {
			t.Errorf("%s is listed as needing no rule, but no request reaches it", name)
		}
	}
}

func TestEveryEnumBeginsUnspecified(t *testing.T) {
	count := 0
	eachFile(func(file protoreflect.FileDescriptor) {
		for i := range file.Enums().Len() {
			count++
			zero := file.Enums().Get(i).Values().ByNumber(0)
			if zero == nil || !strings.HasSuffix(string(zero.Name()), "_UNSPECIFIED") {
				t.Errorf("%s: the value 0 is %v, want one that ends in _UNSPECIFIED", file.Enums().Get(i).FullName(), zero)
			}
		}
	})
	if count < 30 {
		t.Errorf("found %d enums, want at least 30", count)
	}
}

func eachFile(do func(protoreflect.FileDescriptor)) {
	protoregistry.GlobalFiles.RangeFilesByPackage("recovery.v1", func(file protoreflect.FileDescriptor) bool {
		do(file)
		return true
	})
}

func requestTypes(t *testing.T) []protoreflect.MessageDescriptor {
	t.Helper()
	var requests []protoreflect.MessageDescriptor
	eachFile(func(file protoreflect.FileDescriptor) {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				requests = append(requests, methods.Get(j).Input())
			}
		}
	})
	return requests
}
