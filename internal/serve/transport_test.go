package serve_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/makeamends/amends/internal/authtest"
	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// byCertificate is an access file that knows readers by their certificates alone.
func byCertificate(names ...string) string {
	text := "callers:\n"
	for _, name := range names {
		text += fmt.Sprintf("  - {name: %s, roles: [reader], tenants: [default], certificates: [{uri: \"spiffe://test/%s\"}], "+
			"limits: {calls_per_second: 100000, calls_at_once: 1000}}\n", name, name)
	}
	return text
}

// look is a call that a reader may make.
func look(ctx context.Context, conn *grpc.ClientConn, more ...grpc.CallOption) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err := recoveryOf(conn).AssessCustomer(ctx, recoveryv1.AssessCustomerRequest_builder{CustomerId: "c"}.Build(), more...)
	return err
}

// Whoever has no good certificate is refused before any call, in the words of TLS,
// and nothing of what it showed is in the log.
func TestCertificatesThatAreRefused(t *testing.T) {
	f := defend(t, byCertificate("reader"), serve.Config{OpsListen: "127.0.0.1:0"})
	const own = "spiffe://test/reader"
	uri := func(c *x509.Certificate) {
		u, _ := url.Parse(own)
		c.URIs = []*url.URL{u}
		c.Subject.CommonName = "Private Name"
	}
	sign := func(a *authtest.Authority, change func(*x509.Certificate)) []tls.Certificate {
		pair := a.Sign(t, func(c *x509.Certificate) { uri(c); change(c) })
		return []tls.Certificate{pair.TLS(t)}
	}
	for name, test := range map[string]struct {
		client *tls.Config
		alert  string // in the words of TLS
		logged string
	}{
		"none":       {&tls.Config{}, "certificate required", "no certificate"},
		"of another": {&tls.Config{Certificates: sign(authtest.NewAuthority(t), func(*x509.Certificate) {})}, "unknown certificate authority", "of an unknown authority"},
		"expired":    {&tls.Config{Certificates: sign(f.authority, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })}, "expired certificate", "not valid at this time"},
		"not yet valid": {&tls.Config{Certificates: sign(f.authority, func(c *x509.Certificate) {
			c.NotBefore = time.Now().Add(time.Hour)
			c.NotAfter = time.Now().Add(2 * time.Hour)
		})}, "expired certificate", "not valid at this time"},
		"of a server":      {&tls.Config{Certificates: sign(f.authority, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })}, "bad certificate", "not for clients"},
		"an older version": {&tls.Config{Certificates: sign(f.authority, func(*x509.Certificate) {}), MaxVersion: tls.VersionTLS12}, "protocol version not supported", "handshake failed"},
	} {
		t.Run(name, func(t *testing.T) {
			test.client.GetClientCertificate = shows(test.client.Certificates)
			err := look(t.Context(), f.connect(t, test.client))
			if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), test.alert) {
				t.Errorf("%v, want %q", err, test.alert)
			}
			eventually(t, 5*time.Second, "the log says why", func() bool { return strings.Contains(f.log.String(), test.logged) })
		})
	}
	f.keepsSecret(t, "Private Name", own)
	if m := f.metrics(t); !strings.Contains(m, `amends_connections_refused_total{reason="no certificate"}`) {
		t.Error("the refused connections are not counted")
	}
	if err := look(t.Context(), f.as(t, "reader")); err != nil {
		t.Errorf("afterwards, with a good one: %v", err)
	}
	// A genuine certificate of somebody whom the access file does not name comes as far as a call.
	for name, pair := range map[string]authtest.Pair{
		"another URI":            f.authority.Client(t, "spiffe://test/other"),
		"the name as a DNS name": f.authority.Sign(t, func(c *x509.Certificate) { c.DNSNames = []string{"reader"} }),
	} {
		err := look(t.Context(), f.connect(t, &tls.Config{Certificates: []tls.Certificate{pair.TLS(t)}}))
		if code, reason, _ := refused(t, err); code != codes.Unauthenticated || reason != "UNAUTHENTICATED" || strings.Contains(err.Error(), "spiffe") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// shows shows a certificate also to those who did not name its authority.
func shows(all []tls.Certificate) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if len(all) == 0 {
			return &tls.Certificate{}, nil
		}
		return &all[0], nil
	}
}

