package main

import (
	"github.com/spf13/cobra"
)

func policyCommand(app *app) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:        "policy",
		SuggestFor: []string{"CheckPolicy", "GetPolicy", "ListPolicies", "SimulatePolicy"},
		Short:      "Check, test, show and try out policies: the numbers that decide",
		Long: `Every number of the decision stands in one YAML file, the policy. These commands check such
a file, run the tests that you write for it, show the one that decides now, and judge a
failure under another one beside it. "check" and "test" need no server.`,
		Example: `  amends policy show > mine.yaml
  amends policy check mine.yaml
  amends policy test --policy mine.yaml examples/policies/default.trials.yaml`,
	})
	cmd.AddCommand(policyCheckCommand(app), policyShowCommand(app), policyTestCommand(app), policySimulateCommand(app))
	return cmd
}
