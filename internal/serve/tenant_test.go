package serve_test

import (
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// twoShops serves two tenants, each with a desk that may do everything for it, and
// one that may for both.
func twoShops(t *testing.T) *fort {
	t.Helper()
	const all = "reporter, agent, approver, reader, privacy, admin"
	return defend(t, withTokens+"callers:\n"+caller("a", all, "a", "")+caller("b", all, "b", "")+caller("both", all, `"*"`, ""), serve.Config{})
}

// opened gives a case of a tenant, with an offer and a step of that request id.
func (f *fort) opened(t *testing.T, tenant, step string) string {
	t.Helper()
	desk := recoveryOf(f.as(t, tenant))
	answer, err := desk.ReportFailure(t.Context(), recoveryv1.ReportFailureRequest_builder{Event: eventIn(tenant, "e", "c")}.Build())
	if err != nil {
		t.Fatal(err)
	}
	id := answer.GetCase().GetCaseId()
	if _, err := desk.RequestOffer(t.Context(), recoveryv1.RequestOfferRequest_builder{CaseId: &id, RequestId: "offer"}.Build()); err != nil {
		t.Fatal(err)
	}
	if _, err := desk.AcknowledgeCase(t.Context(), recoveryv1.AcknowledgeCaseRequest_builder{CaseId: id, RequestId: step}.Build()); err != nil {
		t.Fatal(err)
	}
	return id
}

// aboutCases are all calls that name a case by its id, each under a request id
// that was used for it before and under a new one.
func aboutCases(t *testing.T, conn *grpc.ClientConn, id string) map[string]*status.Status {
	t.Helper()
	out := map[string]*status.Status{}
	for _, m := range methods() {
		request := requests[string(m.Name())]("new", subject{"", id})
		if request.ProtoReflect().Descriptor().Fields().ByName("case_id") == nil {
			continue
		}
		out[string(m.Name())] = perform(t, t.Context(), conn, m, request)
		again := proto.Clone(request)
		if field := again.ProtoReflect().Descriptor().Fields().ByName("request_id"); field != nil {
			for _, used := range []string{"offer", "step"} {
				again.ProtoReflect().Set(field, protoreflect.ValueOfString(used))
				out[string(m.Name())+" under the id "+used] = perform(t, t.Context(), conn, m, again)
			}
		}
	}
	dry := recoveryv1.RequestOfferRequest_builder{CaseId: &id, RequestId: "dry", ValidateOnly: true}.Build()
	_, err := recoveryOf(conn).RequestOffer(t.Context(), dry)
	out["RequestOffer as a dry run"] = status.Convert(err)
	stale := recoveryv1.AcknowledgeCaseRequest_builder{CaseId: id, RequestId: "stale", Revision: new(int64(99))}.Build()
	_, err = recoveryOf(conn).AcknowledgeCase(t.Context(), stale)
	out["AcknowledgeCase of another revision"] = status.Convert(err)
	return out
}

// ofNobody is a case id as the service makes them, of a customer who never was.
func ofNobody(t *testing.T) string {
	t.Helper()
	id := "c" + strings.Repeat("A", 22) + ".1"
	if _, _, err := ledger.ParseCaseID(id); err != nil {
		t.Fatalf("%s: %v", id, err)
	}
	return id
}

// A case of another tenant is answered, by every call and under every request id,
// as one that never was: to the letter.
func TestCaseOfAnotherTenant(t *testing.T) {
	f := twoShops(t)
	theirs := f.opened(t, "b", "step")
	desk := f.as(t, "a")
	want := aboutCases(t, desk, ofNobody(t))
	got := aboutCases(t, desk, theirs)
	if len(got) < 30 {
		t.Fatalf("%d calls only", len(got))
	}
	for call, st := range got {
		if st.Code() != codes.NotFound || reasonOf(st) != "CASE_NOT_FOUND" {
			t.Errorf("%s: %v, want that there is no such case", call, st)
		}
		if !proto.Equal(st.Proto(), want[call].Proto()) {
			t.Errorf("%s: %v, and of a case that never was: %v", call, st.Proto(), want[call].Proto())
		}
	}
	// The same calls say something else to whom it belongs: they are no calls that fail anyhow.
	for call, st := range aboutCases(t, f.as(t, "both"), theirs) {
		if reasonOf(st) == "CASE_NOT_FOUND" {
			t.Errorf("%s, by who may: %v", call, st)
		}
	}
	f.keepsSecret(t, theirs)
}

// Nor is it told after the customer was erased.
func TestErasedCaseOfAnotherTenant(t *testing.T) {
	f := twoShops(t)
	theirs := f.opened(t, "b", "step")
	b := recoveryOf(f.as(t, "b"))
	if _, err := b.EraseCustomer(t.Context(), recoveryv1.EraseCustomerRequest_builder{Tenant: "b", CustomerId: "c"}.Build()); err != nil {
		t.Fatal(err)
	}
	want := aboutCases(t, f.as(t, "a"), ofNobody(t))
	// A token that is good for no tenant is not good for the one that is not known any more.
	none := f.bearing(t, f.issuer.Token(t, "both", map[string]any{"tenant": ""}))
	for _, desk := range []*grpc.ClientConn{f.as(t, "a"), none} {
		for call, st := range aboutCases(t, desk, theirs) {
			if !proto.Equal(st.Proto(), want[call].Proto()) {
				t.Errorf("%s: %v, and of a case that never was: %v", call, st.Proto(), want[call].Proto())
			}
		}
	}
}

// Who may act for all tenants is told by every step that it was carried out before
// the customer was erased.
func TestErasedForAllTenants(t *testing.T) {
	f := twoShops(t)
	id := f.opened(t, "b", "step")
	all := f.as(t, "both")
	if _, err := recoveryOf(all).EraseCustomer(t.Context(), recoveryv1.EraseCustomerRequest_builder{Tenant: "b", CustomerId: "c"}.Build()); err != nil {
		t.Fatal(err)
	}
	repeated := 0
	for call, st := range aboutCases(t, all, id) {
		want := "CASE_NOT_FOUND"
		if strings.Contains(call, " under the id ") {
			want = "ERASED"
			repeated++
		}
		if reasonOf(st) != want {
			t.Errorf("%s: %v, want %s", call, st, want)
		}
	}
	if repeated < 20 {
		t.Errorf("%d steps only", repeated)
	}
}

// A tenant that is not the caller's is refused alike, whether there is one or not;
// of items each for itself.
func TestTenantOfAnother(t *testing.T) {
	f := twoShops(t)
	f.opened(t, "b", "step")
	conn := f.as(t, "a")
	for _, m := range methods() {
		make := requests[string(m.Name())]
		if !namesTenant(string(m.Name())) {
			continue
		}
		known := perform(t, t.Context(), conn, m, make("x", subject{tenant: "b"}))
		none := perform(t, t.Context(), conn, m, make("x", subject{tenant: "nobody"}))
		if known.Code() != codes.PermissionDenied || !proto.Equal(known.Proto(), none.Proto()) {
			t.Errorf("%s: %v, and of a tenant that is none: %v", m.Name(), known, none)
		}
	}
	desk := recoveryOf(conn)
	batch, err := desk.RecordInteractions(t.Context(), recoveryv1.RecordInteractionsRequest_builder{Interactions: []*recoveryv1.Interaction{
		praiseIn("a", "i1", "c"), praiseIn("b", "i2", "c"), praiseIn("", "i3", "c"), praiseIn("a", "i4", "c"), praiseIn("b", "", "c"),
	}}.Build())
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(summaries(t, batch.GetResults()), ", ")
	const want = "RECORDED, REJECTED PERMISSION_DENIED, REJECTED PERMISSION_DENIED, RECORDED, REJECTED INVALID_REQUEST interactions[4].interaction_id"
	if got != want {
		t.Errorf("a batch of two tenants:\n%s, want\n%s", got, want)
	}
	stream, err := desk.Ingest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, tenant := range []string{"b", "a"} {
		answer := must[*recoveryv1.IngestResponse](t)(func() (*recoveryv1.IngestResponse, error) {
			if err := stream.Send(recoveryv1.IngestRequest_builder{Failure: eventIn(tenant, "in", "c2")}.Build()); err != nil {
				return nil, err
			}
			return stream.Recv()
		}())
		if denied := status.FromProto(answer.GetError()).Code() == codes.PermissionDenied; denied != (i == 0) {
			t.Errorf("an item of %s: %v", tenant, answer.GetError())
		}
	}
	dry := recoveryv1.RequestOfferRequest_builder{Event: eventIn("b", "x", "c"), RequestId: "x", ValidateOnly: true}.Build()
	if _, err := desk.RequestOffer(t.Context(), dry); status.Code(err) != codes.PermissionDenied {
		t.Errorf("an offer for what might be: %v", err)
	}
	if a := must[*recoveryv1.AssessCustomerResponse](t)(recoveryOf(f.as(t, "b")).AssessCustomer(t.Context(),
		recoveryv1.AssessCustomerRequest_builder{Tenant: "b", CustomerId: "c"}.Build())); a.GetAssessment().GetPositiveMass() != 0 {
		t.Error("something was recorded for the other tenant")
	}
}

func namesTenant(method string) bool {
	switch method {
	case "ReportFailure", "RecordInteractions", "Ingest", "AssessCustomer", "ListCases", "WatchCases", "EraseCustomer", "SimulatePolicy":
		return true
	}
	return false
}

// Tokens of pages and watches lead nowhere else.
func TestTokensOfAnotherTenant(t *testing.T) {
	f := twoShops(t)
	f.opened(t, "b", "step")
	both, a := recoveryOf(f.as(t, "both")), recoveryOf(f.as(t, "a"))
	watch := func(client recoveryv1.RecoveryServiceClient, tenant, token string) (string, error) {
		stream, err := client.WatchCases(t.Context(), recoveryv1.WatchCasesRequest_builder{Tenant: tenant, ResumeToken: token}.Build())
		if err != nil {
			return "", err
		}
		m, err := stream.Recv()
		return m.GetToken(), err
	}
	token, err := watch(both, "b", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch(a, "b", token); status.Code(err) != codes.PermissionDenied {
		t.Errorf("with the token of the other tenant: %v", err)
	}
	if _, err := watch(a, "a", token); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("with the token of the other tenant, for the own: %v", err)
	}
	if _, err := watch(both, "b", token); err != nil {
		t.Errorf("with its own token: %v", err)
	}
}
