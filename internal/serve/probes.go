package serve

import (
	"container/list"
	"context"
	"strings"
	"sync"
	"time"
)

// mostProbes is how many health checks there may be for long of which only a part has
// come.
// Everybody may make them, and gRPC keeps up to 2 MiB of each until it is whole.
const mostProbes = 64

func healthCheck(method string) bool { return strings.HasPrefix(method, "/grpc.health.v1.Health/") }

// leastProbe is how long each of them has at any rate, so that nobody can keep others
// out: what is sent at once is whole by then.
const leastProbe = 250 * time.Millisecond

// probes are the health checks of which only a part has come and that may take their
// time, in the order in which they came.
type probes struct {
	mu   sync.Mutex
	most int
	list list.List
}

// probe is a health check of which only a part has come.
type probe struct {
	began time.Time
	late  *time.Timer // ends it
}

// add lets a health check begin. When there are too many, the one that came first must
// be done soon.
func (p *probes) add(late *time.Timer) (done func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.list.Len() >= p.most {
		first := p.list.Remove(p.list.Front()).(probe)
		if first.late.Stop() {
			first.late.Reset(leastProbe - now.Sub(first.began))
		}
	}
	e := p.list.PushBack(probe{now, late})
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		late.Stop()
		p.list.Remove(e)
	}
}

type probeKey struct{}

// probe has a health check end unless all of it comes soon. A watch lasts from then
// on.
func (s *Server) probe(ctx context.Context) context.Context {
	ctx, end := context.WithCancel(ctx)
	whole := s.probes.add(time.AfterFunc(callTime, end))
	context.AfterFunc(ctx, whole)
	return context.WithValue(ctx, probeKey{}, whole)
}

// hasCome says that the message of a call has come, if that is a health check.
func hasCome(ctx context.Context) {
	if whole, ok := ctx.Value(probeKey{}).(func()); ok {
		whole()
	}
}
