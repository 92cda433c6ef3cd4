package auth

import (
	"context"
	"slices"
)

// Caller is who makes a call, as it was verified.
type Caller struct {
	Name    string // in the access file; empty when nobody was asked
	Roles   Roles
	Tenants Tenants
}

// Tenants are those that a caller may act for.
type Tenants struct {
	all   bool
	names []string // ascending
}

// everyTenant stands for all tenants in the access file.
const everyTenant = "*"

func tenantsOf(names []string) Tenants {
	return Tenants{all: slices.Contains(names, everyTenant), names: slices.Sorted(slices.Values(names))}
}

// Names are those of the access file.
func (t Tenants) Names() []string { return t.names }

func (t Tenants) contain(name string) bool {
	_, found := slices.BinarySearch(t.names, name)
	return t.all || found
}

// only leaves those that are named as well. The empty name is no tenant's: whoever
// may act for it may for all.
func (t Tenants) only(names []string) Tenants {
	names = slices.DeleteFunc(slices.Sorted(slices.Values(names)), func(name string) bool {
		return name == "" || name == everyTenant || !t.contain(name)
	})
	return Tenants{names: names}
}

// ActsFor reports whether the caller may act for that tenant.
func (c *Caller) ActsFor(tenant string) bool { return c.Tenants.contain(tenant) }

var (
	// nobody may do nothing.
	nobody = &Caller{}
	// everybody may do everything: where nobody is asked who it is.
	everybody = &Caller{Roles: everyRole, Tenants: tenantsOf([]string{everyTenant})}
)

// place is where the caller of a call is noted once it is known.
type place struct{ caller *Caller }

type placeKey struct{}

// WithPlace prepares the context of a call for its caller to be noted in, so that
// whoever holds this context can read it later, the log too.
func WithPlace(ctx context.Context) context.Context {
	return context.WithValue(ctx, placeKey{}, &place{caller: nobody})
}

// note says who makes the call, before anything else is done for it.
func note(ctx context.Context, c *Caller) {
	if p, ok := ctx.Value(placeKey{}).(*place); ok {
		p.caller = c
	}
}

// CallerOf is who makes the call. Before that is known, and in a context that is
// no call's, it is nobody, who may do nothing.
func CallerOf(ctx context.Context) *Caller {
	if p, ok := ctx.Value(placeKey{}).(*place); ok {
		return p.caller
	}
	return nobody
}
