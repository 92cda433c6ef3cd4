package monitoring

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/makeamends/amends/internal/authtest"
	"github.com/makeamends/amends/internal/redistest"
	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// trace is that of the calls which drive the service; it is sampled.
const trace = "0af7651916cd43dd8448eb211c80319c"

// callers lets the one do whatever drive does.
const callers = `callers:
  - {name: caller, roles: [reporter, agent], tenants: [default], certificates: [{uri: "spiffe://test/caller"}]}
`

// startService runs the service with TLS on a Redis that is as production wants it,
// and keeps a watch open.
func startService(t *testing.T) (ops string) {
	t.Helper()
	dir, authority := t.TempDir(), authtest.NewAuthority(t)
	server := authority.Server(t)
	s, err := serve.Start(t.Context(), serve.Config{
		Listen: "127.0.0.1:0", OpsListen: "127.0.0.1:0", Redis: redistest.Server(t, redistest.WithAOF()).URL(),
		Secret: []byte(strings.Repeat("s", 32)), Level: new(slog.LevelVar), Version: "v1.2.3",
		TLSCert: authtest.Write(t, dir, "tls.crt", server.Cert), TLSKey: authtest.Write(t, dir, "tls.key", server.Key),
		ClientCA: authtest.Write(t, dir, "ca.crt", authority.PEM()), Access: authtest.Write(t, dir, "access.yaml", []byte(callers)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	as := &tls.Config{RootCAs: authority.Pool(), Certificates: []tls.Certificate{authority.Client(t, "spiffe://test/caller").TLS(t)}}
	conn, err := grpc.NewClient(s.Addr(), grpc.WithTransportCredentials(credentials.NewTLS(as)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	drive(t, conn)
	return s.OpsAddr()
}

// drive has a case go its way, a caller make a mistake and another one watch.
func drive(t *testing.T, conn *grpc.ClientConn) {
	t.Helper()
	ctx := metadata.AppendToOutgoingContext(t.Context(), "traceparent", "00-"+trace+"-b7ad6b7169203331-01")
	client := recoveryv1.NewRecoveryServiceClient(conn)
	watch, err := client.WatchCases(ctx, &recoveryv1.WatchCasesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Recv(); err != nil {
		t.Fatal(err)
	}
	event := recoveryv1.FailureEvent_builder{
		EventId: "e", CustomerId: "c", OccurredAt: timestamppb.Now(), Kinds: []recoveryv1.FailureKind{recoveryv1.FailureKind_FAILURE_KIND_LATE},
		OrderValue: &money.Money{CurrencyCode: "USD", Units: 40}, Channel: recoveryv1.Channel_CHANNEL_EMAIL,
		Corroboration: recoveryv1.Corroboration_CORROBORATION_SYSTEM_OBSERVED,
	}.Build()
	answer, err := client.ReportFailure(ctx, recoveryv1.ReportFailureRequest_builder{Event: event}.Build())
	if err != nil {
		t.Fatal(err)
	}
	id := answer.GetCase().GetCaseId()
	offer, err := client.RequestOffer(ctx, recoveryv1.RequestOfferRequest_builder{CaseId: proto.String(id), RequestId: "1"}.Build())
	if err != nil {
		t.Fatal(err)
	}
	at := offer.GetOffer().GetOfferId()
	if _, err := client.MakeOffer(ctx, recoveryv1.MakeOfferRequest_builder{CaseId: id, RequestId: "2", OfferId: at}.Build()); err != nil {
		t.Fatal(err)
	}
	accept := recoveryv1.AnswerOfferRequest_builder{CaseId: id, RequestId: "3", OfferId: at, Answer: recoveryv1.Answer_ANSWER_ACCEPTED}.Build()
	if _, err := client.AnswerOffer(ctx, accept); err != nil {
		t.Fatal(err)
	}
	if _, err := client.ReportFailure(ctx, &recoveryv1.ReportFailureRequest{}); err == nil {
		t.Fatal("an empty report was taken")
	}
}

// get asks over HTTP.
func get(t *testing.T, url string) (body string, code int) {
	t.Helper()
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(url)
	if err != nil {
		return err.Error(), 0
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err.Error(), 0
	}
	return string(text), answer.StatusCode
}
