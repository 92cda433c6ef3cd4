package serve_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// reportByCommand reports a customer who leaves before anybody can answer, as a
// person does. The command sends its part of the trace over HTTP.
func reportByCommand(t *testing.T, binary, server, collector string) *recoveryv1.Case {
	t.Helper()
	at := time.Now()
	report := exec.Command(binary, "report", "--server", server, "-o", "json", "--customer", canary+"-customer", "--event-id", canary+"-event",
		"--order", canary+"-order", "--incident", canary+"-incident", "--kind", "LATE,QUALITY,RUDE", "--delay", "45m", "--value", "180 EUR", "--channel", "in_person",
		"--recurring", "--rejected", "--occurred-at", at.Format(time.RFC3339Nano), "--departs-at", at.Add(2*time.Second).Format(time.RFC3339Nano))
	report.Env = append(os.Environ(), "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_EXPORTER_OTLP_ENDPOINT="+collector)
	out, err := report.Output()
	answer := &recoveryv1.ReportFailureResponse{}
	if err == nil {
		err = protojson.Unmarshal(out, answer)
	}
	if err != nil {
		t.Fatalf("amends report: %v\n%s", err, out)
	}
	return answer.GetCase()
}

const watcherTrace = "0af7651916cd43dd8448eb211c80319c"

// watchTraced watches as a caller who is traced, and waits for transitions. It is
// over when the one asked for has come.
func watchTraced(t *testing.T, s *running) func(recoveryv1.TransitionKind) *recoveryv1.CaseEvent {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	ctx = metadata.AppendToOutgoingContext(ctx, "traceparent", "00-"+watcherTrace+"-b7ad6b7169203331-01")
	stream, err := s.recovery.WatchCases(ctx, &recoveryv1.WatchCasesRequest{})
	if err == nil {
		_, err = stream.Recv() // where it begins
	}
	if err != nil {
		t.Fatal(err)
	}
	return func(kind recoveryv1.TransitionKind) *recoveryv1.CaseEvent {
		t.Helper()
		defer cancel()
		for {
			m, err := stream.Recv()
			if err != nil {
				t.Fatalf("waiting for %s: %v", kind, err)
			}
			if m.GetEvent().GetTransition().GetKind() == kind {
				return m.GetEvent()
			}
		}
	}
}

// knock calls in all the other ways, some of which are refused.
func knock(t *testing.T, s *running) {
	t.Helper()
	ctx, at := t.Context(), timestamppb.Now()
	mark := func(id, customer string) *recoveryv1.FailureEvent {
		e := event(canary+id, canary+customer)
		e.SetOccurredAt(at)
		e.SetOrderId(canary + "-order")
		e.SetIncidentId(canary + "-incident")
		return e
	}
	kase := s.mustReport(t, mark("-1", "-other"))
	s.mustReport(t, mark("-1", "-other")) // again
	other := mark("-1", "-other")
	other.SetReach(7)
	refuse(t, s, other, "ID_REUSED")
	bad := mark("-2", "-other")
	bad.SetLocale(canary + " is no locale")
	refuse(t, s, bad, "INVALID_REQUEST")
	good := praise(canary+"-3", canary+"-other")
	good.SetOccurredAt(at)
	if _, err := s.praise(ctx, good, praise(canary+"-4", canary+"-third")); err != nil {
		t.Error(err)
	}
	_, err := s.recovery.AcknowledgeCase(ctx, recoveryv1.AcknowledgeCaseRequest_builder{CaseId: kase.GetCaseId(), RequestId: canary + "-5"}.Build())
	if err != nil {
		t.Error(err)
	}
	offer, err := s.recovery.RequestOffer(ctx, recoveryv1.RequestOfferRequest_builder{CaseId: new(kase.GetCaseId()), RequestId: canary + "-6"}.Build())
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.recovery.ApproveOffer(ctx, recoveryv1.ApproveOfferRequest_builder{
		CaseId: kase.GetCaseId(), OfferId: offer.GetOffer().GetOfferId(), RequestId: canary + "-7", Approver: canary + "-approver",
	}.Build())
	if _, reason, _ := refused(t, err); reason != "WRONG_STATE" {
		t.Errorf("the approval of what needs none: %v", err)
	}
	ingestTraced(t, s, mark("-8", "-fourth"), good)
	s.assess(t, canary+"-other")
	if _, err := s.recovery.ListCases(ctx, recoveryv1.ListCasesRequest_builder{CustomerId: canary + "-other"}.Build()); err != nil {
		t.Error(err)
	}
	if _, err := s.recovery.EraseCustomer(ctx, recoveryv1.EraseCustomerRequest_builder{CustomerId: canary + "-other"}.Build()); err != nil {
		t.Error(err)
	}
	if _, err := s.recovery.GetCase(ctx, recoveryv1.GetCaseRequest_builder{CaseId: canary + "-case"}.Build()); err == nil {
		t.Error("a case of no customer is found")
	}
}

func refuse(t *testing.T, s *running, e *recoveryv1.FailureEvent, want string) {
	t.Helper()
	_, err := s.report(t.Context(), e)
	if _, reason, _ := refused(t, err); reason != want {
		t.Errorf("refused as %s (%v), want %s", reason, err, want)
	}
}

func ingestTraced(t *testing.T, s *running, e *recoveryv1.FailureEvent, i *recoveryv1.Interaction) {
	t.Helper()
	stream, err := s.recovery.Ingest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range []*recoveryv1.IngestRequest{
		recoveryv1.IngestRequest_builder{Failure: e}.Build(), recoveryv1.IngestRequest_builder{Interaction: i}.Build(), {},
	} {
		if err := stream.Send(item); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != io.EOF {
		t.Fatalf("the stream ends with %v", err)
	}
}
