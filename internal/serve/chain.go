package serve

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/makeamends/amends/internal/auth"
	"github.com/makeamends/amends/internal/panics"
	"github.com/makeamends/amends/internal/rpc"
	"github.com/makeamends/amends/internal/telemetry"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// What one connection can take; docs/limits.md lists these with all other limits.
const (
	mostStreamsEach  = 256
	mostHeaderBytes  = 16 << 10
	handshakeTime    = 5 * time.Second
	silentTime       = 30 * time.Second // after that the other side is asked whether it is there
	silentWait       = 10 * time.Second // for the answer
	leastPingPause   = 10 * time.Second
	idleTime         = 5 * time.Minute
	connectionAge    = 20 * time.Minute
	connectionGrace  = 30 * time.Second
	mostMessageBytes = 2 * rpc.MostBatchBytes
	mostUnreadBytes  = 256 << 10 // of one stream
	mostUnreadEach   = 1 << 20   // on the way of one connection
)

// Transport gives the options of the gRPC server that do not depend on what it serves:
// bounds on what one caller can take, and how its goroutines live. What the service is
// measured beside has them, too.
func Transport() []grpc.ServerOption {
	return []grpc.ServerOption{
		// Goroutines that live on keep the stacks that the calls have grown.
		grpc.NumStreamWorkers(64),
		grpc.MaxConcurrentStreams(mostStreamsEach),
		// More than any method takes: what lies between is refused with a
		// reason, while gRPC's own refusal has none.
		grpc.MaxRecvMsgSize(mostMessageBytes),
		grpc.MaxHeaderListSize(mostHeaderBytes),
		// Of its own accord gRPC takes in up to 16 MiB of a stream that is not read.
		grpc.StaticStreamWindowSize(mostUnreadBytes),
		grpc.StaticConnWindowSize(mostUnreadEach),
		grpc.ConnectionTimeout(handshakeTime),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: silentTime, Timeout: silentWait,
			// One without any call takes the place of others.
			MaxConnectionIdle: idleTime,
			// Long-lived connections are closed now and then, so that callers
			// spread over servers that were added.
			MaxConnectionAge: connectionAge, MaxConnectionAgeGrace: connectionGrace,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: leastPingPause, PermitWithoutStream: true}),
	}
}

// options are those of the service's own server.
func (s *Server) options(service *rpc.Service) []grpc.ServerOption {
	options := append(Transport(),
		grpc.ForceServerCodecV2(rpc.Codec()),
		grpc.StatsHandler(s.telemetry.GRPC(s.offered)),
		grpc.InTapHandle(s.tap),
		// Outermost first: the log sees what the caller gets, and everything
		// that fails behind refuse is answered from one table.
		grpc.ChainUnaryInterceptor(s.logUnary, rpc.RefuseUnary, catchUnary, s.identifyUnary, s.admitUnary, service.InspectUnary),
		grpc.ChainStreamInterceptor(s.logStream, rpc.RefuseStream, catchStream, s.identifyStream, s.admitStream, s.endStream),
		grpc.UnknownServiceHandler(rpc.UnknownMethod),
	)
	if s.config.encrypts() {
		options = append(options, grpc.Creds(s.credentials()))
	}
	return options
}

// logUnary counts each call and writes one line about it, with its trace but
// never with an id or a text of the caller.
func (s *Server) logUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	c := s.begin(info.FullMethod)
	ctx = auth.WithPlace(ctx)
	resp, err := next(ctx, req)
	s.end(ctx, c, err)
	return resp, err
}

func (s *Server) logStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	c := s.begin(info.FullMethod)
	ctx := auth.WithPlace(stream.Context())
	s.config.Logger.LogAttrs(ctx, slog.LevelDebug, "stream", slog.String("method", c.method.Name))
	err := next(srv, endingStream{stream, ctx})
	s.end(ctx, c, err)
	return err
}

// call is one call or stream under way.
type call struct {
	method *telemetry.Method
	start  time.Time
}

func (s *Server) begin(method string) call {
	c := call{s.method(method), time.Now()}
	c.method.Begun()
	return c
}

// catchUnary makes a panic of a handler end one call, not the process.
func catchUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	defer panics.Catch(&err)
	return next(ctx, req)
}

func catchStream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer panics.Catch(&err)
	return next(srv, stream)
}

// endStream ends streams when the server drains: they would last for ever.
func (s *Server) endStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	defer context.AfterFunc(s.streams, func() { cancel(rpc.ErrEnding) })()
	stream = endingStream{stream, ctx}
	if info.FullMethod != recoveryv1.RecoveryService_Ingest_FullMethodName { // which receives in a goroutine of its own
		stream = wakingStream{stream}
	}
	return next(srv, stream)
}

// endingStream is a stream with a context of its own.
type endingStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (e endingStream) Context() context.Context { return e.ctx }

// wakingStream stops waiting for a message when its context ends. gRPC's own stream
// goes on waiting until the whole call ends, which the server may be waiting for.
type wakingStream struct{ grpc.ServerStream }

func (w wakingStream) RecvMsg(message any) error {
	came := make(chan error, 1)
	go func() { came <- panics.Caught(func() error { return w.ServerStream.RecvMsg(message) }) }()
	select {
	case <-w.Context().Done():
		return context.Cause(w.Context())
	case err := <-came:
		hasCome(w.Context())
		return err
	}
}
