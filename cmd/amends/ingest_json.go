package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// kind is what a record is.
type kind int

const (
	unknown kind = iota
	failure
	interaction
)

func (k kind) String() string { return [...]string{"unknown", "failure", "interaction"}[k] }

var (
	failureDesc     = (&recoveryv1.FailureEvent{}).ProtoReflect().Descriptor()
	interactionDesc = (&recoveryv1.Interaction{}).ProtoReflect().Descriptor()
)

// plainName makes names comparable: event_id, eventId and Event ID are one.
var plainName = strings.NewReplacer("_", "", "-", "", " ", "", ".", "")

func plainly(name string) string { return strings.ToLower(plainName.Replace(strings.TrimSpace(name))) }

// tell says what a record with these fields is, by those that only the one kind has; unknown if that is not certain.
func tell(has func(name string) bool) kind {
	onlyIn := func(one, other protoreflect.MessageDescriptor) bool {
		for i := range one.Fields().Len() {
			name := one.Fields().Get(i).Name()
			if other.Fields().ByName(name) == nil && has(plainly(string(name))) {
				return true
			}
		}
		return false
	}
	fails, pleases := onlyIn(failureDesc, interactionDesc), onlyIn(interactionDesc, failureDesc)
	switch {
	case fails && !pleases:
		return failure
	case pleases && !fails:
		return interaction
	default:
		return unknown
	}
}

// decodeJSON reads one JSON record: an IngestRequest, a FailureEvent or an Interaction alone, or an entry of a file of rejects.
func decodeJSON(it *item) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(it.raw, &fields); err != nil {
		it.err = &usageError{err: errors.New("this is no JSON object; " + howToWrite)}
		return
	}
	if fields["reasons"] != nil {
		decodeReject(it, fields)
		return
	}
	if saysWhatItIs(fields) {
		it.decodeAs(&recoveryv1.IngestRequest{})
		return
	}
	names := make(map[string]bool, len(fields))
	for name := range fields {
		names[plainly(name)] = true
	}
	switch tell(func(name string) bool { return names[name] }) {
	case failure:
		event := &recoveryv1.FailureEvent{}
		if it.decodeAs(event); it.err == nil {
			it.message = recoveryv1.IngestRequest_builder{Failure: event}.Build()
		}
	case interaction:
		positive := &recoveryv1.Interaction{}
		if it.decodeAs(positive); it.err == nil {
			it.message = recoveryv1.IngestRequest_builder{Interaction: positive}.Build()
		}
	default:
		it.err = &usageError{err: errors.New("this may be a failure or an interaction; " + howToWrite)}
	}
}

const howToWrite = `write {"failure": {"eventId": …}} or {"interaction": {"interactionId": …}}`

// decodeReject reads an entry of a file of rejects, mended or not.
func decodeReject(it *item, fields map[string]json.RawMessage) {
	inner := &item{record: record{line: it.line, raw: fields["record"]}}
	switch {
	case fields["record"] != nil:
		decodeJSON(inner)
	case fields["row"] != nil:
		decodeCells(inner, fields["row"])
	default:
		var text string
		if err := json.Unmarshal(fields["text"], &text); err != nil {
			it.err = &usageError{err: errors.New(`a reject needs "record", "row" or "text"`)}
			return
		}
		if inner.raw = []byte(text); !json.Valid(inner.raw) {
			it.err = &usageError{err: errors.New(`"text" is no JSON; mend it, or give a "record" (JSON) or a "row" (cells by column) in its place`)}
			return
		}
		decodeJSON(inner)
	}
	it.message, it.err = inner.message, inner.err
}

// decodeCells reads a row of which each cell stands under the name of its column.
func decodeCells(it *item, raw json.RawMessage) {
	var row map[string]string
	if err := json.Unmarshal(raw, &row); err != nil {
		it.err = &usageError{err: fmt.Errorf(`"row" is no object of texts: %w`, err)}
		return
	}
	names := slices.Sorted(maps.Keys(row))
	cells := make([]string, len(names))
	for i, name := range names {
		cells[i] = row[name]
	}
	t, err := newTable(names)
	if err != nil {
		it.err = &usageError{err: err}
		return
	}
	it.message, it.err = t.message(cells)
}
