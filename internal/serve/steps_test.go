package serve_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/internal/redistest"
	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// desk takes steps with one case, as a CRM does.
type desk struct {
	*running
	id string
	n  int
}

func (r *running) desk(tb testing.TB, customer string) *desk {
	tb.Helper()
	return &desk{running: r, id: r.mustReport(tb, event("e-"+customer, customer)).GetCaseId()}
}

func (d *desk) request() string { d.n++; return fmt.Sprintf("%s-%d", d.id, d.n) }

func (d *desk) ack(ctx context.Context) (*recoveryv1.Case, error) {
	a, err := d.recovery.AcknowledgeCase(ctx, recoveryv1.AcknowledgeCaseRequest_builder{CaseId: d.id, RequestId: d.request()}.Build())
	return a.GetCase(), err
}

func (d *desk) contact(ctx context.Context, way recoveryv1.ContactDirection, public bool) (*recoveryv1.Case, error) {
	a, err := d.recovery.RecordContact(ctx, recoveryv1.RecordContactRequest_builder{
		CaseId: d.id, RequestId: d.request(), Direction: way, Channel: recoveryv1.Channel_CHANNEL_EMAIL, Public: public,
	}.Build())
	return a.GetCase(), err
}

func (d *desk) hold(ctx context.Context) (*recoveryv1.Case, error) {
	a, err := d.recovery.HoldCase(ctx, recoveryv1.HoldCaseRequest_builder{CaseId: d.id, RequestId: d.request()}.Build())
	return a.GetCase(), err
}

func (d *desk) release(ctx context.Context) (*recoveryv1.Case, error) {
	a, err := d.recovery.ReleaseCase(ctx, recoveryv1.ReleaseCaseRequest_builder{CaseId: d.id, RequestId: d.request()}.Build())
	return a.GetCase(), err
}

func (d *desk) offer(ctx context.Context) (*recoveryv1.Offer, error) {
	a, err := d.recovery.RequestOffer(ctx, recoveryv1.RequestOfferRequest_builder{CaseId: proto.String(d.id), RequestId: d.request()}.Build())
	return a.GetOffer(), err
}

func (d *desk) approve(ctx context.Context, offer string) (*recoveryv1.Case, error) {
	a, err := d.recovery.ApproveOffer(ctx, recoveryv1.ApproveOfferRequest_builder{
		CaseId: d.id, RequestId: d.request(), OfferId: offer, Approver: "j.doe",
	}.Build())
	return a.GetCase(), err
}

func (d *desk) make(ctx context.Context, offer string) (*recoveryv1.Case, error) {
	a, err := d.recovery.MakeOffer(ctx, recoveryv1.MakeOfferRequest_builder{CaseId: d.id, RequestId: d.request(), OfferId: offer}.Build())
	return a.GetCase(), err
}

func (d *desk) answer(ctx context.Context, offer string, answer recoveryv1.Answer) (*recoveryv1.Case, error) {
	a, err := d.recovery.AnswerOffer(ctx, recoveryv1.AnswerOfferRequest_builder{
		CaseId: d.id, RequestId: d.request(), OfferId: offer, Answer: answer,
	}.Build())
	return a.GetCase(), err
}

func (d *desk) resolve(ctx context.Context, how recoveryv1.Outcome) (*recoveryv1.Case, error) {
	a, err := d.recovery.ResolveCase(ctx, recoveryv1.ResolveCaseRequest_builder{CaseId: d.id, RequestId: d.request(), Outcome: how}.Build())
	return a.GetCase(), err
}

func (d *desk) followUp(ctx context.Context) (*recoveryv1.Case, error) {
	a, err := d.recovery.RecordFollowUp(ctx, recoveryv1.RecordFollowUpRequest_builder{CaseId: d.id, RequestId: d.request()}.Build())
	return a.GetCase(), err
}

func (d *desk) reopen(ctx context.Context) (*recoveryv1.Case, error) {
	a, err := d.recovery.ReopenCase(ctx, recoveryv1.ReopenCaseRequest_builder{CaseId: d.id, RequestId: d.request()}.Build())
	return a.GetCase(), err
}

// deadlines says of each deadline its state.
func deadlines(k *recoveryv1.Case) string {
	parts := make([]string, 0, len(k.GetDeadlines()))
	for _, d := range k.GetDeadlines() {
		parts = append(parts, strings.TrimPrefix(d.GetMilestone().String(), "MILESTONE_")+" "+strings.TrimPrefix(d.GetState().String(), "DEADLINE_STATE_"))
	}
	return strings.Join(parts, ", ")
}

func must[T any](tb testing.TB) func(T, error) T {
	return func(v T, err error) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}

// A case goes its whole way, on every kind of store.
func TestLifeOfACase(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { liveOut(t, "") })
	t.Run("redis-server", func(t *testing.T) { liveOut(t, redistest.Server(t).URL()) })
}

