package main

import (
	"cmp"
	"encoding/json"
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
	wrong  string // what is wrong, in place of the words of the service
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
	case exitCode(err) == exitInterrupted:
		explainInterruption(w, err)
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

// explainInterruption says what was ended, and how to repeat a call that may have been carried out all the same.
func explainInterruption(w io.Writer, err error) {
	var told *interruption
	if !errors.As(err, &told) {
		told = errInterrupted
	}
	fmt.Fprintln(w, "amends:", told)
	if call := new(callError); errors.As(err, &call) && call.again != "" {
		fmt.Fprintf(w, "It may have been done all the same. To make sure, repeat it, exactly as before, with %s.\n", call.again)
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
	wrong, advice := words(err, e)
	if hasAnswer(err, e) {
		wrong = named(e) + ": " + wrong
	}
	fmt.Fprintf(w, "amends: %s\n", wrong)
	for _, v := range e.Violations {
		fmt.Fprintf(w, "  %s\n", inCommands.Replace(v.Field+": "+v.Description))
	}
	for _, line := range advice {
		fmt.Fprintln(w, line)
	}
	if e.TraceID != "" {
		fmt.Fprintln(w, "trace: "+e.TraceID)
	}
}

// words say what is wrong with a call, and what to do next.
func words(err error, e *client.Error) (wrong string, advice []string) {
	var call *callError
	if !errors.As(err, &call) {
		call = &callError{err: err}
	}
	next := nextStep(e, call)
	switch {
	case hasAnswer(err, e):
		wrong = cmp.Or(call.wrong, inCommands.Replace(said(e)))
		if e.Reason == recoveryv1.ErrorReason_ERROR_REASON_ID_REUSED {
			wrong = "the id was used before, for another content" // the rest of what the service says is advice
		}
	case speaksHTTP(e.Message):
		next = ""
		wrong = fmt.Sprintf("no service answers at %s: what is there speaks HTTP, but not gRPC", call.server)
		advice = []string{`Name where "amends serve" takes calls (--listen) with --server (or AMENDS_SERVER), not the address for operators.`}
	default:
		if call.again == "" {
			next = ""
		}
		wrong = fmt.Sprintf("no service answers at %s: %s", call.server, dialCause(e.Message))
		advice = []string{dialAdvice(e.Message)}
	}
	if next != "" {
		advice = append(advice, strings.Split(next, "\n")...)
	}
	return wrong, advice
}

// hasAnswer tells the error of a service from that of a call that has not reached any.
func hasAnswer(err error, e *client.Error) bool {
	var call *callError
	return !errors.As(err, &call) || call.server == "" || !unreachable(e) && !speaksHTTP(e.Message)
}

// toldError is an error for machines.
type toldError struct {
	ExitCode   int           `json:"exitCode"`
	Code       string        `json:"code,omitempty"`
	Reason     string        `json:"reason,omitempty"`
	Message    string        `json:"message"`
	Violations []failedField `json:"violations,omitempty"`
	Advice     []string      `json:"advice,omitempty"`
	RetryAfter float64       `json:"retryAfterSeconds,omitempty"`
	TraceID    string        `json:"traceId,omitempty"`
}

type failedField struct {
	Field       string `json:"field"`
	Description string `json:"description"`
}

// explainJSON says the same as explain, as one line of JSON.
func explainJSON(w io.Writer, err error) {
	f := toldError{ExitCode: exitCode(err), Message: strings.TrimSpace(err.Error())}
	if e := ofService(err); e != nil {
		f.Code, f.Reason, f.RetryAfter, f.TraceID = code.Code(e.Code).String(), reason(e), e.RetryAfter.Seconds(), e.TraceID
		if bulk := new(bulkError); !errors.As(err, &bulk) { // which is about many
			f.Message, f.Advice = words(err, e)
			for _, v := range e.Violations {
				f.Violations = append(f.Violations, failedField(v))
			}
		}
	}
	line := json.NewEncoder(w)
	line.SetEscapeHTML(false)
	_ = line.Encode(f)
}

// inCommands puts the command beside a call that the service names, which speaks to programs. Steps of a case are told in a line of their own.
var inCommands = strings.NewReplacer(
	"GetPolicy", "GetPolicy (amends policy show --server)", "CheckPolicy", "CheckPolicy (amends policy check)",
	"ListPolicies", "ListPolicies (amends policy show --server prints the active one)",
	"GetCase", "GetCase (amends case)", "ListCases", "ListCases (amends cases)", "WatchCases", "WatchCases (amends watch)",
)

// headline names the error and says what it says.
func headline(e *client.Error) string { return named(e) + ": " + said(e) }

// named are the canonical name of the error and the service's own, where that is another.
func named(e *client.Error) string {
	name := code.Code(e.Code).String()
	if own := reason(e); own != "" && own != name {
		name += " (" + own + ")"
	}
	return name
}

// reason is the service's own name of the error; empty if there is none.
func reason(e *client.Error) string {
	if e.Reason == recoveryv1.ErrorReason_ERROR_REASON_UNSPECIFIED {
		return ""
	}
	return strings.TrimPrefix(e.Reason.String(), "ERROR_REASON_")
}

// said is what the error says, unless the faulty fields say the same.
func said(e *client.Error) string {
	if n := len(e.Violations); n > 0 {
		return fmt.Sprintf("%d %s", n, plural(n, "fault"))
	}
	return e.Message
}

// unreachable tells a server that is not there from one that answers UNAVAILABLE: only the latter's errors carry a reason.
func unreachable(e *client.Error) bool {
	return e.Code == codes.Unavailable && e.Reason == recoveryv1.ErrorReason_ERROR_REASON_UNSPECIFIED
}

// speaksHTTP tells in the words of gRPC that what is there does not speak it.
func speaksHTTP(message string) bool { return strings.Contains(message, "unexpected HTTP status code") }

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

const idReusedAdvice = "Repeat that call exactly, or give this one a new id."

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
