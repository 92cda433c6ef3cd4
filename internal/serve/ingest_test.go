package serve_test

import (
	"io"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// A bulk load answers every item in order; a faulty one does not end it.
func TestIngest(t *testing.T) {
	r := start(t, serve.Config{})
	stream, err := r.recovery.Ingest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	faulty := event("e2", "c")
	faulty.SetKinds(nil)
	faulty.SetCustomerId("")
	faulty.SetOccurredAt(timestamppb.New(noon.Add(time.Hour)))
	faulty.SetOrderValue(&money.Money{CurrencyCode: "XXX", Units: 1})
	ahead := praise("i2", "")
	ahead.SetOccurredAt(timestamppb.New(noon.Add(time.Hour)))
	unlisted := event("e3", "c")
	unlisted.SetOrderValue(&money.Money{CurrencyCode: "XXX", Units: 1})
	items := []*recoveryv1.IngestRequest{
		recoveryv1.IngestRequest_builder{Failure: event("e1", "c")}.Build(),
		recoveryv1.IngestRequest_builder{Failure: faulty}.Build(),
		recoveryv1.IngestRequest_builder{Interaction: praise("i1", "c")}.Build(),
		{},
		recoveryv1.IngestRequest_builder{Failure: event("e1", "c")}.Build(),
		recoveryv1.IngestRequest_builder{Interaction: ahead}.Build(),
		recoveryv1.IngestRequest_builder{Failure: unlisted}.Build(),
	}
	go func() {
		for _, item := range items {
			_ = stream.Send(item) // the answers tell
		}
		_ = stream.CloseSend()
	}()
	var got []*recoveryv1.IngestResponse
	for {
		answer, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if answer.GetSequence() != int64(len(got)) {
			t.Errorf("answer %d stands at %d", answer.GetSequence(), len(got))
		}
		got = append(got, answer)
	}
	if len(got) != len(items) {
		t.Fatalf("%d answers to %d items", len(got), len(items))
	}
	if k := got[0].GetFailure().GetCase(); k.GetCaseId() == "" || k.GetCustomerId() != "c" {
		t.Errorf("case %v", k)
	}
	code, reason, faults := takeApart(t, status.FromProto(got[1].GetError()))
	if code != codes.InvalidArgument || reason != "INVALID_REQUEST" {
		t.Errorf("faulty item: %s %s %v", code, reason, faults)
	}
	sameFields(t, map[string]string{
		"failure.customer_id": "must not be empty", "failure.kinds": "must not be empty", "failure.occurred_at": "after", "failure.order_value": "no such currency",
	}, faults)
	if s := got[2].GetInteraction().GetStatus(); s != recoveryv1.InteractionStatus_INTERACTION_STATUS_RECORDED {
		t.Errorf("praise: %s", s)
	}
	_, _, faults = takeApart(t, status.FromProto(got[3].GetError()))
	sameFields(t, map[string]string{"item": "set one of failure, interaction"}, faults)
	if !got[4].GetFailure().GetReplayed() {
		t.Errorf("the same event again: %v", got[4])
	}
	if s := got[5].GetInteraction().GetStatus(); s != recoveryv1.InteractionStatus_INTERACTION_STATUS_REJECTED {
		t.Errorf("praise of nobody: %s", s)
	}
	_, _, faults = takeApart(t, status.FromProto(got[5].GetInteraction().GetError()))
	sameFields(t, map[string]string{"interaction.customer_id": "must not be empty", "interaction.occurred_at": "after"}, faults)
	_, _, faults = takeApart(t, status.FromProto(got[6].GetError()))
	sameFields(t, map[string]string{"failure.order_value": "no such currency"}, faults)
	if a := r.assess(t, "c"); a.GetPositiveMass() != 1 || a.GetFailuresRemembered() != 1 {
		t.Errorf("%v positives, %d failures", a.GetPositiveMass(), a.GetFailuresRemembered())
	}
}

// A bulk load that says nothing does not keep the server from ending.
func TestIngestEndsWithTheServer(t *testing.T) {
	r := start(t, serve.Config{Drain: time.Minute})
	stream, err := r.recovery.Ingest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(recoveryv1.IngestRequest_builder{Failure: event("e1", "c")}.Build()); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := r.Stop(t.Context()); err != nil || time.Since(began) > 10*time.Second {
		t.Errorf("stopped after %s: %v", time.Since(began), err)
	}
	_, err = stream.Recv()
	if code, reason, _ := refused(t, err); code != codes.Unavailable || reason != "SERVER_ENDING" {
		t.Errorf("%v", err)
	}
}