func liveOut(t *testing.T, url string) {
	ctx := t.Context()
	r := start(t, serve.Config{Redis: url})
	d := r.desk(t, "life")
	ok := must[*recoveryv1.Case](t)
	check := func(k *recoveryv1.Case, state recoveryv1.CaseState, want string) {
		t.Helper()
		if got := deadlines(k); k.GetState() != state || got != want {
			t.Errorf("%s: %s\nwant %s: %s", k.GetState(), got, state, want)
		}
	}
	r.clock.move(time.Minute)
	check(ok(d.ack(ctx)), recoveryv1.CaseState_CASE_STATE_ACKNOWLEDGED,
		"ACKNOWLEDGE MET, FIRST_RESPONSE PENDING, OFFER PENDING, RESOLVE PENDING")
	r.clock.move(time.Hour)
	check(ok(d.contact(ctx, recoveryv1.ContactDirection_CONTACT_DIRECTION_OUTBOUND, false)), recoveryv1.CaseState_CASE_STATE_ACKNOWLEDGED,
		"ACKNOWLEDGE MET, FIRST_RESPONSE MET, OFFER PENDING, RESOLVE PENDING")
	held := ok(d.hold(ctx))
	r.clock.move(100 * 24 * time.Hour)
	if k := ok(d.release(ctx)); k.GetRevision() != held.GetRevision()+1 {
		t.Errorf("revision %d after a hold in which nothing may happen, it was %d", k.GetRevision(), held.GetRevision())
	}
	o := must[*recoveryv1.Offer](t)(d.offer(ctx))
	if o.GetState() != recoveryv1.OfferState_OFFER_STATE_PROPOSED || o.GetAutomatic().GetUnits() == 0 {
		t.Fatalf("offer %v", o)
	}
	check(ok(d.make(ctx, o.GetOfferId())), recoveryv1.CaseState_CASE_STATE_OFFERED,
		"ACKNOWLEDGE MET, FIRST_RESPONSE MET, OFFER MET, RESOLVE PENDING")
	if k := ok(d.answer(ctx, o.GetOfferId(), recoveryv1.Answer_ANSWER_ACCEPTED)); k.GetOffers()[0].GetAnswer() != recoveryv1.Answer_ANSWER_ACCEPTED {
		t.Errorf("offer %v", k.GetOffers()[0])
	}
	check(ok(d.resolve(ctx, recoveryv1.Outcome_OUTCOME_SATISFIED)), recoveryv1.CaseState_CASE_STATE_RESOLVED,
		"ACKNOWLEDGE MET, FIRST_RESPONSE MET, OFFER MET, RESOLVE MET, FOLLOW_UP PENDING")
	if a := r.assess(t, "life"); len(a.GetOpenCases()) != 0 || a.GetPositiveMass() != 1 {
		t.Errorf("%d open cases and positives %v after a satisfied recovery", len(a.GetOpenCases()), a.GetPositiveMass())
	}
	check(ok(d.followUp(ctx)), recoveryv1.CaseState_CASE_STATE_FOLLOWED_UP,
		"ACKNOWLEDGE MET, FIRST_RESPONSE MET, OFFER MET, RESOLVE MET, FOLLOW_UP MET")
	_, err := d.ack(ctx)
	if code, reason, _ := refused(t, err); code != codes.FailedPrecondition || reason != "WRONG_STATE" ||
		!strings.Contains(status.Convert(err).Message(), "FOLLOWED_UP; it allows ReopenCase") {
		t.Errorf("a step with a closed case: %v", err)
	}
	check(ok(d.reopen(ctx)), recoveryv1.CaseState_CASE_STATE_OPEN,
		"ACKNOWLEDGE MET, FIRST_RESPONSE MET, OFFER MET, RESOLVE MET, FOLLOW_UP MET,"+
			" ACKNOWLEDGE PENDING, FIRST_RESPONSE PENDING, RESOLVE PENDING")
}

// A step is taken once for its request id, and answered alike whatever has
// happened since.
func TestStepTwice(t *testing.T) {
	r := start(t, serve.Config{})
	d := r.desk(t, "c")
	ack := recoveryv1.AcknowledgeCaseRequest_builder{CaseId: d.id, RequestId: "once"}.Build()
	first := must[*recoveryv1.AcknowledgeCaseResponse](t)(r.recovery.AcknowledgeCase(t.Context(), ack))
	must[*recoveryv1.Case](t)(d.resolve(t.Context(), recoveryv1.Outcome_OUTCOME_SATISFIED))
	r.clock.move(time.Hour)
	again := must[*recoveryv1.AcknowledgeCaseResponse](t)(r.recovery.AcknowledgeCase(t.Context(), ack))
	if !proto.Equal(first, again) {
		t.Errorf("answered\n%v\nand then\n%v", first, again)
	}
	_, err := r.recovery.ReopenCase(t.Context(), recoveryv1.ReopenCaseRequest_builder{CaseId: d.id, RequestId: "once"}.Build())
	if code, reason, _ := refused(t, err); code != codes.AlreadyExists || reason != "ID_REUSED" {
		t.Errorf("another step under the same id: %v", err)
	}
}

