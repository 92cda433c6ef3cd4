package rpc

import (
	"cmp"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/panics"
	"github.com/makeamends/amends/internal/spans"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

const (
	// itemTime bounds what is done for an item from its turn on; the stream itself
	// may last.
	itemTime = 5 * time.Second
	// mostTurns is how many turns one stream has at a time: while one waits for
	// Redis, another works.
	mostTurns = 2
)

// Ingest takes in failures and good experiences in bulk, and answers each in the
// order in which they came. It reads ahead as far as a window allows and works on
// many customers at a time, each of them in the order of its items. The window ends
// with the answers: a caller who does not take them, or sends faster than can be
// done, is held up by flow control. What was not answered when the stream ends is
// sent again, under the same ids.
func (s *Service) Ingest(stream grpc.BidiStreamingServer[recoveryv1.IngestRequest, recoveryv1.IngestResponse]) error {
	ctx, cancel := context.WithCancel(stream.Context())
	l := &load{service: s, window: newWindow(s.ahead), backlog: newBacklog(), order: make(chan *item, WindowBytes/leastBytes)}
	defer l.window.close()
	go l.receive(ctx, stream)
	var turns sync.WaitGroup
	for range mostTurns {
		turns.Go(func() { l.work(ctx) })
	}
	defer turns.Wait()
	defer cancel()
	return l.answer(ctx, stream)
}

// load is one stream of Ingest.
type load struct {
	service *Service
	window  *window
	backlog *backlog
	order   chan *item // in which they came, until they are answered
	end     error      // why no more came; written before order is closed
}

// item is one thing that came in a stream.
type item struct {
	number  int // in the stream, from 0
	at      origin
	request ledger.Request
	entry   entry
	// respond makes the answer to what became of it.
	respond func(context.Context, ledger.Result) *recoveryv1.IngestResponse
	answer  chan *recoveryv1.IngestResponse // holds the answer when there is one
	held    held                            // its part of the window
}

// receive takes items in a goroutine of its own, since a caller who sends nothing
// must not keep the server from ending. It ends with the stream.
func (l *load) receive(ctx context.Context, stream grpc.BidiStreamingServer[recoveryv1.IngestRequest, recoveryv1.IngestResponse]) {
	defer close(l.order)
	for number := 0; ; number++ {
		var request *recoveryv1.IngestRequest
		refused := panics.Caught(func() (err error) {
			request, err = stream.Recv()
			return err
		})
		if refused != nil && !isUnreadable(refused) {
			l.end = refused
			return
		}
		next := &item{number: number, respond: refusedResult, answer: make(chan *recoveryv1.IngestResponse, 1)}
		if next.held, l.end = l.window.hold(ctx, weigh(request)); l.end != nil {
			return
		}
		if refused == nil {
			refused = panics.Caught(func() error { return l.service.prepare(ctx, next, request) })
		}
		l.order <- next // has room for whatever the window holds
		if refused != nil {
			l.refuse(ctx, next, refused)
			continue
		}
		l.backlog.add(next)
	}
}

// prepare finds out what an item tells, and of whom. What is wrong with it is the
// error.
func (s *Service) prepare(ctx context.Context, next *item, request *recoveryv1.IngestRequest) error {
	switch {
	case request.HasFailure():
		return s.prepareFailure(ctx, next, request)
	case request.HasInteraction():
		return s.preparePositive(ctx, next, request)
	default:
		return s.inspect.request(ctx, request)
	}
}

func (s *Service) prepareFailure(ctx context.Context, next *item, request *recoveryv1.IngestRequest) (err error) {
	r := &report{service: s, field: inFailure, event: request.GetFailure()}
	next.entry = r
	next.respond = func(ctx context.Context, result ledger.Result) *recoveryv1.IngestResponse {
		failure, err := r.respond(ctx, result)
		if err != nil {
			return refusedItem(ctx, err)
		}
		return recoveryv1.IngestResponse_builder{Failure: failure}.Build()
	}
	if err := s.inspect.request(ctx, request); err != nil {
		return err
	}
	if r.at, err = s.origin(ctx, r.event); err != nil {
		return err
	}
	next.at = r.at
	next.request, err = r.request()
	return err
}

func (s *Service) preparePositive(ctx context.Context, next *item, request *recoveryv1.IngestRequest) (err error) {
	p := positive{request.GetInteraction()}
	next.entry = p
	next.respond = func(ctx context.Context, result ledger.Result) *recoveryv1.IngestResponse {
		return recoveryv1.IngestResponse_builder{Interaction: p.result(ctx, result)}.Build()
	}
	if err := s.inspect.request(ctx, request); err != nil {
		return err
	}
	next.at, next.request, err = s.newPositive(ctx, p.item)
	return err
}

// refusedResult answers what is neither a failure nor a good experience.
func refusedResult(ctx context.Context, result ledger.Result) *recoveryv1.IngestResponse {
	return refusedItem(ctx, result.Err)
}

func refusedItem(ctx context.Context, err error) *recoveryv1.IngestResponse {
	return recoveryv1.IngestResponse_builder{Error: Refuse(ctx, err).GRPCStatus().Proto()}.Build()
}

// refuse answers an item for which nothing was done.
func (l *load) refuse(ctx context.Context, i *item, err error) {
	ctx, span := spans.Items(ctx, l.service.tracer, 1)
	defer span.End()
	spans.Failed(span)
	l.settle(ctx, i, ledger.Result{Err: l.failed(ctx, err, i.number)})
}

// failed says on the span, and to whoever wants to know, why items were refused.
func (l *load) failed(ctx context.Context, err error, numbers ...int) *RefusedError {
	refused := refuseCall(ctx, err)
	l.service.failed(ctx, FailedItems{recoveryv1.RecoveryService_Ingest_FullMethodName, numbers, refused})
	return refused
}

// settle makes the answer to what became of the item. There is one in any case:
// those behind it wait for it.
func (l *load) settle(ctx context.Context, i *item, result ledger.Result) {
	var answer *recoveryv1.IngestResponse
	err := panics.Caught(func() error {
		answer = i.respond(ctx, result)
		return nil
	})
	if err != nil {
		answer = refusedItem(ctx, l.failed(ctx, err, i.number))
	}
	i.answer <- answer
}

// work carries items out, as many at a time as wait for it and a turn allows.
func (l *load) work(ctx context.Context) {
	for l.backlog.wait(ctx) {
		turn, done, err := l.service.admit(ctx)
		if err != nil {
			return // the stream has ended
		}
		l.carryOut(turn, l.backlog.take(MostTogether))
		done()
	}
}

func (l *load) carryOut(ctx context.Context, shares []*share) {
	ctx, cancel := context.WithTimeout(ctx, itemTime)
	defer cancel()
	l.service.together(ctx, len(shares), func(ctx context.Context, i int) error {
		defer l.backlog.done(shares[i])
		l.change(ctx, shares[i].items)
		return nil
	})
}

// change carries out items of one customer in one change.
func (l *load) change(ctx context.Context, items []*item) {
	ctx, span := spans.Items(ctx, l.service.tracer, len(items))
	defer span.End()
	f := &fold{service: l.service, at: items[0].at, requests: make([]ledger.Request, len(items)), entries: make([]entry, len(items))}
	for n, i := range items {
		f.requests[n], f.entries[n] = i.request, i.entry
	}
	var results []ledger.Result
	err := panics.Caught(func() (err error) {
		results, err = f.carryOut(ctx)
		return err
	})
	if err != nil {
		spans.Failed(span)
		err = l.failed(ctx, err, numbers(items)...)
	}
	for n, i := range items {
		result := ledger.Result{Err: err}
		if err == nil {
			result = results[n]
		}
		if err == nil && result.Err != nil {
			spans.Failed(span)
			result.Err = l.failed(ctx, result.Err, i.number)
		}
		l.settle(ctx, i, result)
	}
}

func numbers(items []*item) (list []int) {
	for _, i := range items {
		list = append(list, i.number)
	}
	return list
}

// answer sends the answers in order, each when it is there.
func (l *load) answer(ctx context.Context, stream grpc.BidiStreamingServer[recoveryv1.IngestRequest, recoveryv1.IngestResponse]) error {
	for sequence := int64(0); ; sequence++ {
		next, more := receiveFrom(ctx, l.order)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !more {
			break
		}
		answer, _ := receiveFrom(ctx, next.answer)
		if ctx.Err() != nil { // the answer may say no more than that
			return context.Cause(ctx)
		}
		answer.SetSequence(sequence)
		if err := stream.Send(answer); err != nil {
			return cmp.Or(context.Cause(ctx), gone(err)) // it may have waited until the end
		}
		l.window.release(next.held)
	}
	if errors.Is(l.end, io.EOF) {
		return nil
	}
	return l.end
}

// receiveFrom is a receive that ends with the context.
func receiveFrom[T any](ctx context.Context, from <-chan T) (got T, ok bool) {
	select {
	case <-ctx.Done():
	case got, ok = <-from:
	}
	return got, ok
}
