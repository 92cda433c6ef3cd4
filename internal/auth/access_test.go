package auth

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/makeamends/amends/internal/authtest"
)

// whole is an access file with everything in it.
const whole = `
issuers:
  - issuer: https://login.example.com/
    audiences: [amends]
    algorithms: [ES256]
    jwks_file: keys.json
    leeway: 1m
    tenant_claim: tenant
limits: {calls_per_second: 50}
callers:
  - name: orders
    certificates: [{uri: spiffe://example.com/orders}, {dns: orders.example.com}, {common_name: orders}]
    roles: [reporter]
    tenants: [default]
  - name: desk
    tokens:
      - {issuer: https://login.example.com/, claims: {groups: service-desk}}
    roles: [agent, reader]
    tenants: ["*"]
    limits: {calls_per_second: 0.5, calls_at_once: 7}
`

// fileOf writes an access file beside a file of keys, and gives its path.
func fileOf(t *testing.T, text string, issuers ...*authtest.Issuer) string {
	t.Helper()
	dir := t.TempDir()
	if len(issuers) == 0 {
		issuers = append(issuers, authtest.NewIssuer(t, "https://login.example.com/", "1"))
	}
	authtest.Write(t, dir, "keys.json", authtest.JWKS(t, issuers...))
	return authtest.Write(t, dir, "access.yaml", []byte(text))
}

// read parses a file as it is there.
func read(tb testing.TB, file string) (*Access, error) {
	tb.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	access, findings := Parse(file, text)
	if err := findings.Err(); err != nil {
		return nil, err
	}
	return access, nil
}

