package policy

import (
	"os"
	"path/filepath"
	"testing"
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
