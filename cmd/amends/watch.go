package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// watching is one run of `amends watch`.
type watching struct {
	*app
	connection *connection
	format     *string
	filter     recoveryv1.WatchCasesRequest_builder
	isFromNow  bool
}

func watchCommand(app *app) *cobra.Command {
	w := &watching{app: app}
	cmd := &cobra.Command{
		Use:        "watch",
		SuggestFor: []string{"WatchCases"},
		GroupID:    groupCase,
		Short:      "Watch cases live: a board on a terminal, a line for each event elsewhere",
		Long: `On a terminal: a board of the cases that are not closed, those with the least time left
first, kept up to date until Ctrl-C. Below it stands what happened last.

Where the output is no terminal, and with -o json: first the cases as they stand, then
every event as it happens, one line of JSON (a CaseEvent) each. The lines of the cases as
they stand have no eventId and no transition. Every line has a token; --resume takes the
last one and goes on exactly after it. --from-now leaves out the cases as they stand, and
so does --transition. The events of one customer come in the order in which they happened;
those of different customers need not: sort by transition.at where that matters.

It connects again by itself when the service restarts, and goes on where it was. If too
much has happened meanwhile, or the service has lost its store, it says so on standard
error or on the board, and lists the cases anew. --timeout is how long to wait for the
first word of a stream and for a list; a stream lasts as long as it likes, but is begun
anew when nothing was heard for a minute.

` + namesOf[recoveryv1.Band]("--band") + "\n" + namesOf[recoveryv1.TransitionKind]("--transition"),
		Example: `  amends watch
  amends watch --band critical,high

  # tell somebody of every deadline that was missed, as it is missed
  amends watch --transition missed -o json | jq --unbuffered -r '"\(.caseId) missed \(.transition.milestone)"'

  # keep all events, and go on with the last one after a pause
  amends watch --from-now -o json >> events.ndjson
  amends watch --resume "$(tail -n 1 events.ndjson | jq -r .token)" -o json >> events.ndjson`,
		Args: noArguments("amends case"),
		RunE: func(cmd *cobra.Command, _ []string) error { return w.run(cmd) },
	}
	w.connection, w.format = addConnection(cmd), addFormat(cmd)
	flags := cmd.Flags()
	addEnums(cmd, &w.filter.Bands, "band", "only cases of these bands")
	addEnums(cmd, &w.filter.Transitions, "transition", "only events of these kinds")
	flags.StringVar(&w.filter.CustomerId, "customer", "", "only cases of the customer of this `ID`")
	flags.StringVar(&w.filter.Tenant, "tenant", "", "`NAME` of the tenant (default: default)")
	flags.StringVar(&w.filter.ResumeToken, "resume", "", "go on after the event with this `TOKEN`")
	flags.BoolVar(&w.isFromNow, "from-now", false, "only what happens from now on, not the cases as they stand")
	return cmd
}

func (w *watching) run(cmd *cobra.Command) error {
	isBoard := *w.format != "json" && w.isTerminal(w.stdout) && w.getenv("TERM") != "dumb"
	if isBoard && w.filter.ResumeToken != "" {
		return &usageError{err: errors.New("a board begins with the cases as they stand: for the events since --resume add -o json"), command: cmd.CommandPath()}
	}
	opened, err := w.connection.dial()
	if err != nil {
		return err
	}
	defer opened.Close()
	f := &feed{connection: w.connection, client: opened, events: w.filter}
	if !w.isFromNow {
		f.list = w.standing()
	}
	if isBoard {
		return w.board(cmd, f)
	}
	if len(w.filter.Transitions) > 0 {
		f.list = nil // a case as it stands is no event of any kind
	}
	f.to = &eventLines{app: w.app}
	return f.run(cmd.Context())
}

// standing asks for the cases that a watch begins with: those that are not closed.
func (w *watching) standing() *recoveryv1.ListCasesRequest_builder {
	return &recoveryv1.ListCasesRequest_builder{
		Tenant: w.filter.Tenant, CustomerId: w.filter.CustomerId, Bands: w.filter.Bands,
		States: []recoveryv1.CaseState{
			recoveryv1.CaseState_CASE_STATE_OPEN, recoveryv1.CaseState_CASE_STATE_ACKNOWLEDGED,
			recoveryv1.CaseState_CASE_STATE_OFFERED, recoveryv1.CaseState_CASE_STATE_RESOLVED,
		},
	}
}

// relist is how often a board asks for all cases again.
const relist = 5 * time.Minute

// board draws on the terminal. The service is asked for more than is shown: an event by which a case leaves a band, or one of another kind,
// changes the board, too.
func (w *watching) board(cmd *cobra.Command, f *feed) error {
	view := newBoardView(w.filter.Bands, w.filter.Transitions)
	f.to, f.anew = view, relist
	f.events.Bands, f.events.Transitions = nil, nil
	if f.list != nil {
		f.list.Bands = nil
	}
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		defer cancel()
		ended <- f.run(ctx)
	}()
	err := (&screen{app: w.app, cmd: cmd, lines: view.lines}).run(ctx)
	cancel()
	return errors.Join(err, <-ended)
}

// eventLines writes every event as a line of JSON, for machines.
type eventLines struct {
	*app
	note string
}

func (l *eventLines) listed(cases []*recoveryv1.Case, token string) error {
	for _, c := range cases {
		event := recoveryv1.CaseEvent_builder{
			Token: token, Tenant: c.GetTenant(), CaseId: c.GetCaseId(), Band: c.GetAssessment().GetRisk().GetBand(), Case: c, State: c.GetState(),
			Revision: c.GetRevision(), RespondBy: c.GetRespondBy(),
		}.Build()
		if err := printJSON(l.stdout, event); err != nil {
			return err
		}
	}
	return nil
}

func (l *eventLines) happened(event *recoveryv1.CaseEvent) error { return printJSON(l.stdout, event) }

func (l *eventLines) lost(note string) { l.told(note) }

// told says on standard error what has changed.
func (l *eventLines) told(note string) {
	if note == "" && l.note != "" {
		fmt.Fprintln(l.stderr, "amends: connected again")
	} else if note != l.note {
		fmt.Fprintln(l.stderr, "amends:", note)
	}
	l.note = note
}
