package policy

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"
)

// Whatever bytes come in, there is either a policy or findings with a place in
// the file, and what was accepted is accepted again under the same version.
func FuzzParse(f *testing.F) {
	f.Add(defaultYAML)
	for i, b := range faults {
		if i%5 == 0 && bytes.Count(defaultYAML, []byte(b.old)) == 1 { // TestBrokenPolicies goes through all
			f.Add(bytes.Replace(defaultYAML, []byte(b.old), bytes.ReplaceAll([]byte(b.new), []byte("«"), nil), 1))
		}
	}
	for _, text := range []string{"", "a", "- 1", "? [a]\n: b", "*x", "&a [*a]", "menu: [{when: \"\\n\"}]", "calendars: {x: {hours: {monday: [a]}}}",
		"severity: null", "currencies: {table: {? [1] : {}}}", "risk: !!binary aGk=", "title: |\n\n\n", "%YAML 9\n---\n", "menu: [{id: a, when: '''''' }]",
		"calendars: {1: {holidays: [{public: XX}]}}", "deadlines: {band: {high: {value: {}}}}", "\ufeffa: 1\r\nb: 2\r"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, findings := Parse("f.yaml", text)
		if (p == nil) == (len(findings) == 0) {
			t.Fatalf("policy %v with findings %v", p != nil, findings)
		}
		lines := bytes.Count(text, []byte("\n")) + 2
		for n, found := range findings {
			if n == 200 && found.Line == 0 {
				continue // says that there are more
			}
			if found.Line < 1 || found.Line > lines || found.Column < 1 || found.Message == "" {
				t.Errorf("%d lines: %v", lines, found)
			}
		}
		if p == nil {
			return
		}
		again, _ := Parse("f.yaml", p.YAML)
		if again == nil || again.Version != p.Version {
			t.Fatal("the kept text is another policy")
		}
	})
}

func FuzzRunTrials(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join(examples, "*.trials.yaml"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		results, findings := RunTrials("f.yaml", text, Default())
		if (len(results) == 0) == (len(findings) == 0) {
			t.Fatalf("%d results with findings %v", len(results), findings)
		}
		for _, r := range results {
			if !utf8.ValidString(r.String()) {
				t.Errorf("%q", r.String())
			}
		}
	})
}
