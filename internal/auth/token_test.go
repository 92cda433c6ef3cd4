package auth

import (
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/makeamends/amends/internal/authtest"
)

const login, platform = "https://login.example.com/", "https://platform.example.com"

// desks is an access file that knows callers by tokens of two issuers.
const desks = `
issuers:
  - {issuer: "https://login.example.com/", audiences: [amends, amends-test], algorithms: [ES256], jwks_file: keys.json, leeway: 10s}
  - {issuer: "https://platform.example.com", audiences: [amends], algorithms: [ES256, RS256], jwks_file: shops.json, tenant_claim: shop}
callers:
  - {name: leads, roles: [approver], tenants: [default], tokens: [{issuer: "https://login.example.com/", claims: {groups: leads, amr: mfa}}]}
  - {name: desk, roles: [agent], tenants: [default], tokens: [{issuer: "https://login.example.com/", claims: {groups: desk}}]}
  - {name: batch, roles: [reporter], tenants: [a, b], tokens: [{issuer: "https://platform.example.com", subject: batch, claims: {scope: "recovery.write"}}]}
  - {name: any, roles: [reporter], tenants: ["*"], tokens: [{issuer: "https://platform.example.com", subject: any}]}
`

// guarded is a guard for desks with the two issuers.
func guarded(t *testing.T) (g *Guard, people, shops *authtest.Issuer) {
	t.Helper()
	people, shops = authtest.NewIssuer(t, login, "1"), authtest.NewIssuer(t, platform, "2")
	// A second key beside the one that signs, so that a key must be named.
	file := fileOf(t, desks, people, authtest.NewIssuer(t, login, "old"))
	authtest.Write(t, filepath.Dir(file), "shops.json", authtest.JWKS(t, shops))
	return guard(t, load(t, file)), people, shops
}

func guard(t *testing.T, a *Access) *Guard {
	t.Helper()
	g := NewGuard(t.Context(), a, func(issuer string, err error) { t.Logf("keys of %s: %v", issuer, err) }, func(bool) {})
	t.Cleanup(g.Close)
	return g
}

// told is who the guard says has this token.
func told(t *testing.T, g *Guard, authorization ...string) (*Caller, error) {
	t.Helper()
	ctx := WithPlace(t.Context())
	_, err := g.Admit(ctx, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Credentials{Authorization: authorization})
	return CallerOf(ctx), err
}

func TestTokensTellWhoCalls(t *testing.T) {
	g, people, shops := guarded(t)
	for name, test := range map[string]struct {
		token  string
		caller string
		may    []string // tenants of a, b, c
	}{
		"by a group":              {people.Token(t, "u1", map[string]any{"groups": []string{"staff", "desk"}}), "desk", nil},
		"by a claim that is text": {people.Token(t, "u1", map[string]any{"groups": "desk"}), "desk", nil},
		"by the first that fits":  {people.Token(t, "u2", map[string]any{"groups": []string{"desk", "leads"}, "amr": []string{"pwd", "mfa"}}), "leads", nil},
		"by all that is wanted":   {people.Token(t, "u2", map[string]any{"groups": []string{"desk", "leads"}}), "desk", nil},
		"of several audiences":    {people.Token(t, "u1", map[string]any{"groups": "desk", "aud": []string{"x", "amends-test"}}), "desk", nil},
		"expired within leeway":   {people.Token(t, "u1", map[string]any{"groups": "desk", "exp": time.Now().Add(-3 * time.Second).Unix()}), "desk", nil},
		"by a word of the scope":  {shops.Token(t, "batch", map[string]any{"scope": "openid recovery.write", "shop": "a"}), "batch", []string{"a"}},
		"several tenants":         {shops.Token(t, "batch", map[string]any{"scope": "recovery.write", "shop": []string{"c", "b", "a"}}), "batch", []string{"a", "b"}},
		"tenant of another":       {shops.Token(t, "batch", map[string]any{"scope": "recovery.write", "shop": "c"}), "batch", nil},
		"one of all tenants":      {shops.Token(t, "any", map[string]any{"shop": "c"}), "any", []string{"c"}},
		"no tenant at all":        {shops.Token(t, "any", nil), "any", nil},
		"a tenant called all":     {shops.Token(t, "any", map[string]any{"shop": "*"}), "any", nil},
		"a tenant without a name": {shops.Token(t, "any", map[string]any{"shop": []string{"", "c"}}), "any", []string{"c"}},
		"a tenant that is none":   {shops.Token(t, "any", map[string]any{"shop": 7}), "any", nil},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // the second time it is known
				c, err := told(t, g, "Bearer "+test.token)
				if err != nil || c.Name != test.caller {
					t.Fatalf("it is %q: %v; want %q", c.Name, err, test.caller)
				}
				for _, tenant := range []string{"a", "b", "c", "*", "", "default"} {
					want := strings.Contains(strings.Join(test.may, " "), tenant) && len(tenant) == 1 && len(test.may) > 0 && tenant != "*"
					if tenant == "default" {
						want = c.Name == "desk" || c.Name == "leads"
					}
					if c.ActsFor(tenant) != want {
						t.Errorf("tenant %q: %v, want %v", tenant, c.ActsFor(tenant), want)
					}
				}
			}
		})
	}
}

