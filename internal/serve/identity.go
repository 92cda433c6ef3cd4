package serve

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/makeamends/amends/internal/auth"
	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/rpc"
)

// credentialsOf are what came with a call. A certificate counts only if it was
// verified.
func credentialsOf(ctx context.Context) auth.Credentials {
	c := auth.Credentials{Authorization: metadata.ValueFromIncomingContext(ctx, "authorization")}
	if p, ok := peer.FromContext(ctx); ok {
		if info, ok := p.AuthInfo.(credentials.TLSInfo); ok && len(info.State.VerifiedChains) > 0 {
			c.Certificate = info.State.VerifiedChains[0][0]
		}
	}
	return c
}

// letIn lets in who may make the call, if not too much is open. It needs the headers
// alone: a message is read only when it is known who sends it, so that people who are
// nobody can make the server hold nothing.
func (s *Server) letIn(ctx context.Context, method string) (*auth.Pass, error) {
	pass, err := s.guard.Admit(ctx, method, credentialsOf(ctx))
	switch {
	case errors.Is(err, auth.ErrCrowd):
		return nil, ledger.ErrOverloaded
	case err != nil:
		return nil, err
	case !healthCheck(method) && !s.open.take():
		pass.Leave()
		return nil, ledger.ErrOverloaded
	}
	return pass, nil
}

// letOut says that a call that was let in has ended.
func (s *Server) letOut(method string, pass *auth.Pass) {
	if !healthCheck(method) {
		s.open.give()
	}
	pass.Leave()
}

// identifyUnary lets in who may make the call.
func (s *Server) identifyUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	pass, err := s.letIn(ctx, info.FullMethod)
	if err != nil {
		s.withdraw(ctx)
		return nil, err
	}
	defer s.letOut(info.FullMethod, pass)
	return next(ctx, req)
}

// voidError is the cause with which a stream ends whose caller has other rights now.
// The caller is told what a server that ends tells: call again.
type voidError struct{}

func (voidError) Error() string        { return "the rights of the caller have changed or expired" }
func (voidError) Is(target error) bool { return target == rpc.ErrEnding }

// identifyStream does the same for streams, which end when the pass is void: who
// calls again is judged anew.
func (s *Server) identifyStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	pass, err := s.letIn(stream.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	defer s.letOut(info.FullMethod, pass)
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	defer pass.WhenVoid(func() { cancel(voidError{}) })()
	stream = endingStream{stream, ctx}
	if info.IsClientStream {
		stream = pacedStream{stream, pass}
	}
	return next(srv, stream)
}

// pacedStream lets what the caller sends wait for its turn.
type pacedStream struct {
	grpc.ServerStream
	pass *auth.Pass
}

func (p pacedStream) RecvMsg(message any) error {
	if err := p.ServerStream.RecvMsg(message); err != nil {
		return err
	}
	if err := p.pass.Wait(p.Context()); err != nil {
		if cause := context.Cause(p.Context()); cause != nil {
			return cause
		}
		return context.DeadlineExceeded // the turn would come too late
	}
	return nil
}
