package rpc

import "google.golang.org/protobuf/proto"

// NewCheck finds what breaks the rules that the contract states, without a
// service: each fault as the path of its field and what is allowed there.
func NewCheck() (func(proto.Message) ([]string, error), error) {
	rules, err := contractRules()
	if err != nil {
		return nil, err
	}
	inspect := inspector{rules: rules}
	return func(request proto.Message) ([]string, error) {
		faults, err := inspect.breaches(request)
		texts := make([]string, len(faults))
		for i, f := range faults {
			texts[i] = f.String()
		}
		return texts, err
	}, nil
}
