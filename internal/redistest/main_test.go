package redistest_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/makeamends/amends/internal/redistest"
)

// Nothing but the shared server, which has one goroutine to wait for its end,
// may outlive the tests: users of this package look for leaks of their own.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(redistest.OutlivesTests))
}
