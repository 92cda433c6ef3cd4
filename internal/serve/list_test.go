package serve_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/redistest"
	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// next is when the next pending deadline of a case is due.
func next(k *recoveryv1.Case) (at time.Time) {
	for _, d := range k.GetDeadlines() {
		if due := d.GetDueAt().AsTime(); d.GetState() == recoveryv1.DeadlineState_DEADLINE_STATE_PENDING && (at.IsZero() || due.Before(at)) {
			at = due
		}
	}
	return at
}

// keepOnly gives the cases for which something holds.
func keepOnly(all []*recoveryv1.Case, holds func(*recoveryv1.Case) bool) (kept []*recoveryv1.Case) {
	for _, k := range all {
		if holds(k) {
			kept = append(kept, k)
		}
	}
	return kept
}

func caseIDs(all []*recoveryv1.Case) []string {
	out := make([]string, len(all))
	for i, k := range all {
		out[i] = k.GetCaseId()
	}
	return out
}

// fillTenants reports failures of 12 customers of the tenant that nobody names,
// some grave, one after the other before anything is due, and of one customer of another.
func fillTenants(t *testing.T, s *running) {
	t.Helper()
	for i := range 12 {
		for j := range 1 + i%2 {
			e := event(fmt.Sprintf("e%d.%d", i, j), fmt.Sprint("customer ", i))
			if i%4 == 0 {
				e.SetKinds([]recoveryv1.FailureKind{recoveryv1.FailureKind_FAILURE_KIND_UNSAFE})
			}
			s.mustReport(t, e)
		}
		s.clock.move(20 * time.Second)
	}
	e := event("e", "customer 1")
	e.SetTenant("acme")
	s.mustReport(t, e)
}

func TestListCasesOfATenant(t *testing.T) {
	s := start(t, serve.Config{Redis: redistest.Shared(t).URL()})
	fillTenants(t, s)
	ask := func() *recoveryv1.ListCasesRequest { return &recoveryv1.ListCasesRequest{} }
	all := s.list(t, ask())
	if len(all) != 18 {
		t.Fatalf("%d cases of the tenant, want 18", len(all))
	}
	if !slices.IsSortedFunc(all, func(a, b *recoveryv1.Case) int { return next(a).Compare(next(b)) }) {
		t.Error("the cases are not in the order of their deadlines")
	}
	critical := []recoveryv1.Band{recoveryv1.Band_BAND_CRITICAL}
	due := next(all[8])
	for name, test := range map[string]struct {
		edit  func(*recoveryv1.ListCasesRequest)
		holds func(*recoveryv1.Case) bool
	}{
		"all":          {func(*recoveryv1.ListCasesRequest) {}, func(*recoveryv1.Case) bool { return true }},
		"by its name":  {func(r *recoveryv1.ListCasesRequest) { r.SetTenant("default") }, func(*recoveryv1.Case) bool { return true }},
		"critical":     {func(r *recoveryv1.ListCasesRequest) { r.SetBands(critical) }, func(k *recoveryv1.Case) bool { return k.GetAssessment().GetRisk().GetBand() == critical[0] }},
		"not critical": {func(r *recoveryv1.ListCasesRequest) { r.SetBands([]recoveryv1.Band{1, 2, 3}) }, func(k *recoveryv1.Case) bool { return k.GetAssessment().GetRisk().GetBand() != critical[0] }},
		"resolved": {func(r *recoveryv1.ListCasesRequest) {
			r.SetStates([]recoveryv1.CaseState{recoveryv1.CaseState_CASE_STATE_RESOLVED})
		}, func(*recoveryv1.Case) bool { return false }},
		"due soon": {func(r *recoveryv1.ListCasesRequest) { r.SetDueBefore(timestamppb.New(due)) }, func(k *recoveryv1.Case) bool { return next(k).Before(due) }},
		"critical and due soon": {func(r *recoveryv1.ListCasesRequest) {
			r.SetBands(critical)
			r.SetDueBefore(timestamppb.New(due))
		}, func(k *recoveryv1.Case) bool {
			return next(k).Before(due) && k.GetAssessment().GetRisk().GetBand() == critical[0]
		}},
	} {
		want := keepOnly(all, test.holds)
		if name != "all" && name != "by its name" && name != "resolved" && (len(want) == 0 || len(want) == len(all)) {
			t.Fatalf("%s: the filter takes %d of %d cases", name, len(want), len(all))
		}
		sizes := []int32{0}
		if name == "all" || name == "not critical" {
			sizes = []int32{5, 17, 18}
		}
		for _, size := range sizes {
			request := ask()
			test.edit(request)
			request.SetPageSize(size)
			if diff := cmp.Diff(caseIDs(want), caseIDs(s.list(t, request))); diff != "" {
				t.Errorf("%s in pages of %d (-want +got):\n%s", name, size, diff)
			}
		}
	}
	other := ask()
	other.SetTenant("acme")
	if got := s.list(t, other); len(got) != 1 || got[0].GetTenant() != "acme" || got[0].GetCustomerId() != "" {
		t.Errorf("the other tenant has %d cases, want 1 of an unnamed customer: %v", len(got), got)
	}
}

