package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/makeamends/amends/internal/policy"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

func policyCheckCommand(app *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Show every fault of a policy file, with line and column",
		Long: `Read a policy file as the service would, and show every fault at once as
file:line:column: field: what is wrong and what is allowed; of more than 200 the first that
were found. Needs no server. Leaves with 2 if the policy cannot be loaded.`,
		Example: `  amends policy check mine.yaml

  # what is built in has no faults
  amends policy show | amends policy check -`,
		Args: exactly("the policy FILE"),
	}
	format := addFormat(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		name, text, err := app.readFile(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		compiled, findings := policy.Parse(name, text)
		if *format == "json" {
			if err := printJSON(app.stdout, findingsOf(compiled, findings)); err != nil {
				return err
			}
		} else {
			for _, finding := range findings {
				fmt.Fprintln(app.stdout, finding)
			}
		}
		if len(findings) > 0 {
			return &usageError{err: fmt.Errorf("%s: %s", name, findings.Count())}
		}
		if *format == "table" {
			_, err = fmt.Fprintf(app.stdout, "%s is valid: version %s\n", name, compiled.Version)
		}
		return err
	}
	return cmd
}

// findingsOf says the same as PolicyService.CheckPolicy.
func findingsOf(compiled *policy.Compiled, findings policy.Findings) *recoveryv1.CheckPolicyResponse {
	list := make([]*recoveryv1.Finding, 0, len(findings))
	for _, f := range findings {
		list = append(list, recoveryv1.Finding_builder{
			Line: int32(f.Line), Column: int32(f.Column), Field: f.Field, Message: f.Message,
			Severity: recoveryv1.FindingSeverity_FINDING_SEVERITY_ERROR,
		}.Build())
	}
	answer := recoveryv1.CheckPolicyResponse_builder{Findings: list, Valid: len(list) == 0}
	if answer.Valid {
		answer.Version = compiled.Version
	}
	return answer.Build()
}

// readFile reads a whole file, or standard input for "-", and gives its name for messages.
func (a *app) readFile(ctx context.Context, path string) (name string, text []byte, err error) {
	if path == "-" {
		text, err = io.ReadAll(interruptible(ctx, a.stdin))
		if ctx.Err() != nil {
			err = errInterrupted
		}
		return "standard input", text, err
	}
	text, err = os.ReadFile(path)
	if err != nil {
		return path, nil, &usageError{err: err}
	}
	return path, text, nil
}

// loadPolicy is the policy of a file, or the one that is built in if there is no file.
func (a *app) loadPolicy(ctx context.Context, path string) (*policy.Compiled, error) {
	if path == "" {
		return policy.Default(), nil
	}
	name, text, err := a.readFile(ctx, path)
	if err != nil {
		return nil, err
	}
	compiled, findings := policy.Parse(name, text)
	if len(findings) > 0 {
		return nil, &usageError{err: errors.New(findings.Error())}
	}
	return compiled, nil
}

func plural(n int, thing string) string {
	if n == 1 {
		return thing
	}
	return thing + "s"
}
