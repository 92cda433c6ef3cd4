package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

const knownTrace, unknownTrace = "c9103ae7496d278cb6f87739eee1c3d2", "0af7651916cd43dd8448eb211c80319c"

// recorded answers as the Jaeger did that the traces of the docs were recorded from.
func recorded(t *testing.T) (url string) {
	t.Helper()
	text, err := os.ReadFile("../../internal/show/testdata/traces.json")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/traces/"+knownTrace {
			_, _ = w.Write(text)
			return
		}
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"data":null,"total":0,"limit":0,"offset":0,"errors":[{"code":404,"msg":"trace not found"}]}`))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// A trace is drawn by its id in either form, or printed as Jaeger has it. A real
// Jaeger is asked in internal/serve.
func TestTrace(t *testing.T) {
	c := command{env: map[string]string{"AMENDS_JAEGER": recorded(t)}}
	drawn := c.works(t, "trace", strings.ToUpper(knownTrace)).stdout
	for _, want := range []string{"trace " + knownTrace, "\n      ledger.commit ", "bound by ON_PREMISES", "█"} {
		if !strings.Contains(drawn, want) {
			t.Errorf("it does not say %q:\n%s", want, drawn)
		}
	}
	if again := c.works(t, "trace", "00-"+knownTrace+"-9db47f986aa4d0c0-01").stdout; again != drawn {
		t.Errorf("by its traceparent it is another one:\n%s", again)
	}
	var trace struct{ TraceID string }
	raw := c.works(t, "trace", knownTrace, "-o", "json").stdout
	if err := json.Unmarshal([]byte(raw), &trace); err != nil || trace.TraceID != knownTrace {
		t.Errorf("-o json: %v\n%s", err, raw)
	}
}

// A trace of which the service's part is not there is not taken for whole.
func TestHalfATrace(t *testing.T) {
	const half = `{"data":[{"traceID":"` + knownTrace + `","spans":[
		{"spanID":"1","operationName":"amends report","tags":[{"key":"span.kind","value":"internal"}],"processID":"p"},
		{"spanID":"2","operationName":"recovery.v1.RecoveryService/ReportFailure","tags":[{"key":"span.kind","value":"client"}],"processID":"p"}%s],
		"processes":{"p":{"serviceName":"amends-cli"},"q":{"serviceName":"amends"}}}]}`
	const rest = `,{"spanID":"3","operationName":"recovery.v1.RecoveryService/ReportFailure","tags":[{"key":"span.kind","value":"server"}],"processID":"q"}`
	for spans, want := range map[string]bool{"": true, rest: false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, half, spans) }))
		defer server.Close()
		o := amends(t, "trace", knownTrace, "--jaeger", server.URL)
		if got := strings.Contains(o.stderr, "The part of the service is not there yet"); got != want {
			t.Errorf("says that something is missing: %v, want %v\n%s", got, want, o.stderr)
		}
	}
}

// Whatever there is not is said, and what to do then.
func TestNoTrace(t *testing.T) {
	there, other := recorded(t), httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	nobody := "http://" + listener.Addr().String()
	server := service(t)
	untraced := parse(t, amends(t, "report", "--server", server, "--customer", "c-1", "--kind", "rude", "-o", "json").stdout, &recoveryv1.ReportFailureResponse{})
	for _, row := range []struct {
		args []string
		code int
		want []string
	}{
		{[]string{unknownTrace, "--jaeger", there}, exitNotFound, []string{unknownTrace, "OTEL_EXPORTER_OTLP_ENDPOINT"}},
		{[]string{"00-" + unknownTrace + "-9db47f986aa4d0c0-00", "--jaeger", there}, exitNotFound, []string{"was not sampled"}},
		{[]string{unknownTrace, "--jaeger", other.URL}, exitUsage, []string{"no Jaeger", "16686"}},
		{[]string{unknownTrace, "--jaeger", nobody}, exitUnavailable, []string{"no Jaeger answers at " + nobody, "make jaeger"}},
		{[]string{unknownTrace, "--jaeger", "127.0.0.1:16686"}, exitUsage, []string{"--jaeger (or AMENDS_JAEGER) is no URL", defaultJaeger}},
		{[]string{"0af7", "--jaeger", there}, exitUsage, []string{`"0af7" is no trace`, "32 hexadecimal digits"}},
		{nil, exitUsage, []string{"is missing"}},
		{[]string{untraced.GetCase().GetCaseId(), "--jaeger", there, "--server", server}, exitNotFound, []string{"was not traced"}},
		{[]string{"cU-1wAA1Yo6icDWPQEm-vbQ.1", "--jaeger", there, "--server", server}, exitNotFound, []string{"no such case", "amends cases"}},
	} {
		command{}.fails(t, row.code, row.want, append([]string{"trace"}, row.args...)...)
	}
}

// What Jaeger refuses with is told, and is no reason to start another.
func TestRefusedTrace(t *testing.T) {
	for code, exit := range map[int]int{http.StatusUnauthorized: exitDenied, http.StatusForbidden: exitDenied, http.StatusInternalServerError: exitInternal} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = fmt.Fprintf(w, `{"data":null,"errors":[{"code":%d,"msg":"not\u001b[31m now"}]}`, code)
		}))
		said := command{}.fails(t, exit, []string{"Jaeger at " + server.URL + " refuses: not·[31m now"}, "trace", unknownTrace, "--jaeger", server.URL).stderr
		for _, wrong := range []string{"no Jaeger answers", "Try again", "\x1b"} {
			if strings.Contains(said, wrong) {
				t.Errorf("%d: it says %q: %s", code, wrong, said)
			}
		}
		server.Close()
	}
}

// The password of a Jaeger is not told to who reads over a shoulder, or a log.
func TestPasswordOfJaegerIsNotTold(t *testing.T) {
	there, other := recorded(t), httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	for address, exit := range map[string]int{
		strings.Replace(there, "//", "//u:hunter2@", 1):     exitNotFound,
		strings.Replace(other.URL, "//", "//u:hunter2@", 1): exitUsage,
		"http://u:hunter2@127.0.0.1:1":                      exitUnavailable,
		"http://u:hunter2@127.0.0.1:port":                   exitUsage,
		"u:hunter2@127.0.0.1:16686":                         exitUsage,
	} {
		if said := (command{}).fails(t, exit, nil, "trace", unknownTrace, "--jaeger", address).stderr; strings.Contains(said, "hunter2") {
			t.Errorf("%s: the password is told: %s", address, said)
		}
	}
}

// The case of a call that was traced leads to its trace.
func TestTraceOfACase(t *testing.T) {
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})) // takes in everything
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
	server, err := serve.Start(t.Context(), serve.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop(t.Context())
	c := command{env: map[string]string{"AMENDS_SERVER": server.Addr(), "AMENDS_JAEGER": recorded(t)}}
	kase := parse(t, c.works(t, "report", "--customer", "c-1", "--kind", "rude", "-o", "json").stdout, &recoveryv1.ReportFailureResponse{}).GetCase()
	id := strings.Split(kase.GetTraceParent(), "-")[1]
	if text := c.works(t, "case", kase.GetCaseId()).stdout; !strings.Contains(text, "\ntrace "+id+" (amends trace "+kase.GetCaseId()+")") {
		t.Errorf("the case does not name its trace:\n%s", text)
	}
	c.fails(t, exitNotFound, []string{"has no trace " + id}, "trace", kase.GetCaseId())
}

// A collector that is dead costs a command little, and nothing but a warning.
func TestCommandWithoutACollector(t *testing.T) {
	server := service(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+listener.Addr().String())
	began := time.Now()
	o := amends(t, "assess", "c-1", "--server", server)
	if took := time.Since(began); took > 5*flushTime {
		t.Errorf("it took %s", took)
	}
	if !strings.Contains(o.stdout, "customer c-1") || !strings.HasPrefix(o.stderr, "amends: warning: the trace of this command") || strings.Count(o.stderr, "\n") != 1 {
		t.Errorf("it says %q and warns %q", o.stdout, o.stderr)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317")
	command{}.fails(t, exitUsage, []string{"OTEL_EXPORTER_OTLP_ENDPOINT is no URL"}, "assess", "c-1", "--server", server)
}
