package serve_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/makeamends/amends/internal/authtest"
	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// Tokens that are no good are refused in the same few words, and nothing of them
// is in the answer or in the log.
func TestTokensOnTheWire(t *testing.T) {
	f := defend(t, withTokens+"callers:\n"+caller("reader", "reader", "default", ""), serve.Config{})
	conn := f.connect(t, tlsOnly())
	mine := map[string]any{"tenant": "default"}
	good := f.issuer.Token(t, "reader", mine)
	for name, test := range map[string]struct {
		sent []string
		code codes.Code
		says string
	}{
		"good":              {[]string{"Bearer " + good}, codes.OK, ""},
		"none":              {nil, codes.Unauthenticated, "nothing says who calls"},
		"twice":             {[]string{"Bearer " + good, "Bearer " + good}, codes.Unauthenticated, "not valid here"},
		"garbage":           {[]string{"Bearer s3cretgarbage"}, codes.Unauthenticated, "not valid here"},
		"of 15 KiB":         {[]string{"Bearer " + strings.Repeat("s3cret", 2500)}, codes.Unauthenticated, "not valid here"},
		"expired":           {[]string{"Bearer " + f.issuer.Token(t, "reader", map[string]any{"exp": 1})}, codes.Unauthenticated, "get a new one"},
		"another audience":  {[]string{"Bearer " + f.issuer.Token(t, "reader", map[string]any{"aud": "s3cret"})}, codes.Unauthenticated, "not valid here"},
		"by a stranger":     {[]string{"Bearer " + authtest.NewIssuer(t, issuerName, "1").Token(t, "reader", mine)}, codes.Unauthenticated, "not valid here"},
		"of nobody":         {[]string{"Bearer " + f.issuer.Token(t, "s3cret-subject", mine)}, codes.Unauthenticated, "of no caller"},
		"of another tenant": {[]string{"Bearer " + f.issuer.Token(t, "reader", map[string]any{"tenant": "s3cret-tenant"})}, codes.PermissionDenied, "this tenant"},
	} {
		t.Run(name, func(t *testing.T) {
			err := look(says(t.Context(), test.sent...), conn)
			if status.Code(err) != test.code || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want %s and %q", err, test.code, test.says)
			}
			for _, sent := range test.sent {
				f.keepsSecret(t, strings.TrimPrefix(sent, "Bearer "))
				for _, part := range strings.Split(strings.TrimPrefix(sent, "Bearer "), ".") {
					f.keepsSecret(t, part)
				}
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the answer tells of the token: %v", err)
			}
		})
	}
	f.keepsSecret(t, "s3cret")
	if log := f.log.String(); !strings.Contains(log, `"caller":"reader"`) || !strings.Contains(log, "it is for another audience") {
		t.Errorf("the log does not say who calls, or why not:\n%s", log)
	}
	if err := look(says(t.Context(), "Bearer "+strings.Repeat("x", 20<<10)), conn); err == nil {
		t.Error("metadata of 20 KiB was taken")
	}
	if err := look(says(t.Context(), "Bearer "+good), conn); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// Health checks ask nobody who they are, and neither limits nor rules stand in
