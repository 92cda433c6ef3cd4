package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/makeamends/amends/client"
	"github.com/makeamends/amends/internal/jaeger"
	"github.com/makeamends/amends/internal/show"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// defaultJaeger is where the JSON API of a Jaeger on this machine listens.
const defaultJaeger = "http://127.0.0.1:16686"

// tracing is one run of `amends trace`.
type tracing struct {
	*app
	connection *connection
	format     *string
	jaeger     string
}

func traceCommand(app *app) *cobra.Command {
	t := &tracing{app: app}
	cmd := &cobra.Command{
		Use:     "trace TRACE|CASE",
		GroupID: groupCall,
		Short:   "Draw what a call did, and how long each part took, from Jaeger",
		Long: `Draw one trace as a waterfall: the call as the caller saw it, the service's part of it,
what it read and wrote, what it decided and for which reasons, and the promise that a
missed deadline leads back to.

TRACE is the id of a trace (32 hexadecimal digits, as in a log line or in the error of a
call) or a W3C traceparent. Of a CASE it is the call that opened it, for which the service
is asked, too.

The service sends its traces to Jaeger when it is started with the standard variables,
such as OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317; so does this command line with
its part of a call. Spans arrive some seconds after the call. With -o json it is the trace
as Jaeger has it, in one line.`,
		Example: `  # the call that opened a case
  amends trace "$(amends cases --customer c-1042 -o json | jq -r .caseId | head -n 1)"

  # a call that is in the log, from another Jaeger
  amends trace 0af7651916cd43dd8448eb211c80319c --jaeger http://jaeger.example:16686`,
		Args: exactly("the id of a TRACE or of a CASE"),
		RunE: func(cmd *cobra.Command, args []string) error { return t.run(cmd, args[0]) },
	}
	t.connection, t.format = addConnection(cmd), addFormat(cmd)
	cmd.Flags().StringVar(&t.jaeger, "jaeger", defaultJaeger, "`URL` of Jaeger's JSON API")
	return cmd
}

func (t *tracing) run(cmd *cobra.Command, word string) error {
	at, err := url.Parse(t.jaeger)
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" { // not quoted: it may hold a password
		return &usageError{err: fmt.Errorf("--jaeger (or AMENDS_JAEGER) is no URL; write one, such as %s", defaultJaeger), command: cmd.CommandPath()}
	}
	w, err := t.which(cmd, word)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), t.connection.timeout)
	defer cancel()
	trace, err := jaeger.Fetch(ctx, t.jaeger, w.id)
	switch {
	case cmd.Context().Err() != nil:
		return errInterrupted
	case err != nil:
		return explainFetch(err, at.Redacted(), w)
	}
	if *t.format == "json" {
		_, err = fmt.Fprintf(t.stdout, "%s\n", trace.JSON)
	} else {
		_, err = fmt.Fprint(t.stdout, show.Trace(trace, t.page(cmd)))
	}
	if err == nil && isHalf(trace) {
		fmt.Fprintln(t.stderr, "The part of the service is not there yet: it arrives up to 10 s after the call, if the service traces.")
	}
	return err
}

// isHalf tells a call of which there is only what its caller saw.
func isHalf(t jaeger.Trace) bool {
	called := false
	for i := range t.Spans {
		switch t.Spans[i].Tag("span.kind") {
		case "server":
			return false
		case "client":
			called = called || strings.HasPrefix(t.Spans[i].Name, "recovery.v1.")
		}
	}
	return called
}

// wanted is the trace that is asked for.
type wanted struct {
	id         string
	notSampled bool // as its traceparent says
}

// which tells the trace that a word stands for.
func (t *tracing) which(cmd *cobra.Command, word string) (wanted, error) {
	if !isCaseID(word) {
		w, ok := parseTrace(word)
		if !ok {
			return w, &usageError{err: fmt.Errorf("%q is no trace: its id has 32 hexadecimal digits; a traceparent and the id of a case will do, too", word),
				command: cmd.CommandPath()}
		}
		return w, nil
	}
	request := recoveryv1.GetCaseRequest_builder{CaseId: word}.Build()
	answer, err := ask(t.connection, func(c *client.Client) (*recoveryv1.GetCaseResponse, error) { return c.GetCase(cmd.Context(), request) })
	if call := new(callError); errors.As(err, &call) && client.Reason(err) == recoveryv1.ErrorReason_ERROR_REASON_CASE_NOT_FOUND {
		call.advice = noCaseAdvice(word)
	}
	if err != nil {
		return wanted{}, err
	}
	w, ok := parseTrace(answer.GetCase().GetTraceParent())
	if !ok {
		return w, status.Error(codes.NotFound, "the call that opened this case was not traced, or not sampled; "+startTraced)
	}
	return w, nil
}

const startTraced = "traces are made when the service is started with OTEL_EXPORTER_OTLP_ENDPOINT"

var (
	traceIDs     = regexp.MustCompile(`^[0-9a-f]{32}$`)
	traceParents = regexp.MustCompile(`^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]([0-9a-f])$`)
)

// parseTrace takes the id of a trace, or a traceparent.
func parseTrace(word string) (wanted, bool) {
	word = strings.ToLower(word)
	if traceIDs.MatchString(word) {
		return wanted{id: word}, true
	}
	parts := traceParents.FindStringSubmatch(word)
	if parts == nil {
		return wanted{}, false
	}
	return wanted{id: parts[1], notSampled: strings.Contains("02468ace", parts[2])}, true
}

// explainFetch says why there is nothing to draw, and what to do next.
func explainFetch(err error, at string, w wanted) error {
	var refusal *jaeger.Refusal
	switch {
	case errors.Is(err, jaeger.ErrNotFound) && w.notSampled:
		return status.Errorf(codes.NotFound, "trace %s was not sampled: neither the service nor Jaeger kept it; the log has its line, under this trace_id", w.id)
	case errors.Is(err, jaeger.ErrNotFound):
		return status.Errorf(codes.NotFound, "Jaeger at %s has no trace %s; spans arrive up to 10 s after the call, and %s", at, w.id, startTraced)
	case errors.Is(err, jaeger.ErrOther):
		return &usageError{err: fmt.Errorf("--jaeger %s: what answers there is no Jaeger; its JSON API is on port 16686 unless told otherwise", at)}
	case errors.Is(err, jaeger.ErrLarge):
		return fmt.Errorf("the Jaeger at %s answers with more than 64 MiB, too much to draw; look at trace %s in Jaeger itself", at, w.id)
	case errors.As(err, &refusal) && refusal.Denied():
		return status.Errorf(codes.PermissionDenied, "the Jaeger at %s refuses: %s; name one that you may ask with --jaeger http://USER:PASSWORD@HOST:PORT", at, refusal.Says)
	case errors.As(err, &refusal):
		return fmt.Errorf("the Jaeger at %s refuses: %s; its log says more", at, refusal.Says)
	default:
		var fault *url.Error
		if errors.As(err, &fault) {
			err = fault.Err
		}
		return status.Errorf(codes.Unavailable, "no Jaeger answers at %s: %v; start one (`make jaeger`), or name another with --jaeger", at, err)
	}
}
