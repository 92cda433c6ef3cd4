package rpc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/makeamends/amends/internal/auth"
	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/watch"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

func TestErrors(t *testing.T) {
	tests := map[string]struct {
		err    error
		code   codes.Code
		reason string
		says   string
		retry  bool
	}{
		"a fault":            {invalid([]fault{{field: "a", allowed: "b"}}), codes.InvalidArgument, "INVALID_REQUEST", "a: b", false},
		"only a currency":    {invalid([]fault{{field: "a", allowed: "b", currency: true}}), codes.FailedPrecondition, "CURRENCY_NOT_LISTED", "a: b", false},
		"id reused":          {ledger.ErrReused, codes.AlreadyExists, "ID_REUSED", "id of its own", false},
		"erased":             {ledger.ErrErased, codes.FailedPrecondition, "ERASED", "under an id of its own", false},
		"no case":            {ledger.ErrNotFound, codes.NotFound, "CASE_NOT_FOUND", "no such case", false},
		"no policy":          {errPolicyUnknown, codes.NotFound, "POLICY_NOT_FOUND", "ListPolicies", false},
		"bad policy":         {errPolicyInvalid, codes.FailedPrecondition, "POLICY_INVALID", "CheckPolicy", false},
		"step not allowed":   {&recovery.StepError{State: recovery.Open, Allowed: []recovery.Step{recovery.StepResolve}}, codes.FailedPrecondition, "WRONG_STATE", "the case is OPEN; it allows ResolveCase", false},
		"offer answered":     {&recovery.OfferError{State: recovery.OfferRefused, Allowed: []recovery.OfferState{recovery.Made}}, codes.FailedPrecondition, "WRONG_STATE", "the offer is REFUSED and would have to be MADE", false},
		"too much goodwill":  {&recovery.CapError{Most: recovery.Price{Currency: "USD", Minor: 1250}, Digits: 2}, codes.FailedPrecondition, "CAP_REACHED", "12.50 USD", false},
		"no such case":       {recovery.ErrNoCase, codes.NotFound, "CASE_NOT_FOUND", "no such case", false},
		"no offer":           {recovery.ErrNoOffer, codes.NotFound, "OFFER_NOT_FOUND", "GetCase", false},
		"other revision":     {recovery.ErrRevision, codes.Aborted, "REVISION_MISMATCH", "GetCase", false},
		"nothing to offer":   {recovery.ErrNothing, codes.FailedPrecondition, "NOTHING_TO_OFFER", "resolve it", false},
		"role lacks":         {auth.ErrRole, codes.PermissionDenied, "PERMISSION_DENIED", "role", false},
		"tenant lacks":       {auth.ErrTenant, codes.PermissionDenied, "PERMISSION_DENIED", "tenant", false},
		"no credential":      {auth.ErrNoCredential, codes.Unauthenticated, "UNAUTHENTICATED", "authorization: Bearer", false},
		"bad token":          {auth.ErrToken, codes.Unauthenticated, "UNAUTHENTICATED", "not valid here", false},
		"expired":            {auth.ErrExpired, codes.Unauthenticated, "UNAUTHENTICATED", "get a new one", false},
		"stranger":           {auth.ErrStranger, codes.Unauthenticated, "UNAUTHENTICATED", "genuine", false},
		"issuer silent":      {auth.ErrIssuer, codes.Unavailable, "ISSUER_UNAVAILABLE", "repeat with the same id", true},
		"too much of one":    {&ledger.LimitError{RetryAfter: time.Hour}, codes.ResourceExhausted, "CUSTOMER_LIMIT", "5000 requests within 9 days", true},
		"too often":          {&auth.LimitError{Limit: "3 calls a second", RetryAfter: time.Second}, codes.ResourceExhausted, "RATE_LIMITED", "3 calls a second", true},
		"currency unlisted":  {recovery.ErrUnlisted, codes.FailedPrecondition, "CURRENCY_NOT_LISTED", "currency", false},
		"not a candidate's":  {errCandidateCurrency, codes.FailedPrecondition, "CURRENCY_NOT_LISTED", "the candidate policy", false},
		"not an active's":    {errActiveCurrency, codes.FailedPrecondition, "CURRENCY_NOT_LISTED", "the active policy", false},
		"currency differs":   {recovery.ErrCurrency, codes.FailedPrecondition, "CURRENCY_MISMATCH", "another currency", false},
		"conflict":           {ledger.ErrConflict, codes.Aborted, "CONFLICT", "repeat with the same id", true},
		"overloaded":         {ledger.ErrOverloaded, codes.ResourceExhausted, "OVERLOADED", "nothing changed", true},
		"store gone":         {&ledger.Unavailable{RetryAfter: time.Second}, codes.Unavailable, "STORE_UNAVAILABLE", "nothing changed", true},
		"store silent":       {&ledger.Unavailable{Unknown: true, RetryAfter: time.Second}, codes.Unavailable, "STATE_UNKNOWN", "repeat with the same id", true},
		"answer unreadable":  {ledger.ErrUnreadable, codes.Internal, "INTERNAL", "carried out before", false},
		"store broken":       {ledger.ErrBroken, codes.Internal, "INTERNAL", "fault of the service", false},
		"resync":             {watch.ErrResync, codes.FailedPrecondition, "RESYNC_REQUIRED", "without a token", false},
		"slow watcher":       {watch.ErrSlow, codes.ResourceExhausted, "OVERLOADED", "with the last token", true},
		"ending":             {ErrEnding, codes.Unavailable, "SERVER_ENDING", "from the last token", true},
		"deadline":           {context.DeadlineExceeded, codes.DeadlineExceeded, "DEADLINE_EXCEEDED", "repeat with the same id", false},
		"gave up":            {context.Canceled, codes.Canceled, "CANCELLED", "may have been made", false},
		"not offered":        {status.Error(codes.Unimplemented, "method X not implemented"), codes.Unimplemented, "NOT_IMPLEMENTED", "does not offer", false},
		"malformed":          {&wireError{errMalformed}, codes.InvalidArgument, "MALFORMED_MESSAGE", "UTF-8", false},
		"too large":          {&wireError{errTooLarge}, codes.ResourceExhausted, "MESSAGE_TOO_LARGE", "256 KiB", false},
		"too large for gRPC": {&wireError{status.Error(codes.ResourceExhausted, "x")}, codes.ResourceExhausted, "MESSAGE_TOO_LARGE", "256 KiB", false},
		"no message":         {&wireError{status.Error(codes.Internal, "x")}, codes.InvalidArgument, "MALFORMED_MESSAGE", "bytes", false},
		"gone while reading": {&wireError{status.Error(codes.Canceled, "x")}, codes.Canceled, "CANCELLED", "gave up", false},
		"anything else":      {errors.New("dial 10.0.0.1: secret"), codes.Internal, "INTERNAL", "fault of the service", false},
		"a status of nobody": {status.Error(codes.Unknown, "secret"), codes.Internal, "INTERNAL", "fault of the service", false},
	}
	reasons := map[string]bool{}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			refused := Refuse(t.Context(), fmt.Errorf("secret: %w", test.err))
			st := status.Convert(refused)
			if st.Code() != test.code || !strings.Contains(st.Message(), test.says) || strings.Contains(st.Message(), "secret") {
				t.Errorf("%v, want %s and %q, without the cause", st, test.code, test.says)
			}
			if refused.Reason() != test.reason {
				t.Errorf("reason %s, want %s", refused.Reason(), test.reason)
			}
			if !errors.Is(refused, test.err) {
				t.Error("the cause is lost for the log")
			}
			info, retry := detailsOf(st)
			if info.GetReason() != test.reason || info.GetDomain() != Domain || retry != test.retry {
				t.Errorf("details %v, retry %v; want reason %s, retry %v", info, retry, test.reason, test.retry)
			}
		})
		if _, known := recoveryv1.ErrorReason_value["ERROR_REASON_"+test.reason]; !known {
			t.Errorf("%s is no ErrorReason of the contract", test.reason)
		}
		reasons[test.reason] = true
	}
	for _, row := range refusals {
		if !reasons[reasonName(row.reason)] {
			t.Errorf("no test for %v", row.err)
		}
	}
}

