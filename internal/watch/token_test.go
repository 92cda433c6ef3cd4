package watch

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/makeamends/amends/internal/ledger"
)

// testSealer needs no key: these tests make up no tokens by it.
var testSealer = sealer{func(domain, value string) string {
	sum := sha256.Sum256([]byte(domain + "\x00" + value))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}}

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
		if _, err := testSealer.open("other", token, len(marks)); !errors.Is(err, ErrToken) {
			t.Fatalf("opened for another tenant: %v", err)
		}
		at := rapid.IntRange(0, len(token)-1).Draw(t, "at")
		forged := []byte(token)
		forged[at] ^= 1
		for _, bad := range []string{string(forged), token[:at], token + "A"} {
			if _, err := testSealer.open("shop", bad, len(marks)); at > 0 && !errors.Is(err, ErrToken) {
				t.Fatalf("opened %s instead of %s: %v", bad, token, err)
			}
		}
	})
}

// TestTokenSize: the contract takes 16,384 characters.
func TestTokenSize(t *testing.T) {
	marks := make([]ledger.Mark, 256)
	for i := range marks {
		marks[i] = ledger.Mark{Next: 1 << 34, Sum: 0xffff} // 10 events a second in each bucket for 50 years
	}
	if n := len(testSealer.token("shop", "elevenchars", marks)); n > 3000 {
		t.Errorf("a token of %d characters", n)
	}
}

// FuzzToken: whatever is sealed with the right key but by another program is
// refused without harm.
func FuzzToken(f *testing.F) {
	f.Add([]byte("\x02ab\x00\x01zz"))
	f.Fuzz(func(t *testing.T, body []byte) {
		text := base64.RawURLEncoding.EncodeToString(body)
		p, err := testSealer.open("shop", text+testSealer.seal("shop", text), 8)
		if err == nil && len(p.marks) != 8 {
			t.Errorf("%d marks", len(p.marks))
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