func TestTokensThatAreRefused(t *testing.T) {
	g, people, shops := guarded(t)
	stranger := authtest.NewIssuer(t, login, "1")
	desk := map[string]any{"groups": "desk"}
	with := func(more map[string]any) map[string]any {
		more["groups"] = "desk"
		return more
	}
	in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	b64 := base64.RawURLEncoding.EncodeToString
	hmac := jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{Key: authtest.JWKS(t, people), KeyID: "1"}}
	good := people.Token(t, "u1", desk)
	parts := strings.Split(good, ".")
	tampered := parts[0] + "." + b64(people.Claims(t, "u1", map[string]any{"groups": "leads", "amr": "mfa"})) + "." + parts[2]
	noise := make([]byte, 12<<10)
	for i := range noise {
		noise[i] = byte(rand.IntN(256))
	}
	bearer := func(tokens ...string) (all []string) {
		for _, token := range tokens {
			all = append(all, "Bearer "+token)
		}
		return all
	}
	tests := map[string]struct {
		authorization []string
		kind          error
		why           string
	}{
		"nothing":               {nil, ErrNoCredential, ""},
		"no token":              {[]string{"Bearer "}, ErrToken, "not Bearer and a token"},
		"empty":                 {[]string{""}, ErrToken, "not Bearer and a token"},
		"a password":            {[]string{"Basic dTpw"}, ErrToken, "not Bearer and a token"},
		"twice":                 {bearer(good, good), ErrToken, "more than once"},
		"garbage":               {bearer("not.a.token"), ErrToken, "no signed JWT"},
		"garbage of 12 KiB":     {bearer(b64(noise)), ErrToken, "longer than 8 KiB"},
		"two parts":             {bearer(parts[0] + "." + parts[1]), ErrToken, "no signed JWT"},
		"JSON instead":          {bearer(`{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`), ErrToken, "no signed JWT"},
		"a blank in front":      {bearer(" " + good), ErrToken, "no signed JWT"},
		"alg none":              {bearer(b64([]byte(`{"alg":"none","kid":"1"}`)) + "." + parts[1] + "."), ErrToken, "never accepted"},
		"alg None":              {bearer(b64([]byte(`{"alg":"None","kid":"1"}`)) + "." + parts[1] + "." + parts[2]), ErrToken, "never accepted"},
		"no alg":                {bearer(b64([]byte(`{"kid":"1"}`)) + "." + parts[1] + "." + parts[2]), ErrToken, "never accepted"},
		"HS256 by public key":   {bearer(people.SignWith(t, hmac, "u1", desk)), ErrToken, "never accepted"},
		"algorithm of others":   {bearer(b64([]byte(`{"alg":"RS256","kid":"1"}`)) + "." + parts[1] + "." + parts[2]), ErrToken, "not accepted of its issuer"},
		"changed":               {bearer(tampered), ErrToken, "signature is wrong"},
		"signed by a stranger":  {bearer(stranger.Token(t, "u1", desk)), ErrToken, "signature is wrong"},
		"kid unknown":           {bearer((&authtest.Issuer{Name: login, KeyID: "3"}).SignWith(t, signer(t, "3"), "u1", desk)), ErrToken, "no such key"},
		"no kid among several":  {bearer(people.SignWith(t, signer(t, ""), "u1", desk)), ErrToken, "no such key"},
		"of no issuer":          {bearer(people.Token(t, "u1", with(map[string]any{"iss": nil}))), ErrToken, "issuer is none"},
		"of another issuer":     {bearer(people.Token(t, "u1", with(map[string]any{"iss": "https://login.example.com"}))), ErrToken, "issuer is none"},
		"another audience":      {bearer(people.Token(t, "u1", with(map[string]any{"aud": "billing"}))), ErrToken, "another audience"},
		"no audience":           {bearer(people.Token(t, "u1", with(map[string]any{"aud": nil}))), ErrToken, "another audience"},
		"audience of the other": {bearer(shops.Token(t, "any", map[string]any{"aud": "amends-test"})), ErrToken, "another audience"},
		"expired":               {bearer(people.Token(t, "u1", with(map[string]any{"exp": in(-time.Minute)}))), ErrExpired, "has expired"},
		"not yet valid":         {bearer(people.Token(t, "u1", with(map[string]any{"nbf": in(time.Minute)}))), ErrExpired, "not valid yet"},
		"issued in the future":  {bearer(people.Token(t, "u1", with(map[string]any{"iat": in(time.Minute)}))), ErrExpired, "not valid yet"},
		"never expires":         {bearer(people.Token(t, "u1", with(map[string]any{"exp": nil}))), ErrToken, "never expires"},
		"claims of wrong types": {bearer(people.Token(t, "u1", with(map[string]any{"exp": "tomorrow"}))), ErrToken, "cannot be read"},
		"nobody of the file":    {bearer(people.Token(t, "u1", map[string]any{"groups": []string{"desk2", "Desk"}})), ErrStranger, "no caller fits"},
		"groups in one text":    {bearer(people.Token(t, "u1", map[string]any{"groups": "staff desk"})), ErrStranger, "no caller fits"},
		"subject alone":         {bearer(shops.Token(t, "batch", nil)), ErrStranger, "no caller fits"},
		"claims of the other":   {bearer(shops.Token(t, "u1", desk)), ErrStranger, "no caller fits"},
		"signed by the other":   {bearer(shops.Token(t, "u1", map[string]any{"iss": login, "groups": "desk"})), ErrToken, "no such key"},
		"a claim twice":         {bearer(twice(t, people)), ErrToken, "cannot be read"},
		"scheme in small":       {[]string{"bearer " + good}, nil, ""},
		"as it should be":       {bearer(good), nil, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				c, err := told(t, g, test.authorization...)
				if !errors.Is(err, test.kind) || err != nil && !strings.Contains(err.Error(), test.why) {
					t.Errorf("%v, want %v: %s", err, test.kind, test.why)
				}
				if (c == nobody) != (test.kind != nil) {
					t.Errorf("it is %q", c.Name)
				}
				for _, a := range test.authorization {
					for _, part := range strings.FieldsFunc(strings.TrimPrefix(a, "Bearer "), func(r rune) bool { return r == '.' || r == ' ' }) {
						if err != nil && len(part) > 8 && strings.Contains(err.Error(), part) {
							t.Errorf("the error tells of the token: %v", err)
						}
					}
				}
			}
		})
	}
}

