package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/makeamends/amends/client"
	"github.com/makeamends/amends/internal/config"
	"github.com/makeamends/amends/internal/ledger"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// What the process leaves with, by class of error.
const (
	exitOK          = 0
	exitInternal    = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitConflict    = 4
	exitUnavailable = 5
	exitDenied      = 6
	exitInterrupted = 130 // as shells say it of Ctrl-C
)

func exitCodesTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "What the exit code of a command says",
		Long: `Every command leaves with one of these codes, so that a script can decide what to do:

  0  It worked.
  1  A fault inside: a bug, or an answer that is not understood. Look at the service's log.
     Also: what is to be said cannot be written, as on a full disk.
  2  The call was wrong: a flag, a setting, a file or a field. Mend it before trying again.
     Also: a policy with faults, or a policy test that failed.
  3  There is no such case or policy.
  4  The state of things forbids it: a step that the case does not allow as it stands, more
     goodwill than the policy allows, an id used before with another content, a case that
     has changed meanwhile. Look before trying again.
  5  The service cannot be reached, is overloaded or was too slow. Try again later, with the
     same id (of the event, or --request-id of a step): a repeated id changes nothing twice.
     Also: serve whose Redis is not there, refuses changes or tells another time than this
     machine. That may pass: start it again until it stays.
  6  The caller is not known to the service, or may not do this.
130  It was interrupted by Ctrl-C, or by a no to the question of erase.

With -o json the last line on standard error is the error: an object with exitCode, code,
reason and message, and where there are some with violations, advice, retryAfterSeconds and
traceId. docs/client.md says of each reason what to do.

When some lines of a file failed, the code is the one of the first failed line. A file
that was interrupted (ingest) leaves with 5: the same command goes on.`,
	}
}

// usageError is a fault of the command line, the settings or a local file.
type usageError struct {
	err     error
	command string // where to ask for help; empty if help would not help
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// interruption is what whoever sits there has ended.
type interruption struct{ text string }

func (e *interruption) Error() string { return e.text }

var errInterrupted = &interruption{"interrupted"}

// exitCode tells by which number the process says what became of it.
func exitCode(err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, new(*usageError)), errors.As(err, new(*config.Error)):
		return exitUsage
	case errors.As(err, new(*choiceError)):
		return exitConflict
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, new(*stopped)), errors.As(err, new(*unready)),
		errors.As(err, new(*ledger.Unavailable)), errors.As(err, new(*ledger.ClockError)):
		return exitUnavailable
	case errors.Is(err, context.Canceled), errors.As(err, new(*interruption)):
		return exitInterrupted
	}
	if client.Reason(err) == recoveryv1.ErrorReason_ERROR_REASON_POLICY_INVALID {
		return exitUsage // the state of the service has no part in it
	}
	if s, ok := status.FromError(err); ok {
		if speaksHTTP(s.Message()) {
			return exitUnavailable
		}
		return exitCodeOf(s.Code())
	}
	return exitInternal
}

func exitCodeOf(code codes.Code) int {
	switch code {
	case codes.OK:
		return exitOK
	case codes.InvalidArgument, codes.OutOfRange:
		return exitUsage
	case codes.NotFound:
		return exitNotFound
	case codes.AlreadyExists, codes.FailedPrecondition, codes.Aborted:
		return exitConflict
	case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted:
		return exitUnavailable
	case codes.PermissionDenied, codes.Unauthenticated:
		return exitDenied
	case codes.Canceled:
		return exitInterrupted
	default:
		return exitInternal
	}
}
