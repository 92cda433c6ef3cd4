package document

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/makeamends/amends/internal/nearest"
)

// spelling lets people write "grade: C" where protobuf wants
// EVIDENCE_GRADE_C, and "180d" where it wants 15552000s. It works on the tree
// while protoyaml reads it, so the schema stays typed and every place in the
// file stays what it was.
type spelling struct{ s *Document }

// Unmarshal reads durations, and spells out enums for protoyaml to read.
func (w spelling) Unmarshal(n *yaml.Node, message proto.Message) (done bool, err error) {
	if d, ok := message.(*durationpb.Duration); ok {
		return w.duration(n, d)
	}
	if n.Kind != yaml.MappingNode {
		return false, nil
	}
	fields := message.ProtoReflect().Descriptor().Fields()
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		field := fields.ByTextName(name.Value)
		if field == nil {
			w.unknown(name, fields)
			continue
		}
		if field.Kind() != protoreflect.EnumKind {
			continue
		}
		if field.IsList() && value.Kind == yaml.SequenceNode {
			for _, item := range value.Content {
				w.enum(item, field.Enum())
			}
		} else if !field.IsList() {
			w.enum(value, field.Enum())
		}
	}
	return false, nil
}

// unknown refuses the other spellings that protobuf has for a field, its JSON
// name and its number: one file, one spelling. What is no field at all is
// reported by protoyaml.
func (w spelling) unknown(name *yaml.Node, fields protoreflect.FieldDescriptors) {
	field := fields.ByJSONName(name.Value)
	if number, err := strconv.ParseInt(name.Value, 10, 32); field == nil && err == nil {
		field = fields.ByNumber(protoreflect.FieldNumber(number))
	}
	if field == nil && len(name.Value) <= mostStep {
		known := make([]string, fields.Len())
		for i := range known {
			known[i] = string(fields.Get(i).Name())
		}
		w.s.meant[place{name.Line, name.Column}] = nearest.DidYouMean(name.Value, known, "%s")
	}
	if field != nil {
		w.s.AddAt(name.Line, name.Column, name.Value, "write %s", field.Name())
	}
}

// enum turns a short name into the name that protobuf knows.
func (w spelling) enum(n *yaml.Node, enum protoreflect.EnumDescriptor) {
	if n.Kind != yaml.ScalarNode {
		return // protoyaml says so
	}
	values := enum.Values()
	none := string(values.ByNumber(0).Name())
	prefix := strings.TrimSuffix(none, "UNSPECIFIED")
	value := values.ByName(protoreflect.Name(prefix + n.Value))
	if value == nil || value.Number() == 0 {
		w.s.AddAt(n.Line, n.Column, w.s.fieldAt(n.Line, n.Column), "%q is unknown; one of %s", n.Value, strings.Join(ShortNames(enum), ", "))
		n.Value = none
		return
	}
	n.Value = string(value.Name())
}

// ShortNames lists the values of an enum without prefix, but for zero.
func ShortNames(enum protoreflect.EnumDescriptor) (names []string) {
	prefix := strings.TrimSuffix(string(enum.Values().ByNumber(0).Name()), "UNSPECIFIED")
	for i := range enum.Values().Len() {
		if v := enum.Values().Get(i); v.Number() != 0 {
			names = append(names, strings.TrimPrefix(string(v.Name()), prefix))
		}
	}
	return names
}

func (w spelling) duration(n *yaml.Node, into *durationpb.Duration) (bool, error) {
	if n.Kind != yaml.ScalarNode {
		return true, errDuration
	}
	d, err := parseDuration(n.Value)
	if err != nil {
		return true, err
	}
	proto.Merge(into, durationpb.New(d))
	return true, nil
}

var errDuration = errors.New("not a time; write it with d (24 hours), h, m and s, such as 180d, 12h, 1d12h or 5m")

const longest = 100 * 365 * 24 * time.Hour

// parseDuration reads whole numbers with the units d, h, m and s, each at most
// once and in this order.
func parseDuration(text string) (time.Duration, error) {
	units := []struct {
		letter byte
		unit   time.Duration
	}{{'d', 24 * time.Hour}, {'h', time.Hour}, {'m', time.Minute}, {'s', time.Second}}
	var sum time.Duration
	rest := text
	for _, u := range units {
		digits := 0
		for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
			digits++
		}
		if digits == 0 || digits == len(rest) || rest[digits] != u.letter {
			continue
		}
		n, err := strconv.ParseInt(rest[:digits], 10, 64)
		if err != nil || n > int64(longest/u.unit) {
			return 0, errDuration
		}
		sum += time.Duration(n) * u.unit
		rest = rest[digits+1:]
	}
	if rest != "" || text == "" {
		return 0, errDuration
	}
	return sum, nil
}
