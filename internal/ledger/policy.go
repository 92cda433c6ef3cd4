package ledger

import (
	"context"
	"errors"
	"slices"

	"github.com/redis/go-redis/v9"
)

const policiesKey = "amends:policies"

// KeepPolicy archives a policy file under its version, for as long as the
// ledger lives: an open case is judged by the policy that it was opened with,
// and a closed one must be explained by it. A version once kept stays as it is. It
// waits for no replica, without which a policy that decides goes on.
func (l *Ledger) KeepPolicy(ctx context.Context, version string, yaml []byte) error {
	return l.persist(ctx, func(ctx context.Context) error {
		return l.client.HSetNX(ctx, policiesKey, version, yaml).Err()
	})
}

// ConfirmPolicy archives a policy that does not decide yet, and makes sure of it as of
// a change of a customer: those that it will judge must not lose it in a failover.
func (l *Ledger) ConfirmPolicy(ctx context.Context, version string, yaml []byte) error {
	return l.persist(ctx, func(ctx context.Context) error { return l.keep(ctx, policiesKey, version, yaml) })
}

// Policy gives an archived policy file; ErrNotFound when that version was never kept.
func (l *Ledger) Policy(ctx context.Context, version string) (yaml []byte, err error) {
	err = l.persist(ctx, func(ctx context.Context) (err error) {
		yaml, err = l.client.HGet(ctx, policiesKey, version).Bytes()
		return err
	})
	if errors.Is(err, redis.Nil) {
		return nil, ErrNotFound
	}
	return yaml, err
}

// Policies lists the versions that are archived, sorted.
func (l *Ledger) Policies(ctx context.Context) (versions []string, err error) {
	err = l.persist(ctx, func(ctx context.Context) (err error) {
		versions, err = l.client.HKeys(ctx, policiesKey).Result()
		return err
	})
	versions = slices.DeleteFunc(versions, func(v string) bool { return v == writtenForWait })
	slices.Sort(versions)
	return versions, err
}

// persist repeats an operation that may be repeated while the store is not available.
func (l *Ledger) persist(ctx context.Context, operation func(context.Context) error) error {
	if err := l.familiar(); err != nil {
		return err
	}
	return l.insist(ctx, operation)
}

// insist is persist in a store that may be that of another ledger.
func (l *Ledger) insist(ctx context.Context, operation func(context.Context) error) error {
	FallBehind(ctx)
	ctx, cancel := bounded(ctx)
	defer cancel()
	for p := (patience{}); ; {
		err := operation(ctx)
		switch {
		case err == nil, errors.Is(err, redis.Nil):
			return err
		case !l.again(ctx, &p, err):
			return l.failed(err, isUnconfirmed(err))
		}
	}
}
