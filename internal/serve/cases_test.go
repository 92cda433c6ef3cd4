package serve_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/makeamends/amends/internal/redistest"
	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

func TestListCases(t *testing.T) {
	s := start(t, serve.Config{})
	for i := range 5 {
		s.mustReport(t, event(fmt.Sprintf("e%d", i), "c"))
	}
	s.mustReport(t, event("e", "someone else"))
	all := s.list(t, recoveryv1.ListCasesRequest_builder{CustomerId: "c"}.Build())
	if got := numbers(all); got != "1 2 3 4 5" {
		t.Errorf("cases %s, want 1 2 3 4 5: all are due at once", got)
	}
	s.mustReport(t, event("minor", "d"))
	grave := event("grave", "d")
	grave.SetKinds([]recoveryv1.FailureKind{recoveryv1.FailureKind_FAILURE_KIND_UNSAFE})
	s.mustReport(t, grave)
	for name, test := range map[string]struct {
		request *recoveryv1.ListCasesRequest
		want    string
	}{
		"open": {recoveryv1.ListCasesRequest_builder{CustomerId: "c",
			States: []recoveryv1.CaseState{recoveryv1.CaseState_CASE_STATE_OPEN}}.Build(), "1 2 3 4 5"},
		"resolved": {recoveryv1.ListCasesRequest_builder{CustomerId: "c",
			States: []recoveryv1.CaseState{recoveryv1.CaseState_CASE_STATE_RESOLVED}}.Build(), ""},
		"critical": {recoveryv1.ListCasesRequest_builder{CustomerId: "d",
			Bands: []recoveryv1.Band{recoveryv1.Band_BAND_CRITICAL}}.Build(), "2"},
		"not critical": {recoveryv1.ListCasesRequest_builder{CustomerId: "d",
			Bands: []recoveryv1.Band{1, 2, 3}}.Build(), "1"},
		"due within a minute": {recoveryv1.ListCasesRequest_builder{CustomerId: "c",
			DueBefore: timestamppb.New(noon.Add(time.Minute))}.Build(), ""},
		"due within ten minutes": {recoveryv1.ListCasesRequest_builder{CustomerId: "c",
			DueBefore: timestamppb.New(noon.Add(10 * time.Minute))}.Build(), "1 2 3 4 5"},
		"a stranger":     {recoveryv1.ListCasesRequest_builder{CustomerId: "stranger"}.Build(), ""},
		"another tenant": {recoveryv1.ListCasesRequest_builder{CustomerId: "c", Tenant: "acme"}.Build(), ""},
	} {
		if got := numbers(s.list(t, test.request)); got != test.want {
			t.Errorf("%s: cases %q, want %q", name, got, test.want)
		}
	}
}

// list follows the pages to the end.
func (r *running) list(t *testing.T, request *recoveryv1.ListCasesRequest) (all []*recoveryv1.Case) {
	t.Helper()
	for range 100 {
		answer, err := r.recovery.ListCases(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, answer.GetCases()...)
		if answer.GetNextPageToken() == "" {
			return all
		}
		request.SetPageToken(answer.GetNextPageToken())
	}
	t.Fatal("the pages do not end")
	return nil
}

func numbers(cases []*recoveryv1.Case) string {
	out := make([]string, len(cases))
	for i, k := range cases {
		_, out[i], _ = strings.Cut(k.GetCaseId(), ".")
	}
	return strings.Join(out, " ")
}

func TestPages(t *testing.T) {
	s := start(t, serve.Config{})
	for i := range 7 {
		s.mustReport(t, event(fmt.Sprintf("e%d", i), "c"))
	}
	whole := s.list(t, recoveryv1.ListCasesRequest_builder{CustomerId: "c"}.Build())
	for size := int32(1); size <= 8; size++ {
		paged := s.list(t, recoveryv1.ListCasesRequest_builder{CustomerId: "c", PageSize: size}.Build())
		if diff := cmp.Diff(whole, paged, protocmp.Transform()); diff != "" {
			t.Errorf("pages of %d (-at once +paged):\n%s", size, diff)
		}
	}
	first, err := s.recovery.ListCases(t.Context(), recoveryv1.ListCasesRequest_builder{CustomerId: "c", PageSize: 2}.Build())
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]*recoveryv1.ListCasesRequest{
		"of another customer": recoveryv1.ListCasesRequest_builder{CustomerId: "d"}.Build(),
		"of another tenant":   recoveryv1.ListCasesRequest_builder{CustomerId: "c", Tenant: "acme"}.Build(),
		"with another filter": recoveryv1.ListCasesRequest_builder{CustomerId: "c", Bands: []recoveryv1.Band{1}}.Build(),
	} {
		other.SetPageToken(first.GetNextPageToken())
		_, err := s.recovery.ListCases(t.Context(), other)
		if code, reason, _ := refused(t, err); code != codes.InvalidArgument || reason != "INVALID_REQUEST" {
			t.Errorf("the token for a list %s: answered %s %s, want it refused", name, code, reason)
		}
	}
}

