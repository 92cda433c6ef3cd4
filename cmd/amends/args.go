package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/nearest"
)

// exactly asks for one argument for each of the words that say what it is.
func exactly(what ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if missing := what[min(len(args), len(what)):]; len(missing) > 0 {
			verb := "is"
			if len(missing) > 1 {
				verb = "are"
			}
			return fmt.Errorf("%s %s missing", strings.Join(missing, " and "), verb)
		}
		if len(args) > len(what) {
			return fmt.Errorf("%q is too much: only %s", args[len(what)], strings.Join(what, " and "))
		}
		return nil
	}
}

// shellWord writes a word so that a shell takes it as that word, wherever a command is named to be pasted.
func shellWord(word string) string {
	isPlain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._:@+-/", r)
	}
	if word != "" && strings.TrimLeftFunc(word, isPlain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// isCaseID tells the id of a case, of whatever service, from other words.
func isCaseID(word string) bool {
	_, _, err := ledger.ParseCaseID(word)
	return err == nil
}

// noArguments refuses words, of which the usual one is the id of a customer that --customer takes, or that of a case; forCase is the command
// for the latter, empty if there is none.
func noArguments(forCase string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return nil
		case forCase != "" && isCaseID(args[0]):
			return fmt.Errorf("%q is too much; did you mean %q?", args[0], forCase+" "+args[0])
		default:
			return fmt.Errorf("%q is too much; did you mean \"%s --customer %s\"?", args[0], cmd.CommandPath(), shellWord(args[0]))
		}
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
		return noSuchCommand(cmd, args[0])
	}
	cmd.SuggestionsMinimumDistance = 2
	return cmd
}

// strictHelp makes errors of help topics and shells that are not known: the framework would print the help of something else, and leave with 0.
func strictHelp(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "completion":
			group(cmd)
		case "help":
			cmd.Run = nil
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				about, rest, err := cmd.Root().Find(args)
				if err != nil || len(rest) > 0 && about.HasSubCommands() {
					if about == nil {
						about = cmd.Root()
					}
					return &usageError{err: noSuchCommand(about, append(rest, args...)[0]), command: "amends"}
				}
				about.InitDefaultHelpFlag()
				return about.Help()
			}
		}
	}
}

func noSuchCommand(cmd *cobra.Command, word string) error {
	text := fmt.Sprintf("unknown command %q for %q", word, cmd.CommandPath())
	near := cmd.SuggestionsFor(word)
	if len(near) == 0 { // topics of the help are not suggested
		for _, child := range cmd.Commands() {
			if !child.Hidden && nearest.Word(word, []string{child.Name()}) != "" {
				near = append(near, child.Name())
			}
		}
	}
	if len(near) > 0 {
		text += "\n\nDid you mean this?\n\t" + strings.Join(near, "\n\t") + "\n"
	}
	return errors.New(text)
}
