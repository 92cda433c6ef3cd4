package serve_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/jaeger"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

func traceOf(traceParent string) string { return strings.Split(traceParent+"---", "-")[1] }

// get asks Jaeger.
func get(t *testing.T, url string) []byte {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v\n%s", url, answer.Status, err, body)
	}
	return body
}

func fetch(t *testing.T, url, id string) jaeger.Trace {
	t.Helper()
	trace, err := jaeger.Fetch(t.Context(), url, id)
	if err != nil {
		t.Fatalf("trace %s: %v", id, err)
	}
	return trace
}

// allTraces gives every trace of the service, once Jaeger has stored what it has
// taken in: the last call is there, and nothing more comes.
func allTraces(t *testing.T, url string) (traces []jaeger.Trace) {
	t.Helper()
	last, still := 0, 0
	eventually(t, 20*time.Second, "Jaeger has stored all spans", func() (done bool) {
		var err error
		if traces, err = jaeger.Read(get(t, url+"/api/traces?service=amends&limit=1000&lookback=1h")); err != nil {
			t.Fatal(err)
		}
		count := 0
		for i := range traces {
			count += len(traces[i].Spans)
		}
		if still++; count != last {
			last, still = count, 0
		}
		return still > 20 && len(named(traces, "recovery.v1.RecoveryService/GetCase")) > 0
	})
	return traces
}

// named gives the spans of that name.
func named(traces []jaeger.Trace, name string) (found []*jaeger.Span) {
	for i := range traces {
		for n := range traces[i].Spans {
			if s := &traces[i].Spans[n]; s.Name == name {
				found = append(found, s)
			}
		}
	}
	return found
}

// tree writes a trace as names that are indented by who calls whom.
func tree(trace jaeger.Trace) string {
	var text strings.Builder
	for i := range trace.Spans {
		s := &trace.Spans[i]
		text.WriteString(strings.Repeat("  ", s.Depth) + s.Service + " " + s.Name + "\n")
	}
	return text.String()
}

// tells compares attributes of a span; a value of "*" is any that is not empty.
func tells(t *testing.T, s *jaeger.Span, want map[string]string) {
	t.Helper()
	for key, value := range want {
		if got := s.Tag(key); got != value && (value != "*" || got == "") {
			t.Errorf("%s: %s is %q, want %q", s.Name, key, got, value)
		}
	}
}

// checkCall looks at the tree from the command line to the commit.
func checkCall(t *testing.T, call jaeger.Trace, kase *recoveryv1.Case) {
	t.Helper()
	const want = `amends-cli amends report
  amends-cli recovery.v1.RecoveryService/ReportFailure
    amends recovery.v1.RecoveryService/ReportFailure
      amends recovery.decide
      amends ledger.commit
`
	if got := tree(call); got != want {
		t.Fatalf("the call is\n%s, want\n%s", got, want)
	}
	rpc, decide, commit := &call.Spans[2], &call.Spans[3], &call.Spans[4]
	if kase.GetTraceParent() != "00-"+call.ID+"-"+rpc.ID+"-01" {
		t.Errorf("the case keeps %s, the call was span %s of trace %s", kase.GetTraceParent(), rpc.ID, call.ID)
	}
	customer, _, _ := strings.Cut(strings.TrimPrefix(kase.GetCaseId(), "c"), ".")
	band := strings.TrimPrefix(kase.GetAssessment().GetRisk().GetBand().String(), "BAND_")
	tells(t, rpc, map[string]string{
		"span.kind": "server", "recovery.case_id": kase.GetCaseId(), "recovery.customer": customer, "recovery.conflicts": "0", "recovery.replayed": "false",
	})
	tells(t, decide, map[string]string{
		"recovery.band": band, "recovery.voice": "PRIVATE", "recovery.kinds": "LATE,QUALITY,RUDE", "recovery.double_deviation": "false",
		"recovery.bound_by": "ON_PREMISES", "recovery.policy_version": kase.GetPolicyVersion(), "recovery.customer": customer,
	})
	tells(t, commit, map[string]string{"span.kind": "client", "recovery.customer": customer})
	told := map[string]bool{}
	for i := range decide.Events {
		told[decide.Events[i].Tag("recovery.reason.code")] = true
	}
	for _, r := range kase.GetAssessment().GetReasons() {
		code := strings.TrimPrefix(r.GetCode().String(), "REASON_CODE_")
		if weighs := r.GetContribution() >= .1 || r.GetContribution() <= -.1; weighs != told[code] {
			t.Errorf("reason %s of %+.2f is told: %v", code, r.GetContribution(), told[code])
		}
	}
	if len(told) == 0 {
		t.Error("the decision tells no reason")
	}
}

// checkMissed looks at the sweep that found the deadline broken.
func checkMissed(t *testing.T, url string, all []jaeger.Trace, kase *recoveryv1.Case) jaeger.Trace {
	t.Helper()
	i := slices.IndexFunc(all, func(one jaeger.Trace) bool { return len(named([]jaeger.Trace{one}, "recovery.missed")) > 0 })
	if i < 0 {
		t.Fatal("no trace tells of the missed deadline")
	}
	miss := fetch(t, url, all[i].ID)
	const want = "amends sweep.customer\n  amends ledger.commit\n  amends recovery.missed\n"
	if got := tree(miss); got != want {
		t.Fatalf("the sweep is\n%s, want\n%s", got, want)
	}
	span := miss.Spans[2]
	tells(t, &span, map[string]string{
		"recovery.milestone": "FIRST_RESPONSE", "recovery.bound_by": "ON_PREMISES", "recovery.case_id": kase.GetCaseId(),
		"recovery.double_deviation": "true", "recovery.band": "*", "recovery.late_seconds": "*",
		"recovery.due_at": kase.GetRespondBy().AsTime().Format(time.RFC3339Nano),
	})
	parts := strings.Split(kase.GetTraceParent(), "-")
	if len(span.Links) != 1 || span.Links[0] != (jaeger.Link{Trace: parts[1], Span: parts[2]}) {
		t.Errorf("the missed deadline links to %v, want the call that promised it, %s", span.Links, kase.GetTraceParent())
	}
	return miss
}

// checkDeliveries: each event that was sent is a trace of its own, which leads to
// what made it and to whoever watched.
func checkDeliveries(t *testing.T, all []jaeger.Trace, call, miss jaeger.Trace, caseID string, last *recoveryv1.CaseEvent) {
	t.Helper()
	by := map[string]string{}
	for i := range all {
		if all[i].ID == watcherTrace {
			t.Error("the watch has a span of its own")
		}
		s := &all[i].Spans[0]
		if s.Name != "recovery.deliver" || s.Tag("recovery.case_id") != caseID {
			continue
		}
		tells(t, s, map[string]string{"span.kind": "producer", "recovery.band": "*", "recovery.state": "OPEN", "recovery.recorded_at": "*", "recovery.customer": "*"})
		if len(all[i].Spans) != 1 || len(s.Links) != 2 || s.Links[1].Trace != watcherTrace {
			t.Errorf("%s is sent with %d spans and links %v", s.Tag("recovery.transition"), len(all[i].Spans), s.Links)
			continue
		}
		by[s.Tag("recovery.transition")+s.Tag("recovery.milestone")] = s.Links[0].Trace
	}
	if by["OPENED"] != call.ID || by["MISSEDFIRST_RESPONSE"] != miss.ID {
		t.Errorf("sent were %v; want OPENED of %s and MISSED of %s", by, call.ID, miss.ID)
	}
	if last.GetCaseId() != caseID {
		t.Errorf("the watcher heard of %s", last.GetCaseId())
	}
}
