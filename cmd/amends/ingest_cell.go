package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// set puts a cell into its place in a message.
func (c *column) set(target protoreflect.Message, cell, currency string) error {
	last := len(c.path) - 1
	field := c.path[last]
	value, err := parseCell(field, cell, currency, target)
	if err != nil {
		return err
	}
	for _, outer := range c.path[:last] {
		target = target.Mutable(outer).Message()
	}
	target.Set(field, value)
	return nil
}

// parseCell reads a cell as the type of its field wants it.
func parseCell(field protoreflect.FieldDescriptor, cell, currency string, target protoreflect.Message) (protoreflect.Value, error) {
	if field.IsList() {
		list := target.NewField(field)
		for part := range strings.SplitSeq(cell, "|") {
			number, err := enumNumber(field.Enum(), part)
			if err != nil {
				return list, err
			}
			list.List().Append(protoreflect.ValueOfEnum(number))
		}
		return list, nil
	}
	switch field.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(cell), nil
	case protoreflect.EnumKind:
		number, err := enumNumber(field.Enum(), cell)
		return protoreflect.ValueOfEnum(number), err
	case protoreflect.Int64Kind:
		number, err := strconv.ParseInt(cell, 10, 64)
		if err != nil {
			err = fmt.Errorf("%q is no whole number", cell)
		}
		return protoreflect.ValueOfInt64(number), err
	case protoreflect.DoubleKind:
		number, err := strconv.ParseFloat(cell, 64)
		if err != nil {
			err = fmt.Errorf("%q is no number such as 0.7", cell)
		}
		return protoreflect.ValueOfFloat64(number), err
	case protoreflect.BoolKind:
		yes, err := strconv.ParseBool(strings.ToLower(cell))
		if err != nil {
			err = fmt.Errorf("%q is neither true nor false", cell)
		}
		return protoreflect.ValueOfBool(yes), err
	default:
		message, err := parseMessage(field.Message().Name(), cell, currency)
		if err != nil {
			return protoreflect.Value{}, err
		}
		return protoreflect.ValueOfMessage(message.ProtoReflect()), nil
	}
}

// parseMessage reads the messages that the contract takes from elsewhere.
func parseMessage(name protoreflect.Name, cell, currency string) (proto.Message, error) {
	switch name {
	case "Timestamp":
		at, err := time.Parse(time.RFC3339, cell)
		if err != nil {
			return nil, fmt.Errorf("%q is no time such as 2026-03-01T18:30:00Z or 2026-03-01T19:30:00+01:00", cell)
		}
		return timestamppb.New(at), nil
	case "Duration":
		span, err := parseSpan(cell)
		return durationpb.New(span), err
	case "Money":
		if currency != "" && !strings.ContainsAny(strings.ToUpper(cell), "ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
			cell += " " + currency
		}
		amount, err := parseMoney(cell)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", cell, err)
		}
		return amount, nil
	default:
		return nil, fmt.Errorf("no column can say %s", name)
	}
}
