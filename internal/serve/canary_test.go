package serve_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/makeamends/amends/internal/redistest"
	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// searched is a service whose callers put canaries into all that they send.
type searched struct {
	*fort
	*ears
	store *redistest.Instance
	proxy *redistest.ProxyInstance

	subject, looker, hasty string // of tokens: of who may do everything, of who may read in one tenant, and of who may not call often
}

// TestCanaries puts a text of its own into every field of every request that takes
// texts, into metadata, names of methods, passwords and what operators are asked. It
// makes every call, in order and in every way that is refused, also by strangers, and
// with the store away, forbidding and damaged. Then it looks for these texts in all spans, in the log at
// its finest, in the metrics, in every error and all metadata that callers are sent,
// and in Redis: there is none but for what the table kept names.
func TestCanaries(t *testing.T) {
	spans := collect(t)
	e := newEars(newCanaries())
	s := serveCanaries(t, e)
	other := startPanicking(t, e)

	first, id, w := s.succeed(t)
	s.spoil(t)
	e.callUnknown(t, s.conn)
	e.callUnknown(t, other.conn) // which asks nobody who it is
	s.collide(t, first, other.token)
	s.turnAway(t, id)
	s.askOperators(t)
	s.loseStore(t)
	s.damage(t, id)
	s.clock.move(48 * time.Hour)
	for missed := false; !missed; {
		missed = w.events(t, 1)[0].GetTransition().GetKind() == recoveryv1.TransitionKind_TRANSITION_KIND_MISSED
	}
	s.erase(t)
	other.panics(t)

	for _, r := range []*running{s.fort.running, other.running} {
		for _, format := range formats {
			e.heard.add("metrics", format, scrape(t, "http://"+r.OpsAddr()+"/metrics", format))
		}
	}
	e.heard.addRedis(t, s.store)
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop(context.Background()) }() // with a watch under way
	for _, err := w.next(); err == nil; _, err = w.next() {
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if err := other.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	spans.mu.Lock()
	e.heard.add("spans", "all", spans.text.String())
	spans.mu.Unlock()
	e.heard.add("log", "of one", s.log.String())
	e.heard.add("log", "of the other", other.log.String())

	e.complete(t)
	hits, used := e.heard.search(e.canaries)
	for _, hit := range hits[:min(len(hits), 40)] {
		t.Errorf("found in %s", hit)
	}
	t.Logf("%d hits", len(hits))
	for name := range kept {
		if !used[name] {
			t.Errorf("no %s was found in Redis: it need not be said that it is kept", name)
		}
	}
}

