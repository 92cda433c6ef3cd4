package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

func TestParseMoney(t *testing.T) {
	for text, want := range map[string]*money.Money{
		"18.00 USD":         {Units: 18, CurrencyCode: "USD"},
		"USD 18":            {Units: 18, CurrencyCode: "USD"},
		" 0.1   eur ":       {Nanos: 100_000_000, CurrencyCode: "EUR"},
		"-3.25 USD":         {Units: -3, Nanos: -250_000_000, CurrencyCode: "USD"},
		"7.000000001 KWD":   {Units: 7, Nanos: 1, CurrencyCode: "KWD"},
		"900719925474099 X": nil, "18": nil, "USD": nil, "18 US": nil, "18,00 USD": nil, "18. USD": nil, ".5 USD": nil, "1e3 USD": nil,
		"18.0000000001 USD": nil, "99999999999999999999 USD": nil, "18 USD 1": nil, "--1 USD": nil, "USD USD": nil, "NaN USD": nil, "": nil, "+1 USD": nil,
	} {
		got, err := parseMoney(text)
		if (err != nil) != (want == nil) || !proto.Equal(got, want) {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		units, nanos := rapid.Int64Min(0).Draw(t, "units"), rapid.Int32Range(0, 999_999_999).Draw(t, "nanos")
		got, err := parseMoney(fmt.Sprintf("%d.%09d USD", units, nanos))
		if err != nil || got.GetUnits() != units || got.GetNanos() != nanos {
			t.Fatalf("%d and %d nanos were read as %v, %v", units, nanos, got, err)
		}
	})
}

func TestParseSpan(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"45m": 45 * time.Minute, "1h30m": 90 * time.Minute, "2d": 48 * time.Hour, "1d12h": 36 * time.Hour, "-2h": -2 * time.Hour, "+2h": 2 * time.Hour,
		"-1d1h": -25 * time.Hour, "0s": 0,
	} {
		if got, err := parseSpan(text); err != nil || got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "45", "d", "1.5d", "1h2d", "--2h", "1d-2h", "99999999d", "soon"} {
		if got, err := parseSpan(text); err == nil {
			t.Errorf("%q is %v, want an error", text, got)
		}
	}
}

func TestOccurred(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 123_456_789, time.UTC)
	const v7 = "01958d2e-5a00-7000-8000-000000000000" // made on 13 March 2025, in milliseconds 0x01958d2e5a00
	made := time.UnixMilli(0x01958d2e5a00).UTC()
	for name, row := range map[string]struct {
		said, id string
		at       time.Time
		again    string
	}{
		"the id holds the time":           {"", v7, made, ""},
		"an id of the caller's":           {"", "order-7", now.Truncate(time.Millisecond), " --occurred-at 2026-03-01T12:00:00.123Z"},
		"a random id":                     {"", "a1b2c3d4-e5f6-4000-8000-000000000000", now.Truncate(time.Millisecond), " --occurred-at 2026-03-01T12:00:00.123Z"},
		"said in full":                    {"2026-02-01T10:00:00+01:00", v7, time.Date(2026, 2, 1, 9, 0, 0, 0, time.UTC), ""},
		"the first moment there is":       {"0001-01-01T00:00:00Z", v7, time.Time{}, ""},
		"counted from now":                {"-2h", v7, now.Truncate(time.Millisecond).Add(-2 * time.Hour), " --occurred-at 2026-03-01T10:00:00.123Z"},
		"now, whatever the id says of it": {"now", v7, now.Truncate(time.Millisecond), " --occurred-at 2026-03-01T12:00:00.123Z"},
	} {
		var said moment
		if row.said != "" {
			if err := said.Set(row.said); err != nil {
				t.Fatal(err)
			}
		}
		if at, again := occurred(said, row.id, now); !at.Equal(row.at) || again != row.again {
			t.Errorf("%s: %v and %q, want %v and %q", name, at, again, row.at, row.again)
		}
	}
}

// Every value of every enum can be written short or in full, in any case, with dashes or underscores.
func TestEnumNames(t *testing.T) {
	names, numbers := shortNames[recoveryv1.FailureKind]()
	if len(names) != len(recoveryv1.FailureKind_name)-1 {
		t.Errorf("%d names for %d values", len(names), len(recoveryv1.FailureKind_name))
	}
	for _, name := range names {
		for _, text := range []string{name, "FAILURE_KIND_" + name, lowerDashed(name), "failure-kind-" + lowerDashed(name), " " + name + " "} {
			if got, err := parseEnum[recoveryv1.FailureKind](text); err != nil || got != numbers[name] {
				t.Errorf("%q is %v, %v", text, got, err)
			}
		}
	}
	for _, text := range []string{"", "UNSPECIFIED", "FAILURE_KIND_UNSPECIFIED", "1", "CHANNEL_APP"} {
		if got, err := parseEnum[recoveryv1.FailureKind](text); err == nil {
			t.Errorf("%q is %v, want an error", text, got)
		}
	}
}

func lowerDashed(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "-")) }