// Settings of TLS and callers that do not fit are refused, all at once, and
// nothing is served without what they ask for.
func TestIdentityThatIsNotGiven(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, text []byte) string { return authtest.Write(t, dir, name, text) }
	a := authtest.NewAuthority(t)
	pair, other := a.Server(t), a.Server(t)
	old := a.Sign(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	good := serve.Config{
		TLSCert: file("crt", pair.Cert), TLSKey: file("key", pair.Key), ClientCA: file("ca", a.PEM()), Access: file("access.yaml", []byte(byCertificate("a"))),
	}
	for name, test := range map[string]struct {
		spoil func(*serve.Config)
		want  []string
	}{
		"a certificate without its key": {func(c *serve.Config) { c.TLSKey = "" }, []string{"--tls-cert and --tls-key belong together"}},
		"a key without its certificate": {func(c *serve.Config) { c.TLSCert = "" }, []string{"--tls-cert and --tls-key belong together"}},
		"no access file":                {func(c *serve.Config) { c.Access = "" }, []string{"TLS alone lets everybody do everything", "--access"}},
		"authorities without TLS":       {func(c *serve.Config) { c.TLSCert, c.TLSKey = "", "" }, []string{"--client-ca", "give --tls-cert and --tls-key too"}},
		"nobody asks for certificates":  {func(c *serve.Config) { c.ClientCA = "" }, []string{"the access file has faults", "--client-ca"}},
		"half, and open to all":         {func(c *serve.Config) { *c = serve.Config{Listen: "0.0.0.0:0", TLSKey: c.TLSKey, OpsListen: "x"} }, []string{"belong together", "--access", "HOST:PORT"}},
		"production for everybody": {func(c *serve.Config) { *c = serve.Config{Production: true} },
			[]string{"callers must be known", "calls must be encrypted", "--insecure"}},
		"production in the clear":   {func(c *serve.Config) { *c = serve.Config{Production: true, Access: c.Access} }, []string{"calls must be encrypted"}},
		"no certificate there":      {func(c *serve.Config) { c.TLSCert += "x" }, []string{"TLS cannot be set up", "no such file"}},
		"the key of another":        {func(c *serve.Config) { c.TLSKey = file("other", other.Key) }, []string{"TLS cannot be set up", "does not match"}},
		"an expired certificate":    {func(c *serve.Config) { c.TLSCert, c.TLSKey = file("old", old.Cert), file("old.key", old.Key) }, []string{"has expired on"}},
		"authorities that are none": {func(c *serve.Config) { c.ClientCA = c.TLSKey }, []string{"no certificate of an authority"}},
		"no access file there":      {func(c *serve.Config) { c.Access += "x" }, []string{"the access file cannot be read"}},
		"faults everywhere": {func(c *serve.Config) {
			c.TLSKey, c.Access, c.Policy = file("none", nil), file("f.yaml", []byte("callers: []\n")), file("p.yaml", []byte("a: 1\n"))
		}, []string{"TLS cannot be set up", "f.yaml:1:10: callers", "p.yaml:1:1"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			c.Listen = "127.0.0.1:0"
			test.spoil(&c)
			s, err := serve.Start(t.Context(), c)
			if err == nil {
				_ = s.Stop(context.Background())
				t.Fatal("it started")
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the operator is told %q, want %q in it", err, part)
				}
			}
		})
	}
}

// Plaintext is never answered on the port of TLS: neither gRPC nor anything else.
func TestPlaintextOnThePortOfTLS(t *testing.T) {
	f := defend(t, byCertificate("reader"), serve.Config{})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := f.health.Check(ctx, &healthv1.HealthCheckRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("gRPC in the clear: %v, want it refused", err)
	}
	for _, text := range []string{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x00\x01\x02"} {
		conn, err := net.Dial("tcp", f.Addr())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, text)
		_ = conn.(*net.TCPConn).CloseWrite()
		_ = conn.SetReadDeadline(time.Now().Add(8 * time.Second))
		answer, _ := io.ReadAll(conn)
		if strings.Contains(string(answer), "HTTP") || len(answer) > 16 {
			t.Errorf("%q is answered %q", text, answer)
		}
		conn.Close()
	}
	eventually(t, 5*time.Second, "the log says why", func() bool { return strings.Contains(f.log.String(), `"reason":"not TLS"`) })
	if err := look(t.Context(), f.as(t, "reader")); err != nil {
		t.Errorf("afterwards, by TLS: %v", err)
	}
}

// rotation is a caller under load: over one connection that stays, and over new ones.
type rotation struct {
	f             *fort
	authorities   atomic.Pointer[x509.CertPool]
	pair          atomic.Pointer[tls.Certificate]
	calls, failed atomic.Int64
	mu            sync.Mutex
	seen          map[string]bool // serial numbers of the server's certificates
	first         error
}

func (r *rotation) call(ctx context.Context, conn *grpc.ClientConn) {
	var p peer.Peer
	err := look(ctx, conn, grpc.Peer(&p))
	if ctx.Err() != nil {
		return
	}
	r.calls.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		if r.failed.Add(1); r.first == nil {
			r.first = err
		}
		return
	}
	r.seen[serialOf(p)] = true
}

