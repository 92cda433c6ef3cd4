package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/client"
	"github.com/makeamends/amends/internal/show"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// reporting is one run of `amends report`.
type reporting struct {
	*app
	connection   *connection
	file         *fileFlags
	flags        eventFlags
	format       *string
	tenant       string
	validateOnly bool
}

func reportCommand(app *app) *cobra.Command {
	r := &reporting{app: app}
	cmd := &cobra.Command{
		Use:        "report",
		GroupID:    groupCall,
		SuggestFor: []string{"fail", "failure", "ReportFailure"},
		Short:      "Report a failure; see the risk, what to give, by when to answer, and what to say",
		Long: `Report what went wrong for a customer. The service answers with the risk that the
customer leaves and the reasons for it, what to give, the deadlines and which rule set
each, what to say and what to avoid.

Only --customer and --kind are needed. Names can be written in any case:

` + eventNames() + `

Every event has an id, which is compared within a customer: the same id with the same
content gets the answer that is stored, and changes nothing. Without --event-id a new one
is made. The flags that repeat the call safely are printed on standard error. An id that
is made up here holds the time; beside one of your own, name --occurred-at too, since the
time is content and would be another one the next time.

With -f the events stand in a file, as JSON of FailureEvent: one, an array, or one a
line, with names as above or in full. They are sent several at once, those of one
customer in the order of the file, and answered in the order of the file. Each fault is
reported with its line; --failed keeps the records that failed, to be mended and sent
again.`,
		Example: `  # a late and cold delivery, before the customer has said a word
  amends report --customer c-1042 --kind LATE,QUALITY --delay 45m --order o-7 --value "18.00 USD"

  # the guitar: of no use any more, refused before, and now on a social network
  amends report --customer c-7 --kind DAMAGED,REFUSED --value "1200 USD" --rejected --channel social --reach 150000

  # a guest still in the house, who leaves in three hours
  amends report --customer room-204 --kind rude --channel social --departs-in 3h --value "180 EUR"

  # try it without storing anything, and look at one figure
  amends report --customer c-1042 --kind LATE --delay 45m --dry-run -o json | jq .case.assessment.risk

  # a day's worth of events; what fails is kept for tomorrow
  amends report -f examples/events.ndjson --failed failed.ndjson`,
		Args: noArguments(""),
		RunE: func(cmd *cobra.Command, _ []string) error { return r.run(cmd) },
	}
	r.connection = addConnection(cmd)
	r.file = addFile(cmd, "failure events")
	r.format = addFormat(cmd)
	r.flags.add(cmd)
	cmd.Flags().StringVar(&r.tenant, "tenant", "", "`NAME` of the tenant; with -f for the records that name none (default: default)")
	cmd.Flags().BoolVar(&r.validateOnly, "dry-run", false, "answer as if, and store nothing")
	return cmd
}

func (r *reporting) run(cmd *cobra.Command) error {
	if r.file.path != "" {
		if err := r.file.check(cmd, eventFlagNames); err != nil {
			return err
		}
	}
	desk, err := r.connection.dial()
	if err != nil {
		return err
	}
	defer desk.Close()
	if r.file.path != "" {
		return r.many(cmd, desk)
	}
	return r.one(cmd, desk)
}

func (r *reporting) one(cmd *cobra.Command, desk recoveryv1.RecoveryServiceClient) error {
	event, times, err := r.flags.build(cmd, r.now())
	if err != nil {
		return err
	}
	event.SetTenant(r.tenant)
	again := "--event-id " + shellWord(event.GetEventId()) + times
	answer, err := r.send(cmd.Context(), desk, event, again)
	adviseTime(err, times)
	if isNew := r.flags.event.EventId == ""; (isNew || times != "") && !r.validateOnly {
		r.tellAgain(err, again)
	}
	if err != nil {
		return err
	}
	if *r.format == "json" {
		return printJSON(r.stdout, answer)
	}
	_, err = fmt.Fprint(r.stdout, show.Report(answer, r.page(cmd)))
	return err
}

// adviseTime says of an id that was used before what the first call had that this one may lack: times are the flags that would say at another
// now when it happened, empty if the call needs none.
func adviseTime(err error, times string) {
	var call *callError
	if errors.As(err, &call) && client.Reason(err) == recoveryv1.ErrorReason_ERROR_REASON_ID_REUSED && times != "" {
		call.advice = "Repeat that call exactly, its time too (--occurred-at), or give this one a new id."
	}
}

// tellAgain says how to repeat a call: not one that was refused as it is and would be refused again, nor one whose error says it.
func (a *app) tellAgain(err error, again string) {
	isReused := err != nil && client.Reason(err) == recoveryv1.ErrorReason_ERROR_REASON_ID_REUSED
	if code := exitCode(err); code != exitUsage && code != exitUnavailable && code != exitInterrupted && !isReused {
		fmt.Fprintf(a.stderr, "To repeat this call safely, add %s\n", again)
	}
}

func (r *reporting) send(ctx context.Context, desk recoveryv1.RecoveryServiceClient, event *recoveryv1.FailureEvent, again string) (
	*recoveryv1.ReportFailureResponse, error,
) {
	answer, err := desk.ReportFailure(ctx, recoveryv1.ReportFailureRequest_builder{Event: event, ValidateOnly: r.validateOnly}.Build())
	return answer, r.connection.named(err, again)
}

func (r *reporting) many(cmd *cobra.Command, desk recoveryv1.RecoveryServiceClient) error {
	page := r.page(cmd)
	b := &bulk{
		batch: 1,
		decode: func(it *item) {
			event := &recoveryv1.FailureEvent{}
			it.decodeAlone(event)
			if event.GetTenant() == "" {
				event.SetTenant(r.tenant)
			}
		},
		lane: func(it *item) uint32 { return customerLane(it.message) },
		send: func(ctx context.Context, items []*item) {
			for _, it := range items {
				answer, err := r.send(ctx, desk, it.message.(*recoveryv1.FailureEvent), "")
				it.answer, it.replayed, it.err = answer, answer.GetReplayed(), err
			}
		},
	}
	head := show.LineHead + "\n"
	return r.file.transfer(cmd, r.app, b, func(it *item) error {
		answer := it.answer.(*recoveryv1.ReportFailureResponse)
		if *r.format == "json" {
			return printJSON(r.stdout, answer)
		}
		_, err := fmt.Fprintln(r.stdout, head+show.Line(it.message.(*recoveryv1.FailureEvent), answer, page))
		head = "" // it stands above all
		return err
	})
}

// customerLane is equal for the records of one customer: an earlier failure must be known when the next one is judged.
func customerLane(message proto.Message) uint32 {
	about := message.(interface {
		GetTenant() string
		GetCustomerId() string
	})
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(unnamed(about.GetTenant()) + "\x00" + about.GetCustomerId()))
	return hash.Sum32()
}
