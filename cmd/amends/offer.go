package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// offerRequest is the step that draws up an offer.
var offerRequest = &step{
	name: "offer", method: "RequestOffer",
	short: "Draw up an offer at the prices of now",
	long: `Draw up an offer: what to give, priced now. Goodwill that may be given automatically is
reserved until the offer is answered or expires; what exceeds it needs "amends approve".
The customer knows of it once it is made: "amends make". An earlier offer that nobody has
answered ends: the new one takes its place.

--goodwill asks for another amount of goodwill than the recommended one. With --dry-run
nothing is drawn up or reserved. Without a CASE, a failure that nobody has reported is
described by the flags of "amends report"; that is always a dry run.`,
	example: `  amends offer "$CASE"
  amends offer "$CASE" --goodwill "12.00 USD" --dry-run

  # what would we offer, if this happened to the customer?
  amends offer --customer c-1042 --kind LATE --delay 45m --value "18.00 USD"`,
	send: func(ctx context.Context, client recoveryv1.RecoveryServiceClient, s *stepping) (caseAnswer, error) {
		request := recoveryv1.RequestOfferRequest_builder{
			RequestId: s.requestID, Revision: s.revision, Goodwill: s.goodwill, ValidateOnly: s.isDry, Event: s.event,
		}
		if s.event == nil {
			request.CaseId = &s.caseID
		}
		return client.RequestOffer(ctx, request.Build())
	},
}

func offerCommand(app *app) *cobra.Command {
	s := &stepping{app: app, step: offerRequest}
	var flags eventFlags
	var tenant string
	cmd := &cobra.Command{
		Use:     "offer [CASE]",
		GroupID: groupCase,
		Short:   s.short,
		Long:    s.long,
		Example: caseExample + s.example,
		Args:    cobra.MaximumNArgs(1),
	}
	s.addFlags(cmd)
	s.addGoodwill(cmd)
	cmd.Flags().BoolVar(&s.isDry, "dry-run", false, "answer as if, and store nothing")
	cmd.Flags().StringVar(&tenant, "tenant", "", "`NAME` of the tenant of a failure that is described (default: default)")
	flags.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		described := describing(cmd)
		switch {
		case len(args) == 1 && described != "":
			return &usageError{err: fmt.Errorf("--%s describes a failure that nobody has reported: leave it out, or leave out the CASE", described),
				command: cmd.CommandPath()}
		case len(args) == 1:
			s.caseID = args[0]
		case described == "":
			return &usageError{err: errors.New("the id of a CASE is missing, or --customer and --kind of a failure that nobody has reported"),
				command: cmd.CommandPath()}
		default:
			event, _, err := flags.build(cmd, s.now())
			if err != nil {
				return err
			}
			event.SetTenant(tenant)
			s.event, s.isDry = event, true
		}
		return s.run(cmd)
	}
	return cmd
}

// describing is the first flag given that describes a failure; empty if there is none.
func describing(cmd *cobra.Command) string {
	for _, name := range eventFlagNames {
		if cmd.Flag(name).Changed {
			return name
		}
	}
	return ""
}

func (s *stepping) addGoodwill(cmd *cobra.Command) {
	cmd.Flags().Var(moneyValue{&s.goodwill}, "goodwill", `give this much on top in place of what was planned, such as "12.00 USD"`)
}

// oneWord reads one of the words of a step, which are names of an enum.
func oneWord[E enum](words []string, word string) (E, error) {
	value, err := parseEnum[E](word)
	if err == nil && slices.ContainsFunc(words, func(known string) bool { same, _ := parseEnum[E](known); return same == value }) {
		return value, nil
	}
	choice := oneOf{known: words}
	return 0, choice.Set(word)
}
