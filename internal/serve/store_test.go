package serve_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/internal/policy"
	"github.com/makeamends/amends/internal/redistest"
	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// TestStoreLostAndBack kills Redis under the server and starts it again.
func TestStoreLostAndBack(t *testing.T) {
	store := redistest.Server(t, redistest.WithAOF())
	s := start(t, serve.Config{Redis: store.URL(), Now: time.Now})
	first := s.mustReport(t, event("e1", "c"))
	if !s.serving(t.Context()) {
		t.Fatal("not serving although Redis is there")
	}
	store.Kill()
	lost := time.Now()
	eventually(t, 2*time.Second, "NOT_SERVING", func() bool { return !s.serving(t.Context()) })
	if took := time.Since(lost); took > 1500*time.Millisecond {
		t.Errorf("NOT_SERVING after %s, want about a second at most", took)
	}
	began := time.Now()
	_, err := s.report(t.Context(), event("e2", "c"))
	code, reason, _ := refused(t, err)
	if code != codes.Unavailable || reason != "STORE_UNAVAILABLE" || retryDelay(err) <= 0 {
		t.Errorf("answered %s %s, retry after %s; want Unavailable STORE_UNAVAILABLE and a delay", code, reason, retryDelay(err))
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the refusal took %s", took)
	}
	if _, err := s.praise(t.Context(), praise("i1", "c"), praise("i2", "d")); status.Code(err) != codes.Unavailable {
		t.Errorf("a batch of which nothing could be done: %v, want Unavailable", err)
	}
	if strings.Contains(err.Error(), store.Addr()) || strings.Contains(err.Error(), "refused") {
		t.Errorf("the caller is told what the driver said: %v", err)
	}

	store.Start()
	eventually(t, 5*time.Second, "SERVING again", func() bool { return s.serving(t.Context()) })
	again, err := s.report(t.Context(), event("e1", "c"))
	if err != nil || !again.GetReplayed() || again.GetCase().GetCaseId() != first.GetCaseId() {
		t.Errorf("after the loss: %v, %v; want the first answer replayed", again, err)
	}
	if _, err := s.report(t.Context(), event("e2", "c")); err != nil {
		t.Errorf("after the loss: %v", err)
	}
}

