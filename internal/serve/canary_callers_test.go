package serve_test

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/makeamends/amends/internal/authtest"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// callersOfCanaries is an access file that knows three callers by the subjects of
// their tokens.
func callersOfCanaries(all, reader, hasty string) string {
	known := func(name, roles, tenants, subject, limits string) string {
		return fmt.Sprintf("  - {name: %s, roles: [%s], tenants: [%s], limits: {%s}, tokens: [{issuer: %q, subject: %s}]}\n", name, roles, tenants, limits, issuerName, subject)
	}
	return strings.Replace(withTokens, ", tenant_claim: tenant", "", 1) + "callers:\n" +

		known("all", "reporter, agent, approver, reader, privacy, admin", `"*"`, all, "calls_per_second: 100000, burst: 100000, calls_at_once: 1000") +
		known("looker", "reader", "default", reader, "") + known("hasty", "reader", "default", hasty, "calls_per_second: 1, burst: 1")
}

// claims are some that nobody has asked for.
func (e *ears) claims() map[string]any {
	return map[string]any{"name": e.one("claim name"), "email": e.one("claim email") + "@example.com", e.one("claim key"): []string{e.one("claim value")}, "jti": e.one("claim jti")}
}

// bear connects with a token that the search looks for, in whole and in part.
func (s *searched) bear(t *testing.T, what, token string) *grpc.ClientConn {
	t.Helper()
	for i, part := range strings.Split(token, ".") {
		if i > 0 && len(part) > 20 { // the first part is the same for all
			s.secrets[fmt.Sprintf("part %d of %s", i, what)] = part
		}
	}
	return s.connect(t, &tls.Config{}, append(s.options(), grpc.WithPerRPCCredentials(bearer(token)))...)
}

// turnAway calls as many who are refused for who they are, or for what they may.
func (s *searched) turnAway(t *testing.T, id string) {
	t.Helper()
	claims := func(name string, value any) map[string]any {
		all := s.claims()
		all[name] = value
		return all
	}
	issuer, stranger := s.issuer, authtest.NewIssuer(t, issuerName, "1")
	abroad := authtest.NewIssuer(t, "https://"+s.one("an issuer")+".example.com/", s.one("a key id"))
	for what, token := range map[string]string{
		"a token of another audience": issuer.Token(t, s.subject, claims("aud", s.one("an audience"))),
		"a token that has expired":    issuer.Token(t, s.subject, claims("exp", time.Now().Add(-time.Hour).Unix())),
		"a token that never expires":  issuer.Token(t, s.subject, claims("exp", nil)),
		"a token with odd claims":     issuer.Token(t, s.subject, claims("exp", s.one("an expiry"))),
		"a token of an unknown":       issuer.Token(t, s.one("a subject"), s.claims()),
		"a token of another key":      stranger.Token(t, s.subject, s.claims()),
		"a token of another issuer":   abroad.Token(t, s.subject, s.claims()),
		"no token":                    s.one("a token"),
		"three words":                 s.one("a token") + "." + s.one("a token") + "." + s.one("a token"),
		"a long one":                  strings.Repeat(s.one("a token"), 500),
	} {
		s.refusedAs(t, what, s.bear(t, what, token), id)
	}
	uri := "spiffe://test/" + s.one("a certificate")
	pair := s.authority.Client(t, uri).TLS(t)
	s.refusedAs(t, "a certificate of an unknown", s.connect(t, &tls.Config{Certificates: []tls.Certificate{pair}}, s.options()...), id)
	foreign := authtest.NewAuthority(t).Client(t, uri).TLS(t)
	s.refusedAs(t, "a certificate of another authority", s.connect(t, &tls.Config{Certificates: []tls.Certificate{foreign}}, s.options()...), id)
	nobody := s.connect(t, &tls.Config{}, s.options()...)
	for _, values := range [][]string{{}, {"Basic " + s.one("a password")}, {s.one("a token")}, {"Bearer " + s.one("a token"), "Bearer " + s.one("a token")}} {
		_, err := recoveryOf(nobody).GetCase(says(t.Context(), values...), recoveryv1.GetCaseRequest_builder{CaseId: id}.Build())
		if err == nil {
			t.Errorf("with the authorization %q it is let in", values)
		}
	}

	// Somebody who may only read, in another tenant.
	conn := s.conn
	s.by(s.bear(t, "a token of the looker", s.issuer.Token(t, s.looker, s.claims())))
	s.all(t)
	s.by(s.bear(t, "a token of the hasty", s.issuer.Token(t, s.hasty, s.claims())))
	s.all(t)
	s.by(conn)
}

func (s *searched) refusedAs(t *testing.T, what string, conn *grpc.ClientConn, id string) {
	t.Helper()
	if _, err := recoveryOf(conn).GetCase(t.Context(), recoveryv1.GetCaseRequest_builder{CaseId: id}.Build()); err == nil {
		t.Errorf("with %s it is let in", what)
	}
	_ = conn.Close()
}
