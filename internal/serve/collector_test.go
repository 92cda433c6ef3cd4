package serve_test

import (
	"context"
	"fmt"
	"net"
	"testing"

	collectorv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/makeamends/amends/internal/redistest"
)

// refuser is a collector that is there and takes nothing, or a healthy one that
// keeps nothing.
type refuser struct {
	collectorv1.UnimplementedTraceServiceServer
	with codes.Code // OK: it takes all
}

func (r refuser) Export(context.Context, *collectorv1.ExportTraceServiceRequest) (*collectorv1.ExportTraceServiceResponse, error) {
	return &collectorv1.ExportTraceServiceResponse{}, status.Error(r.with, "")
}

func answering(tb testing.TB, with codes.Code) net.Listener {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	server := grpc.NewServer()
	collectorv1.RegisterTraceServiceServer(server, refuser{with: with})
	go server.Serve(listener)
	tb.Cleanup(server.Stop)
	return listener
}

func refusing(tb testing.TB) net.Listener { return answering(tb, codes.ResourceExhausted) }

const (
	collectorRounds = 12
	collectorCalls  = 500 // in a round
)

// BenchmarkCollector compares reports of which every one is traced, beside a
// collector that takes the spans, with those beside one that is dead, slow or
// refuses. The rounds of all take turns, and the medians are compared.
func BenchmarkCollector(b *testing.B) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never answers
	if err != nil {
		b.Fatal(err)
	}
	defer silent.Close()
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	dead.Close()
	store := redistest.Server(b)
	kinds := []*traced{
		{name: "takes all", at: answering(b, codes.OK).Addr()},
		{name: "is not there", at: dead.Addr()},
		{name: "never answers", at: silent.Addr()},
		{name: "unavailable", at: answering(b, codes.Unavailable).Addr()},
		{name: "exhausted", at: answering(b, codes.ResourceExhausted).Addr()},
	}
	for i, k := range kinds {
		k.process = spawn(b, childConfig{Redis: store.URL(), Collector: k.at.String()})
		k.call = reporter(b, k.process.addr, int64(i)*1_000_000)
		load(b, benchWarmUp, k.call)
	}
	b.ResetTimer()
	for range collectorRounds {
		for _, k := range kinds {
			k.round(b, collectorCalls)
		}
	}
	healthy := kinds[0]
	for _, k := range kinds {
		fmt.Printf("collector %-14s report %7.1f µs (%.2f of healthy), server's processor %6.1f µs (%.2f)\n", k.name,
			median(k.took), median(k.took)/median(healthy.took), median(k.cost), median(k.cost)/median(healthy.cost))
	}
}

// traced is a server whose spans go to one kind of collector.
type traced struct {
	runner
	name string
	at   net.Addr
}
