package main

import (
	"cmp"
	"context"
	"errors"
	"math"
	"time"

	"github.com/makeamends/amends/client"
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
	client     *client.Client
	events     recoveryv1.WatchCasesRequest_builder
	// list asks for the cases as they stand, with which a feed begins that has no token; nil if only events are wanted.
	list *recoveryv1.ListCasesRequest_builder
	// anew is after how long the cases are listed again: no event tells of an erased customer. 0: never.
	anew time.Duration
	to   viewer

	isReached bool // the service has answered at some time
	failures  int  // in a row without an answer
	listedAt  time.Time
}

// tries is how often a service that was never reached is tried.
const tries = 5

// shortPause is how long a feed waits before it begins anew.
const shortPause = 100 * time.Millisecond

// run lasts until ctx ends, which is no error, or until the service refuses the call. A service that was never reached is an error after
// a few tries; one that is lost is waited for.
func (f *feed) run(ctx context.Context) error {
	for {
		err := f.follow(ctx)
		if ctx.Err() != nil {
			return nil
		}
		var e *client.Error
		switch {
		case !errors.As(err, &e):
			return err
		case isLost(e) && (f.isReached || f.failures < tries-1):
			f.failures++
			f.events.ResumeToken = ""
			f.to.lost(f.resync())
		case e.Temporary() && f.isReached: // the cases could not be listed
			f.to.told(onceLost(e))
		default:
			return f.connection.named(err, "")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(shortPause):
		}
	}
}

// isLost tells that the service cannot go on after the last token: what followed is gone, or the service has another store than the one that
// gave the token.
func isLost(e *client.Error) bool {
	return e.Reason == recoveryv1.ErrorReason_ERROR_REASON_RESYNC_REQUIRED
}

func onceLost(e *client.Error) string {
	return "the connection is lost (" + lostCause(e) + "); trying again"
}

// lostCause is why there is no connection. What gRPC says of a failed dial is mostly about gRPC.
func lostCause(e *client.Error) string {
	switch {
	case e.Reason == recoveryv1.ErrorReason_ERROR_REASON_SERVER_ENDING: // whether nothing is lost, only the next server can tell
		return "the server ends"
	case unreachable(e):
		return dialCause(e.Message)
	}
	return headline(e)
}

func (f *feed) resync() string {
	if f.list == nil {
		return "some events are lost: the service no longer has what followed the last one; going on from now"
	}
	return "some events are lost: the service no longer has what followed the last one; listing the cases anew"
}

// follow passes on what happens until the watch ends, which it does not merely because the connection is lost.
func (f *feed) follow(ctx context.Context) error {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	isFine := false
	lost := func(e *client.Error) {
		if f.failures++; !f.isReached && f.failures >= tries {
			giveUp(e)
			return
		}
		isFine = false
		f.to.told(onceLost(e))
	}
	for message, err := range f.client.Watch(ctx, f.events.Build(), lost) {
		if err != nil {
			return cmp.Or(context.Cause(ctx), err)
		}
		f.isReached, f.failures = true, 0
		if err := f.take(ctx, message, !isFine); err != nil {
			return err
		}
		isFine = true
	}
	return nil
}

// take passes on one message, and before it the cases as they stand where they are wanted: after the watch has begun, so that nothing falls
// between the two.
func (f *feed) take(ctx context.Context, message *recoveryv1.WatchCasesResponse, isBack bool) error {
	if f.list != nil && (f.events.ResumeToken == "" || f.anew > 0 && time.Since(f.listedAt) > f.anew) {
		cases, _, err := listCases(ctx, f.client, *f.list, math.MaxInt32)
		if err != nil {
			return err
		}
		f.listedAt = time.Now()
		if err := f.to.listed(cases, message.GetToken()); err != nil {
			return err
		}
	}
	if isBack {
		f.to.told("")
	}
	if message.HasEvent() {
		if err := f.to.happened(message.GetEvent()); err != nil {
			return err
		}
	}
	f.events.ResumeToken = message.GetToken()
	return nil
}
