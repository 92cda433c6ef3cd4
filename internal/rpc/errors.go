package rpc

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/makeamends/amends/internal/auth"
	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/spans"
	"github.com/makeamends/amends/internal/watch"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// Domain is ErrorInfo.domain of every error.
const Domain = "amends"

// retryIssuer is when a call may be repeated whose token could not be checked.
const retryIssuer = time.Second

// retryEnding is when a watch that a server has ended may begin elsewhere.
const retryEnding = 100 * time.Millisecond

// mostListed bounds how many faults one answer lists: details travel in the
// trailer, of which many clients take 8 KiB at most.
const mostListed = 32

// Errors of the handlers themselves.
var (
	errPolicyUnknown = errors.New("no such policy")
	errPolicyInvalid = errors.New("the candidate policy has faults")

	errCandidateCurrency = errors.New("the candidate policy does not list the currency of the case")
	errActiveCurrency    = errors.New("the active policy does not list the currency of the case")
)

// refusal is what the caller learns of an error.
type refusal struct {
	code   codes.Code
	reason recoveryv1.ErrorReason
	text   string        // what is wrong and what to do next
	retry  time.Duration // when to repeat; callers are told up to half less or more, so that not all come back at once
}

// internal is the answer to every error that the table does not know.
var internal = refusal{codes.Internal, recoveryv1.ErrorReason_ERROR_REASON_INTERNAL,
	"a fault of the service; its log has the cause under the trace id of this call", 0}

var noCase = refusal{codes.NotFound, recoveryv1.ErrorReason_ERROR_REASON_CASE_NOT_FOUND,
	"no such case; it never was, was erased, or gave way to 100 newer closed ones", 0}

