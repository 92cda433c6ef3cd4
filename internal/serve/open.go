package serve

import (
	"context"
	"strings"

	"google.golang.org/grpc/stats"
)

// mostOpen is how many calls and streams may be open in the process, whatever
// they do, health checks apart: a caller may open 256 on every connection and
// then say nothing.
const mostOpen = 4096

// open counts the calls and streams that are open.
type open struct{ bound }

// full reports whether none of the method may be opened.
func (o *open) full(method string) bool {
	return o.bound.open.Load() >= o.most.Load() && !healthCheck(method)
}

func healthCheck(method string) bool { return strings.HasPrefix(method, "/grpc.health.v1.Health/") }

type healthKey struct{}

// TagRPC marks health checks.
func (o *open) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	if healthCheck(info.FullMethodName) {
		return context.WithValue(ctx, healthKey{}, true)
	}
	return ctx
}

// HandleRPC counts.
func (o *open) HandleRPC(ctx context.Context, event stats.RPCStats) {
	switch event.(type) {
	case *stats.Begin, *stats.End:
	default:
		return
	}
	if ctx.Value(healthKey{}) != nil {
		return
	}
	if _, begins := event.(*stats.Begin); begins {
		o.bound.open.Add(1)
	} else {
		o.give()
	}
}

// TagConn changes nothing.
func (o *open) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn does nothing.
func (o *open) HandleConn(context.Context, stats.ConnStats) {}
