package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/makeamends/amends/client"
	"github.com/makeamends/amends/internal/show"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// erasing is one run of `amends erase`.
type erasing struct {
	*app
	connection       *connection
	format           *string
	customer, tenant string
	isSure           bool
}

func eraseCommand(app *app) *cobra.Command {
	e := &erasing{app: app}
	cmd := &cobra.Command{
		Use:        "erase",
		GroupID:    groupCall,
		SuggestFor: []string{"delete", "forget", "remove", "EraseCustomer"},
		Short:      "Delete all that is stored of a customer",
		Long: `Delete all that is stored of one customer: what is remembered, the cases and offers, the
answers to earlier calls. This cannot be undone; doing it again finds nothing. A later
event of the customer starts as if they were new.

For a time, a keyed hash keeps how much goodwill was given automatically of late, how many
orders and claims were counted, and keyed hashes of the ids of the last days, none of which
is carried out again: so that nobody is given the same goodwill twice by being forgotten.
The answer says until when.

On a terminal it asks first; elsewhere it wants --yes.`,
		Example: `  amends erase --customer c-1042
  amends erase --customer c-1042 --tenant shop-4 --yes`,
		Args: noArguments(""),
		RunE: func(cmd *cobra.Command, _ []string) error { return e.run(cmd) },
	}
	e.connection, e.format = addConnection(cmd), addFormat(cmd)
	cmd.Flags().StringVar(&e.customer, "customer", "", "`ID` of the customer")
	cmd.Flags().StringVar(&e.tenant, "tenant", "", "`NAME` of the tenant (default: default)")
	cmd.Flags().BoolVar(&e.isSure, "yes", false, "do it without asking")
	return cmd
}

func (e *erasing) run(cmd *cobra.Command) error {
	if e.customer == "" {
		return &usageError{err: errors.New("--customer is missing: the id of the customer"), command: cmd.CommandPath()}
	}
	if err := e.confirm(cmd); err != nil {
		return err
	}
	request := recoveryv1.EraseCustomerRequest_builder{Tenant: e.tenant, CustomerId: e.customer}.Build()
	answer, err := ask(e.connection, func(c *client.Client) (*recoveryv1.EraseCustomerResponse, error) {
		return c.EraseCustomer(cmd.Context(), request)
	})
	if err != nil {
		return err
	}
	if *e.format == "json" {
		return printJSON(e.stdout, answer)
	}
	_, err = fmt.Fprint(e.stdout, show.Erasure(e.who(), answer, e.page(cmd)))
	return err
}

// who names the customer and the tenant, in which nothing may be stored of them.
func (e *erasing) who() string { return e.customer + " of tenant " + cmp.Or(e.tenant, "default") }

// confirm asks whoever sits at the terminal, unless --yes has said so.
func (e *erasing) confirm(cmd *cobra.Command) error {
	if e.isSure {
		return nil
	}
	if !e.isTerminal(e.stdin) || !e.isTerminal(e.stderr) {
		return &usageError{err: errors.New("erasing cannot be undone: add --yes if you are sure"), command: cmd.CommandPath()}
	}
	fmt.Fprintf(e.stderr, "Delete all that is stored of customer %s? This cannot be undone. [y/N] ", e.who())
	line, _ := bufio.NewReader(interruptible(cmd.Context(), e.stdin)).ReadString('\n')
	if cmd.Context().Err() != nil {
		fmt.Fprintln(e.stderr) // what follows is no answer
		line = ""
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	default:
		return &interruption{"nothing was erased"}
	}
}
