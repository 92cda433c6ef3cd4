package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/makeamends/amends/internal/recovery"
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

// The picture is of a failure that was just reported: each curve rises with the severity, and lies below the one of a worse answer.
func TestTheCurvesOfTheScore(t *testing.T) {
	for _, kinds := range [][]recovery.Kind{{recovery.Late}, {recovery.Late, recovery.Refused}} {
		mild, err := risk(0.2, kinds...)
		if err != nil {
			t.Fatal(err)
		}
		grave, err := risk(0.9, kinds...)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []recovery.Risk{mild, grave} {
			if r.OnTime >= r.Late || r.Late >= r.Ignored {
				t.Errorf("%v: %+v", kinds, r)
			}
		}
		if mild.Ignored >= grave.Ignored || mild.Late >= grave.Late || mild.OnTime >= grave.OnTime {
			t.Errorf("%v: %+v, then %+v", kinds, mild, grave)
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