func TestPageTokensOfATenant(t *testing.T) {
	s := start(t, serve.Config{})
	fillTenants(t, s)
	first, err := s.recovery.ListCases(t.Context(), recoveryv1.ListCasesRequest_builder{PageSize: 2}.Build())
	if err != nil {
		t.Fatal(err)
	}
	token := first.GetNextPageToken()
	ofCustomer, err := s.recovery.ListCases(t.Context(), recoveryv1.ListCasesRequest_builder{CustomerId: "customer 1", PageSize: 1}.Build())
	if err != nil || token == "" || ofCustomer.GetNextPageToken() == "" {
		t.Fatalf("tokens %q and %q, %v", token, ofCustomer.GetNextPageToken(), err)
	}
	for name, request := range map[string]*recoveryv1.ListCasesRequest{
		"of another tenant":     recoveryv1.ListCasesRequest_builder{Tenant: "acme", PageToken: token}.Build(),
		"of a customer":         recoveryv1.ListCasesRequest_builder{CustomerId: "customer 1", PageToken: token}.Build(),
		"of a customer's cases": recoveryv1.ListCasesRequest_builder{PageToken: ofCustomer.GetNextPageToken()}.Build(),
		"with a filter":         recoveryv1.ListCasesRequest_builder{States: []recoveryv1.CaseState{1}, PageToken: token}.Build(),
		"up to a deadline":      recoveryv1.ListCasesRequest_builder{DueBefore: timestamppb.New(noon), PageToken: token}.Build(),
		"changed":               recoveryv1.ListCasesRequest_builder{PageToken: "A" + token[1:]}.Build(),
		"cut short":             recoveryv1.ListCasesRequest_builder{PageToken: token[:len(token)-4]}.Build(),
		"of no letters":         recoveryv1.ListCasesRequest_builder{PageToken: "=.="}.Build(),
	} {
		_, err := s.recovery.ListCases(t.Context(), request)
		if code, reason, _ := refused(t, err); code != codes.InvalidArgument || reason != "INVALID_REQUEST" {
			t.Errorf("a token %s: answered %s %s, want it refused", name, code, reason)
		}
	}
	if _, err := s.recovery.ListCases(t.Context(), recoveryv1.ListCasesRequest_builder{Tenant: "default", PageSize: 7, PageToken: token}.Build()); err != nil {
		t.Errorf("the same query with another size: %v", err)
	}
}

// TestListFollowsTheLifeOfACase: a resolved case is listed until its follow-up;
// what was ended is found at the customer alone, last.
func TestListFollowsTheLifeOfACase(t *testing.T) {
	s := start(t, serve.Config{Sweep: time.Hour}) // readers see time pass by themselves
	opened := s.mustReport(t, event("e1", "c"))
	s.mustReport(t, event("e2", "c"))
	silent := event("e3", "silent")
	silent.SetVoice(recoveryv1.Voice_VOICE_UNVOICED)
	s.mustReport(t, silent)
	states := func(r *recoveryv1.ListCasesRequest) string {
		var out []string
		for _, k := range s.list(t, r) {
			_, number, _ := strings.Cut(k.GetCaseId(), ".")
			out = append(out, number+" "+strings.TrimPrefix(k.GetState().String(), "CASE_STATE_"))
		}
		slices.Sort(out)
		return strings.Join(out, ", ")
	}
	check := func(when, ofTenant, ofCustomer string) {
		t.Helper()
		if got := states(&recoveryv1.ListCasesRequest{}); got != ofTenant {
			t.Errorf("%s, the tenant has %s; want %s", when, got, ofTenant)
		}
		if got := numbers(s.list(t, recoveryv1.ListCasesRequest_builder{CustomerId: "c"}.Build())); got != ofCustomer {
			t.Errorf("%s, the customer has %s; want %s", when, got, ofCustomer)
		}
	}
	check("at first", "1 OPEN, 1 OPEN, 2 OPEN", "1 2")
	if _, err := s.recovery.AcknowledgeCase(t.Context(), recoveryv1.AcknowledgeCaseRequest_builder{
		CaseId: opened.GetCaseId(), RequestId: "a"}.Build()); err != nil {
		t.Fatal(err)
	}
	check("acknowledged", "1 ACKNOWLEDGED, 1 OPEN, 2 OPEN", "2 1")
	if _, err := s.recovery.ResolveCase(t.Context(), recoveryv1.ResolveCaseRequest_builder{
		CaseId: opened.GetCaseId(), RequestId: "r", Outcome: recoveryv1.Outcome_OUTCOME_SATISFIED}.Build()); err != nil {
		t.Fatal(err)
	}
	check("resolved", "1 OPEN, 1 RESOLVED, 2 OPEN", "2 1")
	if _, err := s.recovery.RecordFollowUp(t.Context(), recoveryv1.RecordFollowUpRequest_builder{
		CaseId: opened.GetCaseId(), RequestId: "f"}.Build()); err != nil {
		t.Fatal(err)
	}
	check("followed up", "1 OPEN, 2 OPEN", "2 1")
	s.clock.move(31 * 24 * time.Hour)
	check("after a month", "2 OPEN", "2 1")
}