// TestRotationUnderLoad replaces certificate, key and authority again and again
// while calls go on, over a connection that stays and over new ones: none fails.
func TestRotationUnderLoad(t *testing.T) {
	f := defend(t, byCertificate("reader"), serve.Config{})
	next := authtest.NewAuthority(t)
	r := &rotation{f: f, seen: map[string]bool{}}
	r.trust(f.authority)
	r.show(t, f.authority)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	staying := f.as(t, "reader")
	load.Go(func() {
		for ctx.Err() == nil {
			r.call(ctx, staying)
		}
	})
	for range 3 {
		load.Go(func() {
			for ctx.Err() == nil {
				conn := r.connect(t, r.pair.Load())
				r.call(ctx, conn)
				conn.Close()
			}
		})
	}
	for range 3 {
		r.replace(t, f.authority)
	}
	// Another authority takes over: each side trusts both before the other side
	// shows what the new one has signed, and the old one goes last.
	r.trust(f.authority, next)
	f.write(t, "ca.crt", append(f.authority.PEM(), next.PEM()...))
	by := func(a *authtest.Authority) bool {
		c := a.Client(t, "spiffe://test/reader").TLS(t)
		conn := r.connect(t, &c)
		defer conn.Close()
		return look(t.Context(), conn) == nil
	}
	eventually(t, 10*time.Second, "the new authority is trusted", func() bool { return by(next) })
	r.show(t, next)
	r.replace(t, next)
	f.write(t, "ca.crt", next.PEM())
	eventually(t, 10*time.Second, "the old authority is not trusted any more", func() bool { return !by(f.authority) })
	r.replace(t, next)
	stop()
	load.Wait()
	t.Logf("%d calls, %d failed, %d certificates of the server seen", r.calls.Load(), r.failed.Load(), len(r.seen))
	if r.failed.Load() > 0 || r.calls.Load() < 20 || len(r.seen) < 5 {
		t.Errorf("%d calls, %d failed (%v), %d certificates seen; want none failed of 20 or more, and at least 5 seen", r.calls.Load(), r.failed.Load(), r.first, len(r.seen))
	}
}

func (r *rotation) trust(all ...*authtest.Authority) {
	pool := x509.NewCertPool()
	for _, a := range all {
		pool.AppendCertsFromPEM(a.PEM())
	}
	r.authorities.Store(pool)
}

func (r *rotation) show(t *testing.T, a *authtest.Authority) {
	t.Helper()
	c := a.Client(t, "spiffe://test/reader").TLS(t)
	r.pair.Store(&c)
}

func (r *rotation) connect(t *testing.T, pair *tls.Certificate) *grpc.ClientConn {
	c := &tls.Config{RootCAs: r.authorities.Load(), ServerName: "localhost", Certificates: []tls.Certificate{*pair}}
	conn, err := grpc.NewClient(r.f.Addr(), grpc.WithTransportCredentials(credentials.NewTLS(c)), grpc.WithDisableRetry())
	if err != nil {
		t.Error(err)
	}
	return conn
}

// replace gives the server another certificate, and waits until it is shown.
func (r *rotation) replace(t *testing.T, a *authtest.Authority) {
	t.Helper()
	pair := a.Server(t)
	r.f.write(t, "server.crt", pair.Cert)
	time.Sleep(20 * time.Millisecond) // as it takes in life: for a while the two do not fit
	r.f.write(t, "server.key", pair.Key)
	serial := pair.TLS(t).Leaf.SerialNumber.String()
	eventually(t, 10*time.Second, "the new certificate is shown", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.seen[serial]
	})
}

// Half a change, or none that can be read, changes nothing and is told once; the
// other half completes it.
func TestHalfARotation(t *testing.T) {
	f := defend(t, byCertificate("reader"), serve.Config{OpsListen: "127.0.0.1:0"})
	shown := func() string {
		var p peer.Peer
		if err := look(t.Context(), f.as(t, "reader"), grpc.Peer(&p)); err != nil {
			t.Fatal(err)
		}
		return serialOf(p)
	}
	before, pair := shown(), f.authority.Server(t)
	f.write(t, "server.crt", pair.Cert)
	eventually(t, 5*time.Second, "half a pair is told", func() bool { return strings.Contains(f.log.String(), "not taken over") })
	if now := shown(); now != before {
		t.Error("half a pair was taken over")
	}
	if m := f.metrics(t); !strings.Contains(m, `amends_file_last_reload_success{files="tls"} 0`) || !strings.Contains(m, `amends_file_reload_failures_total{files="tls"} 1`) {
		t.Errorf("it is not counted:\n%s", m)
	}
	f.write(t, "server.key", pair.Key)
	eventually(t, 5*time.Second, "the pair is complete", func() bool { return shown() != before })
	for name, text := range map[string]string{"ca.crt": "nothing", "server.key": "", "server.crt": "-----BEGIN CERTIFICATE-----"} {
		was := strings.Count(f.log.String(), "not taken over")
		kept, err := os.ReadFile(f.path(name))
		if err != nil {
			t.Fatal(err)
		}
		f.write(t, name, []byte(text))
		eventually(t, 5*time.Second, name+" is told", func() bool { return strings.Count(f.log.String(), "not taken over") > was })
		shown()
		f.write(t, name, kept)
	}
	eventually(t, 5*time.Second, "all is well again", func() bool {
		return strings.Contains(f.metrics(t), `amends_file_last_reload_success{files="tls"} 1`)
	})
}

