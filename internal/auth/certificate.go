package auth

import (
	"crypto/x509"
	"net/url"

	accessv1 "github.com/makeamends/amends/proto/recovery/access/v1"
)

// name is one name of a certificate.
type name struct{ kind, text string }

// String is for people.
func (n name) String() string { return "certificate " + n.kind + " " + n.text }

// nameIn reads the access file.
func nameIn(m *accessv1.Certificate) name {
	switch {
	case m.HasUri():
		return name{"uri", normal(m.GetUri())}
	case m.HasDns():
		return name{"dns", m.GetDns()}
	default:
		return name{"common_name", m.GetCommonName()}
	}
}

// normal is a URI as it reads once it is parsed, which those of certificates are.
// What is no URI is in none of them.
func normal(uri string) string {
	if u, err := url.Parse(uri); err == nil {
		return u.String()
	}
	return uri
}

// namesOf are those that count. Authorities take less care of the common name
// than of the alternative names, so where there are any it does not.
func namesOf(c *x509.Certificate) []name {
	names := make([]name, 0, 4)
	for _, u := range c.URIs {
		names = append(names, name{"uri", u.String()})
	}
	for _, d := range c.DNSNames {
		names = append(names, name{"dns", d})
	}
	if len(names) == 0 && c.Subject.CommonName != "" {
		names = append(names, name{"common_name", c.Subject.CommonName})
	}
	return names
}

// identify finds whose certificate it is, which has been verified against the
// authorities that the server trusts. Names are compared letter by letter, URIs in
// their normal form.
func (a *Access) identify(c *x509.Certificate) (found *Entry, err error) {
	for _, n := range namesOf(c) {
		if e := a.certificates[n]; e != nil && (found == nil || e.order < found.order) {
			found = e
		}
	}
	if found == nil {
		return nil, refuse(ErrStranger, "no caller has a name of the certificate")
	}
	return found, nil
}
