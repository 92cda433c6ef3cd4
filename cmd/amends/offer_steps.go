package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/makeamends/amends/client"
	"github.com/makeamends/amends/internal/show"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// chosen is what the help says of steps that find their offer.
const chosen = `

The OFFER may be left out where the case has just one that this can be done with.`

var offerSteps = []*step{
	offerRequest,
	{
		name: "approve", method: "ApproveOffer",
		short: "Allow an offer that needs approval",
		long: `Allow an offer that exceeds what may be given automatically. Who allows it is kept with
the offer: name no more of a person than that takes. --goodwill allows another amount.` + chosen,
		example: `  amends approve "$CASE" --approver m.ortiz
  amends approve "$CASE" --approver m.ortiz --goodwill "40.00 USD"`,
		fits: []recoveryv1.OfferState{recoveryv1.OfferState_OFFER_STATE_APPROVAL_REQUIRED},
		flags: func(s *stepping, cmd *cobra.Command) {
			cmd.Flags().StringVar(&s.approver, "approver", "", "who allows it, a `NAME` as your staff is known to you: up to 64 of A-Z a-z 0-9 . _ @ + -")
			s.addGoodwill(cmd)
		},
		check: func(s *stepping) error {
			if s.approver == "" {
				return errors.New("--approver is missing: the name of who allows it, as your staff is known to you")
			}
			return nil
		},
		send: func(ctx context.Context, client recoveryv1.RecoveryServiceClient, s *stepping) (caseAnswer, error) {
			return client.ApproveOffer(ctx, recoveryv1.ApproveOfferRequest_builder{
				CaseId: s.caseID, OfferId: s.offerID, RequestId: s.requestID, Revision: s.revision, Approver: s.approver, Goodwill: s.goodwill,
			}.Build())
		},
	},
	{
		name: "make", method: "MakeOffer",
		short: "Say that the customer was told of an offer",
		long: `Record that the customer was told of an offer. Keeps the promises to acknowledge, to answer
and to offer.` + chosen,
		example: `  amends make "$CASE"`,
		fits:    []recoveryv1.OfferState{recoveryv1.OfferState_OFFER_STATE_PROPOSED, recoveryv1.OfferState_OFFER_STATE_APPROVED},
		send: func(ctx context.Context, client recoveryv1.RecoveryServiceClient, s *stepping) (caseAnswer, error) {
			return client.MakeOffer(ctx, recoveryv1.MakeOfferRequest_builder{
				CaseId: s.caseID, OfferId: s.offerID, RequestId: s.requestID, Revision: s.revision,
			}.Build())
		},
	},
	{
		name: "answer", method: "AnswerOffer",
		short: "Record what the customer said to an offer",
		long: `Record whether the customer accepted or refused an offer. A refusal is a second failure:
the risk is judged anew, and a first response and a better offer are promised anew. An
answer stands: it cannot be given twice.` + chosen,
		example: `  amends answer "$CASE" accepted`,
		fits:    []recoveryv1.OfferState{recoveryv1.OfferState_OFFER_STATE_MADE},
		words:   []string{"accepted", "refused"},
		read: func(s *stepping, word string) (err error) {
			s.answer, err = oneWord[recoveryv1.Answer](s.words, word)
			return err
		},
		send: func(ctx context.Context, client recoveryv1.RecoveryServiceClient, s *stepping) (caseAnswer, error) {
			return client.AnswerOffer(ctx, recoveryv1.AnswerOfferRequest_builder{
				CaseId: s.caseID, OfferId: s.offerID, RequestId: s.requestID, Revision: s.revision, Answer: s.answer,
			}.Build())
		},
	},
}

// choose finds the offer that the step can be about.
func (s *stepping) choose(ctx context.Context, desk recoveryv1.RecoveryServiceClient) error {
	answer, err := desk.GetCase(ctx, recoveryv1.GetCaseRequest_builder{CaseId: s.caseID}.Build())
	if err != nil {
		err = s.connection.named(err, "")
		s.advise(err)
		return err
	}
	fit := slices.DeleteFunc(slices.Clone(answer.GetCase().GetOffers()), func(o *recoveryv1.Offer) bool {
		return !slices.Contains(s.fits, o.GetState())
	})
	if len(fit) != 1 {
		return s.noChoice(answer.GetCase(), fit)
	}
	s.offerID, s.chosen = fit[0].GetOfferId(), fit[0]
	return nil
}

// noChoice says which offers there are to choose from, or where the case stands if there is none.
func (s *stepping) noChoice(c *recoveryv1.Case, fit []*recoveryv1.Offer) error {
	if len(fit) == 0 {
		page := show.Page{Now: s.now()}
		why := "the case has no offer yet"
		if o := show.NewestOffer(c); o != nil {
			why = show.OfferStands(o, c, page)
		}
		return &choiceError{why + "\n" + strings.TrimRight(show.Step(c, page), "\n")}
	}
	text := fmt.Sprintf("the case has %d offers that this can be done with; name one:", len(fit))
	for _, o := range fit {
		text += fmt.Sprintf("\n  %s  %s", o.GetOfferId(), show.Money(o.GetTotal()))
	}
	return &choiceError{text}
}

// look finds out how a case or an offer stands with which a step could not be taken, as far as the service answers.
func (s *stepping) look(ctx context.Context, desk recoveryv1.RecoveryServiceClient, err error) {
	isChanged := s.revision != nil && client.Reason(err) == recoveryv1.ErrorReason_ERROR_REASON_REVISION_MISMATCH
	isOffer := s.offerID != "" && client.Reason(err) == recoveryv1.ErrorReason_ERROR_REASON_WRONG_STATE
	if !isChanged && !isOffer {
		return
	}
	answer, err := desk.GetCase(ctx, recoveryv1.GetCaseRequest_builder{CaseId: s.caseID}.Build())
	if err != nil {
		return // it would have been more to tell, and no more than that
	}
	if isChanged {
		s.stands = fmt.Sprintf("the case has revision %d, not %d", answer.GetCase().GetRevision(), *s.revision)
	}
	for _, o := range answer.GetCase().GetOffers() {
		if isOffer && o.GetOfferId() == s.offerID && !slices.Contains(s.fits, o.GetState()) {
			s.stands = show.OfferStands(o, answer.GetCase(), show.Page{Now: s.now()})
		}
	}
}

// replaced is the offer that gave way to the one that was just drawn up; empty if there was none, or if the answer is about something else.
func replaced(answer caseAnswer) string {
	drawn, isOffer := answer.(*recoveryv1.RequestOfferResponse)
	history, offers := answer.GetCase().GetHistory(), answer.GetCase().GetOffers()
	if !isOffer || len(history) < 2 || len(offers) < 2 || drawn.GetOffer().GetOfferId() != offers[len(offers)-1].GetOfferId() {
		return ""
	}
	ended, requested := history[len(history)-2], history[len(history)-1]
	if ended.GetKind() != recoveryv1.TransitionKind_TRANSITION_KIND_OFFER_EXPIRED || !ended.GetAt().AsTime().Equal(requested.GetAt().AsTime()) {
		return ""
	}
	return offers[len(offers)-2].GetOfferId()
}