// refusals is the table of all errors and how they are answered. The first row
// that an error matches counts.
var refusals = []struct {
	err error
	refusal
}{
	{errMalformed, refusal{codes.InvalidArgument, recoveryv1.ErrorReason_ERROR_REASON_MALFORMED_MESSAGE,
		"the bytes are not the message of this method, or a text in it is not UTF-8; generate the client from recovery/v1", 0}},
	{errTooLarge, refusal{codes.ResourceExhausted, recoveryv1.ErrorReason_ERROR_REASON_MESSAGE_TOO_LARGE,
		"the message is larger than 256 KiB (1 MiB for RecordInteractions and Ingest); send less at once", 0}},
	{errPolicyUnknown, refusal{codes.NotFound, recoveryv1.ErrorReason_ERROR_REASON_POLICY_NOT_FOUND,
		"no policy of that version is kept; ListPolicies names those that are", 0}},
	{errPolicyInvalid, refusal{codes.FailedPrecondition, recoveryv1.ErrorReason_ERROR_REASON_POLICY_INVALID,
		"the candidate policy has faults; CheckPolicy lists them", 0}},
	{errCandidateCurrency, refusal{codes.FailedPrecondition, recoveryv1.ErrorReason_ERROR_REASON_CURRENCY_NOT_LISTED,
		"the candidate policy does not list the currency of the case that the failure joins; add it to the candidate", 0}},
	{errActiveCurrency, refusal{codes.FailedPrecondition, recoveryv1.ErrorReason_ERROR_REASON_CURRENCY_NOT_LISTED,
		"the active policy does not list the currency of the case that the failure joins; simulate with another customer", 0}},
	{ledger.ErrReused, refusal{codes.AlreadyExists, recoveryv1.ErrorReason_ERROR_REASON_ID_REUSED,
		"the id was used before with another content, which stands; give this one an id of its own", 0}},
	{ledger.ErrErased, refusal{codes.FailedPrecondition, recoveryv1.ErrorReason_ERROR_REASON_ERASED,
		"this was asked for before the customer was erased; report what is new under an id of its own", 0}},
	{ledger.ErrNotFound, noCase},
	{recovery.ErrNoCase, noCase},
	{recovery.ErrNoOffer, refusal{codes.NotFound, recoveryv1.ErrorReason_ERROR_REASON_OFFER_NOT_FOUND,
		"the case has no such offer; GetCase lists those that it has", 0}},
	{recovery.ErrRevision, refusal{codes.Aborted, recoveryv1.ErrorReason_ERROR_REASON_REVISION_MISMATCH,
		"the case has changed since the revision that the request names; read it again with GetCase", 0}},
	{recovery.ErrNothing, refusal{codes.FailedPrecondition, recoveryv1.ErrorReason_ERROR_REASON_NOTHING_TO_OFFER,
		"nothing is left to offer: all that is recommended was accepted, or the case has had its 16 offers; name another goodwill, or resolve it", 0}},
	{auth.ErrNoCredential, refusal{codes.Unauthenticated, recoveryv1.ErrorReason_ERROR_REASON_UNAUTHENTICATED,
		"nothing says who calls; present a client certificate, or a token as metadata authorization: Bearer TOKEN", 0}},
	{auth.ErrToken, refusal{codes.Unauthenticated, recoveryv1.ErrorReason_ERROR_REASON_UNAUTHENTICATED,
		"the token is not valid here; it must be signed by an issuer that this service accepts, and be meant for it", 0}},
	{auth.ErrExpired, refusal{codes.Unauthenticated, recoveryv1.ErrorReason_ERROR_REASON_UNAUTHENTICATED,
		"the certificate or token is not valid at this time; get a new one", 0}},
	{auth.ErrStranger, refusal{codes.Unauthenticated, recoveryv1.ErrorReason_ERROR_REASON_UNAUTHENTICATED,
		"the certificate or token is genuine, but of no caller of this service; ask its operator to be let in", 0}},
	{auth.ErrIssuer, refusal{codes.Unavailable, recoveryv1.ErrorReason_ERROR_REASON_ISSUER_UNAVAILABLE,
		"the issuer of the token has not told its keys, so the token cannot be checked; nothing changed: repeat with the same id", retryIssuer}},
	{auth.ErrRole, refusal{codes.PermissionDenied, recoveryv1.ErrorReason_ERROR_REASON_PERMISSION_DENIED,
		"the caller lacks the role that this call needs; ask the operator of the service for it", 0}},
	{auth.ErrTenant, refusal{codes.PermissionDenied, recoveryv1.ErrorReason_ERROR_REASON_PERMISSION_DENIED,
		"the caller may not act for this tenant; ask the operator of the service for it", 0}},
	{recovery.ErrUnlisted, refusal{codes.FailedPrecondition, recoveryv1.ErrorReason_ERROR_REASON_CURRENCY_NOT_LISTED,
		"the policy that judges the case does not list the currency; GetPolicy shows those that it does", 0}},
	{recovery.ErrCurrency, refusal{codes.FailedPrecondition, recoveryv1.ErrorReason_ERROR_REASON_CURRENCY_MISMATCH,
		"the case is in another currency; convert the amounts or leave them out", 0}},
	{ledger.ErrConflict, refusal{codes.Aborted, recoveryv1.ErrorReason_ERROR_REASON_CONFLICT,
		"too many changes of this customer at once; nothing changed: repeat with the same id", time.Second}},
	{ledger.ErrOverloaded, refusal{codes.ResourceExhausted, recoveryv1.ErrorReason_ERROR_REASON_OVERLOADED,
		"too much work just now; nothing changed: repeat with the same id", time.Second}},
	{ledger.ErrUnreadable, refusal{codes.Internal, recoveryv1.ErrorReason_ERROR_REASON_INTERNAL,
		"this was carried out before, but what was answered then cannot be read; nothing changed now: look at the customer instead, and tell the operator the trace id", 0}},
	{ledger.ErrBroken, internal},
	{watch.ErrResync, refusal{codes.FailedPrecondition, recoveryv1.ErrorReason_ERROR_REASON_RESYNC_REQUIRED,
		"events after the resume token are no longer kept, or it is of another store or tenant; read the cases anew, then watch without a token", 0}},
	{watch.ErrSlow, refusal{codes.ResourceExhausted, recoveryv1.ErrorReason_ERROR_REASON_OVERLOADED,
		"events came faster than they were read; nothing is lost: watch again with the last token", time.Second}},
	{ErrEnding, refusal{codes.Unavailable, recoveryv1.ErrorReason_ERROR_REASON_SERVER_ENDING,
		"this server ends, or other rights of the caller are in force; nothing is lost: call again, watching from the last token, or with the first item that was not answered", retryEnding}},
	{context.DeadlineExceeded, refusal{codes.DeadlineExceeded, recoveryv1.ErrorReason_ERROR_REASON_DEADLINE_EXCEEDED,
		"the deadline of the call passed; a change may have been made: repeat with the same id", 0}},
	{context.Canceled, refusal{codes.Canceled, recoveryv1.ErrorReason_ERROR_REASON_CANCELLED,
		"the caller gave up; a change may have been made: repeat with the same id", 0}},
}

