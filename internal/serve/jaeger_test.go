package serve_test

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/jaeger"
	"github.com/makeamends/amends/internal/jaegertest"
	"github.com/makeamends/amends/internal/programtest"
	"github.com/makeamends/amends/internal/redistest"
	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// sample is where `make trace-sample` has the traces of the docs written.
var sample = flag.String("sample", "", "`FILE` to keep a call and a missed deadline of TestJaeger in, as Jaeger tells them")

// canary marks all that a caller sends as text: none of it may be in a trace.
const canary = "canary"

// TestJaeger: what a real Jaeger tells of a call from its client to its commit,
// of a deadline that was missed and the call that promised it, and of every
// other way into the service; and that nobody is named anywhere.
func TestJaeger(t *testing.T) {
	j := jaegertest.Start(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", j.OTLP())
	binary := programtest.Build(t, t.TempDir())
	s := start(t, serve.Config{Redis: redistest.Server(t).URL(), Now: time.Now, Sweep: 20 * time.Millisecond})
	watch := watchTraced(t, s)
	called := reportByCommand(t, binary, s.Addr(), j.OTLPOverHTTP())
	missed := watch(recoveryv1.TransitionKind_TRANSITION_KIND_MISSED)
	knock(t, s)
	if err := s.Stop(t.Context()); err != nil { // flushes
		t.Fatal(err)
	}

	all := allTraces(t, j.URL())
	call := fetch(t, j.URL(), traceOf(called.GetTraceParent()))
	checkCall(t, call, called)
	miss := checkMissed(t, j.URL(), all, called)
	checkDeliveries(t, all, call, miss, called.GetCaseId(), missed)
	checkOthers(t, all)
	checkNobodyIsNamed(t, j.URL())
	checkDocs(t, all)
	checkCommand(t, binary, j.URL(), call.ID)
	if *sample != "" && !t.Failed() {
		keepSample(t, call.JSON, miss.JSON)
	}
}

// checkOthers looks at what is special about the other calls.
func checkOthers(t *testing.T, all []jaeger.Trace) {
	t.Helper()
	const service = "recovery.v1.RecoveryService/"
	var refusals, replays []string
	for _, s := range named(all, service+"ReportFailure") {
		refusals, replays = append(refusals, s.Tag("recovery.refusal")), append(replays, s.Tag("recovery.replayed"))
	}
	for _, want := range []string{"ID_REUSED", "INVALID_REQUEST"} {
		if !slices.Contains(refusals, want) {
			t.Errorf("no report was refused as %s: %v", want, refusals)
		}
	}
	if !slices.Contains(replays, "true") {
		t.Errorf("no report was replayed: %v", replays)
	}
	for name, want := range map[string]int{
		"ledger.erase": 1, "recovery.advance": 4, "recovery.ingest": 3, "recovery.record": 2, service + "EraseCustomer": 1,
		service + "Ingest": 1, service + "WatchCases": 0,
	} {
		if got := len(named(all, name)); got != want {
			t.Errorf("%d spans %s, want %d", got, name, want)
		}
	}
	stream := named(all, service+"Ingest")[0]
	for _, item := range named(all, "recovery.ingest") {
		if item.Depth != 0 || len(item.Links) != 1 || item.Links[0].Span != stream.ID {
			t.Errorf("an item of the stream has depth %d and links %v, want a trace of its own that leads to %s", item.Depth, item.Links, stream.ID)
		}
	}
}

// traits of what must be in no trace: what callers sent, and what Redis is sent.
var traits = regexp.MustCompile(`(?i)` + canary + `|evalsha|hmget|hset|\{b\d|redis://|:ev"`)

func checkNobodyIsNamed(t *testing.T, url string) {
	t.Helper()
	for _, service := range []string{"amends", "amends-cli"} {
		text := string(get(t, url+"/api/traces?service="+service+"&limit=1000&lookback=1h"))
		if found := traits.FindAllString(text, -1); found != nil {
			t.Errorf("the traces of %s hold %q", service, slices.Compact(found))
		}
		if !strings.Contains(text, "recovery.v1.RecoveryService/ReportFailure") {
			t.Errorf("the traces of %s are not there", service)
		}
	}
}

// checkDocs: whatever a trace tells stands in the docs.
func checkDocs(t *testing.T, all []jaeger.Trace) {
	t.Helper()
	page, err := os.ReadFile("../../docs/traces.md")
	if err != nil {
		t.Fatal(err)
	}
	ours := regexp.MustCompile(`^(recovery|ledger|sweep)\.[a-z_.]+$`)
	told := map[string]bool{}
	for i := range all {
		for n := range all[i].Spans {
			s := &all[i].Spans[n]
			told[s.Name] = true
			for _, e := range s.Events {
				told[e.Name] = true
			}
			for _, tag := range slices.Concat(s.Tags, eventTags(s)) {
				told[tag.Key] = true
			}
		}
	}
	for name := range told {
		if ours.MatchString(name) && !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("docs/traces.md does not have %s", name)
		}
	}
}

func eventTags(s *jaeger.Span) (tags []jaeger.Tag) {
	for _, e := range s.Events {
		tags = append(tags, e.Tags...)
	}
	return tags
}

// checkCommand draws the call on a terminal.
func checkCommand(t *testing.T, binary, url, id string) {
	t.Helper()
	out, err := exec.Command(binary, "trace", strings.ToUpper(id), "--jaeger", url).CombinedOutput()
	for _, want := range []string{"trace " + id, "amends report", "  RecoveryService/ReportFailure", "      ledger.commit", "bound by ON_PREMISES", "SEVERITY +", "█"} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Fatalf("amends trace (%v) does not say %q:\n%s", err, want, out)
		}
	}
}

func keepSample(t *testing.T, call, miss json.RawMessage) {
	t.Helper()
	text, err := json.MarshalIndent(map[string]any{"data": []json.RawMessage{call, miss}}, "", " ")
	if err == nil {
		err = os.WriteFile(*sample, append(text, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
