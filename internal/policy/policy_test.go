package policy

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/makeamends/amends/internal/document"
	"github.com/makeamends/amends/internal/recovery"
	policyv1 "github.com/makeamends/amends/proto/recovery/policy/v1"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

func TestDefaultHasNoFindings(t *testing.T) {
	if _, findings := Parse("default.yaml", defaultYAML); len(findings) > 0 {
		t.Fatal(findings.Err())
	}
	if p := Default(); p != Default() || p.Rules.Version != p.Version || !bytes.Equal(p.YAML, defaultYAML) {
		t.Error("the default policy is not one policy")
	}
}

// The version follows the content, however the file was saved.
func TestVersionIsOfTheContent(t *testing.T) {
	version := Default().Version
	if !regexp.MustCompile(`^p-[0-9a-f]{16}$`).MatchString(version) {
		t.Errorf("version is %s", version)
	}
	saved := append([]byte("\ufeff"), bytes.ReplaceAll(defaultYAML, []byte("\n"), []byte("\r\n"))...)
	same, findings := Parse("p.yaml", append(saved, '\n', '\n'))
	if same == nil || same.Version != version {
		t.Errorf("saved elsewhere it is %v %v", same, findings)
	}
	other, _ := Parse("p.yaml", bytes.Replace(defaultYAML, []byte("title: Default"), []byte("title: Other"), 1))
	if other == nil || other.Version == version {
		t.Error("another content has the same version")
	}
}

// A policy that does not say how long guests stay lets them stay until they were
// to be answered.
func TestStayNotGiven(t *testing.T) {
	text := regexp.MustCompile(`(?m)^  stay: .*\n`).ReplaceAll(defaultYAML, nil)
	p, findings := Parse("p.yaml", text)
	if p == nil {
		t.Fatal(findings.Err())
	}
	if d := p.Rules.Deadlines; d.Stay != d.OnPremises || d.Stay == Default().Rules.Deadlines.Stay {
		t.Errorf("a stay of %v", d.Stay)
	}
}

// Every value of the contract that a policy may use is known to the decision.
func TestContractAndDecisionHaveTheSameWords(t *testing.T) {
	enums := []struct {
		enum protoreflect.Enum
		got  []string
	}{
		{recoveryv1.FailureKind(0), names[recovery.Kind]()},
		{recoveryv1.ResourceLost(0), names[recovery.Resource]()},
		{recoveryv1.Medium(0), names[recovery.Medium]()},
		{recoveryv1.Channel(0), names[recovery.Channel]()},
		{recoveryv1.Voice(0), names[recovery.Voice]()},
		{recoveryv1.Milestone(0), names[recovery.Milestone]()},
		{recoveryv1.Bound(0), names[recovery.Bound]()},
		{recoveryv1.EvidenceGrade(0), names[recovery.Grade]()},
		{recoveryv1.ResponseForm(0), names[recovery.Form]()},
		{recoveryv1.Speaker(0), names[recovery.Speaker]()},
		{recoveryv1.Band(0), names[recovery.Band]()},
		{recoveryv1.Motive(0), names[recovery.Motive]()},
		{recoveryv1.Locus(0), names[recovery.Locus]()},
		{recoveryv1.Acceptance(0), names[recovery.Acceptance]()},
		{recoveryv1.Relationship(0), names[recovery.Relationship]()},
		{recoveryv1.Corroboration(0), names[recovery.Corroboration]()},
		{policyv1.Circumstance(0), names[recovery.Circumstance]()},
	}
	for _, e := range enums {
		want := document.ShortNames(e.enum.Descriptor())
		slices.Sort(want)
		slices.Sort(e.got[1:])
		if !slices.Equal(want, e.got[1:]) {
			t.Errorf("%s: contract %v, decision %v", e.enum.Descriptor().Name(), want, e.got[1:])
		}
	}
	for _, name := range document.ShortNames(recoveryv1.InteractionKind(0).Descriptor()) {
		if !slices.Contains(names[recovery.Positive](), name) {
			t.Errorf("positive %s is unknown to the decision", name)
		}
	}
}

func TestShortDuration(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"5m": 5 * time.Minute, "12h": 12 * time.Hour, "180d": 180 * day, "1d12h": 36 * time.Hour, "30s": 30 * time.Second,
		"1d2h3m4s": 26*time.Hour + 3*time.Minute + 4*time.Second, "0s": 0,
	} {
		if got := shortDuration(d); got != want {
			t.Errorf("%v is written %s, want %s", d, got, want)
		}
	}
}

func TestMinorDigits(t *testing.T) {
	for code, want := range map[string]int{"USD": 2, "JPY": 0, "KWD": 3, "CLF": 4, "XCG": 2, "VED": 2, "ZWG": 2, "ISK": 0, "UGX": 0, "XAF": 0} {
		if got, ok := minorDigits[code]; !ok || got != want {
			t.Errorf("%s has %d decimals, known: %v", code, got, ok)
		}
	}
	for _, code := range []string{"DEM", "ANG", "HRK", "ZWL", "XAU", "XXX", "usd"} {
		if _, ok := minorDigits[code]; ok {
			t.Errorf("%s is known", code)
		}
	}
	for code, want := range map[string]int{"JPY": 0, "USD": 2, "KWD": 3, "ANG": 2} {
		if got := Digits(code); got != want {
			t.Errorf("%s has %d decimals, want %d", code, got, want)
		}
	}
	for code := range minorDigits {
		if len(code) != 3 || strings.ToUpper(code) != code {
			t.Errorf("%q is no code", code)
		}
	}
	if got, _ := minorUnits("0.100", 3); got != 100 {
		t.Errorf("0.100 with three decimals is %d minor units", got)
	}
}

func TestGoodwillCancelsTheReferenceFailure(t *testing.T) {
	r := Default().Rules.Risk
	if got := 12*r.Terms[recovery.ReasonGoodwill].Weight - .5*r.Terms[recovery.ReasonSeverity].Weight; got > 1e-15 || got < -1e-15 {
		t.Errorf("12 positives leave %g of a failure of severity 0.5", got)
	}
}
