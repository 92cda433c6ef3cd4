package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"github.com/makeamends/amends/internal/show"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// casing is one run of `amends case`.
type casing struct {
	*app
	connection *connection
	format     *string
	filter     recoveryv1.ListCasesRequest_builder
	limit      int
}

func caseCommand(app *app) *cobra.Command {
	c := &casing{app: app}
	cmd := &cobra.Command{
		Use:     "case [CASE_ID]",
		GroupID: groupCall,
		Short:   "Show one case in full, or list the cases of a customer",
		Long: `Show one case: what happened, the risk and its reasons, what to give, the deadlines and
how much time is left, what to say and what to avoid, what was done so far. Without an
id, list cases: those of a customer, all of them or only some states and bands.
With -o json a list is one case a line.`,
		Example: `  amends case --customer c-1042
  amends case --customer c-1042 --state open,acknowledged --band HIGH,CRITICAL

  # the newest case of the customer in full
  amends case "$(amends case --customer c-1042 -o json | jq -r .caseId | tail -n 1)"`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd, args) },
	}
	c.connection, c.format = addConnection(cmd), addFormat(cmd)
	cmd.Flags().StringVar(&c.filter.CustomerId, "customer", "", "list the cases of the customer of this `ID`")
	cmd.Flags().StringVar(&c.filter.Tenant, "tenant", "", "`NAME` of the tenant (default: default)")
	addEnums(cmd, &c.filter.States, "state", "only cases in these states")
	addEnums(cmd, &c.filter.Bands, "band", "only cases of these bands")
	cmd.Flags().IntVar(&c.limit, "limit", 50, "list at most this `MANY`")
	return cmd
}

func (c *casing) run(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 1 && (c.filter.CustomerId != "" || len(c.filter.States)+len(c.filter.Bands) > 0):
		return &usageError{err: errors.New("a CASE_ID is enough: --customer, --state and --band are for lists"), command: cmd.CommandPath()}
	case len(args) == 1:
		return c.one(cmd, args[0])
	case c.filter.CustomerId == "":
		return &usageError{err: errors.New("name the case by its id, or its customer with --customer"), command: cmd.CommandPath()}
	case c.limit < 1:
		return &usageError{err: fmt.Errorf("--limit %d: must be 1 or more", c.limit), command: cmd.CommandPath()}
	default:
		return c.list(cmd)
	}
}

func (c *casing) one(cmd *cobra.Command, id string) error {
	request := recoveryv1.GetCaseRequest_builder{CaseId: id}.Build()
	answer, err := ask(cmd.Context(), c.connection, func(ctx context.Context, conn grpc.ClientConnInterface) (*recoveryv1.GetCaseResponse, error) {
		return recoveryv1.NewRecoveryServiceClient(conn).GetCase(ctx, request)
	})
	if err != nil {
		return err
	}
	if *c.format == "json" {
		return printJSON(c.stdout, answer)
	}
	_, err = fmt.Fprint(c.stdout, show.Case(answer.GetCase(), c.page(cmd)))
	return err
}

func (c *casing) list(cmd *cobra.Command) error {
	cases, more, err := c.pages(cmd.Context())
	if err != nil {
		return err
	}
	if *c.format == "json" {
		for _, one := range cases {
			if err := printJSON(c.stdout, one); err != nil {
				return err
			}
		}
	} else if _, err := fmt.Fprint(c.stdout, show.Cases(cases, c.page(cmd))); err != nil {
		return err
	}
	if more {
		fmt.Fprintf(c.stderr, "There are more than %d; ask for more with --limit.\n", c.limit)
	}
	return nil
}

// pages asks for page after page until there are as many cases as wanted; more tells whether some are left.
func (c *casing) pages(ctx context.Context) (cases []*recoveryv1.Case, more bool, err error) {
	conn, err := c.connection.dial()
	if err != nil {
		return nil, false, err
	}
	defer conn.Close()
	client := recoveryv1.NewRecoveryServiceClient(conn)
	filter := c.filter
	for len(cases) < c.limit {
		filter.PageSize = int32(min(c.limit-len(cases), 1000))
		var answer *recoveryv1.ListCasesResponse
		err := c.connection.call(ctx, "", func(ctx context.Context) (err error) {
			answer, err = client.ListCases(ctx, filter.Build())
			return err
		})
		if err != nil {
			return nil, false, err
		}
		cases = append(cases, answer.GetCases()...)
		if filter.PageToken = answer.GetNextPageToken(); filter.PageToken == "" {
			return cases, false, nil
		}
	}
	return cases, true, nil
}
