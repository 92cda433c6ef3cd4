package serve_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"github.com/makeamends/amends/internal/authtest"
	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

const issuerName = "https://login.example.com/"

// fort is a server that goes by an access file and speaks TLS, with what its
// callers need.
type fort struct {
	*running
	dir       string // of all files
	authority *authtest.Authority
	issuer    *authtest.Issuer
}

// defend starts a server with these callers. Certificates are known by a URI,
// spiffe://test/ and the name; tokens by the subject.
func defend(tb testing.TB, callers string, c serve.Config) *fort {
	tb.Helper()
	f := &fort{dir: tb.TempDir(), authority: authtest.NewAuthority(tb), issuer: authtest.NewIssuer(tb, issuerName, "1")}
	server := f.authority.Server(tb)
	c.TLSCert = authtest.Write(tb, f.dir, "server.crt", server.Cert)
	c.TLSKey = authtest.Write(tb, f.dir, "server.key", server.Key)
	c.ClientCA = authtest.Write(tb, f.dir, "ca.crt", f.authority.PEM())
	authtest.Write(tb, f.dir, "keys.json", authtest.JWKS(tb, f.issuer))
	c.Access = authtest.Write(tb, f.dir, "access.yaml", []byte(callers))
	f.running = start(tb, c)
	return f
}

// withTokens accepts tokens beside certificates.
const withTokens = `issuers: [{issuer: "https://login.example.com/", audiences: [amends], algorithms: [ES256], jwks_file: keys.json, tenant_claim: tenant}]
`

// caller is one of the access file, known by both.
func caller(name, roles, tenants, limits string) string {
	return fmt.Sprintf("  - {name: %s, roles: [%s], tenants: [%s], limits: {%s}, certificates: [{uri: \"spiffe://test/%s\"}], "+
		"tokens: [{issuer: \"https://login.example.com/\", subject: %s}]}\n", name, roles, tenants, limits, name, name)
}

// as connects with the certificate of a caller.
func (f *fort) as(tb testing.TB, name string) *grpc.ClientConn {
	tb.Helper()
	pair := f.authority.Client(tb, "spiffe://test/"+name)
	return f.connect(tb, &tls.Config{Certificates: []tls.Certificate{pair.TLS(tb)}})
}

// bearing connects without a certificate and sends a token.
func (f *fort) bearing(tb testing.TB, token string) *grpc.ClientConn {
	tb.Helper()
	return f.connect(tb, &tls.Config{}, grpc.WithPerRPCCredentials(bearer(token)))
}

func (f *fort) connect(tb testing.TB, c *tls.Config, more ...grpc.DialOption) *grpc.ClientConn {
	tb.Helper()
	c.RootCAs = f.authority.Pool()
	c.ServerName = "localhost"
	conn, err := grpc.NewClient(f.Addr(), append(more, grpc.WithTransportCredentials(credentials.NewTLS(c)), grpc.WithDisableRetry())...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	return conn
}

// write replaces one of the files.
func (f *fort) write(tb testing.TB, name string, text []byte) {
	tb.Helper()
	authtest.Write(tb, f.dir, name, text)
}

func (f *fort) path(name string) string { return filepath.Join(f.dir, name) }

// bearer is a token as metadata; empty: none.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (b bearer) RequireTransportSecurity() bool { return true }

// says sends authorization as it is.
func says(ctx context.Context, values ...string) context.Context {
	for _, v := range values {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", v)
	}
	return ctx
}

// tlsOnly shows no certificate.
func tlsOnly() *tls.Config { return &tls.Config{} }

func recoveryOf(conn *grpc.ClientConn) recoveryv1.RecoveryServiceClient {
	return recoveryv1.NewRecoveryServiceClient(conn)
}

// tells expects that a server's log says something, and nothing that it must not.
func (r *running) keepsSecret(tb testing.TB, secrets ...string) {
	tb.Helper()
	for _, s := range secrets {
		if len(s) > 3 && strings.Contains(r.log.String(), s) {
			tb.Errorf("the log tells %q", s)
		}
	}
}
