package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// steps are all commands that take a case one step on, in the order in which a case usually meets them.
var steps = slices.Concat(firstSteps, offerSteps, lastSteps)

var firstSteps = []*step{
	{
		name: "ack", method: "AcknowledgeCase",
		short:      "Say that the customer knows that we know",
		alsoCalled: []string{"acknowledge", "acknowledged"},
		long: `Record that the customer was told that the failure is known. Keeps the promise to
acknowledge, not the promise that a person answers: that is "amends contact".`,
		example: `  amends ack "$CASE"`,
		send: func(ctx context.Context, client recoveryv1.RecoveryServiceClient, s *stepping) (caseAnswer, error) {
			return client.AcknowledgeCase(ctx, recoveryv1.AcknowledgeCaseRequest_builder{
				CaseId: s.caseID, RequestId: s.requestID, Revision: s.revision,
			}.Build())
		},
	},
	{
		name: "contact", method: "RecordContact",
		short: "Record that we and the customer were in contact",
		long: `Record a contact. One by us (--out) is the first response that was promised. One by the
customer (--in) ends a hold, has the risk judged anew and promises an answer anew; if
others could see it (--public), the case is public from then on.

` + namesOf[recoveryv1.Channel]("--channel"),
		example: `  # we called
  amends contact "$CASE" --out --channel phone

  # the customer wrote where everybody reads it
  amends contact "$CASE" --in --channel social --public`,
		flags: (*stepping).addContact,
		check: (*stepping).checkContact,
		send: func(ctx context.Context, client recoveryv1.RecoveryServiceClient, s *stepping) (caseAnswer, error) {
			direction := recoveryv1.ContactDirection_CONTACT_DIRECTION_OUTBOUND
			if s.isIn {
				direction = recoveryv1.ContactDirection_CONTACT_DIRECTION_INBOUND
			}
			return client.RecordContact(ctx, recoveryv1.RecordContactRequest_builder{
				CaseId: s.caseID, RequestId: s.requestID, Revision: s.revision, Direction: direction, Channel: s.channel, Public: s.isPublic,
			}.Build())
		},
	},
	{
		name: "hold", method: "HoldCase",
		short: "Stop the clocks: the customer owes something",
		long: `Stop the clocks of a case because the customer owes something, such as an answer or a
photograph. What the public, the law or a contract demands does not stop.

The hold ends with "amends release" or "amends resolve", and by itself when the customer
writes or answers an offer, when a further failure joins the case, and when a promise that
a hold cannot stop is broken.`,
		example: `  amends hold "$CASE"`,
		send: func(ctx context.Context, client recoveryv1.RecoveryServiceClient, s *stepping) (caseAnswer, error) {
			return client.HoldCase(ctx, recoveryv1.HoldCaseRequest_builder{
				CaseId: s.caseID, RequestId: s.requestID, Revision: s.revision,
			}.Build())
		},
	},
	{
		name: "release", method: "ReleaseCase",
		short:   "Let the clocks of a case run again",
		long:    `Let the clocks of a held case run again: as much time is left as when they were stopped.`,
		example: `  amends release "$CASE"`,
		send: func(ctx context.Context, client recoveryv1.RecoveryServiceClient, s *stepping) (caseAnswer, error) {
			return client.ReleaseCase(ctx, recoveryv1.ReleaseCaseRequest_builder{
				CaseId: s.caseID, RequestId: s.requestID, Revision: s.revision,
			}.Build())
		},
	},
}

var lastSteps = []*step{
	{
		name: "resolve", method: "ResolveCase",
		short:      "End a case, and say how it ended",
		alsoCalled: []string{"close", "end"},
		long: `End a case. Whatever was still promised counts as kept, offers that nobody has answered
expire, and unless the case was withdrawn the customer is to be asked afterwards: see
"amends follow-up".

  satisfied        The customer was satisfied: the failures count as made good.
  unsatisfied      The customer was not.
  no-response      The customer did not answer.
  withdrawn        There was nothing to make good, or the customer took it back.`,
		example: `  amends resolve "$CASE" satisfied`,
		words:   []string{"satisfied", "unsatisfied", "no-response", "withdrawn"},
		read: func(s *stepping, word string) (err error) {
			s.outcome, err = oneWord[recoveryv1.Outcome](s.words, word)
			return err
		},
		send: func(ctx context.Context, client recoveryv1.RecoveryServiceClient, s *stepping) (caseAnswer, error) {
			return client.ResolveCase(ctx, recoveryv1.ResolveCaseRequest_builder{
				CaseId: s.caseID, RequestId: s.requestID, Revision: s.revision, Outcome: s.outcome,
			}.Build())
		},
	},
	{
		name: "follow-up", method: "RecordFollowUp",
		short: "Say that the customer was asked afterwards, which closes the case",
		long: `Record that the customer of a resolved case was asked afterwards whether all is well. This
closes the case. A follow-up that nobody does opens it again.`,
		example: `  amends follow-up "$CASE"`,
		send: func(ctx context.Context, client recoveryv1.RecoveryServiceClient, s *stepping) (caseAnswer, error) {
			return client.RecordFollowUp(ctx, recoveryv1.RecordFollowUpRequest_builder{
				CaseId: s.caseID, RequestId: s.requestID, Revision: s.revision,
			}.Build())
		},
	},
	{
		name: "reopen", method: "ReopenCase",
		short: "Open a resolved or closed case again",
		long: `Open a resolved or closed case again. Everything is promised anew. What the outcome
SATISFIED had brought is taken back: the failures no longer count as made good, nor the
recovery as a good experience.`,
		example: `  amends reopen "$CASE"`,
		send: func(ctx context.Context, client recoveryv1.RecoveryServiceClient, s *stepping) (caseAnswer, error) {
			return client.ReopenCase(ctx, recoveryv1.ReopenCaseRequest_builder{
				CaseId: s.caseID, RequestId: s.requestID, Revision: s.revision,
			}.Build())
		},
	},
}

func (s *stepping) addContact(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&s.isIn, "in", false, "the customer reached out to us")
	cmd.Flags().BoolVar(&s.isOut, "out", false, "we reached out to the customer")
	addEnum(cmd, &s.channel, "channel", "where")
	cmd.Flags().BoolVar(&s.isPublic, "public", false, "others could see it")
}

func (s *stepping) checkContact() error {
	var faults []error
	if s.isIn == s.isOut {
		faults = append(faults, errors.New("say who reached out: --in for the customer, --out for us"))
	}
	if s.channel == recoveryv1.Channel_CHANNEL_UNSPECIFIED {
		names, _ := shortNames[recoveryv1.Channel]()
		faults = append(faults, errors.New("--channel is missing: where, of "+strings.Join(names, ", ")))
	}
	return errors.Join(faults...)
}
