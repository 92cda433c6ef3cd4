package rpc

import (
	"fmt"
	"strings"

	"buf.build/go/protovalidate"
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
		faults[i] = fault{field: protovalidate.FieldPathString(v.Proto.GetField()), allowed: v.Proto.GetMessage()}
	}
	return faults
}
