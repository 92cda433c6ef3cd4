package serve

import (
	"context"
	"fmt"
	"os"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/policy"
)

// loadPolicy reads the policy file, or takes the default.
func (s *Server) loadPolicy() (*policy.Compiled, error) {
	if s.config.Policy == "" {
		return policy.Default(), nil
	}
	text, err := os.ReadFile(s.config.Policy)
	if err != nil {
		return nil, fmt.Errorf("the policy file cannot be read: %w", err)
	}
	compiled, findings := policy.Parse(s.config.Policy, text)
	if err := findings.Err(); err != nil {
		return nil, fmt.Errorf("the policy has faults:\n%w", err)
	}
	return compiled, nil
}

// openRules archives the active policy, so that the cases it opens can always
// be judged by it, and lets it decide.
func (s *Server) openRules(ctx context.Context, active *policy.Compiled) (*rulebook, error) {
	rules := &rulebook{Book: policy.NewBook(active, s.ledger), ledger: s.ledger, logger: s.config.Logger}
	if _, err := rules.Rules(ctx); err != nil {
		return nil, fmt.Errorf("the service does not start before Redis takes changes: see to its memory, disk and replicas, "+
			"and that it is the master; %w", ledger.WithCause(err))
	}
	s.telemetry.Metrics.PolicyActive(active.Version, currencies(active.Rules))
	return rules, nil
}

// watchPolicy takes over every sound change of the policy file.
func (s *Server) watchPolicy() {
	if s.config.Policy == "" {
		return
	}
	if err := policy.Watch(s.background, s.config.Policy, s.adopt); err != nil {
		s.telemetry.Metrics.PolicyRefused()
		s.config.Logger.Error("the policy file is not watched; changes of it need a restart", "error", err)
	}
}

// adopt archives a policy and then lets it decide. A faulty one changes nothing. One that
// cannot be archived is not taken: it comes again.
func (s *Server) adopt(compiled *policy.Compiled, err error) (taken bool) {
	was := s.rules.Active().Version
	if err == nil {
		err = s.ledger.ConfirmPolicy(s.background, compiled.Version, compiled.YAML)
	}
	if err != nil {
		err = ledger.WithCause(err)
		if s.refused == err.Error() {
			return false // as it was told
		}
		s.refused = err.Error()
		s.telemetry.Metrics.PolicyRefused()
		s.config.Logger.Error("the changed policy file was not taken over; the policy stays as it was", "active", was, "error", err)
		return false
	}
	s.service.Prepare(s.background, compiled.Rules)
	s.rules.Swap(compiled)
	s.telemetry.Metrics.PolicyActive(compiled.Version, currencies(compiled.Rules))
	switch {
	case compiled.Version != was:
		s.config.Logger.Info("the policy changed", "version", compiled.Version, "before", was)
	case s.refused != "":
		s.config.Logger.Info("the policy file is in order again; it is the policy that is active", "version", was)
	}
	s.refused = ""
	return true
}