// TestStoreLostForAnotherReason: the log and, on this machine, /readyz say why the
// store cannot be used now, not only why it could not at first.
func TestStoreLostForAnotherReason(t *testing.T) {
	store := redistest.Server(t)
	s := start(t, serve.Config{Redis: store.URL(), Now: time.Now, OpsListen: "127.0.0.1:0"})
	do := func(args ...any) {
		t.Helper()
		if err := store.Client().Do(t.Context(), args...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	do("CLIENT", "PAUSE", "3000", "ALL") // until then it answers nothing
	why := func(want string) func() bool {
		return func() bool {
			body, code := s.get(t, "/readyz")
			return code == http.StatusServiceUnavailable && strings.Contains(body, "the store cannot be used: ") && strings.Contains(body, want)
		}
	}
	eventually(t, 3*time.Second, "no answer", why("timeout"))
	eventually(t, 10*time.Second, "eviction", why("maxmemory-policy allkeys-lru"))
	if log := s.log.String(); !strings.Contains(log, "timeout") || strings.Count(log, "(maxmemory-policy allkeys-lru)") != 1 {
		t.Errorf("the log does not tell both reasons:\n%s", log)
	}
	do("CONFIG", "SET", "maxmemory-policy", "noeviction")
	eventually(t, 5*time.Second, "ready again", func() bool { _, code := s.get(t, "/readyz"); return code == http.StatusOK })
}

// TestStoreThatForbids: a permission that is lost is noticed when it is missed, and
// when it is given back.
func TestStoreThatForbids(t *testing.T) {
	store := redistest.Server(t, redistest.WithRefusals())
	s := start(t, serve.Config{Redis: store.URL(), Now: time.Now, OpsListen: "127.0.0.1:0"})
	may := func(rule string) {
		t.Helper()
		if err := store.Client().ACLSetUser(t.Context(), "amends", rule).Err(); err != nil {
			t.Fatal(err)
		}
	}
	may("-hset")
	if _, err := s.report(t.Context(), event("e1", "c")); status.Code(err) != codes.Internal {
		t.Fatalf("answered %v", err)
	}
	eventually(t, 3*time.Second, "why it is not ready", func() bool {
		body, code := s.get(t, "/readyz")
		return code == http.StatusServiceUnavailable && strings.Contains(body, "+hset")
	})
	may("+hset")
	eventually(t, 3*time.Second, "SERVING again", func() bool { return s.serving(t.Context()) })
	s.mustReport(t, event("e1", "c"))
}

// TestShardOfThePoliciesIsLost: where the policies are kept is no more than one shard.
// The others are checked, and their customers are served, without it.
func TestShardOfThePoliciesIsLost(t *testing.T) {
	c := redistest.Cluster(t, 3)
	s := start(t, serve.Config{Redis: c.URL(), Now: time.Now})
	lost := c.Owner("amends:policies")
	lost.Kill()
	blink := func() { // after which everything is checked
		t.Helper()
		for _, m := range c.Masters() {
			if err := m.Client().Do(t.Context(), "CLIENT", "PAUSE", "2000", "ALL").Err(); err != nil && m != lost {
				t.Fatal(err)
			}
		}
		eventually(t, 3*time.Second, "NOT_SERVING", func() bool { return !s.serving(t.Context()) })
		eventually(t, 10*time.Second, "SERVING", func() bool { return s.serving(t.Context()) })
	}
	blink()
	const told = "the policies in use cannot be kept"
	if n := strings.Count(s.log.String(), `"`+told); n != 1 {
		t.Errorf("told %d times that policies are not kept:\n%s", n, s.log)
	}
	lost.Start()
	c.WaitReady()
	blink()
	if kept := lost.Client().HLen(t.Context(), "amends:policies").Val(); kept != 1 || !strings.Contains(s.log.String(), "works again: "+told) {
		t.Errorf("%d policies are kept again:\n%s", kept, s.log)
	}
}

// TestClusterIsDown: a server of a cluster that answers, but for no customer, is no
// reason to be sent calls.
func TestClusterIsDown(t *testing.T) {
	c := redistest.Cluster(t, 3)
	s := start(t, serve.Config{Redis: c.URL(), Now: time.Now})
	left := c.Owner("amends:meta") // which tells the time
	for _, m := range c.Masters() {
		if m != left {
			m.Kill()
		}
	}
	eventually(t, 10*time.Second, "no majority", func() bool {
		return strings.Contains(left.Client().ClusterInfo(t.Context()).Val(), "cluster_state:fail")
	})
	if err := left.Client().Do(t.Context(), "CLIENT", "PAUSE", "2000", "ALL").Err(); err != nil { // after which everything is checked
		t.Fatal(err)
	}
	eventually(t, 15*time.Second, "why it is not ready", func() bool {
		for line := range strings.Lines(s.log.String()) {
			if strings.Contains(line, "not serving") && strings.Contains(line, "keep policy") {
				return !s.serving(t.Context())
			}
		}
		return false
	})
}

// TestStoreBackWithoutPolicies starts Redis again with nothing in it: the
// policies that cases need are archived anew before the server serves again.
func TestStoreBackWithoutPolicies(t *testing.T) {
	store := redistest.Server(t)
	s := start(t, serve.Config{Redis: store.URL(), Now: time.Now})
	s.mustReport(t, event("e1", "c"))
	store.Kill()
	eventually(t, 2*time.Second, "NOT_SERVING", func() bool { return !s.serving(t.Context()) })
	store.Start()
	eventually(t, 5*time.Second, "SERVING again", func() bool { return s.serving(t.Context()) })
	if kept := store.Client().HLen(t.Context(), "amends:policies").Val(); kept != 1 {
		t.Errorf("%d policies are archived, want the one that is active", kept)
	}
	if n := strings.Count(s.log.String(), "this store is empty or another one than before: what was kept there is gone"); n != 1 {
		t.Errorf("told %d times that the store is empty:\n%s", n, s.log)
	}
}

// TestLostPolicy loses the archive and starts the server with another policy:
// the open case is judged by that one, and the log says so.
func TestLostPolicy(t *testing.T) {
	store := redistest.Server(t)
	first := start(t, serve.Config{Redis: store.URL(), Now: time.Now})
	k := first.mustReport(t, event("e1", "c"))
	store.Client().Del(t.Context(), "amends:policies")
	other := filepath.Join(t.TempDir(), "policy.yaml")
	text := strings.Replace(string(policy.DefaultYAML()), "title: Default policy", "title: Another policy", 1)
	if err := os.WriteFile(other, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, serve.Config{Redis: store.URL(), Now: time.Now, Policy: other})
	if open := s.assess(t, "c").GetOpenCases(); len(open) != 1 || open[0].GetCaseId() != k.GetCaseId() {
		t.Errorf("open cases %v, want %s", open, k.GetCaseId())
	}
	if _, err := s.report(t.Context(), event("e2", "c")); err != nil {
		t.Error(err)
	}
	if !strings.Contains(s.log.String(), "a policy is lost") {
		t.Errorf("nobody is told:\n%s", s.log)
	}
}

// TestLostPolicyWithAnotherCurrency: the policy that is active instead does not
// list the currency of the open case, whose amounts stay right all the same.
func TestLostPolicyWithAnotherCurrency(t *testing.T) {
	store := redistest.Server(t)
	first := start(t, serve.Config{Redis: store.URL()})
	e := event("e", "c")
	e.SetOrderValue(&money.Money{CurrencyCode: "EUR", Units: 30})
	e.SetCorroboration(recoveryv1.Corroboration_CORROBORATION_SYSTEM_OBSERVED)
	e.SetAcceptance(recoveryv1.Acceptance_ACCEPTANCE_REJECTED)
	d := &desk{running: first, id: first.mustReport(t, e).GetCaseId()}
	offered := must[*recoveryv1.Offer](t)(d.offer(t.Context())).GetTotal()
	if offered.GetCurrencyCode() != "EUR" || offered.GetUnits() < 30 {
		t.Fatalf("offered %v, want 30 EUR at least", offered)
	}
	if err := first.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	store.Client().Del(t.Context(), "amends:policies")

	s := start(t, serve.Config{Redis: store.URL(), Policy: policyWith(t, "    EUR: {scale: 1, round_to: 0.50, daily_budget: 10000}\n", "")})
	got, err := s.recovery.GetCase(t.Context(), recoveryv1.GetCaseRequest_builder{CaseId: d.id}.Build())
	if err != nil || !proto.Equal(got.GetCase().GetOffers()[0].GetTotal(), offered) {
		t.Errorf("the offer of %v is shown as %v, %v", offered, got.GetCase().GetOffers(), err)
	}
	d.running = s
	k := must[*recoveryv1.Case](t)(d.contact(t.Context(), recoveryv1.ContactDirection_CONTACT_DIRECTION_INBOUND, false))
	risk := k.GetAssessment().GetRisk()
	if risk.GetIgnored() <= 0 || risk.GetIgnored() >= 1 || k.GetRecommendation().GetTotal().GetCurrencyCode() != "EUR" {
		t.Errorf("judged anew: risk %v, recommended %v", risk, k.GetRecommendation().GetTotal())
	}
	if granted := s.assess(t, "c").GetGoodwillGranted_90D(); len(granted) > 1 || len(granted) == 1 && granted[0].GetUnits() > offered.GetUnits() {
		t.Errorf("granted %v of an offer of %v", granted, offered)
	}
	if _, err := s.worth(t.Context(), "d", "o", 30); err != nil {
		t.Errorf("a case in dollars: %v", err)
	}
}

// TestTakenPortLeavesTheStoreAlone: a start that is refused has written nothing.
func TestTakenPortLeavesTheStoreAlone(t *testing.T) {
	store := redistest.Server(t)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	if _, err := serve.Start(t.Context(), serve.Config{Listen: busy.Addr().String(), Redis: store.URL(), Secret: secret}); err == nil {
		t.Fatal("started on a port that is taken")
	}
	if keys := store.Client().Keys(t.Context(), "*").Val(); len(keys) != 0 {
		t.Errorf("left %v behind", keys)
	}
}

// TestStoreThatTakesNoChanges: whoever runs the service is told why Redis does not keep
// a policy, at the start and when the file changes.
func TestStoreThatTakesNoChanges(t *testing.T) {
	for name, test := range map[string]struct {
		command []any
		want    string
	}{
		"full":      {[]any{"CONFIG", "SET", "maxmemory", "1mb"}, "OOM command not allowed"},
		"alone":     {[]any{"CONFIG", "SET", "min-replicas-to-write", "1"}, "NOREPLICAS Not enough good replicas"},
		"no master": {[]any{"REPLICAOF", "127.0.0.1", "1"}, "READONLY You can't write against a read only replica"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := redistest.Server(t)
			file := filepath.Join(t.TempDir(), "policy.yaml")
			if err := os.WriteFile(file, policy.DefaultYAML(), 0o600); err != nil {
				t.Fatal(err)
			}
			s := start(t, serve.Config{Redis: store.URL(), Now: time.Now, Policy: file, Sweep: time.Hour})
			if err := store.Client().Do(t.Context(), test.command...).Err(); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, another(t), 0o600); err != nil {
				t.Fatal(err)
			}
			second, err := serve.Start(t.Context(), serve.Config{Listen: "127.0.0.1:0", Redis: store.URL(), Secret: secret, Policy: file})
			if err == nil {
				_ = second.Stop(context.Background())
				t.Fatal("it started")
			}
			for _, part := range []string{"keep policy p-", test.want, "see to its memory, disk and replicas"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the operator is told %q, want %q in it", err, part)
				}
			}
			eventually(t, 10*time.Second, "the log says why the policy is not taken over", func() bool {
				for line := range strings.Lines(s.log.String()) {
					if strings.Contains(line, "was not taken over") && strings.Contains(line, test.want) {
						return true
					}
				}
				return false
			})
		})
	}
}