// Many who take the same step at once with ids of their own: one takes it.
func TestStepAtOnce(t *testing.T) {
	url := redistest.Server(t).URL()
	a, b := start(t, serve.Config{Redis: url}), start(t, serve.Config{Redis: url})
	id := a.desk(t, "c").id
	var taken, late atomic.Int64
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			client := a.recovery
			if i%2 == 0 {
				client = b.recovery
			}
			_, err := client.ResolveCase(t.Context(), recoveryv1.ResolveCaseRequest_builder{
				CaseId: id, RequestId: fmt.Sprint(i), Outcome: recoveryv1.Outcome_OUTCOME_SATISFIED, Revision: proto.Int64(1),
			}.Build())
			switch status.Code(err) {
			case codes.OK:
				taken.Add(1)
			case codes.Aborted:
				late.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if taken.Load() != 1 || late.Load() != 31 {
		t.Errorf("%d took the step, %d came late", taken.Load(), late.Load())
	}
}

func TestStepsThatCannotBeTaken(t *testing.T) {
	r := start(t, serve.Config{})
	d := r.desk(t, "c")
	ack := func(id string, revision *int64) error {
		_, err := r.recovery.AcknowledgeCase(t.Context(), recoveryv1.AcknowledgeCaseRequest_builder{
			CaseId: id, RequestId: d.request(), Revision: revision,
		}.Build())
		return err
	}
	for name, test := range map[string]struct {
		err    error
		code   codes.Code
		reason string
	}{
		"a case that never was":        {ack(d.id+"1", nil), codes.NotFound, "CASE_NOT_FOUND"},
		"a case of nobody":             {ack("cAAAAAAAAAAAAAAAAAAAAAA.1", nil), codes.NotFound, "CASE_NOT_FOUND"},
		"no case id":                   {ack("what?", nil), codes.NotFound, "CASE_NOT_FOUND"},
		"a revision that is long gone": {ack(d.id, proto.Int64(99)), codes.Aborted, "REVISION_MISMATCH"},
	} {
		if code, reason, _ := refused(t, test.err); code != test.code || reason != test.reason {
			t.Errorf("%s: %v; want %s %s", name, test.err, test.code, test.reason)
		}
	}
	_, err := r.recovery.RecordContact(t.Context(), &recoveryv1.RecordContactRequest{})
	if code, _, faults := refused(t, err); code != codes.InvalidArgument || len(faults) != 4 {
		t.Errorf("an empty request has the faults %v", faults)
	}
}

// A clock that is set forward a day makes what it says: what is due is missed,
// once. Set back again, and an hour more, it takes nothing back and stops nobody.
func TestClockThatJumps(t *testing.T) {
	r := start(t, serve.Config{Sweep: 10 * time.Millisecond})
	d := r.desk(t, "c")
	read := func() *recoveryv1.Case {
		t.Helper()
		answer, err := r.recovery.GetCase(t.Context(), recoveryv1.GetCaseRequest_builder{CaseId: d.id}.Build())
		if err != nil {
			t.Fatal(err)
		}
		return answer.GetCase()
	}
	missed := func(k *recoveryv1.Case) int { return strings.Count(deadlines(k), "MISSED") }
	r.clock.move(-time.Hour)
	if k := must[*recoveryv1.Case](t)(d.ack(t.Context())); k.GetState() != recoveryv1.CaseState_CASE_STATE_ACKNOWLEDGED {
		t.Errorf("%s", k.GetState())
	}
	w := r.watch(t, &recoveryv1.WatchCasesRequest{})
	r.clock.move(24 * time.Hour)
	// A reader sees time passed at once; who watches sees what the sweep has committed.
	for committed := false; !committed; {
		committed = w.events(t, 1)[0].GetTransition().GetKind() == recoveryv1.TransitionKind_TRANSITION_KIND_MISSED
	}
	before := read()
	r.clock.move(-25 * time.Hour)
	if k := must[*recoveryv1.Case](t)(d.contact(t.Context(), recoveryv1.ContactDirection_CONTACT_DIRECTION_OUTBOUND, false)); missed(k) != missed(before) || missed(k) != 4 {
		t.Errorf("%s after %s", deadlines(k), deadlines(before))
	}
	if k := must[*recoveryv1.Case](t)(d.resolve(t.Context(), recoveryv1.Outcome_OUTCOME_SATISFIED)); k.GetState() != recoveryv1.CaseState_CASE_STATE_RESOLVED {
		t.Errorf("%s", k.GetState())
	}
}
