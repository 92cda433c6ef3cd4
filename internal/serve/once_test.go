package serve_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/makeamends/amends/internal/redistest"
	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// TestSameEventManyTimes sends one event from 64 callers at once: one decides,
// all get the same bytes.
func TestSameEventManyTimes(t *testing.T) {
	s := start(t, serve.Config{})
	const callers = 64
	answers := make([]*recoveryv1.ReportFailureResponse, callers)
	var wait sync.WaitGroup
	for i := range callers {
		wait.Go(func() {
			var err error
			if answers[i], err = s.report(t.Context(), event("e", "c")); err != nil {
				t.Errorf("caller %d: %v", i, err)
			}
		})
	}
	wait.Wait()
	first, decided := marshal(t, answers[0].GetCase()), 0
	for _, a := range answers {
		if !a.GetReplayed() {
			decided++
		}
		if !bytes.Equal(first, marshal(t, a.GetCase())) {
			t.Errorf("two answers differ:\n%v\n%v", answers[0], a)
		}
	}
	if decided != 1 {
		t.Errorf("%d calls decided, want 1", decided)
	}
	if a := s.assess(t, "c"); len(a.GetOpenCases()) != 1 || a.GetFailuresRemembered() != 1 {
		t.Errorf("%d cases, %d failures; want 1 and 1", len(a.GetOpenCases()), a.GetFailuresRemembered())
	}
}

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestManyEventsOfOneCustomer(t *testing.T) {
	s := start(t, serve.Config{})
	var wait sync.WaitGroup
	for i := range 64 {
		wait.Go(func() {
			if _, err := s.report(t.Context(), event("e"+strings.Repeat("x", i), "c")); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if n := len(s.assess(t, "c").GetOpenCases()); n != 64 {
		t.Errorf("%d cases, want 64", n)
	}
}

// TestTwoServersOneCustomer: what turns cannot order, the ledger does.
func TestTwoServersOneCustomer(t *testing.T) {
	store := redistest.Shared(t)
	servers := []*running{
		start(t, serve.Config{Redis: store.URL(), Now: time.Now, OpsListen: "127.0.0.1:0"}),
		start(t, serve.Config{Redis: store.URL(), Now: time.Now, OpsListen: "127.0.0.1:0"}),
	}
	const events = 40
	var wait sync.WaitGroup
	for i := range events {
		wait.Go(func() {
			if _, err := servers[i%2].report(t.Context(), event("e"+strings.Repeat("x", i), "c")); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if n := len(servers[0].assess(t, "c").GetOpenCases()); n != events {
		t.Errorf("%d cases, want %d", n, events)
	}
	met := regexp.MustCompile(`(?m)^amends_ledger_(guesses_total\{outcome="wrong"|retries_total\{cause="conflict")\} [1-9]`)
	if !met.MatchString(servers[0].metrics(t)) && !met.MatchString(servers[1].metrics(t)) {
		t.Error("two servers changed one customer at once, and neither counted that it met the other")
	}
}

// TestReplayElsewhere repeats an event at a server that remembers the customer as it
// was before, and so decides in vain: the answer is that of the server that was asked
// first.
func TestReplayElsewhere(t *testing.T) {
	store := redistest.Shared(t)
	first, second := start(t, serve.Config{Redis: store.URL()}), start(t, serve.Config{Redis: store.URL(), OpsListen: "127.0.0.1:0"})
	second.mustReport(t, event("e1", "c"))
	decided := first.mustReport(t, event("e2", "c"))
	second.clock.move(time.Hour)
	again, err := second.report(t.Context(), event("e2", "c"))
	if err != nil {
		t.Fatal(err)
	}
	if !again.GetReplayed() || !bytes.Equal(marshal(t, again.GetCase()), marshal(t, decided)) {
		t.Errorf("replayed %t, answered\n%v\nwant\n%v", again.GetReplayed(), again.GetCase(), decided)
	}
	if metrics := second.metrics(t); !strings.Contains(metrics, `amends_ledger_guesses_total{outcome="wrong"} 1`) {
		t.Error("nothing was decided in vain")
	}
}

// TestReplayOutlivesChange repeats an event after the case has moved on: the
// answer is the first one.
func TestReplayOutlivesChange(t *testing.T) {
	s := start(t, serve.Config{})
	e := event("e1", "c")
	e.SetOrderId("o")
	first := s.mustReport(t, e)
	second := event("e2", "c")
	second.SetOrderId("o")
	second.SetTenant("default") // the same as none
	joined := s.mustReport(t, second)
	if joined.GetCaseId() != first.GetCaseId() || joined.GetRevision() == first.GetRevision() {
		t.Fatalf("the second event did not join the case of the first: %v", joined)
	}
	s.clock.move(48 * time.Hour)
	e = event("e1", "c")
	e.SetOrderId("o")
	again, err := s.report(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if !again.GetReplayed() || !bytes.Equal(marshal(t, first), marshal(t, again.GetCase())) {
		t.Errorf("repeated: %v\nwant as at first: %v", again, first)
	}
}

func TestIDReused(t *testing.T) {
	s := start(t, serve.Config{})
	first := s.mustReport(t, event("e", "c"))
	other := event("e", "c")
	other.SetOrderValue(usd(1800, 0))
	_, err := s.report(t.Context(), other)
	if code, reason, _ := refused(t, err); code != codes.AlreadyExists || reason != "ID_REUSED" {
		t.Errorf("answered %s %s, want AlreadyExists ID_REUSED", code, reason)
	}
	cases := s.assess(t, "c").GetOpenCases()
	if len(cases) != 1 || cases[0].GetRevision() != first.GetRevision() {
		t.Errorf("the case has changed: %v", cases)
	}
	// Another tenant has ids of its own.
	other.SetTenant("acme")
	if _, err := s.report(t.Context(), other); err != nil {
		t.Errorf("the same id of another tenant: %v", err)
	}
}

// TestLateEventPaysNothing: an event older than its answer could have been kept
// is recorded, but nothing is given automatically.
func TestLateEventPaysNothing(t *testing.T) {
	s := start(t, serve.Config{})
	old := event("e", "c")
	old.SetOccurredAt(timestamppb.New(noon.Add(-8 * 24 * time.Hour)))
	for _, item := range s.mustReport(t, old).GetRecommendation().GetItems() {
		if item.GetKind() == recoveryv1.ItemKind_ITEM_KIND_GOODWILL && !proto.Equal(item.GetAmount(), item.GetApprovalRequired()) {
			t.Errorf("goodwill %v, of which %v needs approval; want all of it", item.GetAmount(), item.GetApprovalRequired())
		}
	}
}

// TestRetryAroundTheSeventhDay repeats an event at every age around that from
// which it no longer pays by itself, with other changes in between: either it
// is still recognised, or it is too old to pay.
func TestRetryAroundTheSeventhDay(t *testing.T) {
	for _, started := range []time.Duration{0, 11*time.Hour + 59*time.Minute + 30*time.Second} {
		s := start(t, serve.Config{})
		s.clock.move(started)
		e := event("e", "c")
		e.SetOrderId("")
		e.SetOccurredAt(timestamppb.New(s.clock.Now().Add(4*time.Minute + 50*time.Second)))
		s.mustReport(t, e)
		s.clock.move(7*24*time.Hour - 5*time.Minute)
		for i := range 20 {
			s.clock.move(time.Minute)
			if _, err := s.praise(t.Context(), praise(fmt.Sprint("i", i), "c")); err != nil {
				t.Fatal(err)
			}
			again, err := s.report(t.Context(), e)
			if err != nil {
				t.Fatal(err)
			}
			if automatic := grantedBy(again.GetCase()); !again.GetReplayed() && automatic != 0 {
				t.Fatalf("repeat %d around the seventh day: a second %d minor units without approval", i, automatic)
			}
		}
	}
}

// grantedBy is the goodwill of a case that needs no approval, in minor units.
func grantedBy(k *recoveryv1.Case) (minor int64) {
	for _, it := range k.GetRecommendation().GetItems() {
		if it.GetKind() == recoveryv1.ItemKind_ITEM_KIND_GOODWILL {
			minor += it.GetAmount().GetUnits()*100 + int64(it.GetAmount().GetNanos())/1e7
			minor -= it.GetApprovalRequired().GetUnits()*100 + int64(it.GetApprovalRequired().GetNanos())/1e7
		}
	}
	return minor
}

// TestKilledBetweenCommitAndAnswer kills the process of a server after Redis
// has made the change and before anybody was told; the caller repeats the event
// at the next server.
func TestKilledBetweenCommitAndAnswer(t *testing.T) {
	store := redistest.Shared(t)
	now := timestamppb.New(time.Now())
	report := func(addr, id string) (*recoveryv1.ReportFailureResponse, error) {
		e := event(id, "c")
		e.SetOccurredAt(now)
		return recoveryv1.NewRecoveryServiceClient(dial(t, addr)).ReportFailure(t.Context(),
			recoveryv1.ReportFailureRequest_builder{Event: e}.Build())
	}
	victim := spawn(t, childConfig{Redis: store.URL(), DieAt: 2})
	if _, err := report(victim.addr, "first"); err != nil {
		t.Fatal(err)
	}
	if answer, err := report(victim.addr, "e"); err == nil {
		t.Fatalf("the caller was told: %v", answer)
	}
	heir := spawn(t, childConfig{Redis: store.URL()})
	answer, err := report(heir.addr, "e")
	if err != nil {
		t.Fatal(err)
	}
	if !answer.GetReplayed() {
		t.Error("the heir decided anew: the customer may be paid twice")
	}
	assessed, err := recoveryv1.NewRecoveryServiceClient(dial(t, heir.addr)).AssessCustomer(t.Context(),
		recoveryv1.AssessCustomerRequest_builder{CustomerId: "c"}.Build())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(assessed.GetAssessment().GetOpenCases()); n != 2 {
		t.Errorf("%d cases, want 2: of the first event and of the repeated one", n)
	}
}
