package auth

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net/url"
	"testing"
	"time"
)

func TestCertificatesTellWhoCalls(t *testing.T) {
	const spiffe = "spiffe://example.com/orders"
	a := load(t, fileOf(t, `
callers:
  - {name: by-uri, roles: [reporter], tenants: [a], certificates: [{uri: "spiffe://example.com/orders"}, {uri: "spiffe://example.com/new"}]}
  - {name: by-normal-uri, roles: [reader], tenants: [a], certificates: [{uri: "HTTPS://example.com/a b#"}]}
  - {name: by-dns, roles: [reader], tenants: [a], certificates: [{dns: orders.example.com}, {dns: "*.example.com"}]}
  - {name: by-common-name, roles: [agent], tenants: [a], certificates: [{common_name: orders}]}
`))
	for name, test := range map[string]struct {
		uris, dns []string
		common    string
		want      string
		err       error
	}{
		"a URI":                       {uris: []string{spiffe}, want: "by-uri"},
		"one URI of several":          {uris: []string{"spiffe://a/b", "spiffe://example.com/new"}, want: "by-uri"},
		"a DNS name":                  {dns: []string{"orders.example.com"}, want: "by-dns"},
		"the first of the file":       {uris: []string{spiffe}, dns: []string{"orders.example.com"}, want: "by-uri"},
		"the common name":             {common: "orders", want: "by-common-name"},
		"another URI":                 {uris: []string{spiffe + "/"}, err: ErrStranger},
		"the host in capitals":        {uris: []string{"spiffe://EXAMPLE.com/orders"}, err: ErrStranger},
		"the scheme in capitals":      {uris: []string{"SPIFFE://example.com/orders"}, want: "by-uri"},
		"an empty fragment":           {uris: []string{spiffe + "#"}, want: "by-uri"},
		"a fragment":                  {uris: []string{spiffe + "#a"}, err: ErrStranger},
		"an empty query":              {uris: []string{spiffe + "?"}, err: ErrStranger},
		"written otherwise":           {uris: []string{"https://example.com/a%20b"}, want: "by-normal-uri"},
		"as in the file":              {uris: []string{"HTTPS://example.com/a b#"}, want: "by-normal-uri"},
		"a name below the wildcard":   {dns: []string{"x.example.com"}, err: ErrStranger},
		"the wildcard itself":         {dns: []string{"*.example.com"}, want: "by-dns"},
		"a URI as a DNS name":         {dns: []string{spiffe}, err: ErrStranger},
		"a DNS name as a common name": {common: "orders.example.com", err: ErrStranger},
		"common name beside others":   {common: "orders", dns: []string{"x.example.com"}, err: ErrStranger},
		"common name beside a URI":    {common: "orders", uris: []string{"spiffe://a/b"}, err: ErrStranger},
		"without a name":              {err: ErrStranger},
	} {
		c := &x509.Certificate{DNSNames: test.dns, Subject: pkix.Name{CommonName: test.common}}
		for _, u := range test.uris {
			parsed, err := url.Parse(u)
			if err != nil {
				t.Fatal(err)
			}
			c.URIs = append(c.URIs, parsed)
		}
		e, err := a.identify(c)
		if !errors.Is(err, test.err) || err == nil && e.Name != test.want {
			t.Errorf("%s: %v, %v; want %q, %v", name, e, err, test.want, test.err)
		}
	}
}

// A token says who it is, even beside a certificate; one that is no good is not
// passed over for the certificate's sake.
func TestTokenBesideACertificate(t *testing.T) {
	g, people, _ := guarded(t)
	c := Credentials{Certificate: &x509.Certificate{NotAfter: time.Now().Add(time.Hour)}}
	ctx := WithPlace(t.Context())
	c.Authorization = []string{"Bearer " + people.Token(t, "u", map[string]any{"groups": "desk"})}
	if _, err := g.Admit(ctx, "/recovery.v1.RecoveryService/GetCase", c); err != nil || CallerOf(ctx).Name != "desk" {
		t.Errorf("it is %q: %v", CallerOf(ctx).Name, err)
	}
	c.Authorization = []string{"Bearer x"}
	if _, err := g.Admit(t.Context(), "/recovery.v1.RecoveryService/GetCase", c); !errors.Is(err, ErrToken) {
		t.Errorf("a bad token beside a certificate: %v", err)
	}
}

// A certificate must be valid at each call and as long as it lasts, beside a token too.
func TestCertificateExpires(t *testing.T) {
	g, people, _ := guarded(t)
	now := time.Now()
	token := "Bearer " + people.Token(t, "u", map[string]any{"groups": "desk", "exp": now.Add(time.Hour).Unix()})
	admit := func(notAfter time.Time, authorization ...string) (*Pass, error) {
		return g.Admit(t.Context(), getCase, Credentials{Certificate: &x509.Certificate{NotAfter: notAfter}, Authorization: authorization})
	}
	if _, err := admit(now.Add(-time.Second)); !errors.Is(err, ErrExpired) {
		t.Errorf("with a certificate that has expired: %v", err)
	}
	if _, err := admit(now.Add(-time.Second), token); !errors.Is(err, ErrExpired) {
		t.Errorf("with a token beside it: %v", err)
	}
	for beside, want := range map[time.Duration]time.Duration{
		time.Minute: time.Minute, 2 * time.Hour: time.Hour + 10*time.Second, // the leeway
	} {
		pass, err := admit(now.Add(beside), token)
		if err != nil {
			t.Fatal(err)
		}
		if got := pass.until.Sub(now); (got - want).Abs() > time.Second {
			t.Errorf("with a certificate for %v more, let in for %v, want %v", beside, got, want)
		}
		pass.Leave()
	}
}
