package serve_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/makeamends/amends/internal/redistest"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

const (
	echoMethod  = "/bench.Echo/Call"
	benchLanes  = 32 // calls under way at a time
	benchWarmUp = 2000
	benchRound  = 1000 // calls of one server before it is the other's turn
)

// serveEcho runs a gRPC server that does nothing: it takes bytes and answers
// with as many bytes as the first four of the request ask for.
func serveEcho() (stop func(), addr string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	answer := make([]byte, 1<<20)
	call := func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		var in wrapperspb.BytesValue
		if err := decode(&in); err != nil {
			return nil, err
		}
		n := int(in.Value[0])<<16 | int(in.Value[1])<<8 | int(in.Value[2])
		return &wrapperspb.BytesValue{Value: answer[:n]}, nil
	}
	server := grpc.NewServer()
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "bench.Echo", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Call", Handler: call}},
	}, nil)
	go server.Serve(listener)
	return server.Stop, listener.Addr().String(), nil
}

// BenchmarkReportFailure measures what the server spends on one report, over a
// real socket, with a real Redis and a collector that is told of one call in a
// hundred, beside a server that does nothing with requests and answers of the
// same sizes. Both take turns; the ratios are the medians of the rounds.
func BenchmarkReportFailure(b *testing.B) {
	store, collector := redistest.Server(b), answering(b, codes.OK)
	service := spawn(b, childConfig{Redis: store.URL(), Collector: collector.Addr().String(), Sampled: "0.01"})
	echo := spawn(b, childConfig{Echo: true})
	report := reporter(b, service.addr)
	in, out := report.sizes(b)
	shout := shouter(b, echo.addr, in, out)

	served, shouted := &runner{process: service, call: report.call}, &runner{process: echo, call: shout}
	load(b, benchWarmUp, served.call)
	load(b, benchWarmUp, shouted.call)
	b.ResetTimer()
	for left := b.N; left > 0; left -= benchRound {
		served.round(b, min(left, benchRound))
		b.StopTimer()
		shouted.round(b, min(left, benchRound))
		b.StartTimer()
	}
	b.ReportMetric(median(served.cost), "server-µs/op")
	b.ReportMetric(median(shouted.cost), "echo-µs/op")
	b.ReportMetric(medianRatio(served.cost, shouted.cost), "ratio")
	b.ReportMetric(medianRatio(shouted.took, served.took), "rate/echo's")
	b.ReportMetric(median(served.allocations), "server-allocs/op")
	b.ReportMetric(median(served.bytes)/1024, "server-KiB/op")
	b.ReportMetric(float64(in), "request-B")
	b.ReportMetric(float64(out), "answer-B")
}

// load makes n calls, some at a time.
func load(b *testing.B, n int, call func(context.Context, int) error) {
	b.Helper()
	var next atomic.Int64
	var wait sync.WaitGroup
	for range benchLanes {
		wait.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				ctx, cancel := context.WithTimeout(b.Context(), 5*time.Second)
				err := call(ctx, int(i))
				cancel()
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
}

// reports sends failures, two of each customer.
type reports struct {
	client recoveryv1.RecoveryServiceClient
	sent   *atomic.Int64
}

func reporter(b *testing.B, addr string) reports {
	return reports{recoveryv1.NewRecoveryServiceClient(dial(b, addr)), new(atomic.Int64)}
}

func (r reports) request(i int64) *recoveryv1.ReportFailureRequest {
	e := event(fmt.Sprintf("event-%08d", i), fmt.Sprintf("customer-%08d", i/2))
	e.SetOccurredAt(timestamppb.Now())
	e.SetOrderId(fmt.Sprintf("order-%08d", i))
	return recoveryv1.ReportFailureRequest_builder{Event: e}.Build()
}

func (r reports) call(ctx context.Context, _ int) error {
	_, err := r.client.ReportFailure(ctx, r.request(r.sent.Add(1)))
	return err
}

// sizes of a request and its answer, in bytes.
func (r reports) sizes(b *testing.B) (in, out int) {
	b.Helper()
	request := r.request(r.sent.Add(1))
	answer, err := r.client.ReportFailure(b.Context(), request)
	if err != nil {
		b.Fatal(err)
	}
	return proto.Size(request), proto.Size(answer)
}

// shouter calls the echo with messages of the same sizes.
func shouter(b *testing.B, addr string, in, out int) func(context.Context, int) error {
	conn := dial(b, addr)
	const frame = 3 // bytes that BytesValue adds to a message of this size
	body := make([]byte, in-frame)
	out -= frame
	body[0], body[1], body[2] = byte(out>>16), byte(out>>8), byte(out)
	request := &wrapperspb.BytesValue{Value: body}
	return func(ctx context.Context, _ int) error {
		var answer wrapperspb.BytesValue
		return conn.Invoke(ctx, echoMethod, request, &answer)
	}
}
