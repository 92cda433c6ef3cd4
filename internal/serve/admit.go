package serve

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/tap"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/rpc"
)

// How long a unary call may take, from its headers to its answer. Callers set
// what they like, up to mostCallTime.
const (
	callTime     = 5 * time.Second // unless the caller says
	mostCallTime = 30 * time.Second
)

// mostHeld is how far away the deadline of a call may be that the tap refuses:
// gRPC keeps what it made for the deadline until it passes. A call with a later
// one is refused all the same, but only when it has begun.
const mostHeld = 10 * time.Second

// tap sees the headers of every call before a goroutine is made for it, so what
// it refuses costs little. It also sets the deadline there: a caller who sends
// the headers and no message must not hold a goroutine for ever.
func (s *Server) tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	method := info.FullMethodName
	if healthCheck(method) {
		return s.probe(ctx), nil
	}
	limit, left := callTime, time.Duration(0)
	end, own := ctx.Deadline()
	if own {
		limit, left = mostCallTime, time.Until(end)
	}
	early := left < mostHeld
	k, unary := kinds[method]
	switch {
	case early && s.open.full():
		return nil, s.refuseEarly(method, overloaded())
	case early && !unary && !strings.Contains(strings.TrimPrefix(method, "/"), "/"):
		// gRPC would refuse it with a text that holds what the caller sent.
		return nil, s.refuseEarly(method, rpc.Refuse(ctx, rpc.UnknownMethod(nil, nil)))
	case !unary:
		return ctx, nil
	}
	var p *place
	if early && s.guard.Known(credentialsOf(ctx)) { // nobody else may keep callers out
		var ok bool
		if p, ok = s.admission.announce(ctx, k.class); !ok {
			return nil, s.refuseEarly(method, overloaded())
		}
	} else {
		p = &place{admission: s.admission}
	}
	if !own || left > limit {
		ctx, p.expire = context.WithTimeout(ctx, limit)
	}
	return context.WithValue(ctx, placeKey{}, p), nil
}

// refuseEarly refuses a call before the interceptors see it, and counts it in their
// place.
func (s *Server) refuseEarly(method string, refused *rpc.RefusedError) error {
	m := s.method(method)
	m.Begun()
	m.Ended(refused.GRPCStatus().Code(), refused.Reason())
	return refused.GRPCStatus().Err()
}

// overloads are refusals for load, made once: where there is much too much to do, a
// large part of what is done is refusing. They tell callers to come back at different
// times.
var overloads = sync.OnceValue(func() []*rpc.RefusedError {
	all := make([]*rpc.RefusedError, 256)
	for i := range all {
		all[i] = rpc.Refuse(context.Background(), ledger.ErrOverloaded)
	}
	return all
})

func overloaded() *rpc.RefusedError {
	all := overloads()
	return all[rand.N(len(all))]
}

// withdraw says that a call that was let come is refused for another reason: it
// takes nobody's turn.
func (s *Server) withdraw(ctx context.Context) {
	if p, ok := ctx.Value(placeKey{}).(*place); ok {
		s.admission.withdraw(p)
		p.over()
	}
}

// admitUnary reads the message of a call, and carries it out when its turn comes.
func (s *Server) admitUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	if req, err = rpc.Read(req); err != nil {
		s.withdraw(ctx)
		return nil, err
	}
	k, ok := kinds[info.FullMethod]
	if !ok {
		hasCome(ctx)
		return next(ctx, req)
	}
	p := ctx.Value(placeKey{}).(*place)
	defer p.over()
	k.class = classOf(k, req)
	if _, err := s.admission.enter(ctx, request{kind: k, was: p}); err != nil {
		return nil, err
	}
	well := false
	defer func() { p.end(well) }()
	resp, err = next(ctx, req)
	well = err == nil
	return resp, err
}

// admitItem lets an item of a stream wait for its turn.
func (s *Server) admitItem(ctx context.Context) (turn context.Context, done func(), err error) {
	p, err := s.admission.enter(ctx, request{kind: kind{bulk, unpaced}, patient: true})
	if err != nil {
		return nil, nil, err
	}
	return context.WithValue(ctx, placeKey{}, p), func() { p.end(true) }, nil
}

// tellEvery is how often the log says at most that calls are refused: those that
// the tap refuses have no line of their own.
const tellEvery = 5 * time.Second

// tellShed says how many calls were refused because there was too much to do.
func (s *Server) tellShed() {
	ticker := time.NewTicker(tellEvery)
	defer ticker.Stop()
	for told := uint64(0); ; {
		select {
		case <-s.background.Done():
			return
		case <-ticker.C:
		}
		if refused, limit := s.admission.report(); refused > told {
			s.config.Logger.Warn("overloaded: calls are refused", "calls", refused-told, "carried out at a time", limit)
			told = refused
		}
	}
}
