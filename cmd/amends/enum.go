package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/makeamends/amends/internal/nearest"
)

// enum is a generated enum of the contract.
type enum interface {
	~int32
	protoreflect.Enum
}

// shortNames are the values of an enum without its prefix and without UNSPECIFIED, such as LATE for FAILURE_KIND_LATE, by number.
func shortNames[E enum]() ([]string, map[string]E) {
	var zero E
	values := zero.Descriptor().Values()
	prefix := strings.TrimSuffix(string(values.ByNumber(0).Name()), "UNSPECIFIED")
	names, numbers := make([]string, 0, values.Len()), map[string]E{}
	for i := range values.Len() {
		if value := values.Get(i); value.Number() != 0 {
			name := strings.TrimPrefix(string(value.Name()), prefix)
			names = append(names, name)
			numbers[name] = E(value.Number())
		}
	}
	return names, numbers
}

// parseEnum reads one value by its short or full name, in any case, with dashes or underscores.
func parseEnum[E enum](text string) (E, error) {
	var zero E
	number, err := enumNumber(zero.Descriptor(), text)
	return E(number), err
}

// enumNumber does the same for an enum that only its descriptor tells.
func enumNumber(enum protoreflect.EnumDescriptor, text string) (protoreflect.EnumNumber, error) {
	name := strings.ToUpper(strings.ReplaceAll(strings.TrimSpace(text), "-", "_"))
	name = strings.TrimPrefix(name, enumPrefix(enum))
	names := make([]string, 0, enum.Values().Len())
	for i := range enum.Values().Len() {
		value := enum.Values().Get(i)
		if value.Number() == 0 {
			continue
		}
		known := strings.TrimPrefix(string(value.Name()), enumPrefix(enum))
		if name == known {
			return value.Number(), nil
		}
		names = append(names, known)
	}
	return 0, fmt.Errorf("%q is not one of %s%s", text, strings.Join(names, ", "), nearest.DidYouMean(name, names, "%s"))
}

// enumValue is a flag of one enum value.
type enumValue[E enum] struct{ target *E }

func (v enumValue[E]) Set(text string) error {
	value, err := parseEnum[E](text)
	if err == nil {
		*v.target = value
	}
	return err
}

func (v enumValue[E]) String() string {
	if v.target == nil || *v.target == 0 {
		return ""
	}
	return joinEnums([]E{*v.target})
}

func (v enumValue[E]) Type() string { return "name" }

// enumsValue is a flag of several enum values, separated by commas or given by repeating the flag.
type enumsValue[E enum] struct {
	target  *[]E
	changed *bool
}

func (v enumsValue[E]) Set(text string) error {
	if !*v.changed {
		*v.target, *v.changed = nil, true
	}
	var faults []error
	for part := range strings.SplitSeq(text, ",") {
		value, err := parseEnum[E](part)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		*v.target = append(*v.target, value)
	}
	return errors.Join(faults...)
}

func (v enumsValue[E]) String() string {
	if v.target == nil {
		return ""
	}
	return joinEnums(*v.target)
}

func (v enumsValue[E]) Type() string { return "names" }

// Append, Replace and GetSlice let a settings file give a list.
func (v enumsValue[E]) Append(text string) error { return v.Set(text) }

func (v enumsValue[E]) Replace(texts []string) error {
	*v.changed = false
	return v.Set(strings.Join(texts, ","))
}

func (v enumsValue[E]) GetSlice() []string { return strings.Split(v.String(), ",") }

func joinEnums[E enum](values []E) string {
	_, numbers := shortNames[E]()
	names := make([]string, 0, len(values))
	for _, value := range values {
		for name, number := range numbers {
			if number == value {
				names = append(names, name)
			}
		}
	}
	return strings.Join(names, ",")
}

// namesOf lists the values of an enum for a help text, wrapped below the name of the flag that takes them.
func namesOf[E enum](flag string) string {
	const column, width = 18, 88
	names, _ := shortNames[E]()
	text, used := fmt.Sprintf("  %-*s", column-2, flag), column
	for i, name := range names {
		if i < len(names)-1 {
			name += ","
		}
		if used+len(name)+1 > width {
			text = strings.TrimRight(text, " ") + "\n" + strings.Repeat(" ", column)
			used = column
		}
		text += name + " "
		used += len(name) + 1
	}
	return strings.TrimRight(text, " ")
}

// addEnum adds a flag of one value of an enum, with its names completed by the shell.
func addEnum[E enum](cmd *cobra.Command, target *E, name, usage string) {
	cmd.Flags().Var(enumValue[E]{target}, name, usage)
	completeEnum[E](cmd, name)
}

// addEnums adds a flag of several values of an enum.
func addEnums[E enum](cmd *cobra.Command, target *[]E, name, usage string) {
	cmd.Flags().Var(enumsValue[E]{target, new(bool)}, name, usage)
	completeEnum[E](cmd, name)
}

// completeEnum offers the names to the shell; after a comma it goes on with those that are not there yet.
func completeEnum[E enum](cmd *cobra.Command, flag string) {
	names, _ := shortNames[E]()
	_, many := cmd.Flag(flag).Value.(pflag.SliceValue)
	complete := func(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		before := ""
		if i := strings.LastIndex(typed, ","); many && i >= 0 {
			before = typed[:i+1]
		}
		offers := make([]cobra.Completion, 0, len(names))
		for _, name := range names {
			if !strings.Contains(","+strings.ToUpper(before), ","+name+",") {
				offers = append(offers, matchCase(before+name, typed))
			}
		}
		return offers, cobra.ShellCompDirectiveNoFileComp
	}
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err) // the flag was added a line ago: only a mistake in this file can get here
	}
}

// matchCase writes an offer the way the user types, since shells compare letters exactly.
func matchCase(offer, typed string) string {
	if typed != "" && typed == strings.ToLower(typed) {
		return strings.ToLower(offer)
	}
	return offer
}
