package main

import (
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// place is where protojson says a fault is, within the record.
var place = regexp.MustCompile(`^proto:[\s\x{00a0}]*(?:syntax error[\s\x{00a0}]*)?\(line (\d+):(\d+)\):[\s\x{00a0}]*`)

// decodeAs reads the record into message.
func (it *item) decodeAs(message proto.Message) {
	err := decode(it.raw, message)
	if err == nil {
		it.message = message
		return
	}
	text, line, column := parted(err, message)
	it.line += line
	if column != "" {
		text = "column " + column + ": " + text
	}
	if each := wrongMembers(it.raw, message.ProtoReflect()); each != nil {
		text = strings.Join(each, "\n")
	}
	it.err = &usageError{err: errors.New(text)}
}

// decodeAlone reads a record of a file in which all are of one kind.
func (it *item) decodeAlone(message proto.Message) {
	first := it.line
	it.decodeAs(message)
	var members map[string]json.RawMessage
	if it.err == nil || json.Unmarshal(it.raw, &members) != nil {
		return
	}
	text := ""
	switch isFailure, is := message.ProtoReflect().Descriptor() == failureDesc, kindOf(members); {
	case saysWhatItIs(members):
		text = `a record with "failure" or "interaction" around it is for "amends ingest FILE"`
	case isFailure && members["event"] != nil:
		text = `the record stands within "event", as in a call: write it alone`
	case isFailure && is == interaction:
		text = `a good experience is for "amends praise -f FILE"`
	case !isFailure && is == failure:
		text = `a failure is for "amends report -f FILE"`
	default:
		return
	}
	it.line, it.err = first, &usageError{err: errors.New(text)}
}

// saysWhatItIs reports whether a record is an IngestRequest.
func saysWhatItIs(members map[string]json.RawMessage) bool {
	return members["failure"] != nil || members["interaction"] != nil
}

// decode reads JSON of the contract, in which values of enums may have short names.
func decode(raw []byte, message proto.Message) error {
	err := protojson.Unmarshal(raw, message)
	if err != nil {
		if full := fullNames(raw, message.ProtoReflect().Descriptor()); full != nil {
			proto.Reset(message)
			err = protojson.Unmarshal(full, message)
		}
	}
	return err
}

// parted takes what protojson says apart: the fault, how many lines below the first, and the column there.
func parted(err error, message proto.Message) (text string, line int, column string) {
	text = visible(err.Error()) + enumHint(err, message.ProtoReflect().Descriptor())
	if found := place.FindStringSubmatch(text); found != nil {
		line, _ = strconv.Atoi(found[1])
		return strings.TrimPrefix(text, found[0]), max(line-1, 0), found[2]
	}
	return text, 0, ""
}

// wrongMembers reads each member of a record by itself, so that one fault hides no other, and says what is wrong with it. It is nil if
// no member is wrong alone.
func wrongMembers(raw []byte, message protoreflect.Message) (faults []string) {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		alone, err := json.Marshal(map[string]json.RawMessage{name: members[name]})
		if err != nil {
			return nil
		}
		read := message.New()
		if err = decode(alone, read.Interface()); err == nil {
			continue
		}
		if field := fieldOf(message.Descriptor(), name); field != nil && field.Message() != nil && !field.IsList() {
			if inner := wrongMembers(members[name], read.NewField(field).Message()); inner != nil {
				faults = append(faults, inner...)
				continue
			}
		}
		text, _, _ := parted(err, read.Interface())
		if !strings.Contains(text, visible(name)) {
			text = visible(name) + ": " + text
		}
		faults = append(faults, text)
	}
	return faults
}

// visible writes what a file says so that a terminal shows it and does not obey it.
func visible(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsGraphic(r) || r == utf8.RuneError }) {
		quoted := strconv.QuoteToGraphic(text)
		return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
	}
	return text
}
