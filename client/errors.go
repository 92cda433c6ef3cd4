package client

import (
	"errors"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// Error is why a call failed. Every error of a call is one, for [errors.As];
// [Reason] is the short way.
type Error struct {
	// Code is the canonical code of gRPC.
	Code codes.Code
	// Reason is the service's own word for it; unspecified if the error is not
	// the service's but gRPC's, such as for a server that cannot be reached.
	Reason recoveryv1.ErrorReason
	// Message says what is wrong and what to do next, for people.
	Message string
	// Violations are all faults of the request, if Reason is INVALID_REQUEST.
	Violations []Violation
	// RetryAfter is how long to wait before the call is repeated, an hour at
	// most; 0 if the service does not say.
	RetryAfter time.Duration
	// TraceID finds the cause in the log of the service, if Reason is INTERNAL
	// and the call was traced.
	TraceID string

	status *status.Status
	cause  error
}

// Violation is one fault of a request.
type Violation struct {
	Field       string // path from the request, such as event.kinds[1]; empty: the request as a whole
	Description string // what is allowed
}

// Reason is the reason of an error of a call, however it is wrapped. It is
// unspecified of nil and of errors that are not the service's.
func Reason(err error) recoveryv1.ErrorReason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return recoveryv1.ErrorReason_ERROR_REASON_UNSPECIFIED
}

// FromStatus is the error of one item of an answer, such as
// InteractionResult.error; nil if the status is OK.
func FromStatus(s *spb.Status) *Error {
	if s.GetCode() == int32(codes.OK) {
		return nil
	}
	return newError(status.FromProto(s), nil)
}

// Error names the reason, or else the code, and says what is wrong.
func (e *Error) Error() string {
	name := e.Code.String()
	if e.Reason != recoveryv1.ErrorReason_ERROR_REASON_UNSPECIFIED {
		name = strings.TrimPrefix(e.Reason.String(), reasonPrefix)
	}
	return name + ": " + e.Message
}

// Temporary tells what may go away by itself from refusals.
func (e *Error) Temporary() bool {
	switch e.Code {
	case codes.Unavailable, codes.ResourceExhausted, codes.Aborted, codes.DeadlineExceeded, codes.Canceled, codes.Internal, codes.Unknown:
		return true
	default:
		return false
	}
}

// Unwrap gives the error as gRPC made it.
func (e *Error) Unwrap() error { return e.cause }

// GRPCStatus is the status with all its details, for [status.FromError].
func (e *Error) GRPCStatus() *status.Status { return e.status }

// domain is ErrorInfo.domain of the service's errors.
const domain = "amends"

// mostRetryAfter is the longest wait that a server is believed to mean.
const mostRetryAfter = time.Hour

const reasonPrefix = "ERROR_REASON_"

// toError takes apart what gRPC answers.
func toError(err error) *Error {
	var done *Error
	var has interface{ GRPCStatus() *status.Status }
	switch {
	case errors.As(err, &done):
		return done
	case errors.As(err, &has): // the words around it are about gRPC
		return newError(has.GRPCStatus(), err)
	default:
		return newError(status.FromContextError(err), err)
	}
}

func newError(s *status.Status, cause error) *Error {
	e := &Error{Code: s.Code(), Message: s.Message(), status: s, cause: cause}
	for _, detail := range s.Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			if d.GetDomain() == domain {
				e.Reason = recoveryv1.ErrorReason(recoveryv1.ErrorReason_value[reasonPrefix+d.GetReason()])
				e.TraceID = d.GetMetadata()["trace_id"]
			}
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				e.Violations = append(e.Violations, Violation{v.GetField(), v.GetDescription()})
			}
		case *errdetails.RetryInfo:
			e.RetryAfter = min(max(0, d.GetRetryDelay().AsDuration()), mostRetryAfter)
		}
	}
	if e.Reason == recoveryv1.ErrorReason_ERROR_REASON_UNSPECIFIED {
		e.Reason = ended[e.Code]
	}
	return e
}

// ended are the codes that gRPC gives by itself and means the same by as the
// service.
var ended = map[codes.Code]recoveryv1.ErrorReason{
	codes.DeadlineExceeded: recoveryv1.ErrorReason_ERROR_REASON_DEADLINE_EXCEEDED,
	codes.Canceled:         recoveryv1.ErrorReason_ERROR_REASON_CANCELLED,
}
