package ledger

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// What can go wrong. The texts are fixed; what the driver said is reached
// through [Cause] alone, and is for the log.
var (
	// ErrReused: the request id was used before with another payload.
	ErrReused = errors.New("request id was used before with another payload")
	// ErrErased: the request was carried out for the customer before it was
	// erased; for a new one another id is needed.
	ErrErased = errors.New("request was carried out before the customer was erased")
	// ErrNotFound: there is no such customer, case or policy.
	ErrNotFound = errors.New("not found")
	// ErrConflict: others changed the customer again and again until the
	// deadline. Nothing was changed.
	ErrConflict = errors.New("the customer was changed by others until the deadline; nothing was changed")
	// ErrOverloaded: there is no free connection to the store. Nothing was changed.
	ErrOverloaded = errors.New("store overloaded; nothing was changed")
	// ErrBroken: the store refuses what it must not refuse, or holds what
	// cannot be read: somebody must repair it. Nothing was changed.
	ErrBroken = errors.New("store broken; nothing was changed")
	// ErrDamaged: what is kept of this one customer cannot be read. It is an
	// ErrBroken that concerns nobody else; the cause names the key. Only erasing
	// the customer, or somebody who repairs the key, helps.
	ErrDamaged = errors.New("customer damaged; nothing was changed")
	// ErrUnreadable: the request was carried out by an earlier call, and what that
	// was answered cannot be read. It is an ErrBroken that concerns this request
	// alone; the cause names what is wrong.
	ErrUnreadable = errors.New("request was carried out before; its stored answer cannot be read")
)

// Unavailable says that the store cannot be reached or cannot write just now.
type Unavailable struct {
	// Unknown: the change may have been made all the same. Repeating the
	// request with the same id is safe and tells.
	Unknown bool
	// RetryAfter is how long to wait before that.
	RetryAfter time.Duration
	cause      error
}

// Error says what the caller may conclude.
func (u *Unavailable) Error() string {
	if u.Unknown {
		return "store unavailable; whether the change was made is unknown: repeat with the same id"
	}
	return "store unavailable; nothing was changed"
}

// Unwrap gives what the driver said, for the log.
func (u *Unavailable) Unwrap() error { return u.cause }

// ClockError says that the clocks of this machine and of Redis do not agree, which may pass by
// itself: a machine that has just started is told the time a moment later.
type ClockError struct{ text string }

// Error says how far they are apart, and what to do if they stay so.
func (e *ClockError) Error() string { return e.text }

// LimitError says that as many requests of one customer are remembered as may be.
// Nothing was changed; what was carried out before is still answered.
type LimitError struct {
	// RetryAfter is when the oldest of them are forgotten.
	RetryAfter time.Duration
}

// Error says what the limit is.
func (*LimitError) Error() string {
	return fmt.Sprintf("the customer has had %d requests within %d days", mostRequests, seenDays+1)
}

// fault is one of the errors above with its cause.
type fault struct{ kind, cause error }

func (f *fault) Error() string { return f.kind.Error() }
func (f *fault) Is(target error) bool {
	return target == f.kind || target == ErrBroken && (f.kind == ErrDamaged || f.kind == ErrUnreadable)
}
func (f *fault) Unwrap() error { return f.cause }

