package auth

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/authtest"
)

// provider is an identity provider on this machine.
type provider struct {
	*httptest.Server
	mu      sync.Mutex
	keys    []byte
	called  string // what it calls itself; empty: by its address
	stalled chan struct{}
	asked   atomic.Int64 // for its keys
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		called := p.called
		if called == "" {
			called = p.URL
		}
		fmt.Fprintf(w, `{"issuer": %q, "jwks_uri": %q}`, called, p.URL+"/keys")
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		p.mu.Lock()
		keys, stalled := p.keys, p.stalled
		p.mu.Unlock()
		if stalled != nil {
			select {
			case <-stalled:
			case <-r.Context().Done():
			}
			return
		}
		_, _ = w.Write(keys)
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *provider) publish(keys []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = keys
}

func (p *provider) guard(t *testing.T) *Guard {
	t.Helper()
	return guard(t, parse(t, fmt.Sprintf(`
issuers: [{issuer: %q, audiences: [amends], algorithms: [ES256], discover: true}]
callers: [{name: desk, roles: [reader], tenants: [default], tokens: [{issuer: %q, subject: u}]}]
`, p.URL, p.URL)))
}

func TestKeysAreDiscovered(t *testing.T) {
	p := newProvider(t)
	old, next := authtest.NewIssuer(t, p.URL, "1"), authtest.NewIssuer(t, p.URL, "2")
	p.publish(authtest.JWKS(t, old))
	g := p.guard(t)
	if c, err := told(t, g, "Bearer "+old.Token(t, "u", nil)); err != nil || c.Name != "desk" {
		t.Fatalf("%q, %v", c.Name, err)
	}
	// A key that is new is looked for, but strangers cannot make us ask again and again.
	p.publish(authtest.JWKS(t, old, next))
	for range 20 {
		if _, err := told(t, g, "Bearer "+next.Token(t, "u", nil)); !errors.Is(err, ErrToken) {
			t.Fatalf("%v, want it refused so shortly after the last time", err)
		}
	}
	if n := p.asked.Load(); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
	longAgo(g, p)
	if c, err := told(t, g, "Bearer "+next.Token(t, "u", nil)); err != nil || c.Name != "desk" {
		t.Errorf("signed by the next key: %q, %v", c.Name, err)
	}
	// The old one is withdrawn.
	p.publish(authtest.JWKS(t, next))
	longAgo(g, p)
	_, _ = told(t, g, "Bearer "+authtest.NewIssuer(t, p.URL, "3").Token(t, "u", nil)) // makes us look
	if _, err := told(t, g, "Bearer "+old.Token(t, "u", nil)); !errors.Is(err, ErrToken) {
		t.Errorf("signed by a key that is withdrawn: %v", err)
	}
}

// open admits a call that lasts, and gives whether it was ended since.
func open(t *testing.T, g *Guard, i *authtest.Issuer, claims map[string]any) *atomic.Bool {
	t.Helper()
	pass, err := g.Admit(t.Context(), getCase, Credentials{Authorization: []string{"Bearer " + i.Token(t, "u", claims)}})
	if err != nil {
		t.Fatal(err)
	}
	var ended atomic.Bool
	t.Cleanup(pass.WhenVoid(func() { ended.Store(true) }))
	return &ended
}

// soon waits for what another goroutine brings about.
func soon(t *testing.T, what string, done func() bool) {
	t.Helper()
	for began := time.Now(); !done(); time.Sleep(time.Millisecond) {
		if time.Since(began) > 5*time.Second {
			t.Fatalf("after 5 s: not %s", what)
		}
	}
}

// An issuer that publishes no key any more has withdrawn them all.
func TestAllKeysAreWithdrawn(t *testing.T) {
	p := newProvider(t)
	i := authtest.NewIssuer(t, p.URL, "1")
	p.publish(authtest.JWKS(t, i))
	g := p.guard(t)
	ended := open(t, g, i, nil)
	look := func() {
		longAgo(g, p)
		_, _ = told(t, g, "Bearer "+authtest.NewIssuer(t, p.URL, "3").Token(t, "u", nil)) // makes us look
	}
	p.publish([]byte(`{"error": "busy"}`))
	look()
	if _, err := told(t, g, "Bearer "+i.Token(t, "u", nil)); err != nil || ended.Load() {
		t.Errorf("an answer that is no set of keys withdrew them: %v", err)
	}
	p.publish([]byte(`{"keys": []}`))
	look()
	if _, err := told(t, g, "Bearer "+i.Token(t, "u", nil)); !errors.Is(err, ErrToken) {
		t.Errorf("signed by a key that is withdrawn: %v", err)
	}
	soon(t, "ended a call of a key that is withdrawn", ended.Load)
}

// A call ends when the key that signed its token is withdrawn, and only then.
func TestCallsEndWithTheirKey(t *testing.T) {
	stays, goes, comes := authtest.NewIssuer(t, login, "1"), authtest.NewIssuer(t, login, "2"), authtest.NewIssuer(t, login, "3")
	file := fileOf(t, strings.Replace(whole, "calls_per_second: 0.5, ", "", 1), stays, goes)
	g := NewGuard(t.Context(), load(t, file), func(string, error) {}, func(bool) {})
	t.Cleanup(g.Close)
	desk := map[string]any{"groups": "service-desk"}
	kept, gone := open(t, g, stays, desk), open(t, g, goes, desk)
	write := func(text []byte) { authtest.Write(t, strings.TrimSuffix(file, "access.yaml"), "keys.json", text) }
	write(authtest.JWKS(t, comes, stays))
	soon(t, "ended a call of the key that is gone", gone.Load)
	if _, err := told(t, g, "Bearer "+comes.Token(t, "u", desk)); err != nil {
		t.Errorf("by the key that came: %v", err)
	}
	if kept.Load() {
		t.Error("a call of a key that stays was ended")
	}
	write([]byte(`{"keys": []}`))
	soon(t, "ended a call of the last key", kept.Load)
	if _, err := told(t, g, "Bearer "+stays.Token(t, "u", desk)); !errors.Is(err, ErrToken) {
		t.Errorf("by a key that is gone: %v", err)
	}
	// A server that starts meanwhile knows no key, and starts.
	load(t, file)
}