// TestReadsWhenFull: a store that takes no changes is read as ever, also by a policy that
// has only just been taken over.
func TestReadsWhenFull(t *testing.T) {
	store := redistest.Server(t)
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, policy.DefaultYAML(), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, serve.Config{Redis: store.URL(), Now: time.Now, Policy: file, Sweep: time.Hour})
	k := s.mustReport(t, event("e", "c"))
	if err := os.WriteFile(file, another(t), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "another policy", func() bool { return strings.Contains(s.log.String(), "the policy changed") })
	if err := store.Client().ConfigSet(t.Context(), "maxmemory", "1mb").Err(); err != nil {
		t.Fatal(err)
	}
	if open := s.assess(t, "c").GetOpenCases(); len(open) != 1 {
		t.Errorf("open cases %v, want %s", open, k.GetCaseId())
	}
	if _, err := s.recovery.ListCases(t.Context(), &recoveryv1.ListCasesRequest{}); err != nil {
		t.Error(err)
	}
	if _, err := s.report(t.Context(), event("e2", "c")); status.Code(err) != codes.Unavailable {
		t.Errorf("a report: %v", err)
	}
}

// TestPolicyNotKeptForAnotherReason: the log says why Redis does not keep a policy now,
// not only why it did not at first.
func TestPolicyNotKeptForAnotherReason(t *testing.T) {
	store := redistest.Server(t)
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, policy.DefaultYAML(), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, serve.Config{Redis: store.URL(), Now: time.Now, Policy: file, Sweep: time.Hour})
	for _, step := range []struct{ setting, value, want string }{
		{"min-replicas-to-write", "1", "NOREPLICAS"},
		{"maxmemory", "1mb", "OOM"},
	} {
		if err := store.Client().ConfigSet(t.Context(), step.setting, step.value).Err(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, another(t), 0o600); err != nil {
			t.Fatal(err)
		}
		eventually(t, 10*time.Second, step.want, func() bool {
			for line := range strings.Lines(s.log.String()) {
				if strings.Contains(line, "was not taken over") && strings.Contains(line, step.want) {
					return true
				}
			}
			return false
		})
	}
}

