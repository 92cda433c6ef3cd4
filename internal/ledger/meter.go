package ledger

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// Meter takes in what the ledger does at Redis. It is told names of commands,
// never their arguments.
type Meter interface {
	// Operation is one round trip: a command, or a pipeline by its first one. The
	// class is one of [ErrorClasses], or empty when Redis did what it was told.
	Operation(ctx context.Context, command string, took time.Duration, class string)
	// Retried is an operation of the ledger that is done again, for one of [RetryCauses].
	Retried(cause string)
	// Guessed is a change that was judged on what the process remembered of the
	// customer, and what came of it: one of [Guesses].
	Guessed(outcome string)
}

// nobody counts.
type nobody struct{}

func (nobody) Operation(context.Context, string, time.Duration, string) {}
func (nobody) Retried(string)                                           {}
func (nobody) Guessed(string)                                           {}

// RetryCauses are why an operation is done again: others changed the customer, a
// slot of the cluster moves, or the store is away.
var RetryCauses = []string{causeConflict, causeMoving, causeOutage}

const (
	causeConflict = "conflict"
	causeMoving   = "moving"
	causeOutage   = "outage"
)

// Guesses are what becomes of a change that is judged on what the process
// remembers: it was committed at once, the customer had changed or the request
// been carried out before, or there was nothing to commit, which a read confirms.
var Guesses = []string{guessRight, guessWrong, guessUnused}

const (
	guessRight  = "right"
	guessWrong  = "wrong"
	guessUnused = "unused"
)

// ErrorClasses are what the failure of one round trip means.
var ErrorClasses = []string{
	classBroken: "broken", classRefused: "refused", classFull: "full",
	classUnknown: "unanswered", classOverloaded: "overloaded", classCancelled: "cancelled",
	classCancelled + 1: redirected,
}

// redirected is an answer that says which server to ask instead.
const redirected = "redirected"

// errorClass is what the error of one round trip means; empty for what is none.
func errorClass(err error) string {
	switch {
	case err == nil, errors.Is(err, redis.Nil), redis.HasErrorPrefix(err, "NOSCRIPT"):
		return ""
	case redis.HasErrorPrefix(err, "MOVED"), redis.HasErrorPrefix(err, "ASK"):
		return redirected
	default:
		return ErrorClasses[classify(err)]
	}
}

// metered measures every round trip of a client to one server.
func (l *Ledger) metered(client *redis.Client) *redis.Client {
	client.AddHook(hook{l.opts.Meter})
	return client
}

// newMetered makes the client of one server.
func (l *Ledger) newMetered(o *redis.Options) *redis.Client { return l.metered(redis.NewClient(o)) }

// hook stands between the driver's interface and one connection.
type hook struct{ to Meter }

// DialHook leaves dialling as it is: what fails there fails a command, too.
func (hook) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook measures a command.
func (h hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		start := time.Now()
		err := next(ctx, cmd)
		h.to.Operation(ctx, cmd.Name(), time.Since(start), errorClass(err))
		return err
	}
}

// ProcessPipelineHook measures a pipeline as a whole. It also sees to it that each of
// its commands keeps the error of one that was not sent: where Redis refuses a new
// connection, as with a password that is none any more, the driver gives it to none
// of them, and each would pass for one that found nothing.
func (h hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		start := time.Now()
		err := next(ctx, cmds)
		if err != nil && !slices.ContainsFunc(cmds, func(c redis.Cmder) bool { return c.Err() != nil }) {
			for _, c := range cmds {
				c.SetErr(err)
			}
		}
		if len(cmds) > 0 {
			h.to.Operation(ctx, cmds[0].Name(), time.Since(start), errorClass(err))
		}
		return err
	}
}

// Pool is what a pool of connections tells of itself.
type Pool struct {
	Hits, Misses, Timeouts uint64 // since the connections were made
	Idle, Busy             uint64 // connections just now
}

// Pool tells of the connections that calls use.
func (l *Ledger) Pool() Pool { return poolOf(l.client) }

// Pool tells of the connections that events are read with.
func (t *Tail) Pool() Pool { return poolOf(t.client) }

func poolOf(client redis.UniversalClient) Pool {
	s := client.PoolStats()
	return Pool{
		Hits: uint64(s.Hits), Misses: uint64(s.Misses), Timeouts: uint64(s.Timeouts),
		Idle: uint64(s.IdleConns), Busy: uint64(max(s.TotalConns, s.IdleConns) - s.IdleConns),
	}
}
