// Package config fills in the flags that the command line left alone: first from the environment, then from a file.
//
// A flag's name is its only name. In the environment it is written AMENDS_ and then the name in capitals with underscores for dashes;
// in the file it is a key of a YAML mapping, either at the top (for every command that has the flag) or under the name of a command
// (for that one only, stronger than the top). An empty variable counts as not set.
//
//	server: 127.0.0.1:7070
//	serve:
//	  redis: redis://127.0.0.1:6379
//
// Strength: command line, environment, the command's section, the top of the file, the default. A flag that was given to [ByHand] is set by
// the command line alone.
package config

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// FileFlag is the flag that names the file of settings. It can be set by AMENDS_CONFIG, but not in the file itself.
const FileFlag = "config"

// Error holds every fault that was found in environment and file, each naming the place and what is allowed there.
type Error struct {
	Faults []string
}

func (e *Error) Error() string {
	return "settings: " + strings.Join(e.Faults, "\n  ")
}

// EnvName is the environment variable that stands for the flag of that name.
func EnvName(flag string) string {
	return "AMENDS_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Apply sets each flag of cmd that the command line did not set. The flags of cmd must have been parsed.
// All faults are reported in one *Error; flags may then hold some of the values, and the command must not run.
func Apply(cmd *cobra.Command, getenv func(string) string) error {
	var faults []string
	note := func(err error) {
		if err != nil {
			faults = append(faults, err.Error())
		}
	}
	settings := map[string]setting{}
	if path := filePath(cmd, getenv); path != "" {
		found, wrong := readFile(path, cmd)
		settings, faults = found, wrong
	}
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		if flag.Changed || !settable(flag) {
			return
		}
		if value := getenv(EnvName(flag.Name)); value != "" {
			note(fromEnvironment(cmd.Flags(), flag.Name, value))
		} else if s, ok := settings[flag.Name]; ok {
			note(s.set(cmd.Flags(), flag))
		}
	})
	if len(faults) > 0 {
		return &Error{Faults: faults}
	}
	return nil
}

func filePath(cmd *cobra.Command, getenv func(string) string) string {
	flag := cmd.Flags().Lookup(FileFlag)
	if flag == nil {
		return ""
	}
	if flag.Changed {
		return flag.Value.String()
	}
	return getenv(EnvName(FileFlag))
}

// byHand is an annotation of flags.
const byHand = "amends_by_hand"

// ByHand has these flags be set by the command line alone: what is set for the service must not reach a command that would do harm with it.
func ByHand(flags *pflag.FlagSet, names ...string) {
	for _, name := range names {
		_ = flags.SetAnnotation(name, byHand, nil) // fails only for a name that is no flag
	}
}

func isByHand(flag *pflag.Flag) bool {
	_, is := flag.Annotations[byHand]
	return is
}

// byHandIn names the flags of the command and of those below it that are set by the command line alone.
func byHandIn(command *cobra.Command) map[string]bool {
	names := map[string]bool{}
	command.Flags().VisitAll(func(flag *pflag.Flag) {
		if isByHand(flag) {
			names[flag.Name] = true
		}
	})
	for _, child := range command.Commands() {
		maps.Copy(names, byHandIn(child))
	}
	return names
}

// settable leaves out the flags that ask for something other than the command's own work, and those for the command line alone.
func settable(flag *pflag.Flag) bool {
	asks := flag.Value.Type() == "bool" && (flag.Name == "help" || flag.Name == "version")
	return flag.Name != FileFlag && !asks && !isByHand(flag)
}

func fromEnvironment(flags *pflag.FlagSet, name, value string) error {
	if err := flags.Set(name, value); err != nil {
		return fmt.Errorf("%s=%q: %w", EnvName(name), value, Cause(err))
	}
	return nil
}

// Cause strips the words that pflag puts around a refused value, which speak of the command line, and Go's names of its parsers.
func Cause(err error) error {
	if value := new(strconv.NumError); errors.As(err, &value) {
		return fmt.Errorf("%q %s", value.Num, notParsed(value))
	}
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

func notParsed(value *strconv.NumError) string {
	switch {
	case errors.Is(value, strconv.ErrRange):
		return "is out of range"
	case value.Func == "ParseBool":
		return "is neither true nor false"
	case value.Func == "ParseFloat":
		return "is no number"
	case value.Func == "ParseUint":
		return "is no whole number from 0 on"
	default:
		return "is no whole number"
	}
}
