package auth

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

const getCase = "/recovery.v1.RecoveryService/GetCase"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// readers is an access file with one reader per name, each with these limits.
func readers(t *testing.T, limits string, names ...string) *Access {
	t.Helper()
	var b strings.Builder
	b.WriteString("callers:\n")
	for _, name := range names {
		fmt.Fprintf(&b, "  - {name: %s, roles: [reader], tenants: [default], certificates: [{common_name: %s}], limits: {%s}}\n", name, name, limits)
	}
	return parse(t, b.String())
}

func parse(t *testing.T, text string) *Access {
	t.Helper()
	a, findings := Parse("access.yaml", []byte(text))
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	return a
}

// by is a certificate with that common name, valid for a day.
func by(name string) Credentials {
	c := &x509.Certificate{NotAfter: time.Now().Add(24 * time.Hour)}
	c.Subject.CommonName = name
	return Credentials{Certificate: c}
}

// call admits one call that ends at once.
func call(t *testing.T, g *Guard, name, method string) error {
	t.Helper()
	a, err := g.Admit(t.Context(), method, by(name))
	if err == nil {
		a.Leave()
	}
	return err
}

// refusedFor is how long a refused caller is told to wait.
func refusedFor(t *testing.T, err error) time.Duration {
	t.Helper()
	var limit *LimitError
	if !errors.As(err, &limit) {
		t.Fatalf("%v, want a limit to be reached", err)
	}
	return limit.RetryAfter
}

func TestCallsASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGuard(t.Context(), readers(t, "calls_per_second: 2, burst: 3", "a", "b"), nil, func(bool) {})
		defer g.Close()
		for range 3 {
			if err := call(t, g, "a", getCase); err != nil {
				t.Fatal(err)
			}
		}
		if wait := refusedFor(t, call(t, g, "a", getCase)); wait != 500*time.Millisecond {
			t.Errorf("told to wait %v, want 500ms", wait)
		}
		if err := call(t, g, "b", getCase); err != nil {
			t.Errorf("another caller suffers: %v", err)
		}
		time.Sleep(200 * time.Millisecond)
		if wait := refusedFor(t, call(t, g, "a", getCase)); wait != 300*time.Millisecond {
			t.Errorf("told to wait %v, want 300ms", wait)
		}
		time.Sleep(300 * time.Millisecond)
		if err := call(t, g, "a", getCase); err != nil {
			t.Errorf("after the wait it was told: %v", err)
		}
		refusedFor(t, call(t, g, "a", getCase))
		if err := call(t, g, "a", "/grpc.health.v1.Health/Check"); err != nil {
			t.Errorf("a health check counts: %v", err)
		}
		// What is not allowed counts too: it is a call.
		time.Sleep(time.Second)
		for range 2 {
			if err := call(t, g, "a", "/recovery.v1.RecoveryService/EraseCustomer"); !errors.Is(err, ErrRole) {
				t.Errorf("%v, want it denied", err)
			}
		}
		refusedFor(t, call(t, g, "a", getCase))
	})
}

func TestCallsAtOnce(t *testing.T) {
	g := NewGuard(t.Context(), readers(t, "calls_at_once: 2", "a", "b"), nil, func(bool) {})
	defer g.Close()
	admit := func(name string) (*Pass, error) { return g.Admit(t.Context(), getCase, by(name)) }
	first, err := admit("a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admit("a"); err != nil {
		t.Fatal(err)
	}
	_, err = admit("a")
	if wait := refusedFor(t, err); wait <= 0 {
		t.Errorf("told to wait %v", wait)
	}
	if _, err := admit("b"); err != nil {
		t.Errorf("another caller suffers: %v", err)
	}
	if _, err := g.Admit(t.Context(), "/grpc.health.v1.Health/Watch", by("a")); err != nil {
		t.Errorf("a health check counts: %v", err)
	}
	// A change of the file forgets nothing.
	g.Adopt(readers(t, "calls_at_once: 2, burst: 7", "a", "b"))
	if _, err := admit("a"); err == nil {
		t.Error("a change of the file gave a fresh start")
	}
	first.Leave()
	if _, err := admit("a"); err != nil {
		t.Errorf("after a call has ended: %v", err)
	}
	// Nor do calls that are denied leave anything behind.
	for range 5 {
		if err := call(t, g, "b", "/recovery.v1.RecoveryService/EraseCustomer"); !errors.Is(err, ErrRole) {
			t.Fatal(err)
		}
	}
}

