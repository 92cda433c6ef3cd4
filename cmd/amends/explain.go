package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/makeamends/amends/internal/config"
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
	s, isCall := status.FromError(err)
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
	case isCall && s.Code() != codes.OK:
		explainCall(w, err, s)
	default:
		fmt.Fprintf(w, "amends: %v\n", err)
	}
}

func explainCall(w io.Writer, err error, s *status.Status) {
	var call *callError
	if !errors.As(err, &call) {
		call = &callError{err: err}
	}
	if call.server != "" && unreachable(s) {
		fmt.Fprintf(w, "amends: no service answers at %s: %s\n", call.server, dialCause(s.Message()))
		fmt.Fprintln(w, dialAdvice(s.Message()))
		if call.again == "" {
			return
		}
	} else {
		fmt.Fprintf(w, "amends: %s\n", inCommands.Replace(headline(s)))
		for _, violation := range violations(s) {
			fmt.Fprintf(w, "  %s\n", inCommands.Replace(violation))
		}
	}
	if next := nextStep(s, call); next != "" {
		fmt.Fprintln(w, next)
	}
	for _, line := range traces(s) {
		fmt.Fprintln(w, line)
	}
}

// inCommands puts the command beside a call that the service names, which speaks to programs. Steps of a case are told in a line of their own.
var inCommands = strings.NewReplacer(
	"GetPolicy", "GetPolicy (amends policy show --server)", "CheckPolicy", "CheckPolicy (amends policy check)",
	"ListPolicies", "ListPolicies (amends policy show --server prints the active one)",
	"GetCase", "GetCase (amends case)", "ListCases", "ListCases (amends cases)", "WatchCases", "WatchCases (amends watch)",
)

// headline is the canonical name of the error and what it says, unless the faulty fields say the same.
func headline(s *status.Status) string {
	if n := len(violations(s)); n > 0 {
		return fmt.Sprintf("%s: %d %s", code.Code(s.Code()), n, plural(n, "fault"))
	}
	return fmt.Sprintf("%s: %s", code.Code(s.Code()), s.Message())
}

// unreachable tells a server that is not there from one that answers UNAVAILABLE: only the latter's errors carry a reason.
func unreachable(s *status.Status) bool {
	return s.Code() == codes.Unavailable && reason(s) == ""
}

// dialCause picks the cause out of the words that gRPC wraps around a failed dial.
func dialCause(message string) string {
	const mark = "desc = "
	if i := strings.LastIndex(message, mark); i >= 0 {
		message = strings.Trim(message[i+len(mark):], `"`)
	}
	return strings.TrimPrefix(message, "transport: ")
}

// dialAdvice says how to reach a service where a first attempt did not.
func dialAdvice(message string) string {
	switch {
	case strings.Contains(message, "handshake failed"):
		return "Name the certificates to trust with --ca; if the service speaks plaintext and the network keeps strangers out, use --insecure."
	case strings.Contains(message, "server preface"):
		return "What answers there does not speak plaintext gRPC. If it wants TLS, name the certificates to trust with --ca."
	default:
		return `Start one with "amends serve", or name another with --server (or AMENDS_SERVER).`
	}
}

// idReused is the service's reason to refuse an id with another content.
const idReused = "ID_REUSED"

const idReusedAdvice = "The id was used for another content. Repeat that call exactly, or give this one a new id."

func nextStep(s *status.Status, call *callError) string {
	if call.advice != "" {
		return call.advice
	}
	if reason(s) == idReused {
		return idReusedAdvice
	}
	again := ""
	if call.again != "" {
		again = ", exactly as before, with " + call.again
	}
	switch s.Code() {
	case codes.Unavailable, codes.ResourceExhausted, codes.Aborted:
		if reason(s) == "MESSAGE_TOO_LARGE" || reason(s) == "REVISION_MISMATCH" {
			return ""
		}
		return "Try again" + retryDelay(s) + again + "."
	case codes.DeadlineExceeded:
		return "Give it more time with --timeout" + again + "."
	case codes.Internal, codes.Unknown:
		return "This is a fault of the service; its log says more."
	}
	return ""
}

// violations lists the faulty fields, each with what is allowed.
func violations(s *status.Status) []string {
	var lines []string
	for _, detail := range s.Details() {
		if bad, ok := detail.(*errdetails.BadRequest); ok {
			for _, v := range bad.GetFieldViolations() {
				lines = append(lines, v.GetField()+": "+v.GetDescription())
			}
		}
	}
	return lines
}

// reason is the service's own name for the error; empty if the error does not come from the service.
func reason(s *status.Status) string {
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

func retryDelay(s *status.Status) string {
	for _, detail := range s.Details() {
		if retry, ok := detail.(*errdetails.RetryInfo); ok && retry.GetRetryDelay().AsDuration() > 0 {
			return " in " + retry.GetRetryDelay().AsDuration().Round(time.Millisecond).String()
		}
	}
	return ""
}

// traces are the marks by which an operator finds the call in logs and traces.
func traces(s *status.Status) []string {
	var lines []string
	for _, detail := range s.Details() {
		switch d := detail.(type) {
		case *errdetails.RequestInfo:
			lines = append(lines, "request: "+d.GetRequestId())
		case *errdetails.ErrorInfo:
			if id := d.GetMetadata()["trace_id"]; id != "" {
				lines = append(lines, "trace: "+id)
			}
		}
	}
	return lines
}
