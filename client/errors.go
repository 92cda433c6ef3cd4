package client

import (
	"errors"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

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

// ErrClosed is what the error of a call wraps when the client was closed.
var ErrClosed = errors.New("the client is closed")

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

// Temporary tells what may go away by itself, and soon, from refusals.
func (e *Error) Temporary() bool {
	switch e.Reason {
	case recoveryv1.ErrorReason_ERROR_REASON_MESSAGE_TOO_LARGE, recoveryv1.ErrorReason_ERROR_REASON_REVISION_MISMATCH,
		recoveryv1.ErrorReason_ERROR_REASON_CUSTOMER_LIMIT: // which is about days
		return false
	}
	switch e.Code {
	case codes.Unavailable, codes.ResourceExhausted, codes.Aborted, codes.DeadlineExceeded, codes.Canceled, codes.Internal, codes.Unknown:
		return !errors.Is(e, ErrClosed)
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

// callError is why a call failed. gRPC takes a message that cannot be sent for a
// fault of its own, and a client that was closed for a caller that gave up.
func callError(conn *grpc.ClientConn, sent any, err error) *Error {
	e := toError(err)
	switch {
	case (e.Code == codes.Canceled || e.Code == codes.Unavailable) && conn.GetState() == connectivity.Shutdown:
		return newError(status.New(codes.Canceled, ErrClosed.Error()), ErrClosed)
	case e.Code == codes.Internal && !isSendable(sent):
		return newError(malformed, err)
	default:
		return e
	}
}

func isSendable(sent any) bool {
	message, ok := sent.(proto.Message)
	if !ok {
		return true
	}
	_, err := proto.Marshal(message)
	return err == nil
}

// malformed is what the service would say of a message that cannot be sent.
var malformed = refusedHere(codes.InvalidArgument, recoveryv1.ErrorReason_ERROR_REASON_MALFORMED_MESSAGE,
	"the message cannot be sent: every text must be UTF-8")

// refusedHere is a refusal in the words of the service.
func refusedHere(code codes.Code, reason recoveryv1.ErrorReason, text string) *status.Status {
	s, err := status.New(code, text).WithDetails(&errdetails.ErrorInfo{Reason: reason.String()[len(reasonPrefix):], Domain: domain})
	must(err)
	return s
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
