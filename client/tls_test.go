package client_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/makeamends/amends/client"
	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// impatient connections say at once why they do not come about.
var impatient = []grpc.DialOption{grpc.WithDefaultCallOptions(grpc.WaitForReady(false))}

func split(tb testing.TB, address string) (host, port string) {
	tb.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		tb.Fatal(err)
	}
	return host, port
}

// authority makes certificates.
type authority struct {
	tb   testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(tb testing.TB) *authority {
	tb.Helper()
	a := &authority{tb: tb}
	der, key := a.sign(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	a.key = key
	var err error
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		tb.Fatal(err)
	}
	return a
}

// sign makes a certificate, by itself if the authority has none.
func (a *authority) sign(about *x509.Certificate) ([]byte, *ecdsa.PrivateKey) {
	a.tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.tb.Fatal(err)
	}
	about.SerialNumber = big.NewInt(time.Now().UnixNano())
	about.NotBefore, about.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	by, with := a.cert, a.key
	if by == nil {
		by, with = about, key
	}
	der, err := x509.CreateCertificate(rand.Reader, about, by, &key.PublicKey, with)
	if err != nil {
		a.tb.Fatal(err)
	}
	return der, key
}

// pair is a certificate for a name, on this machine if it is a server.
func (a *authority) pair(name string) (cert, key []byte) {
	a.tb.Helper()
	der, secret := a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	plain, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		a.tb.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: plain})
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// secured serves over TLS to callers whom the authority knows.
func (a *authority) secured(d *desk) *desk {
	a.tb.Helper()
	own, err := tls.X509KeyPair(a.pair("server"))
	if err != nil {
		a.tb.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return newDesk(a.tb, d, grpc.Creds(credentials.NewTLS(&tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
	})))
}

// files are those of a caller.
type files struct{ ca, cert, key, token string }

func (a *authority) write(f files, name string) {
	a.tb.Helper()
	cert, key := a.pair(name)
	for path, text := range map[string][]byte{f.ca: a.pem(), f.cert: cert, f.key: key, f.token: []byte("token-of-" + name + "\n")} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			a.tb.Fatal(err)
		}
	}
}

// Both sides know each other by certificates, and the caller by a token; files
// that were rotated count for the next connection.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	f := files{filepath.Join(dir, "ca"), filepath.Join(dir, "cert"), filepath.Join(dir, "key"), filepath.Join(dir, "token")}
	t.Parallel()
	before, after := newAuthority(t), newAuthority(t)
	before.write(f, "shop-1")
	d := before.secured(&desk{})
	c := open(t, client.Config{Target: d.address, CA: f.ca, Cert: f.cert, Key: f.key, TokenFile: f.token, Dial: impatient})
	call := func() error {
		_, err := c.ReportFailure(t.Context(), late("e-1", "c-1"))
		return err
	}
	if err := call(); err != nil {
		t.Fatal(err)
	}
	if got := d.caller(0); got != "shop-1" {
		t.Errorf("the server sees %q", got)
	}
	if got := d.header(0, "authorization"); len(got) != 1 || got[0] != "Bearer token-of-shop-1" {
		t.Errorf("the server is sent the tokens %q", got)
	}

	d.end()
	rotated := after.secured(&desk{address: d.address})
	err := call()
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("a server that nobody vouches for: %v", err)
	}
	after.write(f, "shop-2")
	eventually(t, "the new files count", func() bool { return call() == nil })
	if got := rotated.caller(0); got != "shop-2" {
		t.Errorf("the server sees %q", got)
	}
}

// The service itself knows the caller by the certificate, and refuses with a
// reason what the caller may not do, and callers that it does not know.
func TestTLSWithTheService(t *testing.T) {
	dir := t.TempDir()
	of := func(name string) files {
		return files{filepath.Join(dir, "ca"), filepath.Join(dir, name+".cert"), filepath.Join(dir, name+".key"), filepath.Join(dir, name+".token")}
	}
	a, its, own, other := newAuthority(t), of("service"), of("shop-1"), of("shop-2")
	a.write(its, "service")
	a.write(own, "shop-1")
	a.write(other, "shop-2")
	access := filepath.Join(dir, "access.yaml")
	if err := os.WriteFile(access, []byte("callers: [{name: shop, certificates: [{dns: shop-1}], roles: [reporter], tenants: [default]}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	server, err := serve.Start(t.Context(), serve.Config{
		Listen: "127.0.0.1:0", TLSCert: its.cert, TLSKey: its.key, ClientCA: its.ca, Access: access,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	known := open(t, client.Config{Target: server.Addr(), CA: own.ca, Cert: own.cert, Key: own.key})
	stranger := open(t, client.Config{Target: server.Addr(), CA: own.ca, Cert: other.cert, Key: other.key})
	approve := recoveryv1.ApproveOfferRequest_builder{CaseId: "c.1", OfferId: "o.1", RequestId: "r-1", Approver: "shop"}.Build()
	_, reported := known.ReportFailure(t.Context(), late("e-1", "c-1"))
	_, approved := known.ApproveOffer(t.Context(), approve)
	_, strange := stranger.ReportFailure(t.Context(), late("e-1", "c-1"))
	if client.Reason(approved) != recoveryv1.ErrorReason_ERROR_REASON_PERMISSION_DENIED ||
		client.Reason(strange) != recoveryv1.ErrorReason_ERROR_REASON_UNAUTHENTICATED || reported != nil {
		t.Errorf("a report ends with %v, an approval with %v, a stranger's report with %v", reported, approved, strange)
	}
}

// A list of addresses is checked for the name of each.
func TestTLSOfSeveralServers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := files{filepath.Join(dir, "ca"), filepath.Join(dir, "cert"), filepath.Join(dir, "key"), filepath.Join(dir, "token")}
	a := newAuthority(t)
	a.write(f, "shop-1")
	one, other := a.secured(&desk{}), a.secured(&desk{})
	_, port := split(t, other.address)
	c := open(t, client.Config{Target: one.address + "," + other.address + ",localhost:" + port, CA: f.ca, Cert: f.cert, Key: f.key})
	eventually(t, "both are called", func() bool {
		if _, err := c.ReportFailure(t.Context(), late("e-1", "c-1")); err != nil {
			t.Fatal(err)
		}
		return len(one.asked()) > 0 && len(other.asked()) > 0
	})
	alone := open(t, client.Config{Target: "localhost:" + port, CA: f.ca, Cert: f.cert, Key: f.key, Dial: impatient})
	if _, err := alone.ReportFailure(t.Context(), late("e-1", "c-1")); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate for 127.0.0.1 does for localhost: %v", err)
	}
}

// A token that cannot be had fails the call at once, and says why.
func TestTokens(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := files{filepath.Join(dir, "ca"), filepath.Join(dir, "cert"), filepath.Join(dir, "key"), filepath.Join(dir, "token")}
	a := newAuthority(t)
	a.write(f, "shop-1")
	d := a.secured(&desk{})
	fails := errors.New("the vault is closed")
	token := func(context.Context) (string, error) { return "", fails }
	c := open(t, client.Config{Target: d.address, CA: f.ca, Cert: f.cert, Key: f.key, Token: token})
	_, err := c.ReportFailure(t.Context(), late("e-1", "c-1"))
	if status.Code(err) != codes.Unauthenticated || !strings.Contains(err.Error(), "the vault is closed") || client.Reason(err) != recoveryv1.ErrorReason_ERROR_REASON_UNSPECIFIED {
		t.Errorf("%v", err)
	}
}
