package auth

import (
	"errors"
	"fmt"
	"time"
)

// Why a call is refused. The texts are fixed; behind some of them stands more for
// the log, in fixed words too.
var (
	// ErrNoCredential: neither a certificate nor a token came with the call.
	ErrNoCredential = errors.New("no certificate and no token")
	// ErrToken: the token is none, or is not valid here.
	ErrToken = errors.New("token not valid")
	// ErrExpired: what was presented is genuine and no longer, or not yet, valid.
	ErrExpired = errors.New("certificate or token not valid at this time")
	// ErrStranger: what was presented is genuine, and the access file names no such caller.
	ErrStranger = errors.New("caller not in the access file")
	// ErrRole: the roles of the caller do not allow the method, or nobody may call it.
	ErrRole = errors.New("method not allowed to the caller")
	// ErrTenant: the caller may not act for the tenant.
	ErrTenant = errors.New("tenant not allowed to the caller")
	// ErrIssuer: the keys of the token's issuer cannot be had.
	ErrIssuer = errors.New("keys of the token's issuer cannot be had")
	// ErrCrowd: too many tokens come at once that were not seen before.
	ErrCrowd = errors.New("too many new tokens at once")
)

// LimitError says that a caller calls more often than it may.
type LimitError struct {
	// Limit is the one that is reached, such as "10 calls a second".
	Limit string
	// RetryAfter is when the next call may come.
	RetryAfter time.Duration
}

// Error names the limit.
func (e *LimitError) Error() string { return "the caller has reached its limit of " + e.Limit }

// refusal is one of the errors above with the reason, for the log.
type refusal struct {
	kind error
	why  string
}

func refuse(kind error, why string) error { return &refusal{kind, why} }

func (r *refusal) Error() string        { return fmt.Sprintf("%s: %s", r.kind, r.why) }
func (r *refusal) Is(target error) bool { return target == r.kind }
