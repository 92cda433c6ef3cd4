package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const docs = "../../docs"

// What the docs show is what the rules say now.
func TestTheDocsShowTheRules(t *testing.T) {
	made := t.TempDir()
	if err := os.Mkdir(filepath.Join(made, "pictures"), 0o755); err != nil {
		t.Fatal(err)
	}
	const page, access, sample = "life-of-a-case.md", "access.md", "pictures/traces.json"
	for _, name := range []string{page, access, sample} {
		if err := os.WriteFile(filepath.Join(made, name), []byte(read(t, docs, name)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := draw(made); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{page, access, "pictures/case.svg", "pictures/score.svg", "pictures/trace.svg"} {
		if diff := cmp.Diff(read(t, docs, name), read(t, made, name)); diff != "" {
			t.Errorf("docs/%s is not what the rules say (- there, + made); run: make pictures\n%s", name, diff)
		}
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
