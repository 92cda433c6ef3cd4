package serve_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// undriven are the reasons of errors that the test of canaries does not bring about.
// All have a text that is the same for everybody.
var undriven = []string{"UNSPECIFIED", "CONFLICT", "OVERLOADED", "CANCELLED", "DEADLINE_EXCEEDED", "ISSUER_UNAVAILABLE", "CUSTOMER_LIMIT"}

// complete expects that all was done and looked at: every method in order and not,
// every field, every reason of an error, every place.
func (e *ears) complete(t *testing.T) {
	t.Helper()
	fields, reasons, ways := map[string]protoreflect.FieldDescriptor{}, map[string]bool{}, 0
	for _, m := range methods() {
		texts(m.Input(), fields)
		ends := e.ends[string(m.Name())]
		ways += len(ends)
		if ends["OK"] == 0 || len(ends) < 2 {
			t.Errorf("%s ended in no other ways than %v", m.Name(), ends)
		}
	}
	for _, ends := range e.ends {
		for reason := range ends {
			reasons[reason] = true
		}
	}
	for name, f := range fields {
		if !slices.Contains(e.put, name) {
			t.Errorf("no canary was put into %s", name)
		}
		if !e.sown[name] && !formed[f.Name()] {
			t.Errorf("%s had a canary in no request that was in order", name)
		}
	}
	values := recoveryv1.ErrorReason(0).Descriptor().Values()
	for i := range values.Len() {
		reason := strings.TrimPrefix(string(values.Get(i).Name()), "ERROR_REASON_")
		if !reasons[reason] && !slices.Contains(undriven, reason) {
			t.Errorf("nothing was refused as %s", reason)
		}
	}
	for place, wants := range map[string][]string{"spans": {"ledger.commit"}, "log": {`"msg":"call"`, `"msg":"items"`}, "metrics": {"amends_calls_total"}, "redis": {"SLOWLOG"}, "status": {"INVALID_REQUEST"}, "start": {"password"}} {
		for _, want := range wants {
			if !strings.Contains(fmt.Sprint(e.heard[place]), want) {
				t.Errorf("%s do not tell of %s: this shows nothing", place, want)
			}
		}
	}
	t.Logf("%d methods, which ended in %d ways; %d fields and %d canaries; reasons of errors: %s",
		len(methods()), ways, len(fields), len(e.put), strings.Join(slices.Sorted(maps.Keys(reasons)), " "))
}
