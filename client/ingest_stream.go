package client

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// mostUnderWay is how many items are sent ahead of their answers: so many are
// sent again when a connection is lost.
const mostUnderWay = 512

// mostHeld is about how many items are held while one of them is sent again and
// again: those that are under way, and those whose answers wait for its own.
const mostHeld = 2 * mostUnderWay

// mostItemBytes is the largest item that the service takes. A larger one would
// end the stream for all.
const mostItemBytes = 1 << 20

// stream is done when every item has its answer. Otherwise the error says why
// the stream has ended, or with what an item was refused that is to be sent
// again; nil: nothing is wrong, and another stream may begin.
func (l *load) stream(parent context.Context) (done bool, _ *Error) {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	opened, err := l.client.Ingest(ctx)
	if err != nil {
		return false, toError(err)
	}
	s := &sender{
		stream: opened, feed: l.feed, room: l.room(), enough: make(chan struct{}),
		slots: make(chan struct{}, mostUnderWay), sent: make(chan *underWay, mostUnderWay),
	}
	again := l.unanswered()
	var sending sync.WaitGroup
	sending.Go(func() { s.run(ctx, again) })
	refused, err := l.receive(s)
	cancel()
	sending.Wait()
	for e := range s.sent { // what this stream has left without an answer
		l.take(e)
	}
	switch e := s.faulty; {
	case l.isEnough:
		return false, nil
	case e != nil:
		l.take(e)
		fault := newError(s.fault, nil)
		l.settle(e, recoveryv1.IngestResponse_builder{Error: s.fault.Proto()}.Build(), fault)
		return false, refused
	case refused != nil:
		return false, refused
	case err != nil:
		return false, toError(err)
	case (s.isDrained || s.room == 0) && len(l.waiting) == 0:
		return s.isDrained, nil
	default:
		return false, toError(errEnded)
	}
}

// errOrder is a fault of the service: nobody can tell any more which item is
// meant.
var errOrder = status.Error(codes.DataLoss, "the service has answered the items of a bulk load out of order")

// receive takes the answers of one stream until it ends. When one of them says
// that its item is to be sent again, nothing more is sent, and the stream ends
// after the answers under way: refused is what the first such item was told.
func (l *load) receive(s *sender) (refused *Error, _ error) {
	for n := int64(0); ; n++ {
		answer, err := s.stream.Recv()
		if errors.Is(err, io.EOF) {
			return refused, nil
		}
		if err != nil {
			return nil, err
		}
		e := s.next()
		if e == nil || answer.GetSequence() != n {
			return nil, errOrder
		}
		l.take(e)
		if why := l.answered(e, answer); why != nil && refused == nil {
			refused = why
			close(s.enough)
		}
		if l.isEnough {
			return nil, nil
		}
	}
}

// answered settles an item, unless it is to be sent again: then it says why. A
// further try counts only if others were dealt with since the one before.
func (l *load) answered(e *underWay, answer *recoveryv1.IngestResponse) *Error {
	err := FromStatus(answer.GetError())
	if err == nil {
		err = FromStatus(answer.GetInteraction().GetError())
	}
	if err != nil && passes(err) {
		if e.tries == 0 {
			e.since = time.Now()
		}
		if e.tries == 0 || l.settled > e.settled {
			e.tries++
		}
		if e.settled = l.settled; e.tries <= mostRepeats || l.hopesFor(e) {
			return err
		}
		l.isHopeless = true
	} else if e.tries > 0 {
		l.isHopeless = false
	}
	l.settle(e, answer, err)
	return nil
}

// hopesFor tells whether an item is worth more than some tries. A shard that is lost
// refuses all of its items until a replica has taken over. Once one of them was
// given up there is none to wait for, until one is taken again.
func (l *load) hopesFor(e *underWay) bool {
	return !l.isHopeless && time.Since(e.since) < l.client.patience
}

// passes tells what an item was refused with for the moment only.
func passes(e *Error) bool {
	switch e.Code {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return true
	case codes.ResourceExhausted, codes.Aborted:
		return e.RetryAfter > 0 && e.Temporary()
	default:
		return false
	}
}

// sender sends items on one stream, ahead of their answers.
type sender struct {
	stream grpc.BidiStreamingClient[recoveryv1.IngestRequest, recoveryv1.IngestResponse]
	feed   <-chan *recoveryv1.IngestRequest
	room   int            // how many new items may be taken; it shrinks as they are
	enough chan struct{}  // closed when no more is to be sent
	slots  chan struct{}  // one for each item that has no answer
	sent   chan *underWay // those items, in order; closed when nothing more is sent

	// What follows, and room, holds once sent is closed.
	isDrained bool           // there are no more items
	faulty    *underWay      // the item that could not be sent
	fault     *status.Status // and why
}

// next is the item that the next answer is about; nil if there is none.
func (s *sender) next() *underWay {
	select {
	case e, ok := <-s.sent:
		if ok {
			<-s.slots
		}
		return e
	default:
		return nil
	}
}

// run sends what is to be sent again and then what is new, until there is no
// more or the stream ends.
func (s *sender) run(ctx context.Context, again []*underWay) {
	defer close(s.sent)
	for {
		select {
		case s.slots <- struct{}{}:
		case <-s.enough:
			_ = s.stream.CloseSend() // it has no error
			return
		case <-ctx.Done():
			return
		}
		var e *underWay
		if len(again) > 0 {
			e, again = again[0], again[1:]
		} else {
			e = s.take(ctx)
		}
		if e == nil {
			_ = s.stream.CloseSend()
			return
		}
		if !s.send(e) {
			return
		}
	}
}

// take waits for a new item. It is nil if there is none, or none is to be sent.
func (s *sender) take(ctx context.Context) *underWay {
	if s.room == 0 {
		return nil
	}
	select {
	case item, ok := <-s.feed:
		if ok {
			s.room--
			return &underWay{item: item}
		}
		s.isDrained = true
	case <-s.enough:
	case <-ctx.Done():
	}
	return nil
}

// send sends one item, and is false if the stream cannot go on after it.
func (s *sender) send(e *underWay) bool {
	if proto.Size(e.item) > mostItemBytes {
		s.faulty, s.fault = e, tooLarge
		_ = s.stream.CloseSend()
		return false
	}
	s.sent <- e
	err := s.stream.Send(e.item)
	if Reason(err) == recoveryv1.ErrorReason_ERROR_REASON_MALFORMED_MESSAGE { // what the stream fails with, Recv tells
		s.faulty, s.fault = e, malformed
	}
	return err == nil
}

var tooLarge = refusedHere(codes.ResourceExhausted, recoveryv1.ErrorReason_ERROR_REASON_MESSAGE_TOO_LARGE,
	"the item is larger than 1 MiB, the most that the service takes")
