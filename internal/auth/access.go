package auth

import (
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/internal/document"
	accessv1 "github.com/makeamends/amends/proto/recovery/access/v1"
)

// Access is an access file that was checked. It never changes.
type Access struct {
	// Entries are the callers, in the order of the file.
	Entries      []*Entry
	issuers      map[string]*issuer // by the claim iss
	certificates map[name]*Entry
}

// Entry is one caller of the file.
type Entry struct {
	Caller
	Limits Limits
	// KnownBy says by what the caller is told, a certificate or a token each.
	KnownBy []string

	message *accessv1.Caller
	order   int // in the file
}

// issuer is one issuer of the file, with the keys of its JWKS file.
type issuer struct {
	message *accessv1.Issuer
	file    string  // of the keys; empty: they are discovered
	keys    *keySet // of the file as it was read
}

// Parse reads and checks an access file of that name, and the files of keys that
// it names, and reports every fault at once. Only without any is there access.
func Parse(file string, yaml []byte) (*Access, document.Findings) {
	message := &accessv1.Access{}
	p := parser{Document: document.Read(file, yaml, message), access: &Access{issuers: map[string]*issuer{}, certificates: map[name]*Entry{}}}
	if p.Root != nil {
		p.issuers(message.GetIssuers())
		p.callers(message)
	}
	if len(p.Findings) > 0 {
		return nil, p.Findings.Sorted()
	}
	return p.access, nil
}

// parser reports what no rule of a single field can say.
type parser struct {
	*document.Document
	access *Access
}

func (p *parser) issuers(all []*accessv1.Issuer) {
	for i, m := range all {
		at := document.Path{"issuers", i}
		if p.access.issuers[m.GetIssuer()] != nil {
			p.Add(at.To("issuer"), "is there already; give one issuer all audiences and algorithms")
			continue
		}
		one := &issuer{message: m}
		p.access.issuers[m.GetIssuer()] = one
		if m.GetDiscover() && !safeURL(m.GetIssuer()) {
			p.Add(at.To("issuer"), "must be an https:// address for its keys to be discovered there (http:// on this machine only)")
		}
		if m.HasJwksFile() {
			p.keys(at.To("jwks_file"), one)
		}
	}
}

// keys reads the file of keys of an issuer.
func (p *parser) keys(at document.Path, one *issuer) {
	one.file = one.message.GetJwksFile()
	if !filepath.IsAbs(one.file) {
		one.file = filepath.Join(filepath.Dir(p.File), one.file)
	}
	text, err := os.ReadFile(one.file)
	if err == nil {
		one.keys, err = parseKeys(text)
	}
	if err != nil {
		p.Add(at, "%v", err)
	}
}

// safeURL reports whether what is read from there is what the issuer says.
func safeURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

func (p *parser) callers(m *accessv1.Access) {
	limits := limitsOf(m.GetLimits(), defaultLimits)
	names, known := map[string]document.Path{}, map[string]document.Path{}
	for i, c := range m.GetCallers() {
		at := document.Path{"callers", i}
		p.unique(names, at.To("name"), c.GetName())
		if slices.Contains(c.GetTenants(), everyTenant) && len(c.GetTenants()) > 1 {
			p.Add(at.To("tenants"), `"*" stands for all tenants; leave it or the others out`)
		}
		e := &Entry{
			Caller: Caller{Name: c.GetName(), Roles: rolesOf(c.GetRoles()), Tenants: tenantsOf(c.GetTenants())},
			Limits: limitsOf(c.GetLimits(), limits), message: c, order: i,
		}
		for n, m := range c.GetCertificates() {
			name := nameIn(m)
			p.unique(known, at.To("certificates", n), name.String())
			p.access.certificates[name] = e
			e.KnownBy = append(e.KnownBy, name.String())
		}
		for n, t := range c.GetTokens() {
			if p.access.issuers[t.GetIssuer()] == nil {
				p.Add(at.To("tokens", n, "issuer"), "is none of the issuers of this file")
			}
			text := describeToken(t)
			p.unique(known, at.To("tokens", n), text)
			e.KnownBy = append(e.KnownBy, text)
		}
		p.access.Entries = append(p.access.Entries, e)
	}
}

// unique reports what another caller has already; the path leads to it.
func (p *parser) unique(seen map[string]document.Path, at document.Path, what string) {
	if first, twice := seen[what]; twice && what != "" {
		p.Add(at, "is there already, in %s", first)
		return
	}
	seen[what] = at
}

func describeToken(m *accessv1.Token) string {
	parts := []string{"token of " + m.GetIssuer()}
	if m.HasSubject() {
		parts = append(parts, "subject "+m.GetSubject())
	}
	for _, name := range slices.Sorted(maps.Keys(m.GetClaims())) {
		parts = append(parts, name+" "+m.GetClaims()[name])
	}
	return strings.Join(parts, ", ")
}

// ByToken reports whether any caller is known by a token.
func (a *Access) ByToken() bool { return len(a.issuers) > 0 }

// ByCertificate reports whether any caller is known by a certificate.
func (a *Access) ByCertificate() bool { return len(a.certificates) > 0 }

// same gives the names of those who are in another file whom they are in this one,
// and may do the same there. Since the first entry that fits counts, nothing may
// stand before theirs that did not stand before it here.
func (a *Access) same(other *Access) map[string]bool {
	entries, places := map[string]*Entry{}, map[string]int{}
	for _, e := range a.Entries {
		entries[e.Name] = e
		for _, by := range e.KnownBy {
			places[by] = e.order
		}
	}
	same, last := map[string]bool{}, -1 // the last place here of what stands before, there
	for _, e := range other.Entries {
		mine := entries[e.Name]
		same[e.Name] = mine != nil && last < mine.order && a.alike(mine, e, other)
		for _, by := range e.KnownBy {
			place, here := places[by]
			if !here {
				place = len(a.Entries)
			}
			last = max(last, place)
		}
	}
	return same
}

// alike reports whether another file says the same of a caller, and of the issuers
// of its tokens.
func (a *Access) alike(mine, theirs *Entry, other *Access) bool {
	if !proto.Equal(mine.message, theirs.message) {
		return false
	}
	for _, t := range mine.message.GetTokens() {
		if !proto.Equal(a.issuers[t.GetIssuer()].message, other.issuers[t.GetIssuer()].message) {
			return false
		}
	}
	return true
}