func TestRefusalsToStart(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := free.Addr().String()
	free.Close()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	keys := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(keys, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	long := strings.Repeat("k", 44) + "\n"
	tests := map[string]struct {
		config serve.Config
		want   []string // parts of what the operator is told
	}{
		"Redis down":            {serve.Config{Redis: "redis://" + nobody, Secret: secret}, []string{nobody, "does not answer"}},
		"no key":                {serve.Config{Redis: "redis://" + nobody}, []string{"key file is required", "head -c 32 /dev/urandom | base64"}},
		"key is missing":        {serve.Config{KeyFile: filepath.Join(keys, "none")}, []string{"cannot be read", "head -c 32"}},
		"key is short":          {serve.Config{KeyFile: file("short", "abc\n", 0o600)}, []string{"3 bytes", "needs 32"}},
		"key is everyone's":     {serve.Config{KeyFile: file("open", long, 0o644)}, []string{"chmod 600"}},
		"production on nothing": {serve.Config{Production: true}, []string{"keeps nothing"}},
		"in the clear to all":   {serve.Config{Listen: "0.0.0.0:0"}, []string{"in the clear", "--insecure"}},
		"all addresses":         {serve.Config{Listen: ":0"}, []string{"in the clear"}},
		"several at once": {serve.Config{Listen: "0.0.0.0:0", OpsListen: "x", Production: true, Wait: -1, Remember: 1<<20 + 1},
			[]string{"in the clear", "HOST:PORT", "keeps nothing", "must not be negative", "must be 1048576 at most"}},
		"address taken":      {serve.Config{Listen: busy.Addr().String()}, []string{"--listen"}},
		"ops address taken":  {serve.Config{OpsListen: busy.Addr().String()}, []string{"--ops-listen"}},
		"no policy":          {serve.Config{Policy: filepath.Join(keys, "none")}, []string{"policy file cannot be read"}},
		"policy with faults": {serve.Config{Policy: file("p.yaml", "nothing: 1\n", 0o600)}, []string{"p.yaml:1:1"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.config.Listen == "" {
				test.config.Listen = "127.0.0.1:0"
			}
			s, err := serve.Start(t.Context(), test.config)
			if err == nil {
				_ = s.Stop(context.Background())
				t.Fatal("it started")
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the operator is told %q, want %q in it", err, part)
				}
			}
		})
	}
}

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "amends.key")
	if err := os.WriteFile(path, []byte(string(secret)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	byFile := start(t, serve.Config{KeyFile: path}).mustReport(t, event("e", "c"))
	given := start(t, serve.Config{}).mustReport(t, event("e", "c"))
	if byFile.GetCaseId() != given.GetCaseId() {
		t.Errorf("case ids %s and %s: the secret of the file is another one", byFile.GetCaseId(), given.GetCaseId())
	}
}

// TestReadsSeeNow: nothing is stored when time passes, but every reader sees it.
func TestReadsSeeNow(t *testing.T) {
	s := start(t, serve.Config{})
	opened := s.mustReport(t, event("e", "c"))
	s.clock.move(3 * 24 * time.Hour)
	got, err := s.recovery.GetCase(t.Context(), recoveryv1.GetCaseRequest_builder{CaseId: opened.GetCaseId()}.Build())
	if err != nil {
		t.Fatal(err)
	}
	listed, err := s.recovery.ListCases(t.Context(), recoveryv1.ListCasesRequest_builder{CustomerId: "c"}.Build())
	if err != nil || len(listed.GetCases()) != 1 {
		t.Fatalf("listed %v, %v", listed, err)
	}
	assessed := s.assess(t, "c")
	for name, k := range map[string]*recoveryv1.Case{
		"GetCase": got.GetCase(), "ListCases": listed.GetCases()[0], "AssessCustomer": assessed.GetOpenCases()[0],
	} {
		was, now := opened.GetAssessment().GetRisk().GetIgnored(), k.GetAssessment().GetRisk().GetIgnored()
		if now <= was {
			t.Errorf("%s: risk %v after three days of silence, %v before", name, now, was)
		}
		if !k.GetAssessment().GetDoubleDeviation() {
			t.Errorf("%s: the missed deadlines are no double deviation", name)
		}
	}
	if assessed.GetRiskNow() != assessed.GetOpenCases()[0].GetAssessment().GetRisk().GetIgnored() {
		t.Errorf("the customer's risk %v is not that of the worst case %v", assessed.GetRiskNow(), assessed.GetOpenCases())
	}
}
