package ledger

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/makeamends/amends/internal/recovery"
)

// accountsFields are the accounts of a case. The only account is the failure, which
// stands before it, and is stored as nothing; no account of its own is as short.
func accountsFields(r *record, n protowire.Number, k *recovery.Case) {
	switch {
	case !r.reading && len(k.Accounts) == 1 && equal(k.Accounts[0], k.Failure):
		r.Close(r.Open(n))
	case r.reading && r.comes(n, protowire.BytesType) && r.at < r.end && r.in[r.at] == 0:
		r.within(func() {})
		k.Accounts = append(k.Accounts, k.Failure)
	default:
		parts(r, n, &k.Accounts, failureFields)
	}
}

func equal(a, b recovery.Failure) bool {
	same := equalStated(a.Stated, b.Stated) && equalStated(a.Attribution.Controllability, b.Attribution.Controllability)
	a.Stated, a.Attribution.Controllability = b.Stated, b.Attribution.Controllability
	return same && a == b
}

func equalStated(a, b *float64) bool { return a == b || a != nil && b != nil && *a == *b }
