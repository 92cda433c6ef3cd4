package serve

import (
	"context"
	"errors"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/policy"
	"github.com/makeamends/amends/internal/rpc"
)

// rulebook gives the handlers the policies: the active one, those that open
// cases were opened with, and all that the ledger has archived.
type rulebook struct {
	*policy.Book
	ledger *ledger.Ledger
}

// Find gives one policy.
func (r *rulebook) Find(ctx context.Context, version string) (rpc.Policy, error) {
	found, err := r.Policy(ctx, version)
	if errors.Is(err, policy.ErrUnknownVersion) {
		return rpc.Policy{}, ledger.ErrNotFound
	}
	if err != nil {
		return rpc.Policy{}, err
	}
	p := shelved(found)
	for _, l := range r.Loaded() {
		if l.Version == found.Version {
			p.Active, p.LoadedAt = l.Active, l.At
		}
	}
	return p, nil
}

// Versions names all policies that are archived.
func (r *rulebook) Versions(ctx context.Context) ([]string, error) { return r.ledger.Policies(ctx) }

// Check reads a policy.
func (r *rulebook) Check(yaml []byte) (rpc.Policy, []rpc.Finding) {
	compiled, findings := policy.Parse("policy", yaml)
	out := make([]rpc.Finding, len(findings))
	for i, f := range findings {
		out[i] = rpc.Finding{Line: f.Line, Column: f.Column, Field: f.Field, Message: f.Message}
	}
	if compiled == nil {
		return rpc.Policy{}, out
	}
	return shelved(compiled), out
}

func shelved(c *policy.Compiled) rpc.Policy {
	return rpc.Policy{Version: c.Version, YAML: c.YAML, Rules: c.Rules}
}
