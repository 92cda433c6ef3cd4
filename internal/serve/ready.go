package serve

import (
	"context"
	"time"

	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/makeamends/amends/internal/ledger"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// How often the store is looked at. A lost store is noticed within two looks.
const (
	lookEvery = 500 * time.Millisecond
	lookTime  = 500 * time.Millisecond
	fullEvery = 30 * time.Second
	fullTime  = 5 * time.Second
)

// setServing tells callers and balancers whether to come.
func (s *Server) setServing(yes bool) {
	state := healthv1.HealthCheckResponse_NOT_SERVING
	if yes {
		state = healthv1.HealthCheckResponse_SERVING
	}
	for _, service := range []string{
		"", recoveryv1.RecoveryService_ServiceDesc.ServiceName, recoveryv1.PolicyService_ServiceDesc.ServiceName,
	} {
		s.health.SetServingStatus(service, state)
	}
	s.ready.Store(yes)
}

// isReady reports whether calls may be sent here.
func (s *Server) isReady() bool { return s.ready.Load() && !s.ending.Load() }

// watchStore keeps the health in step with the store until the server ends. A
// store that went away must pass all checks before it is trusted again: it may
// have come back as another one.
func (s *Server) watchStore() {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	checked := time.Now()
	for {
		select {
		case <-s.background.Done():
			return
		case <-ticker.C:
		}
		serving := s.ready.Load()
		full := !serving || time.Since(checked) >= fullEvery || s.ledger.Refused()
		err := s.look(full)
		if s.background.Err() != nil {
			return
		}
		if err != nil {
			s.lose(ledger.WithCause(err))
		} else if !serving {
			s.told.Over(unusable)
			s.config.Logger.Info("serving again: the store can be used")
			s.setServing(true)
		}
		if full && err == nil {
			checked = time.Now()
		}
	}
}

// unusable is how the log and /readyz tell of a store that cannot be used.
const unusable = "the store cannot be used"

// lose has nobody come while the store cannot be used, and tells why.
func (s *Server) lose(err error) {
	why := err.Error()
	s.trouble.Store(&why)
	if s.told.News(time.Now(), unusable, why) {
		s.config.Logger.Error("not serving: "+unusable, "error", err)
	}
	s.setServing(false)
}

// look asks the store whether it is there or, in full, whether it can be trusted.
func (s *Server) look(full bool) error {
	limit, ask := lookTime, s.ledger.Ping
	if full {
		limit, ask = fullTime, s.ledger.Ready
	}
	ctx, cancel := context.WithTimeout(s.background, limit)
	defer cancel()
	if err := ask(ctx); err != nil || !full {
		return err
	}
	s.lookAtBudgets(ctx)
	return s.keepPolicies(ctx)
}

// keepPolicies puts those in use into the store again, which may have come back without
// them. Where their shard alone is lost, the customers of the others are served.
func (s *Server) keepPolicies(ctx context.Context) error {
	const what = "the policies in use cannot be kept"
	err := s.rules.Archive(ctx)
	switch {
	case err == nil && s.told.Over(what):
		s.config.Logger.Info("works again: " + what)
	case err != nil && s.ledger.OfAShard(s.background, err):
		if err = ledger.WithCause(err); s.told.News(time.Now(), what, err.Error()) {
			s.config.Logger.Warn(what, "error", err)
		}
		return nil
	}
	return err
}

// lookAtBudgets sees how much of a tenant's budget of today is left. When it
// cannot be seen, what was seen last stands.
func (s *Server) lookAtBudgets(ctx context.Context) {
	if used, err := s.ledger.BudgetMostUsed(ctx, s.budgeted(), s.ledger.Now()); err == nil {
		s.telemetry.Metrics.BudgetUsed(used)
	}
}
