package serve

import (
	"context"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/tap"

	"github.com/makeamends/amends/internal/auth"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// BenchmarkAdmission is what it costs a call to be let in, from its headers on,
// when there is little to do.
func BenchmarkAdmission(b *testing.B) {
	s := &Server{admission: newAdmission(1024, 2), guard: auth.Open()}
	s.open.most.Store(mostOpen)
	const method = recoveryv1.RecoveryService_ReportFailure_FullMethodName
	var caller context.Context
	head, info := &tap.Info{FullMethodName: method}, &grpc.UnaryServerInfo{FullMethod: method}
	req := &recoveryv1.ReportFailureRequest{}
	next := func(context.Context, any) (any, error) { return nil, nil }
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%100_000 == 0 { // they take much less than its time
			var cancel context.CancelFunc
			caller, cancel = context.WithTimeout(b.Context(), mostHeld)
			defer cancel()
		}
		ctx, err := s.tap(caller, head)
		if err == nil {
			_, err = s.admitUnary(ctx, req, info, next)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
