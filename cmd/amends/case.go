package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/makeamends/amends/internal/show"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

func caseCommand(app *app) *cobra.Command {
	l := &listing{app: app, limit: 50}
	cmd := &cobra.Command{
		Use:        "case CASE",
		GroupID:    groupCase,
		SuggestFor: []string{"show", "get"},
		Short:      "Show one case in full",
		Long: `Show one case: what happened, the risk and its reasons, what to give, what was offered,
the deadlines and how much time is left, what to say and what to avoid, what was done so
far, and the commands that take it on. "amends cases" lists them with their ids.

With -o json it is an object with the case in it (GetCaseResponse): jq .case.state.`,
		Example: `  # the case of a customer of which something is due next
  amends case "$(amends cases --customer c-1042 -o json | jq -r .caseId | head -n 1)"`,
		Args: cobra.MaximumNArgs(1),
	}
	l.connection, l.format = addConnection(cmd), addFormat(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return &usageError{err: errors.New(`the id of a CASE is missing: "amends cases" lists them`), command: cmd.CommandPath()}
		}
		return l.one(cmd, args[0])
	}
	return cmd
}

func (l *listing) one(cmd *cobra.Command, id string) error {
	request := recoveryv1.GetCaseRequest_builder{CaseId: id}.Build()
	answer, err := ask(cmd.Context(), l.connection, func(ctx context.Context, conn grpc.ClientConnInterface) (*recoveryv1.GetCaseResponse, error) {
		return recoveryv1.NewRecoveryServiceClient(conn).GetCase(ctx, request)
	})
	if err != nil {
		if call := new(callError); errors.As(err, &call) && reason(status.Convert(err)) == "CASE_NOT_FOUND" {
			call.advice = noCaseAdvice(id)
		}
		return err
	}
	if *l.format == "json" {
		return printJSON(l.stdout, answer)
	}
	_, err = fmt.Fprint(l.stdout, show.Case(answer.GetCase(), l.page(cmd)), show.NextSteps(answer.GetCase(), l.page(cmd)))
	return err
}
