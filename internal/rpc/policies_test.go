package rpc

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/ledger"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// sealing is a ledger that makes hashes and nothing else.
type sealing struct{ Ledger }

func (sealing) Hash(domain, value string) string { return hex.EncodeToString([]byte(domain + value)) }

// shelf has policies, the active one among them.
type shelf struct {
	active string
	kept   []string

	reading chan struct{} // gives the end of each reading
}

func (s *shelf) Find(context.Context, string) (Policy, error) {
	return Policy{Version: s.active, Active: true, LoadedAt: noon}, nil
}

func (s *shelf) Versions(context.Context) ([]string, error) { return slices.Clone(s.kept), nil }

func (s *shelf) Check([]byte) (Policy, []Finding) {
	<-s.reading
	return Policy{}, nil
}

// Who waits for another's policy to be read waits no longer than its deadline.
func TestCheckPolicyInTurn(t *testing.T) {
	busy := &shelf{reading: make(chan struct{})}
	s := listing(t, busy)
	first := make(chan error)
	go func() {
		_, err := s.CheckPolicy(t.Context(), &recoveryv1.CheckPolicyRequest{})
		first <- err
	}()
	for s.checking.TryAcquire(1) {
		s.checking.Release(1)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.CheckPolicy(ctx, &recoveryv1.CheckPolicyRequest{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the second: %v", err)
	}
	if _, err := s.SimulatePolicy(ctx, recoveryv1.SimulatePolicyRequest_builder{Yaml: new("title: x")}.Build()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the third: %v", err)
	}
	if !s.checks.TryAcquire(mostChecks - 1) {
		t.Error("who waits no more keeps a place")
	}
	if _, err := s.CheckPolicy(t.Context(), &recoveryv1.CheckPolicyRequest{}); !errors.Is(err, ledger.ErrOverloaded) {
		t.Errorf("where many wait: %v", err)
	}
	close(busy.reading)
	if err := <-first; err != nil {
		t.Error(err)
	}
}

func listing(t *testing.T, on Shelf) *Service {
	s, err := New(Config{Ledger: sealing{}, Shelf: on})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Page by page every policy is listed once, the active one first, also when
// another becomes active between two pages: that one begins the next.
func TestListPoliciesOverAReload(t *testing.T) {
	for _, size := range []int32{1, 2, 3} {
		for _, reloaded := range []string{"p-0", "p-4", "p-9"} {
			t.Run(fmt.Sprintf("%s on pages of %d", reloaded, size), func(t *testing.T) {
				kept := &shelf{active: "p-5", kept: []string{"p-7", "p-1", "p-5", "p-3", "p-8"}}
				s := listing(t, kept)
				var listed, begin []string
				for token := ""; ; {
					answer, err := s.ListPolicies(t.Context(), recoveryv1.ListPoliciesRequest_builder{PageSize: size, PageToken: token}.Build())
					if err != nil {
						t.Fatal(err)
					}
					for i, p := range answer.GetPolicies() {
						listed = append(listed, p.GetVersion())
						if i == 0 {
							begin = append(begin, p.GetVersion())
						}
						if active := p.GetVersion() == kept.active; p.GetActive() != active || p.HasLoadedAt() != active {
							t.Errorf("%v while %s is active", p, kept.active)
						}
					}
					if token == "" {
						kept.active, kept.kept = reloaded, append(kept.kept, reloaded)
					}
					if token = answer.GetNextPageToken(); token == "" || len(listed) > 9 {
						break
					}
				}
				if begin[0] != "p-5" || begin[1] != reloaded {
					t.Errorf("the pages begin with %v", begin)
				}
				slices.Sort(listed)
				slices.Sort(kept.kept)
				if !slices.Equal(listed, kept.kept) {
					t.Errorf("listed %v, want %v", listed, kept.kept)
				}
			})
		}
	}
}

// One that is active again begins the next page once more, and only that.
func TestListPoliciesOverAReloadAndBack(t *testing.T) {
	kept := &shelf{kept: []string{"p-1", "p-3", "p-5", "p-7"}}
	s := listing(t, kept)
	var listed []string
	token := ""
	for _, kept.active = range []string{"p-5", "p-1", "p-5", "p-5", "p-5"} {
		answer, err := s.ListPolicies(t.Context(), recoveryv1.ListPoliciesRequest_builder{PageSize: 1, PageToken: token}.Build())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range answer.GetPolicies() {
			listed = append(listed, p.GetVersion())
		}
		token = answer.GetNextPageToken()
	}
	if want := []string{"p-5", "p-1", "p-5", "p-3", "p-7"}; !slices.Equal(listed, want) || token != "" {
		t.Errorf("listed %v, want %v; then %q", listed, want, token)
	}
}
