package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// exactly asks for one argument for each of the words that say what it is.
func exactly(what ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < len(what) {
			return fmt.Errorf("%s is missing", strings.Join(what[len(args):], " and "))
		}
		if len(args) > len(what) {
			return fmt.Errorf("%q is too much: only %s", args[len(what)], strings.Join(what, " and "))
		}
		return nil
	}
}

// group makes cmd a mere group of commands: alone it explains itself, and a word that is none of its commands is an error, with what
// was probably meant.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		text := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			text += "\n\nDid you mean this?\n\t" + strings.Join(near, "\n\t") + "\n"
		}
		return errors.New(text)
	}
	cmd.SuggestionsMinimumDistance = 2
	return cmd
}
