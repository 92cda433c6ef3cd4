package client

import (
	"cmp"
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// Between two streams of a watch there is a pause: of firstPause, and twice as
// long after each that brought nothing, up to longestPause.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// mostSilence is after how long without a message a stream counts as dead. The
// service says something every 10 seconds, if only that nothing happened.
const mostSilence = time.Minute

// Watch follows what happens to cases, over any number of lost connections and
// restarted servers: each event comes once, and none is left out.
//
// A message without an event says how far the watch has come: the first one
// does, and then one every few seconds while nothing happens. Its token, like
// that of every message, is where a later watch goes on: keep the last one that
// was dealt with. To know the cases as well, list them after the first message.
//
// It ends with ctx, when the client is closed, or with the first error that does
// not pass by itself, which is the last that is given. RESYNC_REQUIRED is the one
// to expect: what followed the token is no longer kept. List the cases then, and
// watch without a token. Each of lost is told of every error that passes, before
// the watch goes on.
func (c *Client) Watch(ctx context.Context, request *recoveryv1.WatchCasesRequest, lost ...func(*Error)) iter.Seq2[*recoveryv1.WatchCasesResponse, error] {
	return func(yield func(*recoveryv1.WatchCasesResponse, error) bool) {
		f := &following{client: c, request: proto.CloneOf(cmp.Or(request, &recoveryv1.WatchCasesRequest{})), yield: yield}
		pause := firstPause
		for {
			err := f.stream(ctx)
			switch {
			case f.isEnough:
				return
			case ctx.Err() != nil:
				err = toError(ctx.Err())
				fallthrough
			case !err.Temporary():
				yield(nil, err)
				return
			}
			for _, tell := range lost {
				tell(err)
			}
			if f.isHeard {
				pause = firstPause
			}
			if !c.calls.wait(ctx, max(pause, err.RetryAfter)) {
				yield(nil, toError(cmp.Or(ctx.Err(), context.DeadlineExceeded)))
				return
			}
			pause = min(2*pause, longestPause)
		}
	}
}

// following is one watch, over all its streams.
type following struct {
	client   *Client
	request  *recoveryv1.WatchCasesRequest // with the last token
	yield    func(*recoveryv1.WatchCasesResponse, error) bool
	isHeard  bool // the last stream has brought something
	isEnough bool // nobody wants more
}

var (
	errEnded  = status.Error(codes.Unavailable, "the service ended the stream")
	errSilent = status.Error(codes.DeadlineExceeded, "nothing was heard of the service for too long")
)

// stream passes on one stream until it ends, and says why it did.
func (f *following) stream(parent context.Context) *Error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	silence := time.AfterFunc(f.client.first, func() { cancel(errSilent) })
	defer silence.Stop()
	f.isHeard = false
	stream, err := f.client.WatchCases(ctx, f.request)
	for err == nil {
		var message *recoveryv1.WatchCasesResponse
		if message, err = stream.Recv(); err != nil {
			break
		}
		silence.Stop()
		f.isHeard = true
		f.request.SetResumeToken(message.GetToken())
		if f.isEnough = !f.yield(message, nil); f.isEnough {
			return nil
		}
		silence.Reset(mostSilence)
	}
	switch {
	case errors.Is(context.Cause(ctx), errSilent):
		err = errSilent
	case errors.Is(err, io.EOF):
		err = errEnded
	}
	return toError(err)
}