// serveCanaries starts a service whose Redis asks for a password that is a canary,
// after some starts that are refused.
func serveCanaries(t *testing.T, e *ears) *searched {
	t.Helper()
	s := &searched{ears: e, store: redistest.Server(t, redistest.WithRefusals())}
	s.proxy = redistest.Proxy(t, s.store.Addr())
	password := e.one("a password")
	for _, command := range [][]any{
		{"ACL", "SETUSER", "amends", "resetpass", ">" + password},
		{"CONFIG", "SET", "slowlog-log-slower-than", "0", "slowlog-max-len", "1000000"}, {"SLOWLOG", "RESET"},
	} {
		if err := s.store.Client().Do(t.Context(), command...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	at := func(password, addr string) string { return "redis://amends:" + password + "@" + addr }
	for _, url := range []string{
		at(e.one("a wrong password"), s.store.Addr()), at(e.one("a password"), "127.0.0.1:1"), at(e.one("a password"), "127.0.0.1:port"),
		at(e.one("a password")+"%zz", s.store.Addr()), at(e.one("a password"), s.store.Addr()+"/?x=1"), e.one("a scheme") + "://" + e.one("a host"),
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		server, err := serve.Start(ctx, serve.Config{Listen: "127.0.0.1:0", Redis: url, Secret: secret})
		cancel()
		if err == nil {
			t.Errorf("it starts with the wrong password: %v", server.Stop(t.Context()))
			continue
		}
		e.heard.add("start", "refused", err.Error())
	}
	s.subject, s.looker, s.hasty = e.one("a subject"), e.one("a subject"), e.one("a subject")
	s.fort = defend(t, callersOfCanaries(s.subject, s.looker, s.hasty), serve.Config{
		Redis: at(password, s.proxy.Addr()), OpsListen: "127.0.0.1:0", Sweep: 100 * time.Millisecond,
		Policy: policyWith(t, dollarBudget, "USD: {scale: 1, round_to: 0.50, daily_budget: 3}"),
	})
	s.by(s.bear(t, "a token", s.issuer.Token(t, s.subject, e.claims())))
	return s
}

// by makes all calls by that connection from now on.
func (r *running) by(conn *grpc.ClientConn) {
	r.conn, r.health = conn, healthv1.NewHealthClient(conn)
	r.recovery, r.policies = recoveryv1.NewRecoveryServiceClient(conn), recoveryv1.NewPolicyServiceClient(conn)
}

// panicking is a service of another store that panics when it is armed.
type panicking struct {
	*running
	ears  *ears
	armed atomic.Bool
	token string // of a watch
}

func startPanicking(t *testing.T, e *ears) *panicking {
	t.Helper()
	p := &panicking{ears: e}
	p.running = start(t, serve.Config{OpsListen: "127.0.0.1:0", Sweep: time.Hour, Now: func() time.Time {
		if p.armed.Load() {
			panic("boom")
		}
		return noon
	}})
	options := append(e.options(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableRetry(), grpc.WithAuthority(e.one("an authority")))
	conn, err := grpc.NewClient(p.Addr(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	p.by(conn)
	p.token = p.watch(t, &recoveryv1.WatchCasesRequest{}).token
	return p
}

// panics fails in the midst of a call.
func (p *panicking) panics(t *testing.T) {
	t.Helper()
	p.armed.Store(true)
	defer p.armed.Store(false)
	for range 2 {
		if _, err := p.report(t.Context(), sow(p.ears.canaries, event("", ""))); err == nil {
			t.Error("there was no panic: this shows nothing")
		}
	}
}

// askOperators asks where operators do, for what there is and what there is not.
func (s *searched) askOperators(t *testing.T) {
	t.Helper()
	for _, path := range []string{"/", "/metrics?x=", "/loglevel?x=", "/debug/pprof/", "/readyz/", "/grpc.channelz.v1.Channelz/", "/"} {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPost} {
			url := "http://" + s.OpsAddr() + path + s.one("a path")
			request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(s.one("a body")))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("X-Request-Id", s.one("a header"))
			request.SetBasicAuth(s.one("a user"), s.one("a password"))
			answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
		}
	}
}

// loseStore makes every call while Redis is away, one whose reply is lost, and some
// that Redis forbids.
func (s *searched) loseStore(t *testing.T) {
	t.Helper()
	back := func() { eventually(t, 20*time.Second, "SERVING again", func() bool { return s.serving(t.Context()) }) }
	if err := s.store.Client().Do(t.Context(), "CLIENT", "PAUSE", 60_000, "WRITE").Err(); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(500*time.Millisecond, s.proxy.Cut) // with commits under way
	s.all(t)
	s.all(t)
	if err := s.store.Client().Do(t.Context(), "CLIENT", "UNPAUSE").Err(); err != nil {
		t.Fatal(err)
	}
	s.proxy.Restore()
	back()
	for _, command := range []string{"evalsha", "hmget"} {
		if err := s.store.Client().ACLSetUser(t.Context(), "amends", "-"+command).Err(); err != nil {
			t.Fatal(err)
		}
		s.all(t)
		if err := s.store.Client().ACLSetUser(t.Context(), "amends", "+"+command).Err(); err != nil {
			t.Fatal(err)
		}
		back()
	}
}

// damage spoils what is kept of one customer, and of another the kind of the key.
func (s *searched) damage(t *testing.T, kept string) {
	t.Helper()
	for _, spoil := range []func(key string) error{
		func(key string) error {
			return s.store.Client().HSet(t.Context(), key, "v", "2.by hand", "s", "\xff\xff").Err()
		},
		func(key string) error {
			c := s.store.Client()
			return errors.Join(c.Rename(t.Context(), key, "before").Err(), c.RPush(t.Context(), key, "x").Err())
		},
	} {
		e := s.costly()
		id := accept(t, s.recovery.ReportFailure, recoveryv1.ReportFailureRequest_builder{Event: e}.Build()).GetCase().GetCaseId()
		customer, _, _ := strings.Cut(strings.TrimPrefix(id, "c"), ".")
		keys := s.store.Client().Keys(t.Context(), "*:c"+customer).Val()
		if len(keys) != 1 || strings.HasPrefix(kept, "c"+customer) {
			t.Fatalf("the keys of the customer are %q", keys)
		}
		if err := spoil(keys[0]); err != nil {
			t.Fatal(err)
		}
		e.SetEventId(s.one("recovery.v1.FailureEvent.event_id"))
		s.reject(t, "ReportFailure", recoveryv1.ReportFailureRequest_builder{Event: e}.Build())
		_ = s.try(t, "GetCase", recoveryv1.GetCaseRequest_builder{CaseId: id}.Build())
		_ = s.try(t, "EraseCustomer", recoveryv1.EraseCustomerRequest_builder{Tenant: e.GetTenant(), CustomerId: e.GetCustomerId()}.Build())
	}
}

// erase erases somebody who is known, and repeats what was asked for before.
func (s *searched) erase(t *testing.T) {
	t.Helper()
	e := s.costly()
	report := recoveryv1.ReportFailureRequest_builder{Event: e}.Build()
	accept(t, s.recovery.ReportFailure, report)
	gone := accept(t, s.recovery.EraseCustomer, recoveryv1.EraseCustomerRequest_builder{Tenant: e.GetTenant(), CustomerId: e.GetCustomerId()}.Build())
	if !gone.GetFound() {
		t.Error("nobody was erased: this shows nothing")
	}
	s.reject(t, "ReportFailure", report)
}
