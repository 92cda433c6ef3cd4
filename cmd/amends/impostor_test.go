package main

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// impostor answers every call as answer says; calls are counted by method.
type impostor struct {
	address string
	mu      sync.Mutex
	calls   []call
}

type call struct {
	method  string
	request []byte
}

func newImpostor(t *testing.T, answer func(n int) error) *impostor {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	i := &impostor{address: listener.Addr().String()}
	server := grpc.NewServer(grpc.ForceServerCodecV2(anyBytes{}), grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		var request []byte
		if err := stream.RecvMsg(&request); err != nil {
			return err
		}
		method, _ := grpc.MethodFromServerStream(stream)
		i.mu.Lock()
		i.calls = append(i.calls, call{method, request})
		n := len(i.calls)
		i.mu.Unlock()
		if err := answer(n); err != nil {
			return err
		}
		return stream.SendMsg(&[]byte{})
	}))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { server.Stop(); <-ended })
	return i
}

// report is the n-th call, which must have reported a failure.
func (i *impostor) report(t *testing.T, n int) *recoveryv1.ReportFailureRequest {
	t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	if n >= len(i.calls) || i.calls[n].method != recoveryv1.RecoveryService_ReportFailure_FullMethodName {
		t.Fatalf("there is no call %d of ReportFailure", n)
	}
	request := &recoveryv1.ReportFailureRequest{}
	if err := proto.Unmarshal(i.calls[n].request, request); err != nil {
		t.Fatal(err)
	}
	return request
}

func (i *impostor) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.calls)
}

// anyBytes passes messages on as the bytes that they are.
type anyBytes struct{}

func (anyBytes) Name() string { return "proto" }

func (anyBytes) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.(*[]byte)
	if !ok {
		return nil, fmt.Errorf("%T is not bytes", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(*b)}, nil
}

func (anyBytes) Unmarshal(data mem.BufferSlice, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("%T is not bytes", v)
	}
	*b = data.Materialize()
	return nil
}
