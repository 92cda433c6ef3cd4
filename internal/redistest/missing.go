package redistest

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
)

const howToInstall = `redis-server (7.0 or newer) is not in PATH, so nothing that needs a real Redis is tested.
Debian, Ubuntu: sudo apt-get install redis-server
Fedora:         sudo dnf install redis
macOS:          brew install redis`

// printOnce: go test does not show the reason of a skipped test without -v.
var printOnce sync.Once

// binary finds redis-server. Where it is missing the test is skipped, or fails
// if CI is set: a pipeline must not be green because it tested nothing.
func binary(tb testing.TB) string {
	tb.Helper()
	path, err := exec.LookPath("redis-server")
	if err == nil {
		return path
	}
	if os.Getenv("CI") != "" {
		tb.Fatal(howToInstall)
	}
	printOnce.Do(func() { fmt.Fprintln(os.Stderr, "SKIPPED:", howToInstall) })
	tb.Skip(howToInstall)
	return ""
}