// TestAListLooksAtSoMuch: a filter that refuses nearly all ends the call all
// the same, and the pages come to the end. No page is too large for a client.
func TestAListLooksAtSoMuch(t *testing.T) {
	store := redistest.Shared(t).URL()
	s := start(t, serve.Config{Redis: store})
	l, err := ledger.Open(t.Context(), ledger.Options{URL: store, Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const customers, each = 42, 50
	large := strings.Repeat("x", 4_000)
	for i := range customers {
		openLarge(t, l, l.Key("default", fmt.Sprint(i)), each, large)
	}
	request := recoveryv1.ListCasesRequest_builder{States: []recoveryv1.CaseState{recoveryv1.CaseState_CASE_STATE_OFFERED}}.Build()
	first, err := s.recovery.ListCases(t.Context(), request)
	if err != nil || len(first.GetCases()) != 0 || first.GetNextPageToken() == "" {
		t.Fatalf("%d cases and token %q, %v; want none and a token", len(first.GetCases()), first.GetNextPageToken(), err)
	}
	request.SetPageToken(first.GetNextPageToken())
	last, err := s.recovery.ListCases(t.Context(), request)
	if err != nil || last.GetNextPageToken() != "" {
		t.Errorf("%d of %d cases are looked at, and token %q comes, %v", 2*2000, customers*each, last.GetNextPageToken(), err)
	}
	whole, err := s.recovery.ListCases(t.Context(), recoveryv1.ListCasesRequest_builder{PageSize: 1000}.Build())
	if n := len(whole.GetCases()); err != nil || n == 0 || n == 1000 || proto.Size(whole) > 4<<20 || whole.GetNextPageToken() == "" {
		t.Errorf("a page of %d cases and %d bytes, token %q, %v", n, proto.Size(whole), whole.GetNextPageToken(), err)
	}
}

// openLarge opens so many cases of a customer, each with that much text.
func openLarge(t *testing.T, l *ledger.Ledger, key ledger.Key, cases int64, text string) {
	t.Helper()
	write := ledger.Write{Key: key, Tenant: "default"}
	if _, err := l.Update(t.Context(), write, func(c recovery.Customer, _ []int) (ledger.Judgement, error) {
		for n := range cases {
			k := recovery.Case{Number: n + 1, State: recovery.Open, OpenedAt: noon, TraceParent: text, Assessment: recovery.Assessment{Risk: recovery.Risk{Band: 1}}}
			c.Cases, c.Open = n+1, append(c.Open, k)
		}
		return ledger.Judgement{Customer: c}, nil
	}); err != nil {
		t.Fatal(err)
	}
}

// A customer with more open cases than one answer holds: all are listed, page by
// page, and the assessment has the oldest of them.
func TestCasesOfOneCustomerInPages(t *testing.T) {
	store := redistest.Shared(t).URL()
	s := start(t, serve.Config{Redis: store})
	l, err := ledger.Open(t.Context(), ledger.Options{URL: store, Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const all = 100
	large := strings.Repeat("x", 50_000)
	key := l.Key("default", "c")
	openLarge(t, l, key, all, large)
	request := recoveryv1.ListCasesRequest_builder{CustomerId: "c", PageSize: 1000}.Build()
	if got := s.list(t, request); len(got) != all {
		t.Errorf("%d of %d cases are listed", len(got), all)
	}
	open := s.assess(t, "c").GetOpenCases()
	if n := len(open); n == 0 || n == all || open[0].GetCaseId() != ledger.CaseID(key, 1) {
		t.Errorf("the assessment has %d cases", n)
	}
}

// TestAMissedFollowUpIsSeen: nobody asked after the customer of a resolved
// case; a reader sees it before anything is written.
func TestAMissedFollowUpIsSeen(t *testing.T) {
	s := start(t, serve.Config{Sweep: time.Hour})
	opened := s.mustReport(t, event("e", "c"))
	if _, err := s.recovery.ResolveCase(t.Context(), recoveryv1.ResolveCaseRequest_builder{
		CaseId: opened.GetCaseId(), RequestId: "r", Outcome: recoveryv1.Outcome_OUTCOME_SATISFIED}.Build()); err != nil {
		t.Fatal(err)
	}
	missed := func(k *recoveryv1.Case) bool {
		return slices.ContainsFunc(k.GetDeadlines(), func(d *recoveryv1.Deadline) bool {
			return d.GetMilestone() == recoveryv1.Milestone_MILESTONE_FOLLOW_UP && d.GetState() == recoveryv1.DeadlineState_DEADLINE_STATE_MISSED
		})
	}
	for _, want := range []bool{false, true} {
		for name, request := range map[string]*recoveryv1.ListCasesRequest{
			"tenant":   {},
			"customer": recoveryv1.ListCasesRequest_builder{CustomerId: "c"}.Build(),
		} {
			if all := s.list(t, request); len(all) != 1 || missed(all[0]) != want {
				t.Errorf("cases of the %s: %v; want one, its follow-up missed: %t", name, all, want)
			}
		}
		s.clock.move(31 * 24 * time.Hour)
	}
}
