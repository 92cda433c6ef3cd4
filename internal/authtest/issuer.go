package authtest

import (
	"crypto/ecdsa"
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Issuer signs tokens with ES256.
type Issuer struct {
	// Name is the claim iss.
	Name string
	// KeyID is the kid of its key.
	KeyID string
	key   *ecdsa.PrivateKey
}

// NewIssuer makes an issuer with a key of its own.
func NewIssuer(tb testing.TB, name, keyID string) *Issuer {
	tb.Helper()
	return &Issuer{name, keyID, newKey(tb)}
}

// JWKS is the file of the public keys of issuers.
func JWKS(tb testing.TB, issuers ...*Issuer) []byte {
	tb.Helper()
	set := jose.JSONWebKeySet{}
	for _, i := range issuers {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: i.key.Public(), KeyID: i.KeyID, Use: "sig", Algorithm: "ES256"})
	}
	text, err := json.Marshal(set)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// Token is good for ten minutes and the audience amends. The claims are added to
// that, or take its place; nil leaves one out.
func (i *Issuer) Token(tb testing.TB, subject string, claims map[string]any) string {
	tb.Helper()
	return i.SignWith(tb, i.Key(), subject, claims)
}

// Key is what it signs with.
func (i *Issuer) Key() jose.SigningKey {
	return jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: i.key, KeyID: i.KeyID}}
}

// SignWith is Token, signed by another key or in another way.
func (i *Issuer) SignWith(tb testing.TB, key jose.SigningKey, subject string, claims map[string]any) string {
	tb.Helper()
	return sign(tb, key, i.Claims(tb, subject, claims))
}

// SignText signs a text as it is.
func (i *Issuer) SignText(tb testing.TB, text []byte) string {
	tb.Helper()
	return sign(tb, i.Key(), text)
}

func sign(tb testing.TB, key jose.SigningKey, text []byte) string {
	tb.Helper()
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		tb.Fatal(err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		tb.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

// Claims are those of Token, unsigned.
func (i *Issuer) Claims(tb testing.TB, subject string, claims map[string]any) []byte {
	tb.Helper()
	now := time.Now()
	all := map[string]any{"iss": i.Name, "sub": subject, "aud": "amends", "iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix()}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	text, err := json.Marshal(all)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}
