package serve

import (
	"net"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/makeamends/amends/internal/ledger"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// How much may be open at a time, beside the calls that admission lets in.
const (
	mostConnections = 1024
	// Calls and streams, whatever they do, health checks apart: a caller may open
	// 256 on every connection and then say nothing.
	mostOpen    = 4096
	mostStreams = 1024 // watches, bulk loads and watches of the health, each kind for itself
)

// bound counts what is open.
type bound struct {
	most atomic.Int64
	open atomic.Int64
}

// take reports whether one more may be opened; give ends it.
func (b *bound) take() bool {
	if b.open.Add(1) > b.most.Load() {
		b.open.Add(-1)
		return false
	}
	return true
}

// full reports whether none may be opened now.
func (b *bound) full() bool { return b.open.Load() >= b.most.Load() }

func (b *bound) give() { b.open.Add(-1) }

// guarded is a listener that closes the connections that are too many at
// once: a caller who is left in the queue of the system would wait for nothing.
type guarded struct {
	net.Listener
	bound *bound
}

// Accept gives the next connection that is not one too many.
func (g guarded) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if g.bound.take() {
			return &counted{Conn: c, end: sync.OnceFunc(g.bound.give)}, nil
		}
		_ = c.Close() // who is refused learns it by that
	}
}

// counted is a connection that says when it ends.
type counted struct {
	net.Conn
	end func()
}

// Close ends the connection.
func (c *counted) Close() error {
	defer c.end()
	return c.Conn.Close()
}

// CloseWrite says that nothing more is sent.
func (c *counted) CloseWrite() error {
	if half, ok := c.Conn.(*net.TCPConn); ok {
		return half.CloseWrite()
	}
	return nil
}

// admitStream lets so many streams of a kind last at a time.
func (s *Server) admitStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	var b *bound
	switch info.FullMethod {
	case recoveryv1.RecoveryService_WatchCases_FullMethodName:
		b = &s.watches
	case recoveryv1.RecoveryService_Ingest_FullMethodName:
		b = &s.loads
	case healthv1.Health_Watch_FullMethodName:
		b = &s.healthWatch
	default:
		return next(srv, stream)
	}
	if !b.take() {
		return ledger.ErrOverloaded
	}
	defer b.give()
	return next(srv, stream)
}
