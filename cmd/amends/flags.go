package main

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/makeamends/amends/internal/config"
	"github.com/makeamends/amends/internal/nearest"
)

// flagFaults finds every fault of the flags of a command line. Reading them stops at the first, so what was refused is taken for good,
// and all is read again: the command does not run any more.
func flagFaults(cmd *cobra.Command, args []string, err error) error {
	if _, of, findErr := cmd.Root().Find(args); findErr == nil {
		args = of
	}
	var faults []error
	for err != nil {
		var refused *pflag.InvalidValueError
		var unknown *pflag.NotExistError
		switch {
		case errors.As(err, &refused):
			flag := refused.GetFlag()
			faults = append(faults, fmt.Errorf("--%s: %w", flag.Name, config.Cause(err)))
			flag.Value = takesAll{}
		case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
			name := unknown.GetSpecifiedName()
			faults = append(faults, fmt.Errorf("%w%s", err, nearFlag(cmd, name)))
			cmd.Flags().VarPF(takesAll{}, name, "", "").NoOptDefVal = "true" // what follows it may be no value
		default:
			return errors.Join(append(faults, err)...)
		}
		err = cmd.ParseFlags(args)
	}
	return errors.Join(faults...)
}

// ofFields are the flags of fields that the contract, and a table that is ingested, calls by another name.
var ofFields = map[string]string{
	"acceptance": "rejected", "corroboration": "evidence", "customer-id": "customer", "incident-id": "incident", "kinds": "kind",
	"loyalty-member": "loyalty", "order-id": "order", "order-value": "value", "orders-total": "orders", "resource-lost": "resource",
	"resume-token": "resume", "validate-only": "dry-run",
}

// nearFlag names the flag of the command that is nearest.
func nearFlag(cmd *cobra.Command, name string) string {
	if own := ofFields[strings.ReplaceAll(name, "_", "-")]; cmd.Flag(own) != nil {
		name = own
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	return nearest.DidYouMean(name, known, "--%s")
}

// notText finds the flags and words of a command that calls the service which no call can carry, as they are not UTF-8 or words that are
// empty. Names of files need not be UTF-8.
func notText(cmd *cobra.Command, args []string) error {
	if cmd.Flag("server") == nil {
		return nil
	}
	var faults []error
	check := func(name, what, text string) {
		if what != "FILE" && !utf8.ValidString(text) {
			faults = append(faults, fmt.Errorf("%s: %q is not UTF-8", name, text))
		}
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		what, _ := pflag.UnquoteUsage(f)
		check("--"+f.Name, what, f.Value.String())
	})
	words := strings.Fields(cmd.Use)
	for i, arg := range args {
		what := words[min(i+1, len(words)-1)]
		check(what, strings.TrimSuffix(what, "..."), arg)
		if arg == "" {
			faults = append(faults, fmt.Errorf("%s: %w", what, errEmpty))
		}
	}
	return errors.Join(faults...)
}

// idFlags name what one call is about. Empty they would stand for another call: one about everybody, or a new one.
var idFlags = []string{"customer", "event-id", "interaction-id", "request-id"}

// ofOneCall has the flags that say what one call is about, and that it is meant, be set by its command line alone, and to something.
func ofOneCall(cmd *cobra.Command) {
	flags := cmd.Flags()
	config.ByHand(flags, append(idFlags, "yes")...)
	for _, name := range idFlags {
		if flag := flags.Lookup(name); flag != nil {
			flag.Value = filled{flag.Value}
		}
	}
	for _, child := range cmd.Commands() {
		ofOneCall(child)
	}
}

var errEmpty = errors.New("it is empty: is a variable of the shell not set?")

// filled is a flag of a text that is not empty.
type filled struct{ pflag.Value }

func (v filled) Set(text string) error {
	if text == "" {
		return errEmpty
	}
	return v.Value.Set(text)
}

// takesAll is a flag of which a fault was told already.
type takesAll struct{}

func (takesAll) Set(string) error { return nil }
func (takesAll) String() string   { return "" }
func (takesAll) Type() string     { return "" }