// their way; reflection is for callers.
func TestHealthIsForEverybody(t *testing.T) {
	f := defend(t, withTokens+"callers:\n"+caller("reader", "reader", "default", "calls_per_second: 0.001, burst: 1, calls_at_once: 1"), serve.Config{})
	conn := f.bearing(t, f.issuer.Token(t, "reader", map[string]any{"tenant": "default"}))
	if err := look(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	err := look(t.Context(), conn)
	if code, reason, _ := refused(t, err); code != codes.ResourceExhausted || reason != "RATE_LIMITED" {
		t.Fatalf("the second call: %v", err)
	}
	if wait := retryDelay(err); wait < 900*time.Second || wait > 1000*time.Second {
		t.Errorf("told to wait %s, want the 1000 s that it takes", wait)
	}
	for name, conn := range map[string]*grpc.ClientConn{"at its limit": conn, "nobody": f.connect(t, tlsOnly()), "a bad token": f.bearing(t, "x")} {
		health := healthv1.NewHealthClient(conn)
		for range 20 {
			if _, err := health.Check(t.Context(), &healthv1.HealthCheckRequest{}); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		watch, err := health.Watch(t.Context(), &healthv1.HealthCheckRequest{})
		if err == nil {
			_, err = watch.Recv()
		}
		if err != nil {
			t.Errorf("%s, watching: %v", name, err)
		}
	}
	stream, err := reflectionv1.NewServerReflectionClient(f.connect(t, tlsOnly())).ServerReflectionInfo(t.Context())
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.Unauthenticated {
		t.Errorf("reflection for nobody: %v", err)
	}
}

// An open watch is one of the calls at once, and what a bulk load sends waits its turn.
func TestStreamsCount(t *testing.T) {
	f := defend(t, "callers:\n"+
		"  - {name: wall, roles: [reader], tenants: [default], limits: {calls_at_once: 2}, certificates: [{uri: \"spiffe://test/wall\"}]}\n"+
		"  - {name: bulk, roles: [reporter], tenants: [default], limits: {calls_per_second: 20, burst: 3}, certificates: [{uri: \"spiffe://test/bulk\"}]}\n", serve.Config{})
	conn := f.as(t, "wall")
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	for range 2 {
		watch, err := recoveryOf(conn).WatchCases(ctx, &recoveryv1.WatchCasesRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := watch.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	err := look(t.Context(), conn)
	if code, reason, _ := refused(t, err); code != codes.ResourceExhausted || reason != "RATE_LIMITED" || retryDelay(err) <= 0 || !strings.Contains(err.Error(), "2 calls at once") {
		t.Errorf("beside two watches: %v", err)
	}
	leave()
	eventually(t, 5*time.Second, "the watches have ended", func() bool { return look(t.Context(), conn) == nil })

	load, err := recoveryOf(f.as(t, "bulk")).Ingest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for n := range 12 { // the opening and two items are the burst
		if err := load.Send(recoveryv1.IngestRequest_builder{Failure: event(fmt.Sprint(n), "c")}.Build()); err != nil {
			t.Fatal(err)
		}
		if answer, err := load.Recv(); err != nil || answer.HasError() {
			t.Fatalf("item %d: %v, %v", n, answer.GetError(), err)
		}
	}
	if took := time.Since(began); took < 450*time.Millisecond {
		t.Errorf("12 items at 20 a second after a burst of 3 took %s", took)
	}
}

// A change of the access file is in force without a restart; one with faults
// changes nothing and is told.
func TestAccessFileChanges(t *testing.T) {
	const reader, agent = "reader", "agent"
	text := func(roles string) []byte {
		return []byte(withTokens + "callers:\n" + caller("one", roles, "default", "") + caller("two", "reader", "default", ""))
	}
	f := defend(t, string(text(reader)), serve.Config{OpsListen: "127.0.0.1:0"})
	one, two := f.as(t, "one"), f.as(t, "two")
	watch := func(conn *grpc.ClientConn) <-chan error {
		t.Helper()
		stream, err := recoveryOf(conn).WatchCases(t.Context(), &recoveryv1.WatchCasesRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			for {
				if _, err := stream.Recv(); err != nil {
					ended <- err
					return
				}
			}
		}()
		return ended
	}
	mine, other := watch(one), watch(two)

	f.write(t, "access.yaml", append(text(agent), "nonsense: 1\n"...))
	eventually(t, 5*time.Second, "the fault is told", func() bool { return strings.Contains(f.log.String(), "nonsense: unknown field") })
	if m := f.metrics(t); !strings.Contains(m, `amends_file_reload_failures_total{files="access"} 1`) || !strings.Contains(m, `amends_file_last_reload_success{files="access"} 0`) {
		t.Errorf("it is not counted:\n%s", m)
	}
	if err := look(t.Context(), one); err != nil {
		t.Errorf("after a file with faults: %v", err)
	}

	f.write(t, "access.yaml", text("privacy"))
	eventually(t, 5*time.Second, "the role is gone", func() bool {
		code, _, _ := refused(t, func() error {
			_, err := recoveryOf(one).ListCases(t.Context(), &recoveryv1.ListCasesRequest{})
			return err
		}())
		return code == codes.PermissionDenied
	})
	select {
	case err := <-mine:
		if code, reason, _ := refused(t, err); code != codes.Unavailable || reason != "SERVER_ENDING" {
			t.Errorf("the watch ended with %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("the watch of a caller who may not watch any more goes on")
	}
	eventually(t, time.Second, "the log has the cause", func() bool {
		return strings.Contains(f.log.String(), `"reason":"SERVER_ENDING","cause":"the rights of the caller have changed or expired"`)
	})
	select {
	case err := <-other:
		t.Errorf("the watch of another caller ended: %v", err)
	default:
	}
	if err := look(t.Context(), two); err != nil {
		t.Errorf("another caller: %v", err)
	}
	eventually(t, 5*time.Second, "it is counted", func() bool {
		return strings.Contains(f.metrics(t), `amends_file_last_reload_success{files="access"} 1`)
	})

	// A certificate is asked of nobody who can show a token, until tokens are not accepted any more.
	if err := look(t.Context(), f.bearing(t, f.issuer.Token(t, "two", map[string]any{"tenant": "default"}))); err != nil {
		t.Errorf("with a token: %v", err)
	}
	f.write(t, "access.yaml", []byte(byCertificate("two")))
	eventually(t, 5*time.Second, "a certificate is required", func() bool {
		return status.Code(look(t.Context(), f.bearing(t, f.issuer.Token(t, "two", map[string]any{"tenant": "default"})))) == codes.Unavailable
	})
	if err := look(t.Context(), f.as(t, "two")); err != nil {
		t.Errorf("with a certificate: %v", err)
	}
}

// Reflection ends with the rights of its caller, though nothing more is asked of it.
func TestReflectionEndsWithItsRights(t *testing.T) {
	f := defend(t, withTokens+"callers:\n"+caller("one", "reader", "default", ""), serve.Config{})
	stream, err := reflectionv1.NewServerReflectionClient(f.as(t, "one")).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	askForServices(t, stream)
	ended := make(chan error, 1)
	go func() {
		_, err := stream.Recv()
		ended <- err
	}()
	f.write(t, "access.yaml", []byte(withTokens+"callers:\n"+caller("two", "reader", "default", "")))
	select {
	case err := <-ended:
		if code, reason, _ := refused(t, err); code != codes.Unavailable || reason != "SERVER_ENDING" {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("it goes on for a caller who is gone")
	}
}

// The metric of keys is about those of all issuers that there are: one whose keys are
// sound does not hide another, and one that is gone counts no more.
func TestKeysOfSeveralIssuers(t *testing.T) {
	dir := t.TempDir()
	const callers = "callers:\n  - {name: reader, roles: [reader], tenants: [default], tokens: [{issuer: \"https://login.example.com/\", subject: reader}]}\n"
	one := strings.Replace(strings.TrimSuffix(withTokens, "]\n"), "keys.json", "one.json", 1)
	two := strings.NewReplacer("issuers: [", ", ", issuerName, "https://two.example.com/", "keys.json", "two.json").Replace(withTokens)
	keys := authtest.JWKS(t, authtest.NewIssuer(t, issuerName, "1"))
	authtest.Write(t, dir, "one.json", keys)
	authtest.Write(t, dir, "two.json", keys)
	s := start(t, serve.Config{OpsListen: "127.0.0.1:0", Access: authtest.Write(t, dir, "access.yaml", []byte(one+two+callers))})
	logged := func(what string, times int) {
		t.Helper()
		eventually(t, 10*time.Second, what, func() bool { return strings.Count(s.log.String(), what) == times })
	}
	inForce := func(want int) {
		t.Helper()
		eventually(t, 5*time.Second, fmt.Sprintf("in force: %d", want), func() bool {
			return strings.Contains(s.metrics(t), fmt.Sprintf(`amends_file_last_reload_success{files="keys"} %d`, want))
		})
	}
	inForce(1)
	authtest.Write(t, dir, "two.json", []byte(`{"keys":[`))
	logged("were not taken over; those that are known stay", 1)
	inForce(0)
	authtest.Write(t, dir, "one.json", authtest.JWKS(t, authtest.NewIssuer(t, issuerName, "2")))
	logged("the keys of an issuer of tokens were taken over", 1)
	inForce(0)
	authtest.Write(t, dir, "access.yaml", []byte(one+"]\n"+callers))
	inForce(1)
}

// Callers who are known by tokens may come in the clear on this machine, behind a
// proxy that speaks TLS, say; there is nobody to show a certificate to.
func TestTokensInTheClear(t *testing.T) {
	dir := t.TempDir()
	issuer := authtest.NewIssuer(t, issuerName, "1")
	authtest.Write(t, dir, "keys.json", authtest.JWKS(t, issuer))
	file := authtest.Write(t, dir, "access.yaml", []byte(withTokens+"callers:\n"+
		"  - {name: reader, roles: [reader], tenants: [default], tokens: [{issuer: \"https://login.example.com/\", subject: reader}]}\n"))
	s := start(t, serve.Config{Access: file})
	if err := look(says(t.Context(), "Bearer "+issuer.Token(t, "reader", map[string]any{"tenant": "default"})), s.conn); err != nil {
		t.Error(err)
	}
	if err := look(t.Context(), s.conn); status.Code(err) != codes.Unauthenticated {
		t.Errorf("without a token: %v", err)
	}
	if strings.Contains(s.log.String(), "nobody is asked") {
		t.Error("it warns although callers are known")
	}
}

// Where there is no access file, the log says what that means.
func TestWarnsOfStrangers(t *testing.T) {
	s := start(t, serve.Config{Insecure: true})
	for _, want := range []string{"calls are not encrypted", "nobody is asked who they are", "approve and erase too"} {
		if !strings.Contains(s.log.String(), want) {
			t.Errorf("the log does not say %q", want)
		}
	}
}
