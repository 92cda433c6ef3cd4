package story

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// hand takes steps with one case under one request id.
type hand struct {
	service recoveryv1.RecoveryServiceClient
	caseID  string
	request string
	offer   string // the newest of the case
}

// takes are the steps that a story can name.
var takes = map[string]func(context.Context, hand) error{
	"acknowledge": func(ctx context.Context, h hand) error {
		_, err := h.service.AcknowledgeCase(ctx, recoveryv1.AcknowledgeCaseRequest_builder{CaseId: h.caseID, RequestId: h.request}.Build())
		return err
	},
	"contact": func(ctx context.Context, h hand) error {
		_, err := h.service.RecordContact(ctx, recoveryv1.RecordContactRequest_builder{
			CaseId: h.caseID, RequestId: h.request,
			Direction: recoveryv1.ContactDirection_CONTACT_DIRECTION_OUTBOUND, Channel: recoveryv1.Channel_CHANNEL_PHONE,
		}.Build())
		return err
	},
	"offer": func(ctx context.Context, h hand) error {
		_, err := h.service.RequestOffer(ctx, recoveryv1.RequestOfferRequest_builder{CaseId: proto.String(h.caseID), RequestId: h.request}.Build())
		return err
	},
	"approve": func(ctx context.Context, h hand) error {
		_, err := h.service.ApproveOffer(ctx, recoveryv1.ApproveOfferRequest_builder{
			CaseId: h.caseID, RequestId: h.request, OfferId: h.offer, Approver: "duty-manager",
		}.Build())
		return err
	},
	"make": func(ctx context.Context, h hand) error {
		_, err := h.service.MakeOffer(ctx, recoveryv1.MakeOfferRequest_builder{CaseId: h.caseID, RequestId: h.request, OfferId: h.offer}.Build())
		return err
	},
	"accept": func(ctx context.Context, h hand) error {
		_, err := h.service.AnswerOffer(ctx, recoveryv1.AnswerOfferRequest_builder{
			CaseId: h.caseID, RequestId: h.request, OfferId: h.offer, Answer: recoveryv1.Answer_ANSWER_ACCEPTED,
		}.Build())
		return err
	},
	"resolve": func(ctx context.Context, h hand) error {
		_, err := h.service.ResolveCase(ctx, recoveryv1.ResolveCaseRequest_builder{
			CaseId: h.caseID, RequestId: h.request, Outcome: recoveryv1.Outcome_OUTCOME_SATISFIED,
		}.Build())
		return err
	},
	"follow-up": func(ctx context.Context, h hand) error {
		_, err := h.service.RecordFollowUp(ctx, recoveryv1.RecordFollowUpRequest_builder{CaseId: h.caseID, RequestId: h.request}.Build())
		return err
	},
}

// take takes one step and reads the case afterwards.
func (p *Player) take(ctx context.Context, name, caseID, request string) (*recoveryv1.Case, error) {
	step, known := takes[name]
	if !known {
		return nil, fmt.Errorf("nobody knows how to take the step %q", name)
	}
	before, err := p.look(ctx, caseID)
	if err != nil {
		return nil, err
	}
	h := hand{service: p.Service, caseID: caseID, request: request}
	if offers := before.GetOffers(); len(offers) > 0 {
		h.offer = offers[len(offers)-1].GetOfferId()
	}
	if err := step(ctx, h); err != nil {
		return nil, err
	}
	return p.look(ctx, caseID)
}
