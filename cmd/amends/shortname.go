package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// fullNames replaces the short names of enum values in a record by those that JSON of the contract has: FAILURE_KIND_LATE for LATE.
// All else stays as it is, byte for byte. It is nil if there is nothing to replace.
func fullNames(raw []byte, about protoreflect.MessageDescriptor) []byte {
	n := naming{raw: raw, in: json.NewDecoder(bytes.NewReader(raw))}
	if token, err := n.in.Token(); err != nil || token != json.Delim('{') || n.object(about) != nil || n.copied == 0 {
		return nil
	}
	n.out.Write(raw[n.copied:])
	return n.out.Bytes()
}

// naming walks through a record and copies it.
type naming struct {
	raw    []byte
	in     *json.Decoder
	out    bytes.Buffer
	copied int // bytes of raw that are dealt with
}

// object reads the fields of a message up to its closing brace; about is nil for what is no message of the contract.
func (n *naming) object(about protoreflect.MessageDescriptor) error {
	for n.in.More() {
		key, err := n.in.Token()
		if err != nil {
			return err
		}
		if err := n.value(fieldOf(about, fmt.Sprint(key))); err != nil {
			return err
		}
	}
	_, err := n.in.Token()
	return err
}

func (n *naming) value(field protoreflect.FieldDescriptor) error {
	token, err := n.in.Token()
	if err != nil {
		return err
	}
	switch t := token.(type) {
	case string:
		if field != nil && field.Enum() != nil {
			n.replace(t, field.Enum())
		}
	case json.Delim:
		if t == '{' {
			var inner protoreflect.MessageDescriptor
			if field != nil {
				inner = field.Message()
			}
			return n.object(inner)
		}
		for n.in.More() {
			if err := n.value(field); err != nil {
				return err
			}
		}
		_, err = n.in.Token()
	}
	return err
}

// replace writes the full name in the place of the short one that was just read, if it is one.
func (n *naming) replace(short string, enum protoreflect.EnumDescriptor) {
	value := enum.Values().ByName(protoreflect.Name(enumPrefix(enum) + short))
	quoted, end := `"`+short+`"`, int(n.in.InputOffset())
	if value == nil || value.Number() == 0 || !bytes.HasSuffix(n.raw[:end], []byte(quoted)) {
		return
	}
	n.out.Write(n.raw[n.copied : end-len(quoted)])
	fmt.Fprintf(&n.out, "%q", value.Name())
	n.copied = end
}

func fieldOf(about protoreflect.MessageDescriptor, key string) protoreflect.FieldDescriptor {
	if about == nil {
		return nil
	}
	if field := about.Fields().ByJSONName(key); field != nil {
		return field
	}
	return about.Fields().ByTextName(key)
}

func enumPrefix(enum protoreflect.EnumDescriptor) string {
	return strings.TrimSuffix(string(enum.Values().ByNumber(0).Name()), "UNSPECIFIED")
}

// wrongEnum is how protojson says that a name is none of an enum's.
var wrongEnum = regexp.MustCompile(`invalid value for enum field (\w+):`)

// enumHint lists the names that the field takes which err is about; empty if err is about something else.
func enumHint(err error, about protoreflect.MessageDescriptor) string {
	found := wrongEnum.FindStringSubmatch(err.Error())
	if found == nil {
		return ""
	}
	enum := enumOf(about, found[1])
	if enum == nil {
		return ""
	}
	var names []string
	for i := range enum.Values().Len() {
		if value := enum.Values().Get(i); value.Number() != 0 {
			names = append(names, strings.TrimPrefix(string(value.Name()), enumPrefix(enum)))
		}
	}
	return "; it takes " + strings.Join(names, ", ")
}

// enumOf finds the enum of a field by its name, in the message or one that it holds; no two fields of one name differ there.
func enumOf(about protoreflect.MessageDescriptor, name string) protoreflect.EnumDescriptor {
	fields := about.Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		if field.Enum() != nil && (field.JSONName() == name || string(field.Name()) == name) {
			return field.Enum()
		}
		if inner := field.Message(); inner != nil && inner.ParentFile().Package() == about.ParentFile().Package() {
			if enum := enumOf(inner, name); enum != nil {
				return enum
			}
		}
	}
	return nil
}
