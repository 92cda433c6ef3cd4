package client_test

import (
	"context"
	"net"
	"sync"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// desk is a server that fails as a test says, and remembers what it was asked.
type desk struct {
	recoveryv1.UnimplementedRecoveryServiceServer
	address string
	health  *health.Server
	// fail is how the n-th call ends, from 1; nil: in success.
	fail func(n int) error
	// begins is whether an answer begins before the call fails.
	begins bool
	// watch answers the n-th watch, from 1.
	watch func(n int, request *recoveryv1.WatchCasesRequest, send func(token string)) error
	// ingest takes the n-th stream of a load, from 1.
	ingest func(n int, stream loading) error

	mu       sync.Mutex
	requests []proto.Message
	headers  []metadata.MD
	callers  []string // by their certificates
	end      func()
}

// newDesk serves on a free port, or on the address that the desk has.
func newDesk(tb testing.TB, d *desk, options ...grpc.ServerOption) *desk {
	tb.Helper()
	if d.address == "" {
		d.address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", d.address)
	if err != nil {
		tb.Fatal(err)
	}
	d.address, d.health = listener.Addr().String(), health.NewServer()
	d.setServing(true)
	server := grpc.NewServer(options...)
	recoveryv1.RegisterRecoveryServiceServer(server, d)
	healthv1.RegisterHealthServer(server, d.health)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener)
	}()
	d.end = func() { server.Stop(); <-ended }
	tb.Cleanup(d.end)
	return d
}

func (d *desk) setServing(yes bool) {
	state := healthv1.HealthCheckResponse_NOT_SERVING
	if yes {
		state = healthv1.HealthCheckResponse_SERVING
	}
	d.health.SetServingStatus("recovery.v1.RecoveryService", state)
}

// take remembers a call and says how it ends.
func (d *desk) take(ctx context.Context, request proto.Message) error {
	header, _ := metadata.FromIncomingContext(ctx)
	name := ""
	if from, ok := peer.FromContext(ctx); ok {
		if secure, ok := from.AuthInfo.(credentials.TLSInfo); ok {
			name = secure.State.PeerCertificates[0].Subject.CommonName
		}
	}
	d.mu.Lock()
	d.requests, d.headers, d.callers = append(d.requests, request), append(d.headers, header), append(d.callers, name)
	n := len(d.requests)
	d.mu.Unlock()
	if d.fail == nil {
		return nil
	}
	if d.begins {
		_ = grpc.SendHeader(ctx, nil)
	}
	return d.fail(n)
}

func (d *desk) ReportFailure(ctx context.Context, request *recoveryv1.ReportFailureRequest) (*recoveryv1.ReportFailureResponse, error) {
	return &recoveryv1.ReportFailureResponse{}, d.take(ctx, request)
}

func (d *desk) RecordInteractions(ctx context.Context, request *recoveryv1.RecordInteractionsRequest) (*recoveryv1.RecordInteractionsResponse, error) {
	return &recoveryv1.RecordInteractionsResponse{}, d.take(ctx, request)
}

// ListCases answers a page that is followed by itself.
func (d *desk) ListCases(ctx context.Context, request *recoveryv1.ListCasesRequest) (*recoveryv1.ListCasesResponse, error) {
	return recoveryv1.ListCasesResponse_builder{NextPageToken: "again"}.Build(), d.take(ctx, request)
}

func (d *desk) WatchCases(request *recoveryv1.WatchCasesRequest, stream grpc.ServerStreamingServer[recoveryv1.WatchCasesResponse]) error {
	_ = d.take(stream.Context(), request)
	return d.watch(len(d.asked()), request, func(token string) {
		_ = stream.Send(recoveryv1.WatchCasesResponse_builder{Token: token}.Build())
	})
}

// loading is one stream of a load, as the desk sees it.
type loading = grpc.BidiStreamingServer[recoveryv1.IngestRequest, recoveryv1.IngestResponse]

func (d *desk) Ingest(stream loading) error {
	_ = d.take(stream.Context(), nil)
	return d.ingest(len(d.asked()), stream)
}

// asked is every request so far.
func (d *desk) asked() []proto.Message {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.requests
}

func (d *desk) header(n int, name string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.headers[n].Get(name)
}

func (d *desk) caller(n int) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.callers[n]
}

// refusal is an error as the service makes them.
func refusal(code codes.Code, reason string, more ...protoadapt.MessageV1) error {
	details := append([]protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: reason, Domain: "amends"}}, more...)
	s, err := status.New(code, "so").WithDetails(details...)
	if err != nil {
		panic(err)
	}
	return s.Err()
}
