package rpc

import (
	"cmp"
	"context"

	"github.com/makeamends/amends/internal/auth"
	"github.com/makeamends/amends/internal/ledger"
)

// DefaultTenant is the tenant of a request that names none.
const DefaultTenant = "default"

// tenantOf is the tenant that a request means, if its caller may act for it. Who
// may not is told the same whether there is such a tenant or not.
func tenantOf(ctx context.Context, named string) (string, error) {
	tenant := cmp.Or(named, DefaultTenant)
	if !auth.CallerOf(ctx).ActsFor(tenant) {
		return "", auth.ErrTenant
	}
	return tenant, nil
}

// own says of what is stored, and was found by its id alone, whether it is of a
// tenant for which the caller may act. What is not does not exist for it.
func own(ctx context.Context) func(tenant string) error {
	return func(tenant string) error {
		if !auth.CallerOf(ctx).ActsFor(tenant) {
			return ledger.ErrNotFound
		}
		return nil
	}
}
