package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/makeamends/amends/client"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// dial is what every example begins with.
func dial() *client.Client {
	amends, err := client.New(client.Config{Target: address})
	if err != nil {
		log.Fatal(err)
	}
	return amends
}

// An order service reports a failure, and learns what to do about it.
func Example() {
	amends, err := client.New(client.Config{Target: address})
	if err != nil {
		log.Fatal(err)
	}
	defer amends.Close()
	answer, err := amends.ReportFailure(context.Background(), recoveryv1.ReportFailureRequest_builder{Event: recoveryv1.FailureEvent_builder{
		EventId:    "order-7:cold", // the same for every report of this failure
		CustomerId: "c-7",
		OrderId:    "order-7",
		OccurredAt: timestamppb.Now(),
		Kinds:      []recoveryv1.FailureKind{recoveryv1.FailureKind_FAILURE_KIND_QUALITY},
		OrderValue: &money.Money{CurrencyCode: "USD", Units: 18},
		Acceptance: recoveryv1.Acceptance_ACCEPTANCE_REJECTED,
		Channel:    recoveryv1.Channel_CHANNEL_APP,
	}.Build()}.Build())
	if err != nil {
		log.Fatal(err)
	}
	c := answer.GetCase()
	fmt.Println(c.GetState(), c.GetAssessment().GetRisk().GetBand())
	fmt.Println("answer within", c.GetRespondBy().AsTime().Sub(c.GetOpenedAt().AsTime()))
	fmt.Println("first of all give", c.GetRecommendation().GetItems()[0].GetKind())
	// Output:
	// CASE_STATE_OPEN BAND_HIGH
	// answer within 12h0m0s
	// first of all give ITEM_KIND_RESTITUTION
}

// Good experiences are sent in batches; each is answered on its own.
func Example_positives() {
	amends := dial()
	defer amends.Close()
	request := &recoveryv1.RecordInteractionsRequest{}
	for _, order := range []string{"order-1", "order-2", ""} {
		request.SetInteractions(append(request.GetInteractions(), recoveryv1.Interaction_builder{
			InteractionId: order, CustomerId: "c-8", OrderId: order, OccurredAt: timestamppb.Now(),
			Kind: recoveryv1.InteractionKind_INTERACTION_KIND_ORDER_FULFILLED,
		}.Build()))
	}
	answer, err := amends.RecordInteractions(context.Background(), request)
	if err != nil {
		log.Fatal(err)
	}
	for _, result := range answer.GetResults() {
		if refused := client.FromStatus(result.GetError()); refused != nil {
			fmt.Println(refused.Reason, refused.Violations[0].Field)
			continue
		}
		fmt.Println(result.GetInteractionId(), result.GetStatus())
	}
	// Output:
	// order-1 INTERACTION_STATUS_RECORDED
	// order-2 INTERACTION_STATUS_RECORDED
	// ERROR_REASON_INVALID_REQUEST interactions[2].interaction_id
}

// A CRM draws up an offer, makes it, and records the answer. Every step has an
// id of its own, which a repetition keeps.
func Example_offer() {
	amends := dial()
	defer amends.Close()
	ctx := context.Background()
	reported, err := amends.ReportFailure(ctx, late("order-9:late", "c-9"))
	if err != nil {
		log.Fatal(err)
	}
	id := reported.GetCase().GetCaseId()
	drawn, err := amends.RequestOffer(ctx, recoveryv1.RequestOfferRequest_builder{CaseId: &id, RequestId: "crm-1"}.Build())
	if err != nil {
		log.Fatal(err)
	}
	offer := drawn.GetOffer().GetOfferId()
	if _, err := amends.MakeOffer(ctx, recoveryv1.MakeOfferRequest_builder{CaseId: id, OfferId: offer, RequestId: "crm-2"}.Build()); err != nil {
		log.Fatal(err)
	}
	answered, err := amends.AnswerOffer(ctx, recoveryv1.AnswerOfferRequest_builder{
		CaseId: id, OfferId: offer, RequestId: "crm-3", Answer: recoveryv1.Answer_ANSWER_ACCEPTED,
	}.Build())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answered.GetCase().GetState(), answered.GetCase().GetOffers()[0].GetState())
	// Output: CASE_STATE_OFFERED OFFER_STATE_ACCEPTED
}

