package ledger

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// waitTime is how long replicas may take to confirm; less than the driver waits
// for an answer.
const waitTime = 200 * time.Millisecond

// sendAndWait runs the commit and WAIT in one pipeline on one connection of the
// owning server: WAIT speaks of the writes of its own connection alone.
func (l *Ledger) sendAndWait(ctx context.Context, keys []string, args []any) (string, error) {
	node, err := l.owner(ctx, keys[0])
	if err != nil {
		return "", err
	}
	pipe := node.Pipeline()
	commit := l.commit.EvalSha(ctx, pipe, keys, args...)
	wait := l.waitOn(ctx, pipe)
	_, err = pipe.Exec(ctx)
	if redis.HasErrorPrefix(commit.Err(), "NOSCRIPT") {
		commit = l.commit.Eval(ctx, pipe, keys, args...)
		wait = l.waitOn(ctx, pipe)
		_, err = pipe.Exec(ctx)
	}
	if err != nil {
		return "", err
	}
	stands, err := commit.Text()
	if err != nil {
		return "", err
	}
	return stands, l.enough(wait)
}

// confirm makes sure that what was read is on enough replicas, as it was for
// the call that wrote it: that one may have ended without knowing. WAIT speaks
// of this connection's writes, so there must be one.
func (l *Ledger) confirm(ctx context.Context, n names) error {
	if l.opts.Wait == 0 {
		return nil
	}
	node, err := l.owner(ctx, n.customer)
	if err != nil {
		return err
	}
	pipe := node.Pipeline()
	pipe.Set(ctx, n.wait(), "", time.Second)
	wait := l.waitOn(ctx, pipe)
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	return l.enough(wait)
}

// waitOn adds WAIT to a pipeline.
func (l *Ledger) waitOn(ctx context.Context, pipe redis.Pipeliner) *redis.IntCmd {
	wait := redis.NewIntCmd(ctx, "wait", l.opts.Wait, waitTime.Milliseconds())
	_ = pipe.Process(ctx, wait) // queued; Exec sends it
	return wait
}

func (l *Ledger) enough(wait *redis.IntCmd) error {
	if wait.Val() < int64(l.opts.Wait) {
		return errShortfall
	}
	return nil
}