// A pass is void when the file says something else of its caller, and only
// then, or when the certificate has expired.
func TestPassesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGuard(t.Context(), readers(t, "burst: 5", "same", "other", "gone"), nil, func(bool) {})
		defer g.Close()
		var ended [3]atomic.Bool
		for i, name := range []string{"same", "other", "gone"} {
			a, err := g.Admit(t.Context(), getCase, by(name))
			if err != nil {
				t.Fatal(err)
			}
			defer a.WhenVoid(func() { ended[i].Store(true) })()
		}
		g.Adopt(readers(t, "burst: 5", "same", "other", "gone", "new"))
		synctest.Wait()
		for i := range ended {
			if ended[i].Load() {
				t.Errorf("caller %d suffers from one behind it", i)
			}
		}
		g.Adopt(parse(t, `
callers:
  - {name: same, roles: [reader], tenants: [default], certificates: [{common_name: same}], limits: {burst: 5}}
  - {name: other, roles: [reader], tenants: [shop], certificates: [{common_name: other}], limits: {burst: 5}}
`))
		synctest.Wait()
		if got := fmt.Sprint(ended[0].Load(), ended[1].Load(), ended[2].Load()); got != "false true true" {
			t.Errorf("ended are %s, want those of which the file says something else", got)
		}
		time.Sleep(24*time.Hour + time.Second)
		synctest.Wait()
		if !ended[0].Load() {
			t.Error("goes on with a certificate that has expired")
		}
	})
}

// A pass is void too when another caller may be meant by now, since the first one
// that fits counts: what stands before its caller is not all that stood there. What
// it has used up of its limits stays.
func TestPassesEndBehindOthers(t *testing.T) {
	const (
		first   = "  - {name: first, roles: [reader], tenants: [default], certificates: [{uri: a}, {uri: b}]}\n"
		less    = "  - {name: first, roles: [reader], tenants: [default], certificates: [{uri: a}]}\n"
		another = "  - {name: first, roles: [reader], tenants: [default], certificates: [{uri: a}, {uri: x}]}\n"
		may     = "  - {name: first, roles: [agent], tenants: [shop], certificates: [{uri: b}, {uri: a}]}\n"
		desk    = "  - {name: desk, roles: [reader], tenants: [default], certificates: [{uri: desk}], limits: {calls_at_once: 1}}\n"
		last    = "  - {name: last, roles: [reader], tenants: [default], certificates: [{uri: last}]}\n"
		off     = "  - {name: off, roles: [privacy], tenants: [none], certificates: [{uri: mallory}]}\n"
	)
	for name, test := range map[string]struct {
		next string
		void bool
	}{
		"nothing new":                   {first + desk + last, false},
		"one before it":                 {first + off + desk + last, true},
		"one before all":                {off + first + desk + last, true},
		"one behind it":                 {first + desk + off + last, false},
		"before it, known by more":      {another + desk + last, true},
		"before it, known by less":      {less + desk + last, false},
		"before it, may something else": {may + desk + last, false},
		"none before it":                {desk + last, false},
		"what was before it is behind":  {desk + first + last, false},
		"what was behind it is before":  {first + last + desk, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := NewGuard(t.Context(), parse(t, "callers:\n"+first+desk+last), nil, func(bool) {})
				defer g.Close()
				shown := &x509.Certificate{NotAfter: time.Now().Add(time.Hour), URIs: []*url.URL{{Path: "desk"}}}
				pass, err := g.Admit(t.Context(), getCase, Credentials{Certificate: shown})
				if err != nil {
					t.Fatal(err)
				}
				var ended atomic.Bool
				defer pass.WhenVoid(func() { ended.Store(true) })()
				g.Adopt(parse(t, "callers:\n"+test.next))
				synctest.Wait()
				if ended.Load() != test.void {
					t.Errorf("ended: %v, want %v", ended.Load(), test.void)
				}
				_, err = g.Admit(t.Context(), getCase, Credentials{Certificate: shown})
				refusedFor(t, err)
			})
		})
	}
}

func TestCallsEndBeforeTheirPass(t *testing.T) {
	g := NewGuard(t.Context(), readers(t, "burst: 5", "a"), nil, func(bool) {})
	defer g.Close()
	a, err := g.Admit(t.Context(), getCase, by("a"))
	if err != nil {
		t.Fatal(err)
	}
	a.WhenVoid(func() { t.Error("ended after its end") })()
	a.Leave()
	g.Adopt(readers(t, "burst: 6", "a"))
}

// Where nobody is asked, everybody may do everything.
func TestOpen(t *testing.T) {
	g := Open()
	defer g.Close()
	ctx := WithPlace(t.Context())
	a, err := g.Admit(ctx, "/anything", Credentials{Authorization: []string{"x", "y"}})
	if err != nil || !CallerOf(ctx).ActsFor("any") || CallerOf(ctx).Name != "" {
		t.Errorf("%v, %+v", err, CallerOf(ctx))
	}
	a.WhenVoid(func() { t.Error("void") })()
	if err := a.Wait(context.Background()); err != nil {
		t.Error(err)
	}
	a.Leave()
}
