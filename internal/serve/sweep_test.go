package serve_test

import (
	"strings"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/serve"
)

// What time does is counted, and how late it was noticed.
func TestSweepIsCounted(t *testing.T) {
	s := start(t, serve.Config{OpsListen: "127.0.0.1:0", Sweep: 10 * time.Millisecond})
	s.mustReport(t, event("e", "c"))
	s.clock.move(6 * time.Minute)
	eventually(t, 5*time.Second, "the missed acknowledgement is counted", func() bool {
		return strings.Contains(s.metrics(t), `amends_deadlines_total{milestone="ACKNOWLEDGE",verdict="MISSED"} 1`)
	})
	text := s.metrics(t)
	for _, want := range []string{
		`amends_case_transitions_total{kind="WARNED"} 2`,
		`amends_case_transitions_total{kind="REASSESSED"} 1`,
		"amends_sweep_late_seconds_count 3", "amends_sweep_behind_seconds ", "amends_sweep_last_look_timestamp_seconds 1.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
}
