package serve

import (
	"container/list"
	"context"
	"strings"
	"sync"
	"time"
)

// mostProbes is how many health checks there may be of which only a part has come.
// Everybody may make them, and gRPC keeps up to 2 MiB of each until it is whole.
const mostProbes = 64

func healthCheck(method string) bool { return strings.HasPrefix(method, "/grpc.health.v1.Health/") }

// partial are calls of which only a part has come. When they are too many, the one
// goes that came first: what is sent at once is whole long before that, so that
// nobody can keep others out.
type partial struct {
	mu   sync.Mutex
	most int
	ends list.List // of what ends a call, in the order in which they came
}

// add counts a call until done; end may be called meanwhile.
func (p *partial) add(end func()) (done func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ends.Len() >= p.most {
		p.ends.Remove(p.ends.Front()).(func())()
	}
	e := p.ends.PushBack(end)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.ends.Remove(e)
	}
}

type probeKey struct{}

// probe has a health check end unless all of it comes soon. A watch lasts from then
// on.
func (s *Server) probe(ctx context.Context) context.Context {
	ctx, end := context.WithCancel(ctx)
	late := time.AfterFunc(callTime, end)
	done := s.probes.add(end)
	whole := func() {
		late.Stop()
		done()
	}
	context.AfterFunc(ctx, whole)
	return context.WithValue(ctx, probeKey{}, whole)
}

// hasCome says that the message of a call has come, if that is a health check.
func hasCome(ctx context.Context) {
	if whole, ok := ctx.Value(probeKey{}).(func()); ok {
		whole()
	}
}
