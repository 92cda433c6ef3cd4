package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// oneOf is a flag that takes one of a few words.
type oneOf struct {
	value string
	known []string
}

func (o *oneOf) Set(text string) error {
	word := strings.ToLower(text)
	if !slices.Contains(o.known, word) {
		return fmt.Errorf("%q is not one of %s", text, strings.Join(o.known, ", "))
	}
	o.value = word
	return nil
}

func (o *oneOf) String() string { return o.value }
func (o *oneOf) Type() string   { return "word" }

// registerChoice offers the words of a flag to the shell.
func registerChoice(cmd *cobra.Command, flag string, words []string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag was added a line ago: only a mistake in this file can get here
	}
}