// Cause gives the innermost reason of an error of this package, for the log; it
// may hold addresses and names of Redis keys, never a caller's id.
func Cause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// WithCause adds to an error what [Cause] gives of it, for operators, unless it says so already.
func WithCause(err error) error {
	cause := Cause(err)
	if strings.Contains(err.Error(), cause.Error()) {
		return err
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// damaged is ErrDamaged of what has that name. The name must not be lost on the
// way to the log, and [Cause] gives what is innermost alone.
func damaged(name string, err error) error {
	return &fault{kind: ErrDamaged, cause: fmt.Errorf("%s: %v", name, err)}
}

// unreadable is ErrUnreadable of what has that name.
func unreadable(name string, err error) error {
	return &fault{kind: ErrUnreadable, cause: fmt.Errorf("%s: %v", name, err)}
}

// mistyped is an answer of Redis that names the key which is not what the ledger
// makes of it.
type mistyped string

func (m mistyped) Error() string { return string(m) }

// RedisError says that Redis has answered so.
func (mistyped) RedisError() {}

// naming adds the name of the key to such an answer; every other error stays as
// it is.
func naming(name string, err error) error {
	if !redis.HasErrorPrefix(err, "WRONGTYPE") {
		return err
	}
	return mistyped(err.Error() + ": " + name)
}

// execute sends a pipeline of commands with one key each. The error names the key.
func execute(ctx context.Context, pipe redis.Pipeliner) error {
	commands, err := pipe.Exec(ctx)
	if err == nil {
		return nil
	}
	if i := slices.IndexFunc(commands, func(c redis.Cmder) bool { return c.Err() == err }); i >= 0 {
		return naming(fmt.Sprint(commands[i].Args()[1]), err)
	}
	return err
}

// class is what an answer of Redis, or the lack of one, means for a change.
type class uint8

const (
	classBroken     class = iota // somebody must repair something; unchanged
	classRefused                 // cannot be done just now; unchanged
	classFull                    // cannot be done until an operator acts; unchanged
	classUnknown                 // no answer: may have been done
	classOverloaded              // no connection was free; unchanged
	classCancelled               // the caller gave up: may have been done
)

// refusals are the first words of Redis errors that come before anything is
// written and that end: some by themselves, some when an operator acts, which
// no call can wait for.
var refusals = map[string]class{
	"BUSY": classRefused, "CLUSTERDOWN": classRefused, "LOADING": classRefused, "MASTERDOWN": classRefused,
	"NOREPLICAS": classRefused, "READONLY": classRefused, "TRYAGAIN": classRefused,
	"MOVED": classRefused, "ASK": classRefused, // slots move, or have moved faster than we follow
	"OOM": classFull, "MISCONF": classFull,
}

// uncertain reports whether what was sent may have been done although it failed.
func uncertain(err error) bool {
	c := classify(err)
	return c == classUnknown || c == classCancelled
}

// Away reports whether an error of one attempt says that the store cannot be
// reached or cannot do it just now, so that trying again is mostly waiting.
func Away(err error) bool {
	if err == nil || errors.Is(err, errConflict) {
		return false
	}
	c := classify(err)
	return c == classRefused || c == classUnknown
}

// Conflict is the [Meaning] of a commit that came too late: the customer was
// changed by another, and is judged again.
const Conflict = "conflict"

// Meaning says in one word what an error of one attempt means. It holds nothing
// that the store or a caller has said, so it may be told to anybody.
func Meaning(err error) string {
	if errors.Is(err, errConflict) {
		return Conflict
	}
	return [...]string{
		classBroken: "broken", classRefused: "refused", classFull: "full", classUnknown: "unknown",
		classOverloaded: "overloaded", classCancelled: "cancelled",
	}[classify(err)]
}

// classify is the one place that reads errors of the driver.
func classify(err error) class {
	var answer redis.Error
	var dial *net.OpError
	switch {
	case errors.Is(err, ErrBroken):
		return classBroken
	case errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, redis.ErrPoolExhausted):
		return classOverloaded
	case errors.Is(err, errShortfall):
		return classUnknown
	case errors.As(err, &answer):
		return classifyAnswer(answer.Error())
	case errors.Is(err, context.Canceled):
		return classCancelled
	case errors.As(err, &dial) && dial.Op == "dial":
		return classRefused
	default: // timeout, EOF, reset: the command may have arrived
		return classUnknown
	}
}

func classifyAnswer(text string) class {
	word, _, _ := strings.Cut(text, " ")
	if c, ok := refusals[word]; ok {
		return c
	}
	switch {
	case strings.HasPrefix(text, "ERR max number of clients"):
		return classOverloaded
	case word == "UNBLOCKED": // by WAIT, whose master was made a replica: what it waited for was written
		return classUnknown
	default: // WRONGTYPE, NOPERM, NOAUTH, CROSSSLOT, a script's own error, ...
		return classBroken
	}
}

// retryAfter is what callers are asked to wait: about the time of a failover's
// detection, short enough that a blip costs little.
const retryAfter = time.Second

// failed turns an error of the driver into one of this package. Unknown says
// that an earlier attempt may have made the change.
func failed(err error, unknown bool) error {
	switch c := classify(err); {
	case errors.Is(err, ErrBroken) && !unknown:
		return err
	case c == classCancelled:
		return context.Canceled
	case c == classUnknown || unknown:
		return &Unavailable{Unknown: unknown, RetryAfter: retryAfter, cause: err}
	case c == classRefused || c == classFull:
		return &Unavailable{RetryAfter: retryAfter, cause: err}
	case c == classOverloaded:
		return &fault{kind: ErrOverloaded, cause: err}
	default:
		return &fault{kind: ErrBroken, cause: err}
	}
}