// longAgo lets it be long ago that the provider was asked.
func longAgo(g *Guard, p *provider) {
	r := g.state.Load().sources[p.URL].remote
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = r.last.Add(-time.Hour)
}

// A provider that answers nothing any more stops nobody whose key is known, and
// holds up nobody for long whose key is not.
func TestProviderHangs(t *testing.T) {
	p := newProvider(t)
	i := authtest.NewIssuer(t, p.URL, "1")
	p.publish(authtest.JWKS(t, i))
	g := p.guard(t)
	hung := make(chan struct{})
	defer close(hung)
	p.mu.Lock()
	p.stalled = hung
	p.mu.Unlock()
	longAgo(g, p)
	began := time.Now()
	if _, err := told(t, g, "Bearer "+authtest.NewIssuer(t, p.URL, "2").Token(t, "u", nil)); !errors.Is(err, ErrToken) {
		t.Errorf("%v, want it refused", err)
	}
	if d := time.Since(began); d < newKeyTime || d > newKeyTime+2*time.Second {
		t.Errorf("held up for %v, want about %v", d, newKeyTime)
	}
	if c, err := told(t, g, "Bearer "+i.Token(t, "u", nil)); err != nil || c.Name != "desk" {
		t.Errorf("of a key that is known: %q, %v", c.Name, err)
	}
}

// A provider that is away at the start lets the server start all the same, and its
// tokens are refused as what cannot be checked yet.
func TestProviderIsAway(t *testing.T) {
	p := newProvider(t)
	i := authtest.NewIssuer(t, p.URL, "1")
	p.Close()
	g := p.guard(t)
	if _, err := told(t, g, "Bearer "+i.Token(t, "u", nil)); !errors.Is(err, ErrIssuer) {
		t.Errorf("%v, want that its keys cannot be had", err)
	}
}

// What a provider says must be about itself.
func TestProvidersThatAreNotBelieved(t *testing.T) {
	p := newProvider(t)
	i := authtest.NewIssuer(t, p.URL, "1")
	p.publish(authtest.JWKS(t, i))
	for name, test := range map[string]struct {
		spoil func(*remote)
		want  string
	}{
		"itself":       {func(*remote) {}, ""},
		"another name": {func(r *remote) { r.issuer += "/" }, "another name"},
		"no page":      {func(r *remote) { r.issuer += "/none" }, "404"},
	} {
		r := newRemote(p.URL)
		test.spoil(r)
		_, err := r.fetch(t.Context())
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	elsewhere := httptest.NewServer(http.RedirectHandler(p.URL+"/.well-known/openid-configuration", http.StatusFound))
	defer elsewhere.Close()
	if _, err := newRemote(elsewhere.URL).fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "another address") {
		t.Errorf("followed to another address: %v", err)
	}
}

// A file of keys is followed; what cannot be read changes nothing.
func TestFileOfKeysIsFollowed(t *testing.T) {
	i, next := authtest.NewIssuer(t, login, "1"), authtest.NewIssuer(t, login, "2")
	file := fileOf(t, strings.Replace(whole, "calls_per_second: 0.5, ", "", 1), i)
	type change struct {
		issuer string
		err    error
	}
	changes := make(chan change, 16)
	g := NewGuard(t.Context(), load(t, file), func(issuer string, err error) { changes <- change{issuer, err} }, func(bool) {})
	t.Cleanup(g.Close)
	dir := strings.TrimSuffix(file, "access.yaml")
	token := func(i *authtest.Issuer) error {
		_, err := told(t, g, "Bearer "+i.Token(t, "u", map[string]any{"groups": "service-desk"}))
		return err
	}
	wait := func() change {
		t.Helper()
		select {
		case c := <-changes:
			if c.issuer != login {
				t.Errorf("told of %q", c.issuer)
			}
			return c
		case <-time.After(5 * time.Second):
			t.Fatal("nothing told within 5 s")
			return change{}
		}
	}
	if err := token(i); err != nil {
		t.Fatal(err)
	}
	authtest.Write(t, dir, "keys.json", []byte(`{"keys":[`))
	if c := wait(); c.err == nil {
		t.Error("half a file was taken over")
	}
	if err := token(i); err != nil {
		t.Errorf("after a file that cannot be read: %v", err)
	}
	authtest.Write(t, dir, "keys.json", authtest.JWKS(t, next))
	if c := wait(); c.err != nil {
		t.Error(c.err)
	}
	if err := token(next); err != nil {
		t.Errorf("by the next key: %v", err)
	}
	if err := token(i); !errors.Is(err, ErrToken) {
		t.Errorf("by the key that is gone: %v", err)
	}
	// Another access file goes on with the keys that there are.
	g.Adopt(load(t, file))
	if err := token(next); err != nil {
		t.Errorf("after another access file: %v", err)
	}
}
