package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/makeamends/amends/client"
	"github.com/makeamends/amends/internal/show"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// praising is one run of `amends praise`.
type praising struct {
	*app
	connection *connection
	file       *fileFlags
	format     *string
	praise     recoveryv1.Interaction_builder
	occurredAt moment
	tenant     string
}

// mostPraises is how many interactions one call carries when a file is sent: a fraction of what a call may carry, so that the answers
// come in steadily.
const mostPraises = 200

func praiseCommand(app *app) *cobra.Command {
	p := &praising{app: app}
	cmd := &cobra.Command{
		Use:        "praise",
		SuggestFor: []string{"RecordInteractions"},
		GroupID:    groupCall,
		Short:      "Record a good experience of a customer, to be set against failures",
		Long: `Record something good: an order fulfilled as promised, a good rating, praise, loyalty, a
referral. Good experiences lower the risk that a later failure makes the customer leave.

` + namesOf[recoveryv1.InteractionKind]("--kind") + `

The same interaction counts once, however often it is sent: its id says which it is.
With -f the interactions stand in a file, as JSON of Interaction: one, an array, or one
a line. Order does not matter; each fault is reported with its line.`,
		Example: `  # the customer says thank you
  amends praise --customer c-1042

  # four of five stars for an order, this morning
  amends praise --customer c-1042 --kind positive-rating --order o-7 --occurred-at -3h

  # the history of the last months
  amends praise -f examples/interactions.ndjson`,
		Args: noArguments(""),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.run(cmd) },
	}
	p.praise.Kind = recoveryv1.InteractionKind_INTERACTION_KIND_PRAISE
	p.connection = addConnection(cmd)
	p.file = addFile(cmd, "interactions")
	p.format = addFormat(cmd)
	flags := cmd.Flags()
	flags.StringVar(&p.praise.InteractionId, "interaction-id", "", "`ID` of this interaction, compared within a customer: the same id with the same content counts once, and the time is content,\nso name --occurred-at beside it (default: a new one, which holds the time)")
	flags.StringVar(&p.praise.CustomerId, "customer", "", "`ID` of the customer, opaque: no name, no address")
	addEnum(cmd, &p.praise.Kind, "kind", "what happened")
	flags.StringVar(&p.praise.OrderId, "order", "", "`ID` of the order that it belongs to")
	flags.Var(&p.occurredAt, "occurred-at", "when it happened: RFC 3339, or from now such as -2h (default: the time in the interaction id, else now)")
	flags.StringVar(&p.tenant, "tenant", "", "`NAME` of the tenant; with -f for the records that name none (default: default)")
	return cmd
}

func (p *praising) run(cmd *cobra.Command) error {
	if p.file.path != "" {
		if err := p.file.check(cmd, []string{"interaction-id", "customer", "kind", "order", "occurred-at"}); err != nil {
			return err
		}
	}
	desk, err := p.connection.dial()
	if err != nil {
		return err
	}
	defer desk.Close()
	if p.file.path != "" {
		return p.many(cmd, desk)
	}
	return p.one(cmd, desk)
}

func (p *praising) one(cmd *cobra.Command, desk recoveryv1.RecoveryServiceClient) error {
	if p.praise.CustomerId == "" {
		return &usageError{err: errors.New("--customer is missing: the id of the customer"), command: cmd.CommandPath()}
	}
	in := p.praise
	if in.InteractionId == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("an id for the interaction: %w", err)
		}
		in.InteractionId = id.String()
	}
	at, isRelative := occurred(p.occurredAt, in.InteractionId, p.now())
	in.OccurredAt, in.Tenant = timestamppb.New(at), p.tenant
	again := "--interaction-id " + shellWord(in.InteractionId) + isRelative
	items := []*item{{message: in.Build()}}
	answer, err := p.record(cmd.Context(), desk, items, again)
	if err == nil && items[0].err != nil {
		err = p.connection.named(items[0].err, again)
	}
	adviseTime(err, isRelative)
	if isRelative != "" || p.praise.InteractionId == "" {
		p.tellAgain(err, again)
	}
	if err != nil {
		return err
	}
	if *p.format == "json" {
		return printJSON(p.stdout, answer)
	}
	_, err = fmt.Fprintln(p.stdout, show.InteractionLine(in.Build(), answer.GetResults()[0].GetStatus(), p.page(cmd)))
	return err
}

// record sends the items in one call and gives each its result.
func (p *praising) record(ctx context.Context, desk recoveryv1.RecoveryServiceClient, items []*item, again string) (
	answer *recoveryv1.RecordInteractionsResponse, err error,
) {
	list := make([]*recoveryv1.Interaction, len(items))
	for i, it := range items {
		list[i] = it.message.(*recoveryv1.Interaction)
	}
	answer, err = desk.RecordInteractions(ctx, recoveryv1.RecordInteractionsRequest_builder{Interactions: list}.Build())
	if err = p.connection.named(err, again); err == nil && len(answer.GetResults()) != len(items) {
		err = fmt.Errorf("%d interactions were answered with %d results", len(items), len(answer.GetResults()))
	}
	if err != nil {
		return nil, err
	}
	for i, result := range answer.GetResults() {
		items[i].answer = result
		items[i].replayed = result.GetStatus() == recoveryv1.InteractionStatus_INTERACTION_STATUS_REPLAYED
		if refused := client.FromStatus(result.GetError()); refused != nil {
			items[i].err = refused
		}
	}
	return answer, nil
}

func (p *praising) many(cmd *cobra.Command, desk recoveryv1.RecoveryServiceClient) error {
	page, next := p.page(cmd), uint32(0)
	b := &bulk{
		batch: mostPraises,
		decode: func(it *item) {
			in := &recoveryv1.Interaction{}
			it.decodeAlone(in)
			if in.GetTenant() == "" {
				in.SetTenant(p.tenant)
			}
		},
		lane: func(*item) uint32 { next++; return next },
		send: func(ctx context.Context, items []*item) {
			if _, err := p.record(ctx, desk, items, ""); err != nil {
				for _, it := range items {
					it.err = err
				}
			}
		},
	}
	head := show.InteractionLineHead + "\n"
	return p.file.transfer(cmd, p.app, b, func(it *item) error {
		result := it.answer.(*recoveryv1.InteractionResult)
		if *p.format == "json" {
			return printJSON(p.stdout, result)
		}
		_, err := fmt.Fprintln(p.stdout, head+show.InteractionLine(it.message.(*recoveryv1.Interaction), result.GetStatus(), page))
		head = "" // it stands above all
		return err
	})
}
