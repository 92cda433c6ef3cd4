package ledger

import (
	"testing"

	"github.com/makeamends/amends/internal/redistest"
)

func lostMaster(t *testing.T, c *redistest.ClusterInstance, open opener) {
}
