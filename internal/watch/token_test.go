package watch

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/makeamends/amends/internal/ledger"
)

// testSealer needs no key: these tests make up no tokens by it.
var testSealer = newSealer(func(domain, value string) string {
	sum := sha256.Sum256([]byte(domain + "\x00" + value))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
})

func TestToken(t *testing.T) {
	mark := rapid.Custom(func(t *rapid.T) ledger.Mark {
		return ledger.Mark{Next: rapid.Uint64Range(1, 1<<60).Draw(t, "next"), Sum: rapid.Uint16().Draw(t, "sum")}
	})
	rapid.Check(t, func(t *rapid.T) {
		marks := rapid.SliceOfN(rapid.OneOf(rapid.Just(ledger.Mark{}), mark), 1, 300).Draw(t, "marks")
		epoch := rapid.StringMatching(`[a-zA-Z0-9_-]{11}`).Draw(t, "epoch")
		token := testSealer.token("shop", epoch, marks)
		p, err := testSealer.open("shop", token, len(marks))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(marks, p.marks); diff != "" || p.epoch != epoch || p.tenant != "shop" {
			t.Fatalf("%s of %s in epoch %s:\n%s", token, p.tenant, p.epoch, diff)
		}
		if p, err := testSealer.open("other", token, len(marks)); err != nil || !p.unknown {
			t.Fatalf("opened for another tenant: %v", err)
		}
		if p, err := testSealer.open("shop", token, len(marks)+1); err != nil || !p.unknown {
			t.Fatalf("opened for a store with more buckets: %v", err)
		}
		if _, err := testSealer.open("shop", token[:len(token)-1], len(marks)); !errors.Is(err, ErrToken) {
			t.Fatalf("opened without its end: %v", err)
		}
		at := rapid.IntRange(0, len(token)-1).Draw(t, "at")
		forged := []byte(token)
		forged[at] ^= 1
		for _, bad := range []string{string(forged), token[:at], token + "A"} {
			if p, err := testSealer.open("shop", bad, len(marks)); at > 0 && !errors.Is(err, ErrToken) && !p.unknown {
				t.Fatalf("opened %s instead of %s: %v", bad, token, err)
			}
		}
	})
}

// TestTokenHides: a token tells nothing of how many events there were, of whatever
// tenant: not by what is in it, nor by how long it is, nor by being the one of before.
func TestTokenHides(t *testing.T) {
	few, many := make([]ledger.Mark, 256), make([]ledger.Mark, 256)
	for i := range many {
		many[i] = ledger.Mark{Next: 1<<40 + uint64(i), Sum: 7}
	}
	next := slices.Clone(many)
	next[200].Next++
	tokens := []string{
		testSealer.token("shop", "elevenchars", few),
		testSealer.token("shop", "elevenchars", few), testSealer.token("shop", "elevenchars", many),
		testSealer.token("shop", "elevenchars", next), testSealer.token("other", "elevenchars", many),
	}
	for n, a := range tokens {
		body, err := base64.RawURLEncoding.DecodeString(a[:len(a)-sealLength])
		if err != nil || bytes.Contains(body, []byte("elevenchars")) {
			t.Errorf("token %d shows the epoch; %v", n, err)
		}
		for m, b := range tokens[:n] {
			same := 0
			for i := range min(len(a), len(b)) {
				if a[i] == b[i] {
					same++
				}
			}
			if len(a) != len(b) || same > len(a)/16 { // one of 64 letters is the same by chance
				t.Errorf("tokens %d and %d have %d and %d characters, %d of them the same", m, n, len(b), len(a), same)
			}
		}
	}
}

// TestTokenSize: the contract takes 16,384 characters.
func TestTokenSize(t *testing.T) {
	if n := len(testSealer.token("shop", "elevenchars", make([]ledger.Mark, 256))); n > 3500 {
		t.Errorf("a token of %d characters", n)
	}
}

// FuzzToken: whatever is sealed with the right key but by another program is
// refused without harm.
func FuzzToken(f *testing.F) {
	const salt = "saltsalt"
	f.Add([]byte(salt + "\x02ab" + strings.Repeat("0123456789", 8)))
	f.Add([]byte(salt + "\xffab"))
	f.Add([]byte(salt + "\xff" + strings.Repeat("e", 255) + strings.Repeat("0123456789", 8)))
	f.Add([]byte(salt))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := testSealer.open("shop", testSealer.close("shop", bytes.Clone(body)), 8)
		if err == nil && !p.unknown && (len(p.marks) != 8 || len(body) != saltLength+1+len(p.epoch)+80) {
			t.Errorf("%d marks of %d bytes", len(p.marks), len(body))
		}
	})
}

func BenchmarkToken(b *testing.B) {
	marks := make([]ledger.Mark, 256)
	for i := range marks {
		marks[i] = ledger.Mark{Next: 5000, Sum: 0xffff}
	}
	for b.Loop() {
		testSealer.token("shop", "elevenchars", marks)
	}
}
