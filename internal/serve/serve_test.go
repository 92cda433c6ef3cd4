package serve_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

func TestSmoke(t *testing.T) {
	s, err := serve.Start(t.Context(), serve.Config{Listen: "127.0.0.1:0", OpsListen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop(context.Background())
	conn, err := grpc.NewClient(s.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := recoveryv1.NewRecoveryServiceClient(conn)
	resp, err := c.ReportFailure(t.Context(), recoveryv1.ReportFailureRequest_builder{Event: recoveryv1.FailureEvent_builder{
		EventId: "e1", CustomerId: "c1", OccurredAt: timestamppb.New(time.Now()),
		Kinds: []recoveryv1.FailureKind{1}, OrderValue: &money.Money{CurrencyCode: "USD", Units: 18},
	}.Build()}.Build())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(protojson.Format(resp))
}
