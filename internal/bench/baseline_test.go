package bench

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// The echo has the service's options of transport: of its own accord gRPC takes
// messages of up to 4 MiB.
func TestTheEchoIsSetUpAsTheService(t *testing.T) {
	addr, err := freeAddr()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- Baseline{Kind: "echo", Listen: addr, Answer: 1000}.Run(ctx) }()
	defer func() {
		stop()
		<-ended // an error of a server that was stopped
	}()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	call := func(request []byte) (answer int, err error) {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		return answer, conn.Invoke(ctx, baselineMethod, request, &answer, grpc.ForceCodecV2(wire{}), grpc.WaitForReady(true))
	}
	w := newWork(1, 1)
	if _, err := call(w.report(w.known())); err != nil {
		t.Error(err)
	}
	if _, err := call(make([]byte, 3<<20)); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a message of 3 MiB: %v", err)
	}
}
