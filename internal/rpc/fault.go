package rpc

import (
	"fmt"
	"strings"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// fault is one thing wrong with a request.
type fault struct {
	field    string // path from the request, such as event.kinds[1]; empty: the request as a whole
	allowed  string // what is allowed, or what is missing
	currency bool   // only the policy forbids it: a currency that it does not list
}

// InvalidError is all that is wrong with a request.
type InvalidError struct{ faults []fault }

// Error names the first faults; the rest is in the details of the status.
func (e *InvalidError) Error() string {
	const most = 3
	parts := make([]string, 0, most+1)
	for i, f := range e.faults {
		if i == most {
			parts = append(parts, fmt.Sprintf("and %d more", len(e.faults)-most))
			break
		}
		parts = append(parts, f.String())
	}
	return strings.Join(parts, "; ")
}

func (f fault) String() string {
	if f.field == "" {
		return f.allowed
	}
	return f.field + ": " + f.allowed
}

// unlisted reports whether the only fault is a currency that the policy does
// not list: the request itself is sound then.
func (e *InvalidError) unlisted() bool {
	for _, f := range e.faults {
		if !f.currency {
			return false
		}
	}
	return true
}

// invalid makes an error of faults; none of none.
func invalid(faults []fault) error {
	if len(faults) == 0 {
		return nil
	}
	return &InvalidError{faults}
}

// breaches turns what the rules of the contract say into faults.
func breaches(violations []*protovalidate.Violation) []fault {
	faults := make([]fault, len(violations))
	for i, v := range violations {
		faults[i] = fault{field: protovalidate.FieldPathString(v.Proto.GetField()), allowed: allowed(v)}
	}
	return faults
}

// patterns says in words what the patterns of the contract allow.
var patterns = map[string]string{
	`^\P{Cc}*$`:                              "must not contain control characters",
	`^([a-z0-9][a-z0-9._-]*)?$`:              "must be of a-z, 0-9, '.', '_', '-', beginning with a letter or a digit, or be empty",
	`^([A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*)?$`: "must be a language tag (BCP 47) such as de-AT, or be empty",
}

// allowed says what a rule allows. The stock texts of the rules do for numbers
// and lengths; patterns and enumerations are put in words of their own.
func allowed(v *protovalidate.Violation) string {
	switch id := v.Proto.GetRuleId(); {
	case id == "string.pattern" && patterns[v.RuleValue.String()] != "":
		return patterns[v.RuleValue.String()]
	case id == "repeated.unique":
		return "must not name anything twice"
	case strings.HasPrefix(id, "enum.") && v.FieldDescriptor != nil && v.FieldDescriptor.Enum() != nil:
		return "must be one of " + strings.Join(choices(v.FieldDescriptor.Enum()), ", ")
	default:
		return v.Proto.GetMessage()
	}
}

// choices are the names of an enumeration but for the one that states nothing.
func choices(enum protoreflect.EnumDescriptor) []string {
	names := make([]string, 0, enum.Values().Len())
	for i := range enum.Values().Len() {
		if value := enum.Values().Get(i); value.Number() != 0 {
			names = append(names, string(value.Name()))
		}
	}
	return names
}
