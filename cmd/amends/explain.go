package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/makeamends/amends/client"
	"github.com/makeamends/amends/internal/config"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// callError is what a call to the service came to, with what only the caller knows: whom it called and how to repeat it.
type callError struct {
	err    error
	server string
	again  string // flags that repeat the call safely; empty for a call that changes nothing
	advice string // what else to do, in place of what the status alone would suggest
}

func (e *callError) Error() string { return e.err.Error() }
func (e *callError) Unwrap() error { return e.err }

// GRPCStatus keeps the status as it came: of a merely wrapped error gRPC would put the whole text into the message.
func (e *callError) GRPCStatus() *status.Status { return status.Convert(e.err) }

// explain says on w what is wrong, every faulty field on its own line, and what to do next.
func explain(w io.Writer, err error) {
	var settings *config.Error
	var usage *usageError
	var bulk *bulkError
	switch {
	case errors.As(err, &bulk):
		fmt.Fprintf(w, "amends: %v\n", bulk)
	case errors.As(err, &settings):
		fmt.Fprintln(w, "amends: the settings have faults:")
		for _, fault := range settings.Faults {
			fmt.Fprintf(w, "  %s\n", fault)
		}
		fmt.Fprintln(w, `See "amends help settings".`)
	case errors.As(err, &usage):
		fmt.Fprintf(w, "amends: %s\n", strings.TrimSpace(err.Error()))
		if usage.command != "" {
			fmt.Fprintf(w, "See \"%s --help\".\n", usage.command)
		}
	default:
		if e := ofService(err); e != nil {
			explainCall(w, err, e)
		} else {
			fmt.Fprintf(w, "amends: %v\n", err)
		}
	}
}

// ofService takes the error of a call apart; nil if it is of none.
func ofService(err error) *client.Error {
	var e *client.Error
	if errors.As(err, &e) {
		return e
	}
	if s, ok := status.FromError(err); ok {
		return client.FromStatus(s.Proto())
	}
	return nil
}

func explainCall(w io.Writer, err error, e *client.Error) {
	var call *callError
	if !errors.As(err, &call) {
		call = &callError{err: err}
	}
	if call.server != "" && unreachable(e) {
		fmt.Fprintf(w, "amends: no service answers at %s: %s\n", call.server, dialCause(e.Message))
		fmt.Fprintln(w, dialAdvice(e.Message))
		if call.again == "" {
			return
		}
	} else if call.server != "" && strings.Contains(e.Message, "unexpected HTTP status code") { // gRPC's own words
		fmt.Fprintf(w, "amends: no service answers at %s: what is there speaks HTTP, but not gRPC\n", call.server)
		fmt.Fprintln(w, `Name where "amends serve" takes calls (--listen) with --server (or AMENDS_SERVER), not the address for operators.`)
		return
	} else {
		fmt.Fprintf(w, "amends: %s\n", inCommands.Replace(headline(e)))
		for _, v := range e.Violations {
			fmt.Fprintf(w, "  %s\n", inCommands.Replace(v.Field+": "+v.Description))
		}
	}
	if next := nextStep(e, call); next != "" {
		fmt.Fprintln(w, next)
	}
	if e.TraceID != "" {
		fmt.Fprintln(w, "trace: "+e.TraceID)
	}
}

// inCommands puts the command beside a call that the service names, which speaks to programs. Steps of a case are told in a line of their own.
var inCommands = strings.NewReplacer(
	"GetPolicy", "GetPolicy (amends policy show --server)", "CheckPolicy", "CheckPolicy (amends policy check)",
	"ListPolicies", "ListPolicies (amends policy show --server prints the active one)",
	"GetCase", "GetCase (amends case)", "ListCases", "ListCases (amends cases)", "WatchCases", "WatchCases (amends watch)",
)

// headline is the canonical name of the error and what it says, unless the faulty fields say the same.
func headline(e *client.Error) string {
	if n := len(e.Violations); n > 0 {
		return fmt.Sprintf("%s: %d %s", code.Code(e.Code), n, plural(n, "fault"))
	}
	return fmt.Sprintf("%s: %s", code.Code(e.Code), e.Message)
}

// unreachable tells a server that is not there from one that answers UNAVAILABLE: only the latter's errors carry a reason.
func unreachable(e *client.Error) bool {
	return e.Code == codes.Unavailable && e.Reason == recoveryv1.ErrorReason_ERROR_REASON_UNSPECIFIED
}

// noAddress is what gRPC says of a name that leads nowhere.
const noAddress = "no children to pick from"

// dialCause picks the cause out of the words that gRPC wraps around a failed dial.
func dialCause(message string) string {
	const mark = "desc = "
	if i := strings.LastIndex(message, mark); i >= 0 {
		message = strings.Trim(message[i+len(mark):], `"`)
	}
	if strings.Contains(message, noAddress) {
		return "the name cannot be looked up, or has no address"
	}
	return strings.TrimPrefix(message, "transport: ")
}

// dialAdvice says how to reach a service where a first attempt did not.
func dialAdvice(message string) string {
	switch {
	case strings.Contains(message, "remote error: tls: ") && strings.Contains(message, "certificate"): // after which there is a handshake or a preface amiss
		return "The service wants to know who calls by a certificate that it trusts: name yours with --cert and --key."
	case strings.Contains(message, noAddress):
		return "See that it is written rightly, in --server (or AMENDS_SERVER), and that the name is known here."
	case strings.Contains(message, "handshake failed"):
		return "Name the certificates to trust with --ca; if the service speaks plaintext and the network keeps strangers out, use --insecure."
	case strings.Contains(message, "server preface"):
		return "What answers there does not speak plaintext gRPC. If it wants TLS, name the certificates to trust with --ca."
	default:
		return `Start one with "amends serve", or name another with --server (or AMENDS_SERVER).`
	}
}

const idReusedAdvice = "The id was used for another content. Repeat that call exactly, or give this one a new id."

func nextStep(e *client.Error, call *callError) string {
	if call.advice != "" {
		return call.advice
	}
	again := ""
	if call.again != "" {
		again = ", exactly as before, with " + call.again
	}
	switch e.Reason {
	case recoveryv1.ErrorReason_ERROR_REASON_ID_REUSED:
		return idReusedAdvice
	case recoveryv1.ErrorReason_ERROR_REASON_MESSAGE_TOO_LARGE, recoveryv1.ErrorReason_ERROR_REASON_REVISION_MISMATCH:
		return ""
	}
	switch e.Code {
	case codes.Unavailable, codes.ResourceExhausted, codes.Aborted:
		soon := ""
		if e.RetryAfter > 0 {
			soon = " in " + e.RetryAfter.Round(time.Millisecond).String()
		}
		return "Try again" + soon + again + "."
	case codes.DeadlineExceeded:
		return "Give it more time with --timeout" + again + "."
	case codes.Internal, codes.Unknown:
		return "This is a fault of the service; its log says more."
	}
	return ""
}
