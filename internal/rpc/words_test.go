package rpc

import (
	"testing"

	"github.com/klauspost/compress/s2"

	"github.com/makeamends/amends/internal/policy"
)

func TestSamples(t *testing.T) {
	text := samples(policy.Default().Rules)
	t.Logf("%d bytes, %d on their own", len(text), len(s2.Encode(nil, text)))
	if len(text) < 4<<10 || len(text) > mostWords {
		t.Errorf("%d bytes", len(text))
	}
}
