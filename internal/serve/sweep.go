package serve

import (
	"strings"
	"time"

	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/sweep"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// sweep lets time pass for the customers until the server ends.
func (s *Server) sweep(customers *orderly) {
	sweep.Run(s.background, sweep.Config{
		Ledger: customers, Rules: s.rules, Every: s.config.Sweep, RepairEvery: s.config.Repair, Logger: s.config.Logger,
		Tracer:   s.telemetry.Tracer(),
		Happened: s.happened, Behind: s.telemetry.Metrics.Behind,
	})
}

// happened counts what time did.
func (s *Server) happened(t recovery.Transition, late time.Duration) {
	kind := strings.TrimPrefix(recoveryv1.TransitionKind(t.Change).String(), "TRANSITION_KIND_")
	s.telemetry.Metrics.Happened(kind, t.Milestone.String(), late)
}
