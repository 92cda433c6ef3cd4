package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/makeamends/amends/client"
	"github.com/makeamends/amends/internal/show"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// listing is one run of `amends cases`.
type listing struct {
	*app
	connection *connection
	format     *string
	filter     recoveryv1.ListCasesRequest_builder
	dueIn      time.Duration
	dueBefore  moment
	limit      int
}

func casesCommand(app *app) *cobra.Command {
	l := &listing{app: app}
	cmd := &cobra.Command{
		Use:        "cases",
		GroupID:    groupCase,
		SuggestFor: []string{"list", "ls", "ListCases"},
		Short:      "List cases by what is due next",
		Long: `List cases, those first of which something is due next: how urgent, how far they have
come, how much time is left, the chance that the customer leaves if nobody answers, and
what to give. Only cases that are not closed, unless --customer names one: then the closed
ones that are kept as well. All filters must hold at once.

` + namesOf[recoveryv1.CaseState]("--state") + "\n" + namesOf[recoveryv1.Band]("--band") + `

MISSED counts the promises that were broken and have not been made up for; GIVE is what is
left to give. A narrow screen shows fewer columns, a pipe gets all. With -o json each line
is one Case, not wrapped in anything: jq .state.`,
		Example: `  amends cases

  # what will be late within two hours, if it matters
  amends cases --due-in 2h --band high,critical

  # everything that is known of one customer
  amends cases --customer c-1042

  # acknowledge all that nobody has looked at yet
  amends cases --state open --limit 100000 -o json | jq -r .caseId | xargs -r -n 1 amends ack`,
		Args: noArguments("amends case"),
		RunE: func(cmd *cobra.Command, _ []string) error { return l.run(cmd) },
	}
	l.connection, l.format = addConnection(cmd), addFormat(cmd)
	flags := cmd.Flags()
	flags.StringVar(&l.filter.CustomerId, "customer", "", "only cases of the customer of this `ID`, closed ones too")
	flags.StringVar(&l.filter.Tenant, "tenant", "", "`NAME` of the tenant (default: default)")
	addEnums(cmd, &l.filter.States, "state", "only cases in these states")
	addEnums(cmd, &l.filter.Bands, "band", "only cases of these bands")
	flags.Var(spanValue{&l.dueIn}, "due-in", "only cases of which something is due within, such as 2h")
	flags.Var(&l.dueBefore, "due-before", "only cases of which something is due before: RFC 3339, or from now such as 2h")
	flags.IntVar(&l.limit, "limit", 50, "list at most this `MANY`")
	bound(cmd, "limit", 1, math.Inf(1))
	return cmd
}

func (l *listing) run(cmd *cobra.Command) error {
	if l.dueIn != 0 && l.dueBefore.isSet {
		return &usageError{err: errors.New("--due-in and --due-before both say until when: leave one out"), command: cmd.CommandPath()}
	}
	if closed := recoveryv1.CaseState_CASE_STATE_FOLLOWED_UP; l.filter.CustomerId == "" && slices.Contains(l.filter.States, closed) {
		return &usageError{err: errors.New("--state FOLLOWED_UP: closed cases are listed with --customer alone"), command: cmd.CommandPath()}
	}
	due := l.dueBefore
	if l.dueIn != 0 {
		due = moment{relative: l.dueIn, isSet: true}
	}
	if due.isSet {
		l.filter.DueBefore = timestamppb.New(due.since(l.now()))
	}
	opened, err := l.connection.dial()
	if err != nil {
		return err
	}
	defer opened.Close()
	cases, more, err := listCases(cmd.Context(), opened, l.filter, l.limit)
	if err != nil {
		return l.connection.named(err, "")
	}
	if *l.format == "json" {
		for _, one := range cases {
			if err := printJSON(l.stdout, one); err != nil {
				return err
			}
		}
	} else if _, err := fmt.Fprint(l.stdout, show.Cases(cases, l.page(cmd))); err != nil {
		return err
	}
	if more {
		fmt.Fprintf(l.stderr, "There are more than %d; ask for more with --limit.\n", l.limit)
	}
	return nil
}

// mostCases is how many cases one page of a list may hold.
const mostCases = 1000

// listCases asks for page after page until there are as many cases as wanted; more tells whether some are left.
func listCases(ctx context.Context, c *client.Client, filter recoveryv1.ListCasesRequest_builder, limit int) (list []*recoveryv1.Case, more bool, err error) {
	filter.PageSize = int32(min(limit, mostCases-1) + 1) // one more than is wanted tells whether there are more
	for one, err := range c.Cases(ctx, filter.Build()) {
		if err != nil {
			return nil, false, err
		}
		if len(list) == limit {
			return list, true, nil
		}
		list = append(list, one)
	}
	return list, false, nil
}
