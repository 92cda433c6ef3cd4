package serve

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/policy"
	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/rpc"
)

// rulebook gives the handlers the policies: the active one, those that open
// cases were opened with, and all that the ledger has archived.
type rulebook struct {
	*policy.Book
	ledger *ledger.Ledger
	logger *slog.Logger
	lost   sync.Map // versions that the log has named already
}

// Rules gives the policies to judge by. In the place of a version that nobody has
// any more (the store came back without what it was given) another one judges,
// made of the active policy: that is better than to leave the customer without
// any answer, and the log says so.
func (r *rulebook) Rules(ctx context.Context, versions ...string) (recovery.Rules, error) {
	rules, err := r.Book.Rules(ctx, versions...)
	if !errors.Is(err, ledger.ErrNotFound) {
		return rules, err
	}
	kept, lost := make([]string, 0, len(versions)), make([]string, 0, 1)
	for _, version := range versions {
		switch _, err := r.Policy(ctx, version); {
		case err == nil:
			kept = append(kept, version)
		case !errors.Is(err, ledger.ErrNotFound):
			return rules, err
		default:
			lost = append(lost, version)
			if _, named := r.lost.LoadOrStore(version, true); !named {
				r.logger.Error("a policy is lost: its open cases are judged by the active one", "version", version)
			}
		}
	}
	if rules, err = r.Book.Rules(ctx, kept...); err != nil {
		return rules, err
	}
	rules.Kept = maps.Clone(rules.Kept) // the book's own never changes
	instead := standIn(rules.Active)
	for _, version := range lost {
		rules.Kept[version] = instead
	}
	return rules, nil
}

// standIn judges in the place of a lost policy: as the active one does, and it
// also knows the currencies of the default policy, since an open case may be in
// one that the active policy does not list.
func standIn(active *recovery.Policy) *recovery.Policy {
	p := *active
	p.Currencies = maps.Clone(policy.Default().Rules.Currencies)
	worth := 1.0 // of a reference unit of the default, in those of the active policy
	for _, code := range slices.Sorted(maps.Keys(p.Currencies)) {
		if listed, both := active.Currencies[code]; both {
			worth = listed.Scale / p.Currencies[code].Scale
			break
		}
	}
	for code, currency := range p.Currencies {
		currency.Scale *= worth
		p.Currencies[code] = currency
	}
	maps.Copy(p.Currencies, active.Currencies)
	return &p
}

// Find gives one policy. The store is not asked for what a caller has made up.
func (r *rulebook) Find(ctx context.Context, version string) (rpc.Policy, error) {
	if version != "" && !policy.IsVersion(version) {
		return rpc.Policy{}, ledger.ErrNotFound
	}
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
