package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// without is a service that records everything but what is told of one customer,
// whose part of the store is away.
type without struct {
	recoveryv1.UnimplementedRecoveryServiceServer
	customer string
}

func (w without) Ingest(stream grpc.BidiStreamingServer[recoveryv1.IngestRequest, recoveryv1.IngestResponse]) error {
	away, err := status.New(codes.Unavailable, "the store cannot be reached").WithDetails(
		&errdetails.ErrorInfo{Reason: "STORE_UNAVAILABLE", Domain: "amends"}, &errdetails.RetryInfo{RetryDelay: durationpb.New(100 * time.Millisecond)})
	if err != nil {
		return err
	}
	for sequence := int64(0); ; sequence++ {
		request, err := stream.Recv()
		if err != nil {
			return err
		}
		answer := recoveryv1.IngestResponse_builder{Sequence: sequence}.Build()
		if told := request.GetInteraction(); told.GetCustomerId() == w.customer {
			answer.SetError(away.Proto())
		} else {
			answer.SetInteraction(recoveryv1.InteractionResult_builder{InteractionId: told.GetInteractionId(),
				Status: recoveryv1.InteractionStatus_INTERACTION_STATUS_RECORDED}.Build())
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}

// A load whose first record cannot be recorded for long ends when it is told to,
// however much has come after it.
func TestIngestStuckEndsWhenTold(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	recoveryv1.RegisterRecoveryServiceServer(server, without{customer: "c-0"})
	go server.Serve(listener)
	defer server.Stop()
	var lines strings.Builder
	for n := range 5000 {
		fmt.Fprintf(&lines, `{"interaction":{"interactionId":"i-%d","customerId":"c-%d","occurredAt":"2026-01-01T00:00:00Z","kind":"PRAISE"}}`+"\n", n, n)
	}
	path := filepath.Join(t.TempDir(), "day.ndjson")
	if err := os.WriteFile(path, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer time.AfterFunc(time.Second, cancel).Stop()
	done := make(chan outcome, 1)
	go func() { done <- command{ctx: ctx}.run("ingest", "--server", listener.Addr().String(), path) }()
	select {
	case out := <-done:
		if out.code != exitUnavailable {
			t.Errorf("ended with %d: %s", out.code, out.stderr)
		}
	case <-time.After(45 * time.Second):
		t.Fatal("it goes on for ever")
	}
}
