package serve_test

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

const (
	floodItems     = 200 // a second: other calls go on beside it, and none of them may be refused
	floodCustomers = 41  // who order again and again
	floodFailures  = 10  // one in so many items is a failure, of a customer of its own
	floodUnheard   = 100 // items that are not answered yet, at most
)

// flood is a bulk load over one stream of Ingest. What is refused for the moment is
// sent again under its id, behind what was sent meanwhile; so at the end every item
// counts, once.
type flood struct {
	desk   recoveryv1.RecoveryServiceClient
	stream recoveryv1.RecoveryService_IngestClient
	room   chan struct{}
	stop   chan struct{}
	ended  sync.WaitGroup

	mu       sync.Mutex
	sent     []*recoveryv1.IngestRequest // in the order in which they are answered
	again    []*recoveryv1.IngestRequest // refused for the moment
	unheard  int
	accepted []*recoveryv1.IngestRequest
	replayed int // accepted, but carried out before: the answer of then was an error, or was lost
	refused  map[codes.Code]int
}

// beginFlood sends until it is ended.
func beginFlood(t *testing.T, desk recoveryv1.RecoveryServiceClient) *flood {
	t.Helper()
	stream, err := desk.Ingest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f := &flood{desk: desk, stream: stream, room: make(chan struct{}, floodUnheard), stop: make(chan struct{}), refused: map[codes.Code]int{}}
	f.ended.Go(f.send)
	f.ended.Go(func() { f.receive(t) })
	return f
}

// send sends items at a steady rate, and then, until all are accepted, those that were
// refused.
func (f *flood) send() {
	ticker := time.NewTicker(time.Second / floodItems)
	defer ticker.Stop()
	for n, more := 0, true; ; {
		select {
		case <-f.stop:
			more = false
		default:
		}
		<-ticker.C
		item, over := f.next(more, &n)
		switch {
		case over:
			_ = f.stream.CloseSend() // the answers tell
			return
		case item == nil:
			continue
		}
		f.room <- struct{}{}
		if f.stream.Send(item) != nil {
			return // the receiver hears why
		}
	}
}

// next gives what is to be sent, nil for nothing yet; over: everything is accepted.
func (f *flood) next(more bool, n *int) (item *recoveryv1.IngestRequest, over bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case len(f.again) > 0:
		item, f.again = f.again[0], f.again[1:]
	case more:
		item = floodItem(*n)
		*n++
	default:
		return nil, f.unheard == 0
	}
	f.sent = append(f.sent, item)
	f.unheard++
	return item, false
}

func floodItem(n int) *recoveryv1.IngestRequest {
	if n%floodFailures == 0 {
		id := fmt.Sprint("flood-failed-", n)
		e := event(id, id)
		e.SetOccurredAt(timestamppb.Now())
		return recoveryv1.IngestRequest_builder{Failure: e}.Build()
	}
	p := praise(fmt.Sprint("flood-", n), fmt.Sprint("flood-", n%floodCustomers))
	p.SetKind(recoveryv1.InteractionKind_INTERACTION_KIND_ORDER_FULFILLED)
	p.SetOccurredAt(timestamppb.Now())
	return recoveryv1.IngestRequest_builder{Interaction: p}.Build()
}

// receive takes the answers, which come in order.
func (f *flood) receive(t *testing.T) {
	for n := 0; ; n++ {
		answer, err := f.stream.Recv()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Errorf("the stream of a bulk load ended: %v", err)
			}
			return
		}
		if answer.GetSequence() != int64(n) {
			t.Errorf("answer %d stands at %d", answer.GetSequence(), n)
		}
		f.mu.Lock()
		item, code := f.sent[n], codeOf(answer)
		f.unheard--
		switch {
		case code == codes.OK:
			f.accepted = append(f.accepted, item)
			if isReplayed(answer) {
				f.replayed++
			}
		case code == codes.Unavailable || code == codes.ResourceExhausted || code == codes.DeadlineExceeded:
			f.refused[code]++
			f.again = append(f.again, item)
		default:
			t.Errorf("an item of a bulk load is refused for good: %v", answer)
		}
		f.mu.Unlock()
		<-f.room
	}
}

// codeOf is what became of an item.
func codeOf(answer *recoveryv1.IngestResponse) codes.Code {
	if answer.HasError() {
		return status.FromProto(answer.GetError()).Code()
	}
	return status.FromProto(answer.GetInteraction().GetError()).Code()
}

func isReplayed(answer *recoveryv1.IngestResponse) bool {
	return answer.GetFailure().GetReplayed() || answer.GetInteraction().GetStatus() == recoveryv1.InteractionStatus_INTERACTION_STATUS_REPLAYED
}

// end ends the load, and sees to it that every item counts once: that as much is known
// of the customers as was accepted, and that all of it is known as carried out before.
func (f *flood) end(t *testing.T, s *clusterCaller) {
	t.Helper()
	close(f.stop)
	f.ended.Wait()
	orders, failed := map[string]int64{}, []string{}
	for _, item := range f.accepted {
		if item.HasFailure() {
			failed = append(failed, item.GetFailure().GetCustomerId())
		} else {
			orders[item.GetInteraction().GetCustomerId()]++
		}
	}
	t.Logf("a bulk load of %d items, refused for the moment %v, of those carried out all the same %d", len(f.accepted), f.refused, f.replayed)
	if len(orders) != floodCustomers || len(failed) == 0 {
		t.Errorf("it was of %d customers who ordered and of %d failures", len(orders), len(failed))
	}
	for id, want := range orders {
		if got := s.assess(t, id).GetOrders(); got != want {
			t.Errorf("%s: %d orders are known of, %d were accepted", id, got, want)
		}
	}
	for _, id := range failed {
		if got := s.assess(t, id).GetFailuresRemembered(); got != 1 {
			t.Errorf("%s: %d failures are known of, one was accepted", id, got)
		}
	}
	f.repeat(t)
}

// repeat sends everything once more.
func (f *flood) repeat(t *testing.T) {
	t.Helper()
	stream, err := f.desk.Ingest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for _, item := range f.accepted {
			if stream.Send(item) != nil {
				return // the answers tell
			}
		}
		_ = stream.CloseSend()
	}()
	for n := 0; ; n++ {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) && n == len(f.accepted) {
			return
		}
		if err != nil {
			t.Fatalf("after %d of %d items: %v", n, len(f.accepted), err)
		}
		if !isReplayed(answer) {
			t.Errorf("what was accepted is not known: %v", answer)
		}
	}
}
