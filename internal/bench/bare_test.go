package bench

import "testing"

// What the bare baseline sends to Redis for a call is as much as it was told, with all
// that is around it.
func TestBareSendsAsMuch(t *testing.T) {
	for _, bytes := range []int{1500, 2000, 9000} {
		b := newBare(nil, Baseline{Sends: bytes})
		if n := sent("evalsha", bareScript.Hash(), "2", bareKey+newWork(1, 1).known(), bareStream, b.state, b.event); n != bytes {
			t.Errorf("%d bytes rather than %d", n, bytes)
		}
	}
}
