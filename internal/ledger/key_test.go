package ledger

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestKeysNeitherMeetNorMove(t *testing.T) {
	l := &Ledger{keys: newKeyer([]byte("a secret of sixteen bytes"))}
	// What was stored under this key must be found by every later version.
	if got, want := l.Key("default", "ann"), Key(knownKey); got != want {
		t.Errorf("Key = %s, want %s", got, want)
	}
	other := &Ledger{keys: newKeyer([]byte("another secret of sixteen"))}
	seen := map[string]string{}
	for what, key := range map[string]string{
		"customer":         string(l.Key("default", "ann")),
		"other customer":   string(l.Key("default", "bob")),
		"other tenant":     string(l.Key("shop", "ann")),
		"shifted boundary": string(l.Key("defaulta", "nn")),
		"other secret":     string(other.Key("default", "ann")),
		"order":            l.Hash("order", "ann"),
		"incident":         l.Hash("incident", "ann"),
		"like a tenant":    l.Hash("default", "ann"),
	} {
		if twin, ok := seen[key]; ok {
			t.Errorf("%s and %s have the same key", what, twin)
		}
		seen[key] = what
		if len(key) != keyLength || strings.ContainsAny(key, "{}:. ") {
			t.Errorf("%s: key %q", what, key)
		}
	}
}

func TestCaseIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &Ledger{keys: newKeyer([]byte("a secret of sixteen bytes"))}
		key := l.Key("t", rapid.String().Draw(t, "customer"))
		number := rapid.Int64Min(1).Draw(t, "number")
		gotKey, gotNumber, err := ParseCaseID(CaseID(key, number))
		if err != nil || gotKey != key || gotNumber != number {
			t.Fatalf("ParseCaseID(%s) = %s, %d, %v", CaseID(key, number), gotKey, gotNumber, err)
		}
	})
	k := knownKey
	for _, id := range []string{
		"", ".", k, k + ".", k + ".0", k + ".-1", k + ".+1", k + ".01", k + ".1 ", " " + k + ".1", k + ".1.1",
		k + ".9223372036854775808", k[1:] + ".1", k + "A.1", k[:21] + "{.1", k[:21] + "=.1", k[:21] + "B.1", "{b001}:" + k + ".1",
	} {
		if _, _, err := ParseCaseID(id); !errors.Is(err, ErrCaseID) {
			t.Errorf("ParseCaseID(%q) gives %v", id, err)
		}
	}
}

func FuzzParseCaseID(f *testing.F) {
	f.Add(knownKey + ".1")
	f.Fuzz(func(t *testing.T, id string) {
		key, number, err := ParseCaseID(id)
		if err == nil && CaseID(key, number) != id {
			t.Errorf("%q is read as %s", id, CaseID(key, number))
		}
	})
}

const knownKey = "Pw86obQOQgjnmWRzJZBS0g"
