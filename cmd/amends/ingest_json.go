package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

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

// kindOf tells what a record of JSON is.
func kindOf(fields map[string]json.RawMessage) kind {
	names := make(map[string]bool, len(fields))
	for name := range fields {
		names[plainly(name)] = true
	}
	return tell(func(name string) bool { return names[name] })
}

// decodeJSON reads one JSON record: an IngestRequest, a FailureEvent or an Interaction alone, or an entry of a file of rejects.
func decodeJSON(it *item) {
	if !utf8.Valid(it.raw) { // in the place of which the rows of rejects would have other letters
		it.err = errNoUTF8
		return
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(it.raw, &fields); err != nil {
		it.err = &usageError{err: errors.New("this is no JSON object; " + howToWrite)}
		return
	}
	if e, isOne := rejectOf(fields); isOne {
		decodeReject(it, e)
		return
	}
	if saysWhatItIs(fields) {
		it.decodeAs(&recoveryv1.IngestRequest{})
		return
	}
	switch kindOf(fields) {
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

// rejectOf is what an entry of a file of rejects holds; false if a record is none.
func rejectOf(fields map[string]json.RawMessage) (e reject, isOne bool) {
	return reject{Record: fields["record"], Row: fields["row"], Header: fields["header"], Text: fields["text"]}, fields["reasons"] != nil
}

// decodeReject reads an entry of a file of rejects, mended or not. What was not mended must be refused again, so a text is read only as the
// row that it was, in which nothing may be missing.
func decodeReject(it *item, e reject) {
	inner := &item{record: record{line: it.line, raw: e.Record}}
	switch {
	case e.Record != nil:
		decodeJSON(inner)
	case e.Row != nil:
		decodeCells(inner, e.Row)
	case e.Text != nil && e.Header != nil:
		decodeText(inner, e.Header, e.Text)
	case e.Text != nil:
		inner.err = &usageError{err: errors.New(`this could not be read, and may be the beginning alone; give a "record" (JSON) or a "row" (cells by column) in place of "text"`)}
	default:
		inner.err = &usageError{err: errors.New(`a reject needs "record", "row" or "text"`)}
	}
	it.message, it.err = inner.message, inner.err
}

// decodeText reads a row that stands as it was written, below its header.
func decodeText(it *item, header, text json.RawMessage) {
	var line, row string
	if err := errors.Join(json.Unmarshal(header, &line), json.Unmarshal(text, &row)); err != nil {
		it.err = &usageError{err: fmt.Errorf(`"header" and "text" are texts: %w`, err)}
		return
	}
	if strings.Contains(row, "\n") {
		it.err = &usageError{err: errors.New(`"text" has several lines, where a row is one line`)}
		return
	}
	if strings.ContainsRune(row, utf8.RuneError) {
		it.err = &usageError{err: fmt.Errorf(`"text" has %c where something was no UTF-8: write the right letter there`, utf8.RuneError)}
		return
	}
	t, err := readHeader(&lineReader{in: bufio.NewReader(strings.NewReader(line))})
	if errors.Is(err, io.EOF) {
		err = errors.New("there is none")
	}
	if err != nil {
		it.err = &usageError{err: fmt.Errorf(`"header": %w`, err)}
		return
	}
	it.raw = []byte(row)
	t.decodeRow(it)
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
