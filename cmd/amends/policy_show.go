package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/makeamends/amends/client"
	"github.com/makeamends/amends/internal/policy"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

func policyShowCommand(app *app) *cobra.Command {
	var version string
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print a policy: the one that is built in, or one of a server",
		Long: `Print a policy in full, with the source and the grade of the evidence of each number.
Without --server it is the one that is built in; with --server the one by which that
server decides now, or with --version an earlier one that open cases are judged by.`,
		Example: `  amends policy show > mine.yaml
  amends policy show --server 127.0.0.1:7070

  # the version that a case was opened with
  amends policy show --server 127.0.0.1:7070 --version "$(amends cases --customer c-1042 -o json | jq -r .policyVersion | head -n 1)"`,
		Args: cobra.NoArgs,
	}
	connection, format := addConnection(cmd), addFormat(cmd)
	cmd.Flags().StringVar(&version, "version", "", "the `VERSION` to show, of the server's (default: the active one)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		answer := recoveryv1.GetPolicyResponse_builder{Version: policy.Default().Version, Yaml: string(policy.DefaultYAML())}.Build()
		if cmd.Flag("server").Changed {
			request := recoveryv1.GetPolicyRequest_builder{Version: version}.Build()
			var err error
			answer, err = ask(connection, func(c *client.Client) (*recoveryv1.GetPolicyResponse, error) {
				return c.GetPolicy(cmd.Context(), request)
			})
			if err != nil {
				return err
			}
		} else if version != "" && version != answer.GetVersion() {
			return &usageError{err: errors.New("--version is one of a server's: name it with --server"), command: cmd.CommandPath()}
		}
		if *format == "json" {
			return printJSON(app.stdout, answer)
		}
		_, err := fmt.Fprint(app.stdout, answer.GetYaml())
		return err
	}
	return cmd
}
