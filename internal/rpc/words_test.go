package rpc

import (
	"testing"

	"github.com/makeamends/amends/internal/policy"
)

func TestSamples(t *testing.T) {
	text := samples(policy.Default().Rules)
	t.Logf("%d bytes", len(text))
	if len(text) < 4<<10 || len(text) > mostWords {
		t.Errorf("%d bytes", len(text))
	}
}
