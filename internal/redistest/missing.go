package redistest

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/makeamends/amends/internal/redisproc"
)

// printOnce: go test does not show the reason of a skipped test without -v.
var printOnce sync.Once

// requireRedis: where redis-server is missing the test is skipped, or fails if
// CI is set: a pipeline must not be green because it tested nothing.
func requireRedis(tb testing.TB) {
	tb.Helper()
	_, err := redisproc.Binary()
	if err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		tb.Fatal(err)
	}
	printOnce.Do(func() { fmt.Fprintln(os.Stderr, "SKIPPED: nothing that needs a real Redis is tested:", err) })
	tb.Skip(err)
}