func load(t *testing.T, file string) *Access {
	t.Helper()
	a, err := read(t, file)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAccess(t *testing.T) {
	a := load(t, fileOf(t, whole))
	type row struct {
		Name, Roles      string
		Tenants, KnownBy []string
		Limits           Limits
	}
	var got []row
	for _, e := range a.Entries {
		got = append(got, row{e.Name, e.Roles.String(), e.Tenants.Names(), e.KnownBy, e.Limits})
	}
	want := []row{
		{"orders", "reporter", []string{"default"}, []string{
			"certificate uri spiffe://example.com/orders", "certificate dns orders.example.com", "certificate common_name orders",
		}, Limits{50, 100, 100}},
		{"desk", "agent, reader", []string{"*"}, []string{"token of https://login.example.com/, groups service-desk"}, Limits{0.5, 1, 7}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !a.ByCertificate() || !a.ByToken() {
		t.Errorf("by certificate %v, by token %v; want both", a.ByCertificate(), a.ByToken())
	}
	if orders, desk := a.Entries[0], a.Entries[1]; !orders.ActsFor("default") || orders.ActsFor("shop") || orders.ActsFor("") || !desk.ActsFor("shop") {
		t.Error("the tenants are not those of the file")
	}
}

// Everything wrong with a file is told at once, each at its place.
func TestAccessWithFaults(t *testing.T) {
	tests := map[string]struct {
		old, new string
		want     []string // each a part of a line, after the file's name
	}{
		"nobody in it":          {whole[strings.Index(whole, "callers:"):], "", []string{":2:1: callers: must contain at least 1"}},
		"unknown field":         {"tenants: [default]", "tenants: [default]\n    admin: true", []string{`:15:5: callers[0].admin: unknown field "admin"`}},
		"unknown role":          {"[reporter]", "[root]", []string{`:13:13: callers[0].roles[0]: must be in list [reporter, agent, approver, reader, privacy, admin]`}},
		"symmetric algorithm":   {"[ES256]", "[HS256, none]", []string{"issuers[0].algorithms[0]: must be in list [RS256", "issuers[0].algorithms[1]: must be in list"}},
		"no audience":           {"[amends]", "[]", []string{":4:16: issuers[0].audiences: must contain at least 1"}},
		"two sources of keys":   {"jwks_file: keys.json", "jwks_file: keys.json\n    discover: true", []string{"issuers[0]: needs exactly one of jwks_file and discover"}},
		"no source of keys":     {"    jwks_file: keys.json\n", "    discover: false\n", []string{"issuers[0]: needs exactly one of jwks_file and discover"}},
		"no file of keys":       {"keys.json", "none.json", []string{":6:16: issuers[0].jwks_file: open ", "none.json: no such file"}},
		"keys are none":         {"keys.json", "access.yaml", []string{"issuers[0].jwks_file: the keys are not a JWKS"}},
		"discovery by http":     {"- issuer: https://login.example.com/", "- issuer: http://login.example.com/", []string{"tokens[0].issuer: is none of the issuers"}},
		"caller without a name": {"- name: desk", "- name: ''", []string{":15:11: callers[1].name: must be 1 to 64 letters"}},
		"name twice":            {"name: desk", "name: orders", []string{"callers[1].name: is there already, in callers[0].name"}},
		"a certificate twice": {"{dns: orders.example.com}", "{uri: spiffe://example.com/orders}",
			[]string{"callers[0].certificates[1]: is there already, in callers[0].certificates[0]"}},
		"two names in one":     {"{dns: orders.example.com}", "{dns: a, uri: b}", []string{"callers[0].certificates[1]: needs exactly one of uri, dns and common_name"}},
		"everybody of issuer":  {", claims: {groups: service-desk}", "", []string{"callers[1].tokens[0]: needs subject or claims"}},
		"known by nothing":     {"    certificates: [{uri: spiffe://example.com/orders}, {dns: orders.example.com}, {common_name: orders}]\n", "", []string{"callers[0]: needs certificates or tokens"}},
		"all tenants and more": {`["*"]`, `["*", default]`, []string{`callers[1].tenants: "*" stands for all tenants`}},
		"tenant that is none":  {`tenants: [default]`, `tenants: [Default]`, []string{"callers[0].tenants[0]: must be at most 64 of a-z"}},
		"no limit at all":      {"calls_per_second: 0.5", "calls_per_second: 0", []string{"callers[1].limits.calls_per_second: must be greater than 0"}},
		"several":              {"[amends]\n    algorithms: [ES256]", "[]\n    algorithms: []", []string{"issuers[0].audiences", "issuers[0].algorithms"}},
		"not YAML":             {whole, "callers: [", []string{":1:"}},
		"empty":                {whole, "", []string{":1:1: the file is empty"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if strings.Count(whole, test.old) != 1 {
				t.Fatalf("%q is not once in the file", test.old)
			}
			a, err := read(t, fileOf(t, strings.Replace(whole, test.old, test.new, 1)))
			if a != nil || err == nil {
				t.Fatal("taken without a fault")
			}
			lines := strings.Split(err.Error(), "\n")
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("missing %q in:\n%v", want, err)
				}
			}
			for _, line := range lines {
				if !strings.Contains(line, "access.yaml:") {
					t.Errorf("a line without its place: %q", line)
				}
			}
		})
	}
}

func TestDiscoveryIsSafe(t *testing.T) {
	for url, want := range map[string]bool{
		"https://login.example.com": true, "https://login.example.com/realms/a": true, "http://127.0.0.1:8080": true, "http://localhost": true, "http://[::1]:1": true,
		"http://login.example.com": false, "http://10.0.0.1": false, "login.example.com": false, "": false, "https://": false, "file:///etc/passwd": false,
		"https://user:password@login.example.com": false, "http://127.0.0.1.example.com": false,
	} {
		if got := safeURL(url); got != want {
			t.Errorf("%s: %v, want %v", url, got, want)
		}
	}
}

func TestKeysThatCannotBeUsed(t *testing.T) {
	ours := strings.TrimSuffix(strings.TrimPrefix(string(authtest.JWKS(t, authtest.NewIssuer(t, "", "1"))), `{"keys":[`), "]}")
	const secret = `{"kty":"oct","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"}`
	const other = `{"kty":"OKP","crv":"X25519","x":"3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08"}`
	for name, test := range map[string]struct{ keys, want string }{
		"one of ours":           {ours, ""},
		"beside an unknown one": {other + "," + ours + `,{"kty":"new"}`, ""},
		"all withdrawn":         {"", ""},
		"only unknown ones":     {other, "no public key"},
		"for encryption":        {strings.Replace(ours, `"use":"sig"`, `"use":"enc"`, 1), "no public key"},
		"a short RSA key":       {`{"kty":"RSA","n":"` + strings.Repeat("q", 171) + `","e":"AQAB"}`, "no public key"},
		"a secret":              {ours + "," + secret, "private or symmetric"},
	} {
		_, err := parseKeys([]byte(`{"keys":[` + test.keys + `]}`))
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

func TestExampleHasNoFaults(t *testing.T) {
	file := filepath.Join("..", "..", "examples", "access.yaml")
	a, err := read(t, file)
	if err != nil {
		t.Fatal(err)
	}
	var all Roles
	for _, e := range a.Entries {
		all |= e.Roles
	}
	if all != everyRole {
		t.Errorf("the example shows the roles %s only", all)
	}
}
