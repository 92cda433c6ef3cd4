package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// answer is an error that Redis itself gave.
type answer string

func (a answer) Error() string { return string(a) }
func (answer) RedisError()     {}

var _ redis.Error = answer("")

// The table is the promise: what each answer of Redis means for a change that
// was sent, and so what the caller is told.
func TestWhatAnswersOfRedisMean(t *testing.T) {
	const (
		unchanged  = "unavailable, unchanged"
		unknown    = "unavailable, unknown"
		overloaded = "overloaded"
		broken     = "broken"
		cancelled  = "cancelled"
	)
	timeout := &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}
	for _, tc := range []struct {
		err  error
		want string
	}{
		{answer("OOM command not allowed when used memory > 'maxmemory'."), unchanged},
		{answer("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk."), unchanged},
		{answer("NOREPLICAS Not enough good replicas to write."), unchanged},
		{answer("READONLY You can't write against a read only replica."), unchanged},
		{answer("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."), unchanged},
		{answer("LOADING Redis is loading the dataset in memory"), unchanged},
		{answer("CLUSTERDOWN Hash slot not served"), unchanged},
		{answer("CLUSTERDOWN The cluster is down"), unchanged},
		{answer("TRYAGAIN Multiple keys request during rehashing of slot"), unchanged},
		{answer("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."), unchanged},
		{answer("MOVED 3999 127.0.0.1:6381"), unchanged},
		{answer("ASK 3999 127.0.0.1:6381"), unchanged},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, unchanged},
		{fmt.Errorf("wrapped: %w", &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}), unchanged},

		{timeout, unknown},
		{fmt.Errorf("wrapped: %w", timeout), unknown},
		{answer("UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"), unknown},
		{io.EOF, unknown},
		{io.ErrUnexpectedEOF, unknown},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, unknown},
		{&net.OpError{Op: "write", Err: syscall.EPIPE}, unknown},
		{context.DeadlineExceeded, unknown},
		{net.ErrClosed, unknown},
		{errShortfall, unknown},
		{errors.New("never seen before"), unknown},

		{redis.ErrPoolTimeout, overloaded},
		{redis.ErrPoolExhausted, overloaded},
		{answer("ERR max number of clients reached"), overloaded},
		{answer("ERR max number of clients + cluster connections reached"), overloaded},

		{answer("WRONGTYPE Operation against a key holding the wrong kind of value script: 1f, on @user_script:39."), broken},
		{answer("NOPERM this user has no permissions to run the 'xadd' command"), broken},
		{answer("NOAUTH Authentication required."), broken},
		{answer("WRONGPASS invalid username-password pair or user is disabled."), broken},
		{answer("CROSSSLOT Keys in request don't hash to the same slot"), broken},
		{answer("ERR Error running script (call to f_1f): @user_script:7: oops"), broken},
		{answer("ERR unknown command 'evalsha'"), broken},
		{&fault{kind: ErrBroken, cause: io.EOF}, broken},

		{context.Canceled, cancelled},
	} {
		c := classify(tc.err)
		err := failed(tc.err, c == classUnknown)
		if got := outcome(err); got != tc.want {
			t.Errorf("%v: %s, want %s", tc.err, got, tc.want)
		}
		if Cause(err) == nil || c != classCancelled && !errors.Is(err, tc.err) {
			t.Errorf("%v: the cause is lost", tc.err)
		}
		if err != tc.err && c != classCancelled && strings.Contains(err.Error(), tc.err.Error()) {
			t.Errorf("%v: the driver's text escapes in %q", tc.err, err)
		}
	}
}

func outcome(err error) string {
	var u *Unavailable
	switch {
	case errors.As(err, &u) && u.RetryAfter <= 0:
		return "unavailable without a delay"
	case errors.As(err, &u) && u.Unknown:
		return "unavailable, unknown"
	case errors.As(err, &u):
		return "unavailable, unchanged"
	case errors.Is(err, ErrOverloaded):
		return "overloaded"
	case errors.Is(err, ErrBroken):
		return "broken"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	default:
		return err.Error()
	}
}

// Once a commit is lost, no later error makes its fate known.
func TestAnUnknownFateStaysUnknown(t *testing.T) {
	for _, err := range []error{answer("OOM"), answer("WRONGTYPE"), redis.ErrPoolTimeout, io.EOF, damaged("customer", io.EOF)} {
		if got := outcome(failed(err, true)); got != "unavailable, unknown" {
			t.Errorf("%v: %s", err, got)
		}
	}
}

func TestPauseEndsBeforeTheDeadline(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	begin := time.Now()
	if pause(ctx, time.Hour) || time.Since(begin) > time.Second {
		t.Errorf("waited %v for nothing", time.Since(begin))
	}
	cancel()
	if pause(ctx, time.Millisecond) {
		t.Error("a cancelled call goes on")
	}
}
