package ledger

import (
	"sync"
	"testing"

	"github.com/makeamends/amends/internal/redistest"
)

// The ledgers of asAdmin, each for as long as the test that asked for it.
var admins sync.Map // of seen

type seen struct {
	by testing.TB
	l  *Ledger
}

// asAdmin is the same store to a user who may do everything: the ledger's own
// may not do what only tests do.
func asAdmin(t testing.TB, l *Ledger) *Ledger {
	t.Helper()
	if l.store.mode == embedded {
		return l
	}
	if a, ok := admins.Load(seen{t, l}); ok {
		return a.(*Ledger)
	}
	a := &Ledger{opts: l.opts, store: l.store, buckets: l.buckets}
	all := redistest.Options("")
	a.store.user, a.store.password = all.Username, all.Password
	a.store.sentinelUser, a.store.sentinelPassword = all.Username, all.Password
	if err := a.connect(); err != nil {
		t.Fatal(err)
	}
	admins.Store(seen{t, l}, a)
	t.Cleanup(func() {
		admins.Delete(seen{t, l})
		for _, c := range a.closers {
			_ = c.Close()
		}
	})
	return a
}
