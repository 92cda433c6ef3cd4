package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/makeamends/amends/internal/document"
	"github.com/makeamends/amends/internal/nearest"
)

// setting is one value of the file and where it stands.
type setting struct {
	place string
	node  *yaml.Node
}

// set gives the flag the value: one for a flag of one value, a list or one for a flag of many.
func (s setting) set(flags *pflag.FlagSet, flag *pflag.Flag) error {
	err := s.assign(flags, flag)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", s.place, flag.Name, Cause(err))
	}
	return nil
}

func (s setting) assign(flags *pflag.FlagSet, flag *pflag.Flag) error {
	many, isMany := flag.Value.(pflag.SliceValue)
	switch {
	case s.node.Kind == yaml.ScalarNode && s.node.Tag == "!!null":
		return errors.New("has no value")
	case s.node.Kind == yaml.ScalarNode:
		return flags.Set(flag.Name, s.node.Value)
	case s.node.Kind == yaml.SequenceNode && isMany:
		values := make([]string, 0, len(s.node.Content))
		for _, item := range s.node.Content {
			if item.Kind != yaml.ScalarNode {
				return errors.New("takes a list of plain values")
			}
			values = append(values, item.Value)
		}
		flag.Changed = true
		return many.Replace(values)
	default:
		return errors.New("takes one value, not a list")
	}
}

// readFile finds the settings that the file holds for cmd, and every fault of the file, for whichever command it is meant.
func readFile(path string, cmd *cobra.Command) (map[string]setting, []string) {
	root, err := parse(path)
	if err != nil {
		return nil, []string{err.Error()}
	}
	r := reader{path: path, running: cmd, settings: map[string]setting{}}
	if root != nil {
		r.section(root, cmd.Root())
	}
	return r.settings, r.faults
}

func parse(path string) (*yaml.Node, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	root, err := document.Only(string(text))
	var second *document.SecondError
	switch {
	case errors.As(err, &second):
		return nil, fmt.Errorf("%s:%d:%d: %w", path, second.Line, second.Column, second)
	case err != nil:
		line, message := document.NotYAML(string(text), err)
		return nil, fmt.Errorf("%s: line %d: %s", path, line, message)
	case root == nil, root.Kind == yaml.ScalarNode && root.Tag == "!!null":
		return nil, nil
	case root.Kind != yaml.MappingNode:
		return nil, fmt.Errorf("%s:%d:%d: must be a mapping of flag names to values", path, root.Line, root.Column)
	}
	return root, nil
}

type reader struct {
	path     string
	running  *cobra.Command
	settings map[string]setting
	faults   []string
}

// section reads the mapping of one command: its flags first, then its subcommands, so that what is nearer to a command wins.
func (r *reader) section(mapping *yaml.Node, owner *cobra.Command) {
	flags, commands := flagsOf(owner), map[string]*cobra.Command{}
	for _, child := range owner.Commands() {
		if hasSettings(child) {
			commands[child.Name()] = child
		}
	}
	type sub struct {
		node    *yaml.Node
		command *cobra.Command
	}
	var subs []sub
	seen := map[string]bool{}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		place := fmt.Sprintf("%s:%d:%d", r.path, key.Line, key.Column)
		// One word can be both, such as the command "policy" and the flag of serve: a mapping is for the command.
		child, isCommand := commands[key.Value]
		isSection := value.Kind == yaml.MappingNode
		switch {
		case seen[key.Value+fmt.Sprint(isSection)]:
			r.fault(place, "%q stands here twice", key.Value)
		case isCommand && isSection:
			subs = append(subs, sub{value, child})
		case isSection && flags[key.Value]:
			r.fault(place, "%q takes a plain value", key.Value)
		case isCommand && !flags[key.Value]:
			r.fault(place, "%q takes settings that stand below it, indented", key.Value)
		case !flags[key.Value] && byHandIn(owner)[key.Value]:
			r.fault(place, "%q is taken from the command line alone", key.Value)
		case !flags[key.Value]:
			r.fault(place, "%s", unknown(key.Value, flags, commands))
		case r.concerns(owner):
			r.settings[key.Value] = setting{place: place, node: value}
		}
		seen[key.Value+fmt.Sprint(isSection)] = true
	}
	for _, s := range subs {
		r.section(s.node, s.command)
	}
}

// concerns tells whether a section's settings are for the running command: it stands under the section's own.
func (r *reader) concerns(owner *cobra.Command) bool {
	for c := r.running; c != nil; c = c.Parent() {
		if c == owner {
			return true
		}
	}
	return false
}

func (r *reader) fault(place, format string, args ...any) {
	r.faults = append(r.faults, place+": "+fmt.Sprintf(format, args...))
}

// flagsOf names every flag that the command or one of its subcommands takes.
func flagsOf(command *cobra.Command) map[string]bool {
	names := map[string]bool{}
	add := func(flag *pflag.Flag) {
		if settable(flag) && !flag.Hidden {
			names[flag.Name] = true
		}
	}
	command.LocalFlags().VisitAll(add)
	command.InheritedFlags().VisitAll(add)
	for _, child := range command.Commands() {
		if !hasSettings(child) {
			continue
		}
		for name := range flagsOf(child) {
			names[name] = true
		}
	}
	return names
}

// hasSettings leaves out the commands that cobra brings along and mere topics of the help: nobody keeps settings for them.
func hasSettings(command *cobra.Command) bool {
	return command.Name() != "help" && command.Name() != "completion" && !command.Hidden && (command.Runnable() || command.HasSubCommands())
}

func unknown(key string, flags map[string]bool, commands map[string]*cobra.Command) string {
	known := make([]string, 0, len(flags))
	for name := range flags {
		known = append(known, name)
	}
	sort.Strings(known)
	sections := make([]string, 0, len(commands))
	for name := range commands {
		sections = append(sections, name)
	}
	sort.Strings(sections)
	text := fmt.Sprintf("%q is unknown", key)
	if hint := nearest.DidYouMean(key, slices.Concat(known, sections), "%q"); hint != "" {
		return text + hint
	}
	text += "; known here are " + strings.Join(known, ", ")
	if len(sections) > 0 {
		text += "; and the sections " + strings.Join(sections, ", ")
	}
	return text
}
