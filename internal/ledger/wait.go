package ledger

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// waitTime is how long replicas may take to confirm; less than the driver waits
// for an answer.
const waitTime = 200 * time.Millisecond

// sendAndWait runs the commit and, where replicas must confirm it, WAIT in one
// pipeline on one connection of the owning server: WAIT speaks of the writes of
// its own connection alone. A reply beside an error is what Redis said to the
// commit before too few replicas confirmed it.
func (l *Ledger) sendAndWait(ctx context.Context, keys []string, args ...[]any) (any, error) {
	if l.opts.Wait == 0 {
		return l.run(ctx, l.commit, keys, args...).Result()
	}
	var wait *redis.IntCmd
	commit := l.commit.run(ctx, func(commit redis.Cmder) { wait = l.processAndWait(ctx, commit, keys[0]) }, keys, args...)
	reply, err := commit.Result()
	if err != nil {
		return nil, err
	}
	return reply, l.enough(wait)
}

// processAndWait sends a command that writes that key, and WAIT behind it, together
// with others if it has company: one WAIT is enough for all that one server was sent
// before.
func (l *Ledger) processAndWait(ctx context.Context, command redis.Cmder, key string) *redis.IntCmd {
	a, travels := l.join(ctx, asked{command: unrepeated{command}, key: key})
	if travels {
		return a.wait
	}
	server, err := l.owner(ctx, key)
	if err != nil {
		command.SetErr(err)
		return nil
	}
	l.carryAndWait(ctx, server, &a)
	return a.wait
}

// carryAndWait sends commands to a server, and WAIT behind them.
func (l *Ledger) carryAndWait(ctx context.Context, server *redis.Client, all ...*asked) {
	pipe := server.Pipeline()
	for _, a := range all {
		_ = pipe.Process(ctx, a.command) // queued
	}
	wait := l.waitOn(ctx, pipe)
	for _, a := range all {
		a.wait = wait
	}
	_, _ = pipe.Exec(ctx) // the commands keep their errors
}

// confirm makes sure that what was read is on enough replicas, as it was for
// the call that wrote it: that one may have ended without knowing. WAIT speaks
// of this connection's writes, so there must be one. Its error is an *unconfirmedError.
func (l *Ledger) confirm(ctx context.Context, n names) error {
	if l.opts.Wait == 0 {
		return nil
	}
	set := redis.NewStatusCmd(ctx, "set", n.wait(), "", "ex", 1)
	wait := l.processAndWait(ctx, set, n.customer)
	err := set.Err()
	if err == nil {
		err = l.enough(wait)
	}
	if err != nil {
		return &unconfirmedError{err}
	}
	return nil
}

// unconfirmedError says that what was read is there, and that it is not known on
// how many replicas: whatever the error, it was done and may be lost.
type unconfirmedError struct{ error }

func (u *unconfirmedError) Unwrap() error { return u.error }

// isUnconfirmed reports whether an error is that of confirm.
func isUnconfirmed(err error) bool {
	var u *unconfirmedError
	return errors.As(err, &u)
}

// writtenForWait is a field that is written for WAIT to have something to wait for.
const writtenForWait = ""

// keep puts a field that is not there yet into a hash, and makes sure of it as of a
// commit. Too few replicas are an *unconfirmedError.
func (l *Ledger) keep(ctx context.Context, key, field string, value []byte) error {
	if l.opts.Wait == 0 {
		return l.client.HSetNX(ctx, key, field, value).Err()
	}
	node, err := l.owner(ctx, key)
	if err != nil {
		return err
	}
	pipe := node.Pipeline()
	pipe.HSetNX(ctx, key, field, value)
	// Another process may have put it there, and nobody knows whether it was
	// confirmed to: so there must be a write of ours in any case.
	pipe.HSet(ctx, key, writtenForWait, "")
	wait := l.waitOn(ctx, pipe)
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	if err := l.enough(wait); err != nil {
		return &unconfirmedError{err}
	}
	return nil
}

// waitOn adds WAIT to a pipeline.
func (l *Ledger) waitOn(ctx context.Context, pipe redis.Pipeliner) *redis.IntCmd {
	wait := redis.NewIntCmd(ctx, "wait", l.opts.Wait, waitTime.Milliseconds())
	_ = pipe.Process(ctx, wait) // queued; Exec sends it
	return wait
}

// enough is errShortfall, too, when WAIT itself has failed: what came before it was
// done all the same.
func (l *Ledger) enough(wait *redis.IntCmd) error {
	if wait.Val() < int64(l.opts.Wait) {
		return errShortfall
	}
	return nil
}
