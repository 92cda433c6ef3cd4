package ledger

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/makeamends/amends/internal/redistest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The server that the tests share outlives them; see redistest.Shared.
		goleak.IgnoreAnyFunction(redistest.OutlivesTests),
		goleak.IgnoreAnyFunction(redistest.DialsOn),
	)
}
