package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// mostKeyBytes is the size up to which keys are read; those of the largest
// issuers have some 10 KB.
const mostKeyBytes = 1 << 20

// leastRSA is how many bits an RSA key must have (RFC 7518, 3.3).
const leastRSA = 2048

// keySet are the public keys of an issuer. It does not change once it is in force.
type keySet struct {
	text string // as it was read
	keys []*key
}

// key is one public key of an issuer.
type key struct {
	jose.JSONWebKey
	// valid ends when the issuer has withdrawn the key.
	valid    context.Context
	withdraw context.CancelFunc
}

// parseKeys reads a JWKS. Keys that cannot be used here are passed over, as
// RFC 7517 wants it: other types, other uses, and keys that are too short. A set
// that holds a secret is refused, since whoever published it has to know, and so
// is one of which no key can be used. An empty one is what an issuer publishes
// that has withdrawn them all.
func parseKeys(text []byte) (*keySet, error) {
	var file struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if len(text) > mostKeyBytes || json.Unmarshal(text, &file) != nil || file.Keys == nil {
		return nil, errors.New(`the keys are not a JWKS of at most 1 MiB, such as {"keys": [{"kty": "EC", …}]}`)
	}
	set := &keySet{text: string(text)}
	for _, raw := range file.Keys {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(raw) != nil {
			continue
		}
		if !k.IsPublic() {
			return nil, errors.New("the keys hold a private or symmetric one, which is a secret of the issuer; name a file of public keys alone")
		}
		if usable(&k) {
			one := &key{JSONWebKey: k}
			one.valid, one.withdraw = context.WithCancel(context.Background())
			set.keys = append(set.keys, one)
		}
	}
	if len(set.keys) == 0 && len(file.Keys) > 0 {
		return nil, errors.New("the keys hold no public key for signatures that can be used: RSA of 2048 bits or more, EC, or Ed25519")
	}
	return set, nil
}

// succeed takes the keys over that were in the set before too, and gives those
// that are gone.
func (s *keySet) succeed(was *keySet) (gone []*key) {
	if was == nil {
		return nil
	}
	for _, old := range was.keys {
		if i := slices.IndexFunc(s.keys, old.same); i >= 0 {
			s.keys[i] = old
		} else {
			gone = append(gone, old)
		}
	}
	return gone
}

// same reports whether the other is good for the same tokens.
func (k *key) same(other *key) bool {
	public, ok := k.Key.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.KeyID == other.KeyID && k.Algorithm == other.Algorithm && public.Equal(other.Key)
}

func usable(k *jose.JSONWebKey) bool {
	if k.Use != "" && k.Use != "sig" {
		return false
	}
	switch public := k.Key.(type) {
	case *rsa.PublicKey:
		return public.N.BitLen() >= leastRSA
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	default:
		return false
	}
}

// of gives the keys with which a token may be signed that names this key id and
// algorithm. A token that names no key is tried with the only one.
func (s *keySet) of(id, algorithm string) (keys []*key) {
	for _, k := range s.keys {
		named := k.KeyID == id || id == "" && len(s.keys) == 1
		if named && (k.Algorithm == "" || k.Algorithm == algorithm) {
			keys = append(keys, k)
		}
	}
	return keys
}
