package client_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/makeamends/amends/client"
	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// address is where the service of these tests listens: the real one, with a
// store in memory.
var address string

func TestMain(m *testing.M) { goleak.VerifyTestMain(served{m}) }

// served runs the tests beside a service.
type served struct{ *testing.M }

func (s served) Run() int {
	server, err := serve.Start(context.Background(), serve.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	address = server.Addr()
	code := s.M.Run()
	if err := server.Stop(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// open is a client for as long as the test runs.
func open(tb testing.TB, c client.Config) *client.Client {
	tb.Helper()
	opened, err := client.New(c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := opened.Close(); err != nil {
			tb.Error(err)
		}
	})
	return opened
}

// late is a sound report of a late order.
func late(id, customer string) *recoveryv1.ReportFailureRequest {
	return recoveryv1.ReportFailureRequest_builder{Event: recoveryv1.FailureEvent_builder{
		EventId: id, CustomerId: customer, OccurredAt: timestamppb.Now(),
		Kinds: []recoveryv1.FailureKind{recoveryv1.FailureKind_FAILURE_KIND_LATE},
	}.Build()}.Build()
}

func getCase(id string) *recoveryv1.GetCaseRequest {
	return recoveryv1.GetCaseRequest_builder{CaseId: id}.Build()
}

// eventually waits until something holds.
func eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("never: %s", what)
		}
	}
}
