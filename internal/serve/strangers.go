package serve

import (
	"context"
	"sync"
)

// mostStrangers is how many calls may be open whose caller is not known yet. gRPC
// reads a whole message before the caller can be asked for, so that without this
// bound people who may do nothing could take all the calls that may be open, and
// the memory of as many messages.
const mostStrangers = 128

type strangerKey struct{}

// meet counts a call among those of strangers until its caller is known or it has
// ended; false: they are too many. Health checks are for everybody.
func (s *Server) meet(ctx context.Context, method string) (context.Context, bool) {
	if healthCheck(method) || s.guard.Known(credentialsOf(ctx)) {
		return ctx, true
	}
	if !s.strangers.take() {
		return ctx, false
	}
	known := sync.OnceFunc(s.strangers.give)
	context.AfterFunc(ctx, known)
	return context.WithValue(ctx, strangerKey{}, known), true
}

// met says that it was found out who makes a call.
func met(ctx context.Context) {
	if known, ok := ctx.Value(strangerKey{}).(func()); ok {
		known()
	}
}