// judge finds the answer to an error.
func judge(err error) refusal {
	var broken *InvalidError
	var gone *ledger.Unavailable
	var step *recovery.StepError
	var offer *recovery.OfferError
	var above *recovery.CapError
	var often *auth.LimitError
	var full *ledger.LimitError
	switch {
	case errors.As(err, &step):
		return refusal{codes.FailedPrecondition, recoveryv1.ErrorReason_ERROR_REASON_WRONG_STATE, step.Error(), 0}
	case errors.As(err, &offer):
		return refusal{codes.FailedPrecondition, recoveryv1.ErrorReason_ERROR_REASON_WRONG_STATE, offer.Error(), 0}
	case errors.As(err, &above):
		return refusal{codes.FailedPrecondition, recoveryv1.ErrorReason_ERROR_REASON_CAP_REACHED, above.Error(), 0}
	case errors.As(err, &often):
		return refusal{codes.ResourceExhausted, recoveryv1.ErrorReason_ERROR_REASON_RATE_LIMITED,
			often.Error() + "; nothing changed: wait, then repeat with the same id", often.RetryAfter}
	case errors.As(err, &full):
		return refusal{codes.ResourceExhausted, recoveryv1.ErrorReason_ERROR_REASON_CUSTOMER_LIMIT,
			full.Error() + ", and no more are remembered; nothing changed: wait, then repeat with the same id", full.RetryAfter}
	case errors.As(err, &broken):
		return invalidRefusal(broken)
	case errors.As(err, &gone) && gone.Unknown:
		return refusal{codes.Unavailable, recoveryv1.ErrorReason_ERROR_REASON_STATE_UNKNOWN,
			"the store did not confirm in time; the change may have been made: repeat with the same id", gone.RetryAfter}
	case errors.As(err, &gone):
		return refusal{codes.Unavailable, recoveryv1.ErrorReason_ERROR_REASON_STORE_UNAVAILABLE,
			"the store cannot be reached; nothing changed: repeat with the same id", gone.RetryAfter}
	}
	for _, row := range refusals {
		if errors.Is(err, row.err) {
			return row.refusal
		}
	}
	if st, ok := status.FromError(err); ok {
		return transportRefusal(err, st)
	}
	return internal
}

func invalidRefusal(e *InvalidError) refusal {
	if e.unlisted() {
		return refusal{codes.FailedPrecondition, recoveryv1.ErrorReason_ERROR_REASON_CURRENCY_NOT_LISTED, e.Error(), 0}
	}
	return refusal{codes.InvalidArgument, recoveryv1.ErrorReason_ERROR_REASON_INVALID_REQUEST, e.Error(), 0}
}

// transportRefusal answers what gRPC itself has refused, or the generated code
// for methods that are not offered.
func transportRefusal(err error, st *status.Status) refusal {
	var wire *wireError
	reading := errors.As(err, &wire)
	switch code := st.Code(); {
	case code == codes.Unimplemented:
		return refusal{code, recoveryv1.ErrorReason_ERROR_REASON_NOT_IMPLEMENTED, "this server does not offer the method", 0}
	case code == codes.ResourceExhausted && reading:
		return judge(errTooLarge)
	case code == codes.DeadlineExceeded:
		return judge(context.DeadlineExceeded)
	case code == codes.Canceled:
		return judge(context.Canceled)
	case reading:
		return judge(errMalformed)
	default:
		return internal
	}
}

