// Package programtest makes the program for tests that run it as a process of its own.
package programtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Build makes the program in a folder and gives its file. It is the one that is run
// outside of tests: without the race detector, with which it takes several times as
// long.
func Build(tb testing.TB, folder string) (file string) {
	tb.Helper()
	file = filepath.Join(folder, "amends")
	build := exec.Command("go", "build", "-trimpath", "-o", file, "github.com/makeamends/amends/cmd/amends")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("go build: %v\n%s", err, said)
	}
	return file
}
