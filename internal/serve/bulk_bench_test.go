package serve_test

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/makeamends/amends/internal/redistest"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

const (
	bulkRounds  = 5
	bulkCallers = 64 // unary calls under way at a time
	bulkStreams = 4
	bulkBatch   = 1000 // good experiences in one call
)

// BenchmarkBulk compares what comes in one by one with what comes in bulk, in
// rounds that take turns, each event of a customer of its own. It prints the
// medians of events a second, and of the processor time of the server.
func BenchmarkBulk(b *testing.B) {
	store := redistest.Server(b)
	service := spawn(b, childConfig{Redis: store.URL()})
	w := &bulkWork{desk: recoveryv1.NewRecoveryServiceClient(dial(b, service.addr))}
	ways := []struct {
		name   string
		events int
		do     func(context.Context, int) error
	}{
		{"unary-failures", 4000, w.unary},
		{"ingest-failures", 12000, w.ingestFailures},
		{"unary-positives", 4000, w.unaryPraise},
		{"batch-positives", 20000, w.batches},
		{"ingest-positives", 20000, w.ingestPraise},
	}
	rate, cost := make([][]float64, len(ways)), make([][]float64, len(ways))
	for round := -1; round < bulkRounds; round++ { // the first warms up
		for i, way := range ways {
			began := time.Now()
			spent := service.cost(b, func() {
				if err := way.do(b.Context(), way.events); err != nil {
					b.Fatal(way.name, err)
				}
			})
			if round >= 0 {
				rate[i] = append(rate[i], float64(way.events)/time.Since(began).Seconds())
				cost[i] = append(cost[i], spent.processor/float64(way.events)/1000)
			}
		}
	}
	for i, way := range ways {
		b.Logf("%-17s %7.0f events/s, %5.1f µs of the server each", way.name, median(rate[i]), median(cost[i]))
		b.ReportMetric(median(rate[i])/median(rate[0]), way.name+"/unary")
	}
}

// bulkWork makes events, each of a customer of its own.
type bulkWork struct {
	desk recoveryv1.RecoveryServiceClient
	sent atomic.Int64
}

func (w *bulkWork) failure() *recoveryv1.FailureEvent {
	n := w.sent.Add(1)
	e := event(fmt.Sprintf("event-%08d", n), fmt.Sprintf("customer-%08d", n))
	e.SetOccurredAt(timestamppb.Now())
	e.SetOrderId(fmt.Sprintf("order-%08d", n))
	return e
}

func (w *bulkWork) praise() *recoveryv1.Interaction {
	n := w.sent.Add(1)
	i := praise(fmt.Sprintf("event-%08d", n), fmt.Sprintf("customer-%08d", n))
	i.SetOccurredAt(timestamppb.Now())
	return i
}

// lanes does something n times, some at a time.
func lanes(n, lanes int, do func() error) error {
	var next atomic.Int64
	var wait sync.WaitGroup
	errs := make(chan error, lanes)
	for range lanes {
		wait.Go(func() {
			for next.Add(1) <= int64(n) {
				err := do()
				for ; status.Code(err) == codes.ResourceExhausted; err = do() {
					time.Sleep(5 * time.Millisecond)
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wait.Wait()
	close(errs)
	return <-errs
}

func (w *bulkWork) unary(ctx context.Context, n int) error {
	return lanes(n, bulkCallers, func() error {
		_, err := w.desk.ReportFailure(ctx, recoveryv1.ReportFailureRequest_builder{Event: w.failure()}.Build())
		return err
	})
}

func (w *bulkWork) unaryPraise(ctx context.Context, n int) error {
	return lanes(n, bulkCallers, func() error {
		_, err := w.desk.RecordInteractions(ctx, recoveryv1.RecordInteractionsRequest_builder{
			Interactions: []*recoveryv1.Interaction{w.praise()}}.Build())
		return err
	})
}

func (w *bulkWork) batches(ctx context.Context, n int) error {
	return lanes(n/bulkBatch, bulkStreams, func() error {
		batch := make([]*recoveryv1.Interaction, bulkBatch)
		for i := range batch {
			batch[i] = w.praise()
		}
		answer, err := w.desk.RecordInteractions(ctx, recoveryv1.RecordInteractionsRequest_builder{Interactions: batch}.Build())
		for _, r := range answer.GetResults() {
			if r.HasError() {
				return fmt.Errorf("%v", r)
			}
		}
		return err
	})
}

func (w *bulkWork) ingestFailures(ctx context.Context, n int) error {
	return w.ingest(ctx, n, func() *recoveryv1.IngestRequest {
		return recoveryv1.IngestRequest_builder{Failure: w.failure()}.Build()
	})
}

func (w *bulkWork) ingestPraise(ctx context.Context, n int) error {
	return w.ingest(ctx, n, func() *recoveryv1.IngestRequest {
		return recoveryv1.IngestRequest_builder{Interaction: w.praise()}.Build()
	})
}

func (w *bulkWork) ingest(ctx context.Context, n int, next func() *recoveryv1.IngestRequest) error {
	return lanes(bulkStreams, bulkStreams, func() error {
		stream, err := w.desk.Ingest(ctx)
		if err != nil {
			return err
		}
		go func() {
			for range n / bulkStreams {
				if stream.Send(next()) != nil {
					return // Recv tells why
				}
			}
			_ = stream.CloseSend()
		}()
		for {
			answer, err := stream.Recv()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			if answer.HasError() || answer.GetInteraction().HasError() {
				return fmt.Errorf("%v", answer)
			}
		}
	})
}