// RefusedError is an error together with the status that the caller gets of it.
type RefusedError struct {
	status *status.Status
	reason recoveryv1.ErrorReason
	cause  error
}

// Refuse turns any error into what the caller learns of it.
func Refuse(ctx context.Context, err error) *RefusedError {
	var done *RefusedError
	if errors.As(err, &done) {
		return done
	}
	r := judge(err)
	return &RefusedError{status: r.status(ctx, err), reason: r.reason, cause: err}
}

// Error says what the operator wants to know: the cause.
func (e *RefusedError) Error() string { return e.cause.Error() }

// Unwrap gives the cause.
func (e *RefusedError) Unwrap() error { return e.cause }

// GRPCStatus is what the caller gets.
func (e *RefusedError) GRPCStatus() *status.Status { return e.status }

// Reason is the ErrorReason without its prefix, such as ID_REUSED.
func (e *RefusedError) Reason() string { return reasonName(e.reason) }

func reasonName(r recoveryv1.ErrorReason) string {
	return strings.TrimPrefix(r.String(), "ERROR_REASON_")
}

func (r refusal) status(ctx context.Context, err error) *status.Status {
	info := &errdetails.ErrorInfo{Reason: reasonName(r.reason), Domain: Domain}
	if span := trace.SpanContextFromContext(ctx); r.code == codes.Internal && span.IsValid() {
		info.Metadata = map[string]string{"trace_id": span.TraceID().String()}
	}
	details := []protoadapt.MessageV1{info}
	var broken *InvalidError
	if errors.As(err, &broken) {
		details = append(details, badRequest(broken.faults))
	}
	if r.retry > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(r.delay(err))})
	}
	st := status.New(r.code, r.text)
	if full, err := st.WithDetails(details...); err == nil {
		st = full
	}
	return st
}

// delay is what the caller is told of when to repeat. A limit of its own, or of
// its customer, ends at a time that is known.
func (r refusal) delay(err error) time.Duration {
	if errors.As(err, new(*auth.LimitError)) || errors.As(err, new(*ledger.LimitError)) {
		return r.retry
	}
	return r.retry/2 + rand.N(r.retry)
}

func badRequest(faults []fault) *errdetails.BadRequest {
	out := &errdetails.BadRequest{}
	for i, f := range faults {
		if i == mostListed {
			out.FieldViolations = append(out.FieldViolations, &errdetails.BadRequest_FieldViolation{
				Description: fmt.Sprintf("%d more faults are not listed", len(faults)-mostListed),
			})
			break
		}
		out.FieldViolations = append(out.FieldViolations, &errdetails.BadRequest_FieldViolation{
			Field: f.field, Description: f.allowed,
		})
	}
	return out
}

// RefuseUnary turns the errors of all handlers behind it into a status.
func RefuseUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	resp, err := next(ctx, req)
	switch {
	case err == nil:
		return resp, nil
	case theirs(info.FullMethod, err):
		return nil, err
	default:
		return nil, refuseCall(ctx, err)
	}
}

// RefuseStream does the same for streams.
func RefuseStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	err := next(srv, stream)
	if err == nil || theirs(info.FullMethod, err) {
		return err
	}
	return refuseCall(stream.Context(), err)
}

// theirs reports whether health checks or reflection say of a request what their
// own protocols want, such as NOT_FOUND of a service that is not known.
func theirs(method string, err error) bool {
	code := status.Code(err)
	return (code == codes.NotFound || code == codes.InvalidArgument) && !strings.HasPrefix(method, "/recovery.v1.")
}

// refuseCall says on the span of the call, too, why it was refused.
func refuseCall(ctx context.Context, err error) *RefusedError {
	refused := Refuse(ctx, err)
	spans.Refused(ctx, refused.Reason())
	return refused
}

// FailedItems are items of a bulk load or a batch that were refused for one reason.
type FailedItems struct {
	Method string // in full
	// Numbers are those of the items in their stream or batch, from 0.
	Numbers []int
	Err     *RefusedError
}

// UnknownMethod answers calls of services and methods that are not offered.
func UnknownMethod(any, grpc.ServerStream) error {
	return status.Error(codes.Unimplemented, "unknown method")
}
