package serve_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc/codes"

	"github.com/makeamends/amends/internal/policy"
	"github.com/makeamends/amends/internal/redistest"
	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// another is the default policy under another version.
func another(t *testing.T) []byte {
	t.Helper()
	changed := append(bytes.Clone(policy.DefaultYAML()), "\n# another version\n"...)
	if _, findings := policy.Parse("changed", changed); findings.Err() != nil {
		t.Fatal(findings)
	}
	return changed
}

// No caller waits while the words of a policy are learnt: neither the first one of a
// process nor the first one after a change.
func TestWordsAreLearntBeforeTheyAreNeeded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, policy.DefaultYAML(), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"the default": "", "a file": file} {
		redis := redistest.Server(t)
		start(t, serve.Config{Policy: path, Redis: redis.URL(), Secret: secret})
		learnt := func(want int64) func() bool {
			return func() bool { return redis.Client().HLen(t.Context(), "amends:words").Val() == want }
		}
		eventually(t, 5*time.Second, "words of "+name, learnt(1))
		if path == "" {
			continue
		}
		if err := os.WriteFile(path, another(t), 0o600); err != nil {
			t.Fatal(err)
		}
		eventually(t, 5*time.Second, "words of the changed policy", learnt(2))
	}
}

// TestHotReload changes the policy file under the server: sound, faulty, sound.
func TestHotReload(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policy.yaml")
	write := func(text []byte) {
		t.Helper()
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(policy.DefaultYAML())
	s := start(t, serve.Config{Policy: file, OpsListen: "127.0.0.1:0"})
	e := event("e1", "c")
	e.SetOrderId("o")
	before := s.mustReport(t, e)

	write(another(t))
	eventually(t, 5*time.Second, "the changed policy is active", func() bool {
		return s.mustReport(t, probe(s)).GetPolicyVersion() != before.GetPolicyVersion()
	})
	after := s.mustReport(t, event("e2", "d"))
	e = event("e3", "c")
	e.SetOrderId("o")
	if joined := s.mustReport(t, e); joined.GetCaseId() != before.GetCaseId() || joined.GetPolicyVersion() != before.GetPolicyVersion() {
		t.Errorf("the open case is judged by %s, want %s, which it was opened with", joined.GetPolicyVersion(), before.GetPolicyVersion())
	}

	write([]byte("bands: nonsense\n"))
	eventually(t, 5*time.Second, "the faulty policy is counted", func() bool {
		return strings.Contains(s.metrics(t), "amends_policy_reload_failures_total 1")
	})
	if still := s.mustReport(t, event("e4", "e")); still.GetPolicyVersion() != after.GetPolicyVersion() {
		t.Errorf("after a faulty policy %s is active, want %s as before", still.GetPolicyVersion(), after.GetPolicyVersion())
	}
	for _, want := range []string{
		`amends_policy_info{version="` + after.GetPolicyVersion() + `"} 1`, "amends_policy_last_reload_success 0",
	} {
		if !strings.Contains(s.metrics(t), want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
	if !strings.Contains(s.log.String(), "policy.yaml:1:1") {
		t.Errorf("the log does not say what is wrong:\n%s", s.log)
	}
	write(another(t))
	eventually(t, 5*time.Second, "the active text put back is in the log", func() bool {
		return strings.Contains(s.log.String(), `in order again; it is the policy that is active","version":"`+after.GetPolicyVersion()+`"`)
	})
	if !strings.Contains(s.metrics(t), "amends_policy_last_reload_success 1") {
		t.Error("the metrics still tell of the faulty policy")
	}
	old, err := s.policies.GetPolicy(t.Context(), recoveryv1.GetPolicyRequest_builder{Version: before.GetPolicyVersion()}.Build())
	if err != nil || old.GetYaml() != string(policy.DefaultYAML()) || old.GetActive() {
		t.Errorf("the former policy: active %v, %v; want its text, and that it is not active", old.GetActive(), err)
	}
}

// probe is an event of another customer at each call.
func probe(s *running) *recoveryv1.FailureEvent {
	s.probes++
	id := strings.Repeat("p", s.probes%100+1)
	return event(id, "probe-"+id)
}

// metrics reads /metrics.
func (r *running) metrics(t *testing.T) string {
	t.Helper()
	body, _ := r.get(t, "/metrics")
	return body
}

func (r *running) get(t *testing.T, path string) (body string, code int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.OpsAddr()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), answer.StatusCode
}

func TestPolicyService(t *testing.T) {
	s := start(t, serve.Config{})
	active, err := s.policies.GetPolicy(t.Context(), &recoveryv1.GetPolicyRequest{})
	if err != nil || !active.GetActive() || active.GetYaml() != string(policy.DefaultYAML()) || !active.HasLoadedAt() {
		t.Errorf("the active policy: %v, %v", active.GetVersion(), err)
	}
	listed, err := s.policies.ListPolicies(t.Context(), &recoveryv1.ListPoliciesRequest{})
	if err != nil || len(listed.GetPolicies()) != 1 || listed.GetPolicies()[0].GetVersion() != active.GetVersion() {
		t.Errorf("listed %v, %v; want the active one", listed, err)
	}
	faulty, err := s.policies.CheckPolicy(t.Context(), recoveryv1.CheckPolicyRequest_builder{Yaml: "a: 1\nb: 2\n"}.Build())
	if err != nil || faulty.GetValid() || len(faulty.GetFindings()) < 2 || faulty.GetFindings()[1].GetLine() != 2 {
		t.Errorf("a policy with two faults: %v, %v", faulty, err)
	}
	sound, err := s.policies.CheckPolicy(t.Context(), recoveryv1.CheckPolicyRequest_builder{Yaml: active.GetYaml()}.Build())
	if err != nil || !sound.GetValid() || sound.GetVersion() != active.GetVersion() {
		t.Errorf("the active policy, checked: %v, %v", sound, err)
	}
}

func TestSimulatePolicy(t *testing.T) {
	s := start(t, serve.Config{})
	answer, err := s.policies.SimulatePolicy(t.Context(), recoveryv1.SimulatePolicyRequest_builder{
		Yaml: new(string(another(t))), Event: event("e", "c"),
	}.Build())
	if err != nil {
		t.Fatal(err)
	}
	if answer.GetCase().GetPolicyVersion() == answer.GetBaseline().GetPolicyVersion() {
		t.Error("both sides were judged by one policy")
	}
	untouched(t, s, "c")
	byVersion, err := s.policies.SimulatePolicy(t.Context(), recoveryv1.SimulatePolicyRequest_builder{
		Version: new(answer.GetBaseline().GetPolicyVersion()), Event: event("e", "c"),
	}.Build())
	if err != nil || byVersion.GetCase().GetPolicyVersion() != byVersion.GetBaseline().GetPolicyVersion() {
		t.Errorf("by the active version: %v", err)
	}
}

// What joins an open case is judged with it, by each policy in turn, whichever
// the case was opened with.
func TestSimulatePolicyJoins(t *testing.T) {
	s := start(t, serve.Config{})
	e := event("e1", "c")
	e.SetOrderId("o")
	e.SetOrderValue(&money.Money{CurrencyCode: "EUR", Units: 18})
	open := s.mustReport(t, e)
	e = event("e2", "c")
	e.SetOrderId("o")
	e.ClearOrderValue()
	try := func(yaml string) (*recoveryv1.SimulatePolicyResponse, error) {
		return s.policies.SimulatePolicy(t.Context(), recoveryv1.SimulatePolicyRequest_builder{Yaml: &yaml, Event: e}.Build())
	}

	text := another(t)
	candidate, _ := policy.Parse("candidate", text)
	answer, err := try(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if k := answer.GetCase(); k.GetCaseId() != open.GetCaseId() || k.GetPolicyVersion() != candidate.Version {
		t.Errorf("case %s by %s, want %s by the candidate, %s", k.GetCaseId(), k.GetPolicyVersion(), open.GetCaseId(), candidate.Version)
	}
	if k := answer.GetBaseline(); k.GetCaseId() != open.GetCaseId() || k.GetPolicyVersion() != policy.Default().Version {
		t.Errorf("case %s by %s, want %s by the active policy", k.GetCaseId(), k.GetPolicyVersion(), open.GetCaseId())
	}

	euro := "    EUR: {scale: 1, round_to: 0.50, daily_budget: 10000}\n"
	if !strings.Contains(string(text), euro) {
		t.Fatal("the default policy lists the euro otherwise")
	}
	answer, err = try(strings.Replace(string(text), euro, "", 1))
	if err == nil {
		t.Fatalf("%v is to be given by a policy that does not list the euro", answer.GetCase().GetRecommendation().GetTotal())
	}
	if code, reason, _ := refused(t, err); code != codes.FailedPrecondition || reason != "CURRENCY_NOT_LISTED" ||
		!strings.Contains(err.Error(), "the candidate policy") {
		t.Errorf("by a policy that does not list the euro: %v", err)
	}
}

// A currency that is not listed is told with the policy that lacks it, of both at
// once.
func TestSimulatePolicyNamesThePolicyThatLacks(t *testing.T) {
	const pound, euro = "    GBP: {scale: 0.8, round_to: 0.50, daily_budget: 8000}\n", "    EUR: {scale: 1, round_to: 0.50, daily_budget: 10000}\n"
	s := start(t, serve.Config{Policy: policyWith(t, euro, "")})
	candidate := strings.Replace(string(policy.DefaultYAML()), pound, "", 1)
	for code, want := range map[string][]string{
		"GBP": {"the candidate policy"}, "EUR": {"the active policy"}, "XXX": {"the candidate policy", "the active policy"},
	} {
		e := event("e", "c")
		e.SetOrderValue(&money.Money{CurrencyCode: code, Units: 18})
		_, err := s.policies.SimulatePolicy(t.Context(), recoveryv1.SimulatePolicyRequest_builder{Yaml: &candidate, Event: e}.Build())
		_, reason, faults := refused(t, err)
		if reason != "CURRENCY_NOT_LISTED" {
			t.Fatalf("%s: %v", code, err)
		}
		for _, name := range []string{"the candidate policy", "the active policy"} {
			if strings.Contains(faults["event.order_value"], name) != slices.Contains(want, name) {
				t.Errorf("%s: %s; want it of %v", code, faults["event.order_value"], want)
			}
		}
	}
}

// A policy file that changes while the store is away, where the policy is to be kept
// first, is taken over when the store is back.
func TestPolicyChangesWithoutAStore(t *testing.T) {
	t.Parallel()
	store := redistest.Server(t)
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, policy.DefaultYAML(), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, serve.Config{Redis: store.URL(), Policy: file, OpsListen: "127.0.0.1:0"})
	was := s.mustReport(t, event("before", "one")).GetPolicyVersion()
	store.Pause()
	if err := os.WriteFile(file, another(t), 0o600); err != nil {
		t.Fatal(err)
	}
	taken := "\namends_policy_last_reload_success " // of the line that holds it
	eventually(t, 10*time.Second, "the policy is not taken over", func() bool { return strings.Contains(s.metrics(t), taken+"0") })
	store.Resume()
	eventually(t, 20*time.Second, "the changed policy is taken over", func() bool { return strings.Contains(s.metrics(t), taken+"1") })
	if now := s.mustReport(t, event("after", "another")).GetPolicyVersion(); now == was {
		t.Errorf("%s is still active", now)
	}
}

// With --redis-wait a policy that too few replicas have is not taken over: cases that
// it judged would be confirmed, and it could be lost. What decides already goes on.
func TestPolicyThatNoReplicaHas(t *testing.T) {
	t.Parallel()
	store := redistest.Server(t)
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, policy.DefaultYAML(), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, serve.Config{Redis: store.URL(), Wait: 1, Policy: file})
	if err := os.WriteFile(file, another(t), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "the log says that it is not taken over, and why", func() bool {
		log := s.log.String()
		return strings.Contains(log, "was not taken over") && strings.Contains(log, "too few replicas")
	})
	if !s.serving(t.Context()) {
		t.Error("not serving")
	}
}