// A pair that is whole and not valid at this time, and a bundle of authorities of
// which a part cannot be read, take the place of nothing.
func TestRotationToWhatDoesNotWork(t *testing.T) {
	f := defend(t, byCertificate("reader"), serve.Config{})
	mine := f.authority.PEM()
	server := func(from, to time.Duration) authtest.Pair {
		return f.authority.Sign(t, func(c *x509.Certificate) {
			c.DNSNames, c.ExtKeyUsage = []string{"localhost"}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
			c.NotBefore, c.NotAfter = time.Now().Add(from), time.Now().Add(to)
		})
	}
	other := authtest.NewAuthority(t).PEM()
	next, past := server(6*time.Hour, 12*time.Hour), server(-12*time.Hour, -6*time.Hour)
	broken := strings.Replace(string(mine), "\nMII", "\n!!!", 1)
	for _, test := range []struct {
		name, says string
		files      map[string]string
	}{
		{"to begin later", "not valid before", map[string]string{"server.crt": string(next.Cert), "server.key": string(next.Key)}},
		{"expired", "has expired", map[string]string{"server.crt": string(past.Cert), "server.key": string(past.Key)}},
		{"torn authorities", "of 2 blocks in PEM form 1 can be read", map[string]string{"ca.crt": string(other) + string(mine[:200])}},
		{"broken authorities", "of 2 blocks in PEM form 1 can be read", map[string]string{"ca.crt": broken + string(other)}},
		{"another thing among them", "block 2 is no certificate", map[string]string{"ca.crt": string(other) + string(next.Key) + string(other)}},
	} {
		kept := map[string][]byte{}
		for name, text := range test.files {
			var err error
			if kept[name], err = os.ReadFile(f.path(name)); err != nil {
				t.Fatal(err)
			}
			f.write(t, name, []byte(text))
		}
		eventually(t, 5*time.Second, test.name+" is told", func() bool {
			return strings.Contains(f.log.String(), "not taken over") && strings.Contains(f.log.String(), test.says)
		})
		if err := look(t.Context(), f.as(t, "reader")); err != nil {
			t.Errorf("%s took the place of what works: %v", test.name, err)
		}
		for name, text := range kept {
			f.write(t, name, text)
		}
	}
}

// Whoever watches over the service learns when its certificate expires, as of the one
// that is in force, and when the last of the authorities does.
func TestCertificatesUntil(t *testing.T) {
	f := defend(t, byCertificate("reader"), serve.Config{OpsListen: "127.0.0.1:0"})
	until := func(certificate string, want time.Time) func() bool {
		return func() bool {
			line := fmt.Sprintf("amends_certificate_not_after_timestamp_seconds{certificate=%q} %s\n", certificate,
				strconv.FormatFloat(float64(want.Unix()), 'g', -1, 64))
			return strings.Contains(f.metrics(t), line)
		}
	}
	der := func(text []byte) *x509.Certificate {
		block, _ := pem.Decode(text)
		return must[*x509.Certificate](t)(x509.ParseCertificate(block.Bytes))
	}
	text, err := os.ReadFile(f.path("server.crt"))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Second, "the certificate of the start", until("service", der(text).NotAfter))
	eventually(t, time.Second, "the authority of the start", until("authorities", der(f.authority.PEM()).NotAfter))
	next := f.authority.Sign(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(3 * time.Hour) })
	f.write(t, "server.crt", next.Cert)
	f.write(t, "server.key", next.Key)
	eventually(t, 10*time.Second, "the renewed certificate", until("service", der(next.Cert).NotAfter))
	eventually(t, time.Second, "the authority stays", until("authorities", der(f.authority.PEM()).NotAfter))
}

func serialOf(p peer.Peer) string {
	return p.AuthInfo.(credentials.TLSInfo).State.PeerCertificates[0].SerialNumber.String()
}
