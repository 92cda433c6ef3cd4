package serve

import "github.com/makeamends/amends/internal/sweep"

// sweep lets time pass for the customers until the server ends.
func (s *Server) sweep(customers *orderly) {
	sweep.Run(s.background, sweep.Config{
		Ledger: customers, Rules: s.rules, Every: s.config.Sweep, RepairEvery: s.config.Repair, Logger: s.config.Logger,
		Tracer: s.telemetry.Tracer(), Behind: s.telemetry.Metrics.Behind,
	})
}
