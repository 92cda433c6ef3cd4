package client

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
)

// calls is how calls are made: how long each may take, and how much may be
// repeated, until the client is closed.
type calls struct {
	times  times
	budget *budget
	closed context.Context
	end    context.CancelFunc
}

// mostRepeats is how often a call is repeated here.
const mostRepeats = 4

// unary makes one call: within the time of its method, again when that is of
// use, and with an *Error if it fails. What is UNAVAILABLE has been repeated by
// gRPC before it comes here.
func (c *calls) unary(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	ctx, cancel := c.times.limit(ctx, method)
	defer cancel()
	last := &lastTry{}
	ctx = context.WithValue(ctx, lastTryKey{}, last)
	for n := 0; ; n++ {
		err := invoke(ctx, method, request, reply, conn, options...)
		if err == nil {
			c.budget.succeed()
			return nil
		}
		refused := callError(conn, request, last.error(err))
		pause := last.pause(refused)
		if pause == 0 || !c.budget.fail() || n == mostRepeats || !c.wait(ctx, pause<<n) {
			return refused
		}
	}
}

// wait is false if there is no time for it. It waits up to half as long again,
// so that callers do not come back all at once. It does not wait for a client that
// is closed: the next try says so.
func (c *calls) wait(ctx context.Context, d time.Duration) bool {
	d += rand.N(d/2 + 1)
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-c.closed.Done():
		return true
	case <-timer.C:
		return true
	}
}

// lastTry is how the last try of a call ended, which gRPC alone does not tell.
type lastTry struct {
	err      atomic.Pointer[Error]
	answered atomic.Bool // the answer had begun
}

type lastTryKey struct{}

// error is why the call failed. When time ran out between two tries, it is what
// the last one was answered: that tells more than that the call is late.
func (l *lastTry) error(err error) *Error {
	e := toError(err)
	if last := l.err.Load(); last != nil && e.Code == codes.DeadlineExceeded {
		return last
	}
	return e
}

// pause is how long to wait before the call is repeated for the first time; 0:
// it is not. What says when to come again changed nothing. An answer that broke
// off, as it does when a server dies, is asked for again, because gRPC repeats
// no call of which the answer has begun.
func (l *lastTry) pause(e *Error) time.Duration {
	switch {
	case e.Code == codes.ResourceExhausted || e.Code == codes.Aborted:
		return e.RetryAfter
	case e.Code == codes.Unavailable && l.answered.Load():
		return firstPause
	default:
		return 0
	}
}

// tries tells each call how its tries ended.
type tries struct{}

// TagRPC leaves the context as it is.
func (tries) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC is called at every step of every try.
func (tries) HandleRPC(ctx context.Context, step stats.RPCStats) {
	last, ok := ctx.Value(lastTryKey{}).(*lastTry)
	if !ok {
		return
	}
	switch step := step.(type) {
	case *stats.Begin:
		last.answered.Store(false)
	case *stats.InHeader:
		last.answered.Store(true)
	case *stats.End:
		if step.Error != nil {
			last.err.Store(toError(step.Error))
		}
	}
}

// TagConn leaves the context as it is.
func (tries) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn ignores connections.
func (tries) HandleConn(context.Context, stats.ConnStats) {}

// callStream gives the errors of a stream their type.
func callStream(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
	stream, err := open(ctx, desc, conn, method, options...)
	if err != nil {
		return nil, callError(conn, nil, err)
	}
	return typedStream{stream, conn}, nil
}

// typedStream is a stream of which the errors are of type *Error; io.EOF stays.
type typedStream struct {
	grpc.ClientStream
	conn *grpc.ClientConn
}

// SendMsg sends one message.
func (s typedStream) SendMsg(m any) error { return s.error(m, s.ClientStream.SendMsg(m)) }

// RecvMsg takes one message.
func (s typedStream) RecvMsg(m any) error { return s.error(nil, s.ClientStream.RecvMsg(m)) }

func (s typedStream) error(sent any, err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return callError(s.conn, sent, err)
}
