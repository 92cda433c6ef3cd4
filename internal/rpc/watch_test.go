package rpc

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc"

	"github.com/makeamends/amends/internal/auth"
	"github.com/makeamends/amends/internal/watch"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// asNobody is the stream of a caller who may act for no tenant.
type asNobody struct {
	grpc.ServerStreamingServer[recoveryv1.WatchCasesResponse]
	ctx context.Context
}

func (s asNobody) Context() context.Context { return s.ctx }

// TestWatchOfAnother: as with every method, the rules come first and the tenant
// second.
func TestWatchOfAnother(t *testing.T) {
	s, err := New(Config{Ledger: sealing{}, Watching: watch.New(watch.Config{Buckets: 1, Hash: sealing{}.Hash})})
	if err != nil {
		t.Fatal(err)
	}
	for tenant, want := range map[string]string{"A B": "INVALID_REQUEST", "acme": "PERMISSION_DENIED", "": "PERMISSION_DENIED"} {
		err := s.WatchCases(recoveryv1.WatchCasesRequest_builder{Tenant: tenant}.Build(), asNobody{ctx: auth.WithPlace(t.Context())})
		if got := Refuse(t.Context(), err).Reason(); got != want {
			t.Errorf("tenant %q: %s, want %s", tenant, got, want)
		}
		_, err = s.ListCases(auth.WithPlace(t.Context()), recoveryv1.ListCasesRequest_builder{Tenant: tenant}.Build())
		if got := Refuse(t.Context(), err).Reason(); got != want {
			t.Errorf("tenant %q of a list: %s, want %s", tenant, got, want)
		}
	}
	_, err = s.ListCases(auth.WithPlace(t.Context()), recoveryv1.ListCasesRequest_builder{Tenant: "acme", PageToken: "xx"}.Build())
	if broken := (*InvalidError)(nil); !errors.As(err, &broken) {
		t.Errorf("a token for another tenant: %v", err)
	}
}
