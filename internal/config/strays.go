package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/makeamends/amends/internal/nearest"
)

// Strays finds the variables in environ (each NAME=value) that look like settings but stand for no flag of any command under root. Each
// is answered with a warning that names the variable that was probably meant. Variables without a value count as not set.
func Strays(root *cobra.Command, environ []string) []string {
	known := []string{EnvName(FileFlag)}
	for name := range flagsOf(root) {
		known = append(known, EnvName(name))
	}
	slices.Sort(known)
	var warnings []string
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, "AMENDS_") || value == "" || slices.Contains(known, name) {
			continue
		}
		what := "there is no such setting" + nearest.DidYouMean(name, known, "%s")
		for flag := range byHandIn(root) {
			if EnvName(flag) == name {
				what = fmt.Sprintf("--%s is taken from the command line alone", flag)
			}
		}
		warnings = append(warnings, fmt.Sprintf("%s is set, but %s", name, what))
	}
	return warnings
}
