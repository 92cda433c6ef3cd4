package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/makeamends/amends/client"
	"github.com/makeamends/amends/internal/show"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

func assessCommand(app *app) *cobra.Command {
	var customer, tenant string
	cmd := &cobra.Command{
		Use:        "assess CUSTOMER",
		GroupID:    groupCall,
		SuggestFor: []string{"customer", "AssessCustomer"},
		Short:      "Show what is remembered of a customer, and the risk now",
		Long: `Show the risk that a customer leaves, as of now: what is remembered of good and bad, what
was given lately, every open case, re-assessed, and the commands that take the most
urgent one on. Of more cases than 3 MiB hold it has the oldest; "amends cases --customer"
lists all. Changes nothing. A customer that was never seen is assessed as a new one.`,
		Example: `  amends assess c-1042

  # the customers of a list, the riskiest first
  for c in c-1042 c-7; do amends assess "$c" -o json; done | jq -s 'sort_by(-.assessment.riskNow)'`,
		Args: cobra.ArbitraryArgs,
	}
	connection, format := addConnection(cmd), addFormat(cmd)
	cmd.Flags().StringVar(&customer, "customer", "", "`ID` of the customer, if it does not stand by itself")
	cmd.Flags().StringVar(&tenant, "tenant", "", "`NAME` of the tenant (default: default)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if customer != "" {
			args = append(args, customer)
		}
		if err := exactly("the id of a CUSTOMER")(cmd, args); err != nil {
			return &usageError{err: err, command: cmd.CommandPath()}
		}
		request := recoveryv1.AssessCustomerRequest_builder{Tenant: tenant, CustomerId: args[0]}.Build()
		answer, err := ask(connection, func(c *client.Client) (*recoveryv1.AssessCustomerResponse, error) {
			return c.AssessCustomer(cmd.Context(), request)
		})
		if err != nil {
			return err
		}
		if *format == "json" {
			return printJSON(app.stdout, answer)
		}
		_, err = fmt.Fprint(app.stdout, show.Customer(answer.GetAssessment(), app.page(cmd)))
		return err
	}
	return cmd
}