func detailsOf(st *status.Status) (info *errdetails.ErrorInfo, retry bool) {
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			info = d
		case *errdetails.RetryInfo:
			retry = d.GetRetryDelay().AsDuration() > 0
		}
	}
	return info, retry
}

func TestFaultOfTheServiceNamesItsTrace(t *testing.T) {
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	ctx := trace.ContextWithSpanContext(t.Context(), span)
	info, _ := detailsOf(Refuse(ctx, errors.New("x")).GRPCStatus())
	if got := info.GetMetadata()["trace_id"]; got != span.TraceID().String() {
		t.Errorf("trace id %q, want %s", got, span.TraceID())
	}
}

func TestManyFaultsAreCutShort(t *testing.T) {
	faults := make([]fault, 1000)
	for i := range faults {
		faults[i] = fault{field: strings.Repeat("f", 50), allowed: strings.Repeat("a", 100)}
	}
	st := Refuse(t.Context(), invalid(faults)).GRPCStatus()
	for _, d := range st.Details() {
		if b, ok := d.(*errdetails.BadRequest); ok {
			last := b.GetFieldViolations()[len(b.GetFieldViolations())-1].GetDescription()
			if len(b.GetFieldViolations()) != mostListed+1 || !strings.Contains(last, "968 more") {
				t.Errorf("%d faults listed, the last one %q", len(b.GetFieldViolations()), last)
			}
		}
	}
	if !strings.HasSuffix(st.Message(), "and 997 more") || len(st.Message()) > 1000 {
		t.Errorf("message of %d bytes: %s", len(st.Message()), st.Message())
	}
}
