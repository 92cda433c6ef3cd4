package rpc

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"

	"github.com/makeamends/amends/internal/panics"
	"github.com/makeamends/amends/internal/spans"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// itemTime bounds one item of a bulk load; the stream itself may last.
const itemTime = 5 * time.Second

// Ingest takes in failures and good experiences in bulk, and answers each in
// the order in which they came. It takes the next item when it has answered
// the one before, so a caller who sends faster is held up by flow control, as is
// everybody when there is more to do than can be done. What was not answered
// when the server ends is sent again, under the same ids.
func (s *Service) Ingest(stream grpc.BidiStreamingServer[recoveryv1.IngestRequest, recoveryv1.IngestResponse]) error {
	ctx := stream.Context()
	items := receive(ctx, stream)
	for n := int64(0); ; n++ {
		var next received
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case next = <-items:
		}
		if errors.Is(next.err, io.EOF) {
			return nil
		}
		if next.err != nil {
			return next.err
		}
		done, err := s.admit(ctx)
		if err != nil {
			return context.Cause(ctx)
		}
		answer := s.ingest(ctx, next.item)
		done()
		answer.SetSequence(n)
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}

// received is one item, or why there is none.
type received struct {
	item *recoveryv1.IngestRequest
	err  error
}

// receive takes items in a goroutine of its own, since a caller who sends
// nothing must not keep the server from ending. It ends with the stream.
func receive(ctx context.Context, stream grpc.BidiStreamingServer[recoveryv1.IngestRequest, recoveryv1.IngestResponse]) <-chan received {
	items := make(chan received)
	go func() {
		for {
			var item *recoveryv1.IngestRequest
			err := panics.Caught(func() (err error) {
				item, err = stream.Recv()
				return err
			})
			select {
			case items <- received{item, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return items
}

// ingest deals with one item as the call for it alone does. What is wrong with
// it is part of the answer.
func (s *Service) ingest(ctx context.Context, item *recoveryv1.IngestRequest) *recoveryv1.IngestResponse {
	ctx, cancel := context.WithTimeout(ctx, itemTime)
	defer cancel()
	ctx, span := spans.Item(ctx, s.tracer)
	defer span.End()
	answer := &recoveryv1.IngestResponse{}
	var err error
	switch {
	case item.HasFailure():
		var failure *recoveryv1.ReportFailureResponse
		req := recoveryv1.ReportFailureRequest_builder{Event: item.GetFailure()}.Build()
		if err = s.inspect.request(ctx, req); err == nil {
			failure, err = s.ReportFailure(ctx, req)
		}
		answer.SetFailure(failure)
	case item.HasInteraction():
		var results *recoveryv1.RecordInteractionsResponse
		results, err = s.RecordInteractions(ctx, recoveryv1.RecordInteractionsRequest_builder{
			Interactions: []*recoveryv1.Interaction{item.GetInteraction()},
		}.Build())
		if err == nil {
			answer.SetInteraction(results.GetResults()[0])
		}
	default:
		err = s.inspect.request(ctx, item)
	}
	if err != nil {
		spans.Failed(span)
		answer.SetError(refuseCall(ctx, err).GRPCStatus().Proto())
	}
	return answer
}
