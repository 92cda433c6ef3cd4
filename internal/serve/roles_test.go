package serve_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/makeamends/amends/internal/auth"
	"github.com/makeamends/amends/internal/policy"
	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// subject is whom a request of the matrix is about.
type subject struct{ tenant, caseID string }

// requests are sound ones, one for each method, about a tenant and a case of it.
// Those that name neither are about nobody.
var requests = map[string]func(id string, s subject) proto.Message{
	"ReportFailure": func(id string, s subject) proto.Message {
		return recoveryv1.ReportFailureRequest_builder{Event: eventIn(s.tenant, id, "reported")}.Build()
	},
	"RecordInteractions": func(id string, s subject) proto.Message {
		return recoveryv1.RecordInteractionsRequest_builder{Interactions: []*recoveryv1.Interaction{praiseIn(s.tenant, id, "praising")}}.Build()
	},
	"Ingest": func(id string, s subject) proto.Message {
		return recoveryv1.IngestRequest_builder{Failure: eventIn(s.tenant, id, "ingested")}.Build()
	},
	"AssessCustomer": func(_ string, s subject) proto.Message {
		return recoveryv1.AssessCustomerRequest_builder{Tenant: s.tenant, CustomerId: "kept"}.Build()
	},
	"GetCase": func(_ string, s subject) proto.Message {
		return recoveryv1.GetCaseRequest_builder{CaseId: s.caseID}.Build()
	},
	"ListCases": func(_ string, s subject) proto.Message {
		return recoveryv1.ListCasesRequest_builder{Tenant: s.tenant}.Build()
	},
	"WatchCases": func(_ string, s subject) proto.Message {
		return recoveryv1.WatchCasesRequest_builder{Tenant: s.tenant}.Build()
	},
	"EraseCustomer": func(_ string, s subject) proto.Message {
		return recoveryv1.EraseCustomerRequest_builder{Tenant: s.tenant, CustomerId: "erased"}.Build()
	},
	"RequestOffer": func(id string, s subject) proto.Message {
		return recoveryv1.RequestOfferRequest_builder{CaseId: &s.caseID, RequestId: id}.Build()
	},
	"ApproveOffer": func(id string, s subject) proto.Message {
		return recoveryv1.ApproveOfferRequest_builder{CaseId: s.caseID, RequestId: id, OfferId: s.caseID + ".1", Approver: "a.lead"}.Build()
	},
	"MakeOffer": func(id string, s subject) proto.Message {
		return recoveryv1.MakeOfferRequest_builder{CaseId: s.caseID, RequestId: id, OfferId: s.caseID + ".1"}.Build()
	},
	"AnswerOffer": func(id string, s subject) proto.Message {
		return recoveryv1.AnswerOfferRequest_builder{CaseId: s.caseID, RequestId: id, OfferId: s.caseID + ".1", Answer: recoveryv1.Answer_ANSWER_ACCEPTED}.Build()
	},
	"AcknowledgeCase": func(id string, s subject) proto.Message {
		return recoveryv1.AcknowledgeCaseRequest_builder{CaseId: s.caseID, RequestId: id}.Build()
	},
	"RecordContact": func(id string, s subject) proto.Message {
		return recoveryv1.RecordContactRequest_builder{CaseId: s.caseID, RequestId: id,
			Direction: recoveryv1.ContactDirection_CONTACT_DIRECTION_OUTBOUND, Channel: recoveryv1.Channel_CHANNEL_PHONE}.Build()
	},
	"HoldCase": func(id string, s subject) proto.Message {
		return recoveryv1.HoldCaseRequest_builder{CaseId: s.caseID, RequestId: id}.Build()
	},
	"ReleaseCase": func(id string, s subject) proto.Message {
		return recoveryv1.ReleaseCaseRequest_builder{CaseId: s.caseID, RequestId: id}.Build()
	},
	"ResolveCase": func(id string, s subject) proto.Message {
		return recoveryv1.ResolveCaseRequest_builder{CaseId: s.caseID, RequestId: id, Outcome: recoveryv1.Outcome_OUTCOME_SATISFIED}.Build()
	},
	"RecordFollowUp": func(id string, s subject) proto.Message {
		return recoveryv1.RecordFollowUpRequest_builder{CaseId: s.caseID, RequestId: id}.Build()
	},
	"ReopenCase": func(id string, s subject) proto.Message {
		return recoveryv1.ReopenCaseRequest_builder{CaseId: s.caseID, RequestId: id}.Build()
	},
	"GetPolicy":    func(string, subject) proto.Message { return &recoveryv1.GetPolicyRequest{} },
	"ListPolicies": func(string, subject) proto.Message { return &recoveryv1.ListPoliciesRequest{} },
	"CheckPolicy": func(string, subject) proto.Message {
		return recoveryv1.CheckPolicyRequest_builder{Yaml: "a: 1"}.Build()
	},
	"SimulatePolicy": func(id string, s subject) proto.Message {
		return recoveryv1.SimulatePolicyRequest_builder{Version: new(policy.Default().Version), Event: eventIn(s.tenant, id, "simulated")}.Build()
	},
}

func eventIn(tenant, id, customer string) *recoveryv1.FailureEvent {
	e := event(id, customer)
	e.SetTenant(tenant)
	return e
}

func praiseIn(tenant, id, customer string) *recoveryv1.Interaction {
	p := praise(id, customer)
	p.SetTenant(tenant)
	return p
}

