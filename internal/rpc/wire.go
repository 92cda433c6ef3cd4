package rpc

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	protocodec "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// How large a message may be, in bytes. Batches may be larger than the rest.
const (
	MostBytes      = 256 << 10
	MostBatchBytes = 1 << 20
)

// gRPC answers bytes that are no message with INTERNAL before any interceptor
// sees the call. Here they are the caller's fault, and pass the whole chain, so
// that they are answered, logged and counted like any other: a message is read
// into an inbound, which keeps the fault for later.

var (
	errMalformed = errors.New("the bytes are not the message of this method")
	errTooLarge  = errors.New("the message is too large")
)

// inbound is a message on its way in.
type inbound struct {
	message any
	fault   error
}

// Codec is gRPC's codec for protobuf, which also reads messages for services
// registered through [Tolerant].
func Codec() encoding.CodecV2 { return codec{encoding.GetCodecV2(protocodec.Name)} }

type codec struct{ encoding.CodecV2 }

func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	in, ok := v.(*inbound)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	switch {
	case data.Len() > mostBytes(in.message):
		in.fault = errTooLarge
	case c.CodecV2.Unmarshal(data, in.message) != nil:
		in.fault = errMalformed
	}
	return nil
}

func mostBytes(message any) int {
	switch message.(type) {
	case *recoveryv1.RecordInteractionsRequest, *recoveryv1.IngestRequest:
		return MostBatchBytes
	default:
		return MostBytes
	}
}

// Tolerant registers services so that the interceptors see a call before its message
// is read, which one of them must do, with [Read]. The server must use [Codec].
func Tolerant(on grpc.ServiceRegistrar) grpc.ServiceRegistrar { return tolerant{on} }

type tolerant struct{ grpc.ServiceRegistrar }

func (t tolerant) RegisterService(desc *grpc.ServiceDesc, impl any) {
	d := *desc
	d.Methods = make([]grpc.MethodDesc, len(desc.Methods))
	for i, m := range desc.Methods {
		d.Methods[i] = grpc.MethodDesc{MethodName: m.MethodName, Handler: tolerate(m.Handler)}
	}
	d.Streams = make([]grpc.StreamDesc, len(desc.Streams))
	for i, s := range desc.Streams {
		handler := s.Handler
		s.Handler = func(srv any, stream grpc.ServerStream) error { return handler(srv, tolerantStream{stream}) }
		d.Streams[i] = s
	}
	t.ServiceRegistrar.RegisterService(&d, impl)
}

// tolerate gives the interceptors an unread in place of the message.
func tolerate(handler grpc.MethodHandler) grpc.MethodHandler {
	return func(srv any, ctx context.Context, decode func(any) error, chain grpc.UnaryServerInterceptor) (any, error) {
		u := &unread{decode: decode}
		keep := func(message any) error {
			u.message = message
			return nil
		}
		begin := func(ctx context.Context, _ any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			return chain(ctx, u, info, next)
		}
		return handler(srv, ctx, keep, begin)
	}
}

// unread is a request whose message has not been read.
type unread struct {
	inbound
	decode func(any) error
}

// Read reads the message of a call, once. It waits until all of it has come.
func Read(req any) (message any, err error) {
	u := req.(*unread)
	if err := u.decode(&u.inbound); err != nil {
		return nil, &wireError{err}
	}
	if u.fault != nil {
		return nil, &wireError{u.fault}
	}
	return u.message, nil
}

// wireError is a fault of the bytes, or of their transport.
type wireError struct{ cause error }

func (e *wireError) Error() string { return "read request: " + e.cause.Error() }
func (e *wireError) Unwrap() error { return e.cause }

// isUnreadable reports whether a message came that cannot be read. The stream goes on
// behind it.
func isUnreadable(err error) bool { return errors.Is(err, errTooLarge) || errors.Is(err, errMalformed) }

// tolerantStream reads messages like Read does.
type tolerantStream struct{ grpc.ServerStream }

func (s tolerantStream) RecvMsg(message any) error {
	in := inbound{message: message}
	if err := s.ServerStream.RecvMsg(&in); err != nil {
		return err
	}
	if in.fault != nil {
		return &wireError{in.fault}
	}
	return nil
}