// signer is a key that nobody publishes.
func signer(t *testing.T, id string) jose.SigningKey {
	t.Helper()
	return authtest.NewIssuer(t, "", id).Key()
}

// twice is a token whose claims name the group twice.
func twice(t *testing.T, i *authtest.Issuer) string {
	t.Helper()
	claims := strings.Replace(string(i.Claims(t, "u", map[string]any{"groups": "none"})), `"groups":"none"`, `"groups":"none","groups":"desk"`, 1)
	return i.SignText(t, []byte(claims))
}

// The signature of a token is checked once, until the keys of its issuer change or
// it expires.
func TestTokensAreRemembered(t *testing.T) {
	g, people, _ := guarded(t)
	token := people.Token(t, "u1", map[string]any{"groups": "desk", "exp": time.Now().Add(time.Minute).Unix()})
	s := g.state.Load()
	verify := func(now time.Time) (*verified, error) { return s.verify(t.Context(), token, now) }
	first, err := verify(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := verify(time.Now()); err != nil || again != first {
		t.Errorf("examined again: %v", err)
	}
	if _, err := verify(time.Now().Add(69 * time.Second)); err != nil {
		t.Errorf("within the leeway: %v", err)
	}
	if _, err := verify(time.Now().Add(71 * time.Second)); !errors.Is(err, ErrExpired) {
		t.Errorf("after its time: %v, want it expired", err)
	}
	other, err := parseKeys(authtest.JWKS(t, authtest.NewIssuer(t, login, "1")))
	if err != nil {
		t.Fatal(err)
	}
	g.Close() // nothing else stores keys from now on
	s.sources[login].keys.Store(other)
	if _, err := verify(time.Now()); !errors.Is(err, ErrToken) {
		t.Errorf("its key was withdrawn: %v", err)
	}
	if s.tokens.Len() > mostTokens {
		t.Errorf("%d tokens are remembered", s.tokens.Len())
	}
}

func BenchmarkKnownToken(b *testing.B) {
	people := authtest.NewIssuer(b, login, "1")
	dir := b.TempDir()
	authtest.Write(b, dir, "keys.json", authtest.JWKS(b, people))
	authtest.Write(b, dir, "shops.json", authtest.JWKS(b, people))
	a, err := read(b, authtest.Write(b, dir, "access.yaml", []byte(desks)))
	if err != nil {
		b.Fatal(err)
	}
	g := NewGuard(b.Context(), a, func(string, error) {}, func(bool) {})
	defer g.Close()
	s := g.state.Load()
	token := people.Token(b, "u1", map[string]any{"groups": "desk"})
	for name, verify := range map[string]func() error{
		"first": func() error { _, err := s.examine(b.Context(), token, time.Now()); return err },
		"again": func() error { _, err := s.verify(b.Context(), token, time.Now()); return err },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := verify(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Beside as many new tokens as may be examined at a time, those that are known are
// good as ever.
func TestNewTokensAtOnce(t *testing.T) {
	g, people, _ := guarded(t)
	known, fresh := people.Token(t, "u1", map[string]any{"groups": "desk"}), people.Token(t, "u2", map[string]any{"groups": "desk"})
	if _, err := told(t, g, "Bearer "+known); err != nil {
		t.Fatal(err)
	}
	g.examined.Store(mostExamined)
	if _, err := told(t, g, "Bearer "+known); err != nil {
		t.Errorf("a token that is known: %v", err)
	}
	if _, err := told(t, g, "Bearer "+fresh); !errors.Is(err, ErrCrowd) {
		t.Errorf("a new one: %v, want it told to come again", err)
	}
	g.examined.Add(-1)
	if _, err := told(t, g, "Bearer "+fresh); err != nil {
		t.Errorf("a new one, with room: %v", err)
	}
}