// perform makes one call and gives what is said of it, be it of the call or of its
// one item. A watch is over with its first message.
func perform(tb testing.TB, ctx context.Context, conn *grpc.ClientConn, m protoreflect.MethodDescriptor, request proto.Message) *status.Status {
	tb.Helper()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	kind, err := protoregistry.GlobalTypes.FindMessageByName(m.Output().FullName())
	if err != nil {
		tb.Fatal(err)
	}
	answer := kind.New().Interface()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true},
		fmt.Sprintf("/%s/%s", m.Parent().FullName(), m.Name()))
	if err == nil {
		_ = stream.SendMsg(request) // the answer tells
		_ = stream.CloseSend()
		err = stream.RecvMsg(answer)
	}
	if err == nil && m.Name() != "WatchCases" {
		if err = stream.RecvMsg(kind.New().Interface()); errors.Is(err, io.EOF) {
			err = nil
		}
	}
	if err != nil {
		return status.Convert(err)
	}
	switch a := answer.(type) {
	case *recoveryv1.RecordInteractionsResponse:
		return status.FromProto(a.GetResults()[0].GetError())
	case *recoveryv1.IngestResponse:
		return status.FromProto(a.GetError())
	}
	return status.New(codes.OK, "")
}

func reasonOf(st *status.Status) string {
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

// granted reports whether the caller was let do what it asked for, or refused only
// for what it is.
func granted(st *status.Status) bool {
	return st.Code() != codes.Unauthenticated && st.Code() != codes.PermissionDenied && reasonOf(st) != "CASE_NOT_FOUND"
}

// TestRoleMatrix makes every call in every role, for the caller's own tenant, for
// another one, for one that is not named and is not its own, and as nobody.
func TestRoleMatrix(t *testing.T) {
	const plenty = "calls_per_second: 100000, burst: 100000, calls_at_once: 1000"
	callers := withTokens + "callers:\n" + caller("setup", "reporter, agent, reader", `"*"`, plenty)
	roles := []string{"reporter", "agent", "approver", "reader", "privacy", "admin"}
	for _, role := range roles {
		callers += caller(role, role, "own", plenty)
	}
	f := defend(t, callers, serve.Config{})
	setup := recoveryOf(f.as(t, "setup"))
	subjects := map[string]subject{"own tenant": {tenant: "own"}, "other tenant": {tenant: "other"}, "no tenant": {}}
	revisions := map[string]int64{}
	for where, s := range subjects {
		answer, err := setup.ReportFailure(t.Context(), recoveryv1.ReportFailureRequest_builder{Event: eventIn(s.tenant, "e", "kept")}.Build())
		if err != nil {
			t.Fatal(err)
		}
		s.caseID, revisions[where] = answer.GetCase().GetCaseId(), answer.GetCase().GetRevision()
		subjects[where] = s
	}
	conns := map[string]*grpc.ClientConn{"nobody": f.connect(t, tlsOnly())}
	for i, role := range roles {
		if conns[role] = f.as(t, role); i%2 == 1 { // both ways to be known
			conns[role] = f.bearing(t, f.issuer.Token(t, role, map[string]any{"tenant": []string{"own", "other"}}))
		}
	}
	calls, wrong, denied := 0, 0, 0
	for _, m := range methods() {
		row := rowOf(t, m)
		for who, conn := range conns {
			for where, s := range subjects {
				request := requests[string(m.Name())](fmt.Sprintf("%s-%s-%s", m.Name(), who, where), s)
				st := perform(t, t.Context(), conn, m, request)
				about := strings.Contains(string(m.Parent().Name()), "Policy") && m.Name() != "SimulatePolicy" // nobody's
				want := slices.Contains(row.Roles.Names(), who) && (where == "own tenant" || about)
				calls++
				switch {
				case granted(st) && !want:
					wrong++
					t.Errorf("%s as %s, %s: granted: %v", m.Name(), who, where, st)
				case !granted(st) && want:
					denied++
					t.Errorf("%s as %s, %s: denied: %v", m.Name(), who, where, st)
				}
				if reason := reasonOf(st); who == "nobody" && reason != "UNAUTHENTICATED" ||
					who != "nobody" && !slices.Contains(row.Roles.Names(), who) && reason != "PERMISSION_DENIED" {
					t.Errorf("%s as %s, %s: refused with %v", m.Name(), who, where, st)
				}
			}
		}
	}
	t.Logf("%d calls: wrong grants %d, wrong denials %d", calls, wrong, denied)
	if want := len(requests) * (len(roles) + 1) * len(subjects); calls != want {
		t.Errorf("%d calls, want %d", calls, want)
	}
	for _, where := range []string{"other tenant", "no tenant"} {
		answer, err := setup.GetCase(t.Context(), recoveryv1.GetCaseRequest_builder{CaseId: subjects[where].caseID}.Build())
		if err != nil || answer.GetCase().GetRevision() != revisions[where] {
			t.Errorf("%s: the case has changed: %v", where, err)
		}
		list, err := setup.ListCases(t.Context(), recoveryv1.ListCasesRequest_builder{Tenant: subjects[where].tenant}.Build())
		if err != nil || len(list.GetCases()) != 1 {
			t.Errorf("%s: %d cases, want the one: %v", where, len(list.GetCases()), err)
		}
	}
}

func rowOf(t *testing.T, m protoreflect.MethodDescriptor) auth.Method {
	t.Helper()
	name := fmt.Sprintf("/%s/%s", m.Parent().FullName(), m.Name())
	for _, row := range auth.Methods {
		if row.Name == name {
			return row
		}
	}
	t.Fatalf("no row for %s", name)
	return auth.Method{}
}
