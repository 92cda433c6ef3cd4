package policy

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const examples = "../../examples/policies"

func TestExampleTrialsPass(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(examples, "*.trials.yaml"))
	if err != nil || len(files) < 3 {
		t.Fatalf("examples are missing: %v %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			results, findings := RunTrials(file, text, nil)
			if len(findings) > 0 {
				t.Fatal(findings)
			}
			for _, r := range results {
				if !r.Passed() {
					t.Error(r)
				}
			}
		})
	}
}

func TestExamplePoliciesHaveNoFindings(t *testing.T) {
	for _, name := range []string{"pizza.yaml", "hotel.yaml"} {
		file := filepath.Join(examples, name)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, findings := Parse(file, text); len(findings) > 0 {
			t.Errorf("%s\n%v", name, findings.Err())
		}
	}
}

// A trial that fails says what was wanted, what came out, and where it is written.
func TestTrialDiffs(t *testing.T) {
	const text = `trials:
  - name: all wrong
    event: {kinds: [DAMAGED], value: 200 USD, channel: EMAIL}
    expect:
      band: LOW
      severity: 0.2
      ignored: 0.747
      double_deviation: true
      reasons: [MOTIVE]
      restitution: 10 USD
      goodwill: 90 EUR
      automatic: 50 USD
      approval: 40 XXX
      gestures: [personal-call]
      review: true
      speaker: MANAGER
      deadlines:
        - {milestone: FIRST_RESPONSE, within: 1h, bound: PUBLIC, state: MISSED}
        - {milestone: FOLLOW_UP}
  - name: wrong currency
    event: {kinds: [DAMAGED], value: 200 XTS}
    expect: {band: LOW}
  - name: as expected
    event: {kinds: [DAMAGED], value: 200 USD, channel: EMAIL}
    expect: {goodwill: 90 USD, ignored: 0.75, tolerance: 0.01}
`
	results, findings := RunTrials("t.yaml", []byte(text), Default())
	if len(findings) > 0 || len(results) != 3 {
		t.Fatal(results, findings)
	}
	want := `FAIL  all wrong (t.yaml:2)
      line 5    expect.band                 want LOW              got HIGH
      line 6    expect.severity             want 0.2000 ± 0.001   got 0.7500
      line 8    expect.double_deviation     want true             got false
      line 9    expect.reasons              want MOTIVE           got SEVERITY
      line 10   expect.restitution          want 10 USD           got 0.00 USD
      line 11   expect.goodwill             want 90 EUR           got 90.00 USD
      line 13   expect.approval             want 40 XXX           got 40 XXX: the policy does not list XXX
      line 14   expect.gestures[0]          want personal-call    got free-item
      line 15   expect.review               want true             got false
      line 16   expect.speaker              want MANAGER          got ANYONE
      line 18   expect.deadlines[0].within  want 1h               got 12h
      line 18   expect.deadlines[0].bound   want PUBLIC           got BAND
      line 18   expect.deadlines[0].state   want MISSED           got PENDING
      line 19   expect.deadlines[1]         want FOLLOW_UP        got no such deadline
FAIL  wrong currency (t.yaml:20)
      line 21   event  want a case  got 200 XTS: the policy does not list XTS
pass  as expected`
	got := fmt.Sprintf("%v\n%v\n%v", results[0], results[1], results[2])
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTrialFindings(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"no trials", "trials: []\n", "t.yaml:1:9: trials: must contain at least 1 item(s)"},
		{"name twice", "trials:\n  - {name: a, event: {kinds: [LATE]}, expect: {}}\n  - {name: a, event: {kinds: [LATE]}, expect: {}}\n",
			"t.yaml:3:12: trials[1].name: a is there already, in trials[0].name"},
		{"two faults", "trials:\n  - {name: a, event: {kinds: [LAT], value: 5}, expect: {}}\n",
			"t.yaml:2:31: trials[0].event.kinds[0]: \"LAT\" is unknown; one of LATE,"},
		{"no policy", "policy: missing.yaml\ntrials:\n  - {name: a, event: {kinds: [LATE]}, expect: {}}\n",
			"t.yaml:1:9: policy: open missing.yaml: no such file or directory"},
	} {
		results, findings := RunTrials("t.yaml", []byte(tt.text), nil)
		if len(results) > 0 || !strings.HasPrefix(findings.Error(), tt.want) {
			t.Errorf("%s: %d results, findings\n%v", tt.name, len(results), findings.Err())
		}
	}
}

// A recovered failure weighs half, and the satisfied recovery counts as a
// positive.
func TestRecoveredHistory(t *testing.T) {
	const text = `trials:
  - name: recovered
    earlier: [{ago: 90d, recovered: true, event: {kinds: [DAMAGED], channel: EMAIL}}]
    event: {kinds: [LATE], delay: 10m, channel: EMAIL}
    expect: {reasons: [SEVERITY, REPEAT, GOODWILL], ignored: 0.5544} # R is 0.125, P is 0.707
`
	results, findings := RunTrials("t.yaml", []byte(text), Default())
	if len(findings) > 0 || !results[0].Passed() {
		t.Error(results, findings)
	}
}
