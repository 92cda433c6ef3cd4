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

// within says of faults of a message in which field of the request it is.
func within(field string, faults []fault) []fault {
	for i := range faults {
		faults[i].field = field + "." + faults[i].field
	}
	return faults
}

// breaches turns what the rules of the contract say of a message into faults. What
// is allowed in a list is said once: the names of an enumeration are long.
func breaches(message protoreflect.MessageDescriptor, violations []*protovalidate.Violation) []fault {
	faults, said := make([]fault, len(violations)), map[string]string{}
	for i, v := range violations {
		f := fault{field: protovalidate.FieldPathString(v.Proto.GetField()), allowed: allowed(message, v)}
		if first, again := said[f.allowed]; again {
			f.allowed = "the same as " + first
		} else if isItem(v) {
			said[f.allowed] = f.field
		}
		faults[i] = f
	}
	return faults
}

// isItem reports whether a violation is about one item of a list.
func isItem(v *protovalidate.Violation) bool {
	path := v.Proto.GetField().GetElements()
	return len(path) > 0 && path[len(path)-1].HasIndex()
}

// placeOf is the field that a violation is about, or the oneof; nil: the message
// as a whole.
func placeOf(message protoreflect.MessageDescriptor, v *protovalidate.Violation) (field protoreflect.FieldDescriptor, oneof protoreflect.OneofDescriptor) {
	for _, step := range v.Proto.GetField().GetElements() {
		name := protoreflect.Name(step.GetFieldName())
		field, oneof = message.Fields().ByName(name), message.Oneofs().ByName(name)
		if field == nil {
			break
		}
		message = field.Message()
	}
	return field, oneof
}

// patterns says in words what the patterns of the contract allow.
var patterns = map[string]string{
	`^\P{Cc}*$`:                              "must not contain control characters",
	`^([a-z0-9][a-z0-9._-]*)?$`:              "must be of a-z, 0-9, '.', '_', '-', beginning with a letter or a digit, or be empty",
	`^[A-Za-z0-9._@+-]*$`:                    "must be of A-Z, a-z, 0-9, '.', '_', '@', '+', '-'",
	`^([A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*)?$`: "must be a language tag (BCP 47) such as de-AT, or be empty",
}

// allowed says what a rule allows. The stock texts of the rules do for numbers
// and lengths; patterns, enumerations and oneofs are put in words of their own.
func allowed(message protoreflect.MessageDescriptor, v *protovalidate.Violation) string {
	field, oneof := placeOf(message, v)
	switch id := v.Proto.GetRuleId(); {
	case id == "string.pattern" && patterns[v.RuleValue.String()] != "":
		return patterns[v.RuleValue.String()]
	case (id == "string.min_len" || id == "repeated.min_items") && v.RuleValue.Uint() == 1:
		return "must not be empty"
	case id == "repeated.unique":
		return "must not name anything twice"
	case strings.HasPrefix(id, "enum.") && field != nil && field.Enum() != nil:
		return "must be one of " + strings.Join(choices(field.Enum()), ", ")
	case oneof != nil:
		return "set one of " + strings.Join(members(oneof), ", ")
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

// members are the names of the fields of which one is to be set.
func members(oneof protoreflect.OneofDescriptor) []string {
	names := make([]string, oneof.Fields().Len())
	for i := range names {
		names[i] = string(oneof.Fields().Get(i).Name())
	}
	return names
}