// TestCustomerIsEchoedButNotStored: who names the customer gets the name back;
// who names a case does not learn whose it is.
func TestCustomerIsEchoedButNotStored(t *testing.T) {
	s := start(t, serve.Config{})
	opened := s.mustReport(t, event("e", "alice"))
	got, err := s.recovery.GetCase(t.Context(), recoveryv1.GetCaseRequest_builder{CaseId: opened.GetCaseId()}.Build())
	if err != nil {
		t.Fatal(err)
	}
	if opened.GetCustomerId() != "alice" || got.GetCase().GetCustomerId() != "" {
		t.Errorf("customer %q when reported and %q when read, want alice and nobody", opened.GetCustomerId(), got.GetCase().GetCustomerId())
	}
	if got.GetCase().GetTenant() != "default" {
		t.Errorf("tenant %q, want default", got.GetCase().GetTenant())
	}
}

func TestAssessCustomer(t *testing.T) {
	s := start(t, serve.Config{})
	if _, err := s.praise(t.Context(), praise("i1", "c"), praise("i2", "c")); err != nil {
		t.Fatal(err)
	}
	e := event("e", "c")
	e.SetOrderId("o")
	e.SetAcceptance(recoveryv1.Acceptance_ACCEPTANCE_REJECTED)
	k := s.mustReport(t, e)
	a := s.assess(t, "c")
	got := fmt.Sprintf("%v positives, %d open, %d failures, %d claims, %d apologies, granted %v",
		a.GetPositiveMass(), len(a.GetOpenCases()), a.GetFailuresRemembered(), a.GetClaims(), a.GetApologies_90D(), len(a.GetGoodwillGranted_90D()))
	if want := "2 positives, 1 open, 1 failures, 1 claims, 0 apologies, granted 1"; got != want {
		t.Errorf("%s; want %s", got, want)
	}
	if a.GetRepeatMass() != k.GetAssessment().GetSeverity() {
		t.Errorf("repeat mass %v, want the severity %v of the one failure", a.GetRepeatMass(), k.GetAssessment().GetSeverity())
	}
	good := slices.IndexFunc(k.GetRecommendation().GetItems(), func(it *recoveryv1.RecommendationItem) bool {
		return it.GetKind() == recoveryv1.ItemKind_ITEM_KIND_GOODWILL
	})
	if diff := cmp.Diff(k.GetRecommendation().GetItems()[good].GetAmount(), a.GetGoodwillGranted_90D()[0], protocmp.Transform()); diff != "" {
		t.Errorf("goodwill (-recommended +granted):\n%s", diff)
	}
	if a.GetServiceLevel() != recoveryv1.ServiceLevel_SERVICE_LEVEL_SURVIVAL {
		t.Errorf("level %s, want SURVIVAL: the customer had to complain", a.GetServiceLevel())
	}
}

// What was granted is told with the decimals of its currency, though no policy
// in hand lists it any more.
func TestGrantedInACurrencyOfBefore(t *testing.T) {
	store := redistest.Shared(t).URL()
	before := start(t, serve.Config{Redis: store})
	e := event("e", "c")
	e.SetOrderId("o")
	e.SetOrderValue(&money.Money{CurrencyCode: "EUR", Units: 18})
	e.SetAcceptance(recoveryv1.Acceptance_ACCEPTANCE_REJECTED)
	k := before.mustReport(t, e)
	want := before.assess(t, "c").GetGoodwillGranted_90D()
	must[*recoveryv1.ResolveCaseResponse](t)(before.recovery.ResolveCase(t.Context(), recoveryv1.ResolveCaseRequest_builder{
		CaseId: k.GetCaseId(), RequestId: "r", Outcome: recoveryv1.Outcome_OUTCOME_SATISFIED}.Build()))
	must[*recoveryv1.RecordFollowUpResponse](t)(before.recovery.RecordFollowUp(t.Context(), recoveryv1.RecordFollowUpRequest_builder{
		CaseId: k.GetCaseId(), RequestId: "f"}.Build()))
	after := start(t, serve.Config{Redis: store, Policy: policyWith(t, "    EUR: {scale: 1, round_to: 0.50, daily_budget: 10000}\n", "")})
	got := after.assess(t, "c").GetGoodwillGranted_90D()
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" || len(got) == 0 {
		t.Errorf("granted (-by the policy that lists the euro +by one that does not):\n%s", diff)
	}
}
