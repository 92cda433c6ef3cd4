package sweep

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The server that the tests share outlives them; see redistest.Shared.
		goleak.IgnoreAnyFunction("github.com/makeamends/amends/internal/redistest.startProcess.func1"),
	)
}
