package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	accessv1 "github.com/makeamends/amends/proto/recovery/access/v1"
)

// mostTokenBytes is the size up to which a token is looked at. Tokens have 1 or 2 KB.
const mostTokenBytes = 8 << 10

// signatures are those that a token may have at all. Each issuer accepts some of
// them; none of them is symmetric, and "none" is no signature.
var signatures = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// defaultLeeway is by how much clocks may differ unless the issuer says otherwise.
const defaultLeeway = 30 * time.Second

// tokenIn takes the token out of the authorization of a call; empty when there is none.
func tokenIn(authorization []string) (string, error) {
	switch len(authorization) {
	case 0:
		return "", nil
	case 1:
	default:
		return "", refuse(ErrToken, "authorization is given more than once")
	}
	scheme, token, _ := strings.Cut(authorization[0], " ")
	switch {
	case !strings.EqualFold(scheme, "bearer") || token == "":
		return "", refuse(ErrToken, "authorization is not Bearer and a token")
	case len(token) > mostTokenBytes:
		return "", refuse(ErrToken, "it is longer than 8 KiB")
	}
	return token, nil
}

// verified is what a token has turned out to be.
type verified struct {
	caller *Caller // as the entry has it, or with fewer tenants
	source *source
	keys   *keySet   // of the source, when the signature was checked
	key    *key      // of these, the one that it is signed by
	until  time.Time // from then on the token is of no use, leeway included
}

// verify tells whose token it is. The signature of a token is checked once, and
// again when the keys of its issuer have changed.
func (s *state) verify(ctx context.Context, token string, now time.Time) (*verified, error) {
	sum := sha256.Sum256([]byte(token))
	if v := s.remembered(sum, now); v != nil {
		return v, nil
	}
	defer s.examined.Add(-1)
	if s.examined.Add(1) > mostExamined {
		return nil, ErrCrowd
	}
	v, err := s.examine(ctx, token, now)
	if err == nil {
		s.tokens.Add(sum, v)
	}
	return v, err
}

// remembered gives what was verified before of the token with that hash and is
// still valid, or nil.
func (s *state) remembered(sum [sha256.Size]byte, now time.Time) *verified {
	v, ok := s.tokens.Get(sum)
	if !ok || v.keys != v.source.keys.Load() || now.After(v.until) {
		return nil
	}
	return v
}

// examine checks the signature, then the claims, then who that is.
func (s *state) examine(ctx context.Context, token string, now time.Time) (*verified, error) {
	parsed, err := jwt.ParseSigned(token, signatures)
	if err != nil {
		return nil, refuse(ErrToken, "it is no signed JWT, or signed in a way that is never accepted")
	}
	var unproven jwt.Claims
	if parsed.UnsafeClaimsWithoutVerification(&unproven) != nil {
		return nil, refuse(ErrToken, "its claims cannot be read")
	}
	from := s.sources[unproven.Issuer]
	if from == nil {
		return nil, refuse(ErrToken, "its issuer is none of the access file")
	}
	header := parsed.Headers[0]
	if !slices.Contains(from.issuer.GetAlgorithms(), header.Algorithm) {
		return nil, refuse(ErrToken, "its algorithm is not accepted of its issuer")
	}
	keys, candidates, err := from.find(ctx, header.KeyID, header.Algorithm)
	if err != nil {
		return nil, err
	}
	var proven jwt.Claims
	all := map[string]any{}
	v := &verified{source: from, keys: keys}
	for _, v.key = range candidates {
		if err = parsed.Claims(v.key.Key, &proven, &all); err == nil {
			break
		}
	}
	if err != nil {
		return nil, refuse(ErrToken, "its signature is wrong")
	}
	if v.until, err = valid(&proven, from.issuer, now); err != nil {
		return nil, err
	}
	return v, s.access.owner(v, all)
}

// valid judges the claims of a token whose signature is right, and says until when.
func valid(c *jwt.Claims, from *accessv1.Issuer, now time.Time) (until time.Time, err error) {
	if c.Expiry == nil {
		return until, refuse(ErrToken, "it never expires")
	}
	leeway := defaultLeeway
	if from.HasLeeway() {
		leeway = from.GetLeeway().AsDuration()
	}
	err = c.ValidateWithLeeway(jwt.Expected{Issuer: from.GetIssuer(), AnyAudience: from.GetAudiences(), Time: now}, leeway)
	switch {
	case errors.Is(err, jwt.ErrExpired):
		return until, refuse(ErrExpired, "the token has expired")
	case errors.Is(err, jwt.ErrNotValidYet), errors.Is(err, jwt.ErrIssuedInTheFuture):
		return until, refuse(ErrExpired, "the token is not valid yet")
	case errors.Is(err, jwt.ErrInvalidAudience):
		return until, refuse(ErrToken, "it is for another audience")
	case err != nil:
		return until, refuse(ErrToken, "its claims do not fit")
	}
	return c.Expiry.Time().Add(leeway), nil
}

// owner finds the first caller of the file that the claims fit.
func (a *Access) owner(v *verified, claims map[string]any) error {
	issuer := v.source.issuer
	for _, e := range a.Entries {
		fits := func(t *accessv1.Token) bool { return t.GetIssuer() == issuer.GetIssuer() && says(claims, t) }
		if !slices.ContainsFunc(e.message.GetTokens(), fits) {
			continue
		}
		v.caller = &e.Caller
		if issuer.HasTenantClaim() {
			v.caller = &Caller{Name: e.Name, Roles: e.Roles, Tenants: e.Tenants.only(words(claims, issuer.GetTenantClaim()))}
		}
		return nil
	}
	return refuse(ErrStranger, "no caller fits the claims of the token")
}

// says reports whether the claims are all that the access file wants of them.
func says(claims map[string]any, t *accessv1.Token) bool {
	if t.HasSubject() && claims["sub"] != t.GetSubject() {
		return false
	}
	for name, want := range t.GetClaims() {
		if !slices.Contains(words(claims, name), want) {
			return false
		}
	}
	return true
}

// words are the texts of a claim: one, or a list of them, or the words of scope,
// which is a list separated by blanks (RFC 8693, 4.2).
func words(claims map[string]any, name string) (texts []string) {
	switch value := claims[name].(type) {
	case string:
		if name == "scope" {
			return strings.Fields(value)
		}
		return []string{value}
	case []any:
		for _, item := range value {
			if text, ok := item.(string); ok {
				texts = append(texts, text)
			}
		}
	}
	return texts
}
