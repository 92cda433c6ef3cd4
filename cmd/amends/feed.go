package main

import (
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// viewer is who watches cases.
type viewer interface {
	// listed takes in all cases as they stand. What happens from the token on is not in them, or comes again.
	listed(cases []*recoveryv1.Case, token string) error
	// happened takes in one event.
	happened(*recoveryv1.CaseEvent) error
	// told takes in what is wrong between here and the service; empty if all is well.
	told(note string)
	// lost takes in that some events will never be seen, which stays true when all is well again.
	lost(note string)
}

// feed brings a viewer what happens to cases, across any number of lost connections: each goes on with the token of what came last.
type feed struct {
	connection *connection
	client     recoveryv1.RecoveryServiceClient
	events     recoveryv1.WatchCasesRequest_builder
	// list asks for the cases as they stand, with which a feed begins that has no token; nil if only events are wanted.
	list *recoveryv1.ListCasesRequest_builder
	// anew is after how long the cases are listed again: no event tells of an erased customer. 0: never.
	anew time.Duration
	to   viewer

	listedAt time.Time
}

// A feed hears of the service every few seconds, if only that nothing happened. When it does not for so long, the connection is dead.
const mostSilence = time.Minute

// longestPause is how long a feed waits at most, on average, before it tries to connect again.
const longestPause = 5 * time.Second

var errEnded = status.Error(codes.Unavailable, "the service ended the stream")

// run lasts until ctx ends, which is no error, or until the service refuses the call. A service that was never reached is an error after
// a few tries; one that is lost is waited for.
func (f *feed) run(ctx context.Context) error {
	isReached, failures := false, 0
	for {
		err := f.follow(ctx, func() { isReached, failures = true, 0 })
		if ctx.Err() != nil {
			return nil
		}
		s, isStatus := status.FromError(err)
		switch failures++; {
		case !isStatus:
			return err
		case f.isLost(s, isReached) && (isReached || failures < tries):
			if isReached && f.events.ResumeToken != "" {
				failures = 1 // it answers: no need to wait long
			}
			f.events.ResumeToken = ""
			f.to.lost(f.resync())
		case !isPassing(s.Code()), !isReached && failures == tries:
			return &callError{err: err, server: f.connection.server}
		default:
			f.to.told("the connection is lost (" + lostCause(s) + "); trying again")
		}
		pause := min(firstPause<<min(failures-1, 10), longestPause)
		if !wait(ctx, pause/2+rand.N(pause)) {
			return nil
		}
	}
}

// isLost tells that the service cannot go on after the last token: what followed is gone, or the service has another store than the one that
// gave the token.
func (f *feed) isLost(s *status.Status, isReached bool) bool {
	return reason(s) == "RESYNC_REQUIRED" || isReached && s.Code() == codes.InvalidArgument && f.events.ResumeToken != ""
}

// lostCause is why there is no connection. What gRPC says of a failed dial is mostly about gRPC.
func lostCause(s *status.Status) string {
	switch {
	case reason(s) == "SERVER_ENDING": // whether nothing is lost, only the next server can tell
		return "the server ends"
	case unreachable(s):
		return dialCause(s.Message())
	}
	return headline(s)
}

func (f *feed) resync() string {
	if f.list == nil {
		return "some events are lost: the service no longer has what followed the last one; going on from now"
	}
	return "some events are lost: the service no longer has what followed the last one; listing the cases anew"
}

// isPassing tells errors that may go away from refusals.
func isPassing(code codes.Code) bool {
	switch code {
	case codes.Unavailable, codes.ResourceExhausted, codes.Aborted, codes.DeadlineExceeded, codes.Canceled, codes.Internal, codes.Unknown:
		return true
	default:
		return false
	}
}

// follow passes on one stream until it ends, and calls alive as soon as the service answers.
func (f *feed) follow(ctx context.Context, alive func()) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(f.connection.timeout, func() {
		cancel(status.Error(codes.DeadlineExceeded, "nothing was heard of the service for too long"))
	})
	defer silence.Stop()
	stream, err := f.client.WatchCases(ctx, f.events.Build())
	for isFirst := true; err == nil; isFirst = false {
		var message *recoveryv1.WatchCasesResponse
		if message, err = stream.Recv(); err != nil {
			break
		}
		silence.Stop()
		switch {
		case isFirst:
			alive()
			err = f.begin(ctx, message.GetToken())
		case f.list != nil && f.anew > 0 && time.Since(f.listedAt) > f.anew:
			err = f.standing(ctx, message.GetToken())
		}
		if err == nil && message.HasEvent() {
			err = f.to.happened(message.GetEvent())
		}
		f.events.ResumeToken = message.GetToken()
		silence.Reset(mostSilence)
	}
	if cause := context.Cause(ctx); status.Code(err) == codes.Canceled && cause != nil {
		return cause
	}
	if errors.Is(err, io.EOF) {
		return errEnded
	}
	return err
}

// begin tells the viewer the cases as they stand, if the stream does not go on from an earlier one. They are asked for after the stream has
// begun, so that nothing falls between the two.
func (f *feed) begin(ctx context.Context, token string) error {
	if f.list != nil && f.events.ResumeToken == "" {
		if err := f.standing(ctx, token); err != nil {
			return err
		}
	}
	f.to.told("")
	return nil
}

func (f *feed) standing(ctx context.Context, token string) error {
	cases, _, err := f.connection.cases(ctx, f.client, *f.list, math.MaxInt32)
	if err != nil {
		return err
	}
	f.listedAt = time.Now()
	return f.to.listed(cases, token)
}
