package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/makeamends/amends/client"
	"github.com/makeamends/amends/internal/show"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

func caseCommand(app *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:        "case CASE",
		GroupID:    groupCase,
		SuggestFor: []string{"show", "get", "GetCase"},
		Short:      "Show one case in full",
		Long: `Show one case: what happened, the risk and its reasons, what to give, what was offered,
the deadlines and how much time is left, what to say and what to avoid, what was done so
far, and the commands that take it on. "amends cases" lists them with their ids.

With -o json it is an object with the case in it (GetCaseResponse): jq .case.state.`,
		Example: `  # the case of a customer of which something is due next
  amends case "$(amends cases --customer c-1042 -o json | jq -r .caseId | head -n 1)"`,
		Args: cobra.MaximumNArgs(1),
	}
	connection, format := addConnection(cmd), addFormat(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return &usageError{err: errors.New(`the id of a CASE is missing: "amends cases" lists them`), command: cmd.CommandPath()}
		}
		request := recoveryv1.GetCaseRequest_builder{CaseId: args[0]}.Build()
		answer, err := ask(connection, func(c *client.Client) (*recoveryv1.GetCaseResponse, error) {
			return c.GetCase(cmd.Context(), request)
		})
		if call := new(callError); errors.As(err, &call) && client.Reason(err) == recoveryv1.ErrorReason_ERROR_REASON_CASE_NOT_FOUND {
			call.advice = noCaseAdvice(args[0])
		}
		if err != nil {
			return err
		}
		if *format == "json" {
			return printJSON(app.stdout, answer)
		}
		_, err = fmt.Fprint(app.stdout, show.Case(answer.GetCase(), app.page(cmd)), show.NextSteps(answer.GetCase(), app.page(cmd)))
		return err
	}
	return cmd
}