// A dashboard lists the cases as they stand, and then follows what happens.
func ExampleClient_Watch() {
	amends := dial()
	defer amends.Close()
	ctx := context.Background()
	token := "" // the last one that was dealt with, if it was kept
	for message, err := range amends.Watch(ctx, recoveryv1.WatchCasesRequest_builder{Tenant: "watched", ResumeToken: token}.Build()) {
		if client.Reason(err) == recoveryv1.ErrorReason_ERROR_REASON_RESYNC_REQUIRED {
			log.Fatal("too much has happened since: watch anew without the token")
		}
		if err != nil {
			log.Fatal(err)
		}
		switch {
		case message.HasEvent():
			fmt.Println(message.GetEvent().GetTransition().GetKind(), message.GetEvent().GetState())
		case token == "": // the watch has begun, so that nothing falls between it and the list
			for one, err := range amends.Cases(ctx, recoveryv1.ListCasesRequest_builder{Tenant: "watched"}.Build()) {
				fmt.Println(one.GetState(), err)
			}
			report := late("order-10:late", "c-10") // something happens
			report.GetEvent().SetTenant("watched")
			if _, err := amends.ReportFailure(ctx, report); err != nil {
				log.Fatal(err)
			}
		}
		token = message.GetToken()
		if message.HasEvent() {
			break
		}
	}
	// Output: TRANSITION_KIND_OPENED CASE_STATE_OPEN
}

// The history of a shop is taken in as it is read, from a file, a table or a
// queue. What was refused does not hold up the rest.
func ExampleClient_IngestAll() {
	amends := dial()
	defer amends.Close()
	history := func(yield func(*recoveryv1.IngestRequest) bool) {
		for _, order := range []string{"order-11", "order-12", "order-12", ""} {
			item := recoveryv1.IngestRequest_builder{Interaction: recoveryv1.Interaction_builder{
				InteractionId: order, CustomerId: "c-11", OrderId: order, OccurredAt: timestamppb.New(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)),
				Kind: recoveryv1.InteractionKind_INTERACTION_KIND_ORDER_FULFILLED,
			}.Build()}.Build()
			if !yield(item) {
				return
			}
		}
	}
	for got, err := range amends.IngestAll(context.Background(), history) {
		switch {
		case err != nil:
			log.Fatal(err) // it cannot go on; a lost connection is none of these
		case got.Err != nil:
			fmt.Println(got.Answer.GetSequence(), "refused:", got.Err.Reason)
		case got.Replayed:
			fmt.Println(got.Answer.GetSequence(), "was there")
		default:
			fmt.Println(got.Answer.GetSequence(), "recorded")
		}
	}
	// Output:
	// 0 recorded
	// 1 recorded
	// 2 was there
	// 3 refused: ERROR_REASON_INVALID_REQUEST
}

// What was refused says why: the reason to programs, the message to people.
func ExampleError() {
	amends := dial()
	defer amends.Close()
	_, err := amends.GetCase(context.Background(), recoveryv1.GetCaseRequest_builder{CaseId: "c.1"}.Build())
	switch client.Reason(err) {
	case recoveryv1.ErrorReason_ERROR_REASON_CASE_NOT_FOUND:
		fmt.Println("no such case")
	case recoveryv1.ErrorReason_ERROR_REASON_UNSPECIFIED:
		fmt.Println("it worked, or nobody answered:", err)
	default:
		fmt.Println(err)
	}

	_, err = amends.ReportFailure(context.Background(), recoveryv1.ReportFailureRequest_builder{Event: &recoveryv1.FailureEvent{}}.Build())
	var refused *client.Error
	if errors.As(err, &refused) {
		var fields []string
		for _, v := range refused.Violations {
			fields = append(fields, v.Field)
		}
		fmt.Println(strings.Join(fields, ", "))
	}
	// Output:
	// no such case
	// event.event_id, event.customer_id, event.occurred_at, event.kinds
}

// Over a network the service is spoken to over TLS. The files may be rotated at
// any time.
func ExampleConfig_tls() {
	amends, err := client.New(client.Config{
		Target:    "dns:///amends.internal:7070", // every address behind the name
		CA:        "/etc/amends/ca.pem",
		Cert:      "/etc/amends/shop.pem",
		Key:       "/etc/amends/shop.key",
		TokenFile: "/var/run/secrets/amends/token", // in place of the certificate, or with it
		Timeout:   3 * time.Second,
	})
	if err != nil {
		log.Fatal(err) // names every file that is missing
	}
	defer amends.Close()
}

// The replicas can be named one by one where there is no DNS for them.
func ExampleNew_replicas() {
	amends, err := client.New(client.Config{Target: "10.0.0.1:7070,10.0.0.2:7070,10.0.0.3:7070", Insecure: true})
	if err != nil {
		log.Fatal(err)
	}
	defer amends.Close()
}
