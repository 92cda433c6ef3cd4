package serve_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
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

// policyWith is the default policy with something replaced, as a file.
func policyWith(tb testing.TB, old, new string) string {
	tb.Helper()
	text := policy.Default().YAML
	if bytes.Count(text, []byte(old)) != 1 {
		tb.Fatalf("%q is not once in the default policy", old)
	}
	path := filepath.Join(tb.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, bytes.Replace(text, []byte(old), []byte(new), 1), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

const dollarBudget = "USD: {scale: 1, round_to: 0.50, daily_budget: 10000}"

// cents is an amount in cents.
func cents(m *money.Money) int64 { return m.GetUnits()*100 + int64(m.GetNanos())/10_000_000 }

// worth reports a rejected order of that value, and asks for an offer.
func (r *running) worth(ctx context.Context, customer, order string, units int64) (*recoveryv1.Offer, error) {
	e := event("e-"+customer+order, customer)
	e.SetOrderId(order)
	e.SetOrderValue(usd(units, 0))
	e.SetCorroboration(recoveryv1.Corroboration_CORROBORATION_SYSTEM_OBSERVED)
	e.SetAcceptance(recoveryv1.Acceptance_ACCEPTANCE_REJECTED)
	answer, err := r.report(ctx, e)
	if err != nil {
		return nil, err
	}
	d := &desk{running: r, id: answer.GetCase().GetCaseId()}
	return d.offer(ctx)
}

// atOnce runs so many calls at once and gives their answers.
func atOnce[T any](tb testing.TB, n int, call func(int) (T, error)) []T {
	tb.Helper()
	out := make([]T, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			var err error
			if out[i], err = call(i); err != nil {
				tb.Error(err)
			}
		})
	}
	wg.Wait()
	return out
}

// 50 offers at once to one customer, through two servers: what is given without
// approval does not exceed the customer's cap by a cent. (It may stay below: a
// case that is offered less than was recommended frees the difference when
// others have been drawn up.)
func TestOffersAtTheCustomersCap(t *testing.T) {
	url := redistest.Server(t).URL()
	a, b := start(t, serve.Config{Redis: url}), start(t, serve.Config{Redis: url})
	offers := atOnce(t, 50, func(i int) (*recoveryv1.Offer, error) {
		r := a
		if i%2 == 0 {
			r = b
		}
		return r.worth(t.Context(), "c", fmt.Sprint(i), 30)
	})
	var sum int64
	for _, o := range offers {
		sum += cents(o.GetAutomatic())
		if o.HasApprovalRequired() != (o.GetState() == recoveryv1.OfferState_OFFER_STATE_APPROVAL_REQUIRED) {
			t.Errorf("offer %v", o)
		}
	}
	if sum > 100_00 {
		t.Errorf("%d cents given without approval, the cap is 100 dollars", sum)
	}
	if booked := cents(a.assess(t, "c").GetGoodwillGranted_90D()[0]); booked != sum {
		t.Errorf("%d cents are booked, %d were given", booked, sum)
	}
	last := must[*recoveryv1.Offer](t)(a.worth(t.Context(), "c", "last", 200))
	if want := min(50_00, 100_00-sum); cents(last.GetAutomatic()) != want {
		t.Errorf("%d cents of the next offer need no approval, want what is left: %d", cents(last.GetAutomatic()), want)
	}
}

// 200 offers at once to as many customers of one tenant: the budget of the day
// is given out to the last cent, and not a cent more. What is refused or expires
// is given back.
func TestOffersOverTheTenantsBudget(t *testing.T) {
	url := redistest.Server(t).URL()
	file := policyWith(t, dollarBudget, "USD: {scale: 1, round_to: 0.50, daily_budget: 123.45}")
	clock := newClock(noon)
	c := serve.Config{Redis: url, Policy: file, Now: clock.Now, Sweep: 20 * time.Millisecond}
	a, b := start(t, c), start(t, c)
	offers := atOnce(t, 200, func(i int) (*recoveryv1.Offer, error) {
		r := a
		if i%2 == 0 {
			r = b
		}
		return r.worth(t.Context(), fmt.Sprint("c", i), "o", 30)
	})
	var sum int64
	var first *recoveryv1.Offer
	for _, o := range offers {
		sum += cents(o.GetAutomatic())
		if first == nil && o.GetState() == recoveryv1.OfferState_OFFER_STATE_PROPOSED {
			first = o
		}
	}
	if sum != 123_45 {
		t.Errorf("%d cents given without approval, the budget is 123.45", sum)
	}
	if o, err := a.worth(t.Context(), "late", "o", 30); err != nil || cents(o.GetAutomatic()) != 0 {
		t.Errorf("beyond the budget: %v, %v", o, err)
	}
	d := &desk{running: a, n: 1, id: first.GetOfferId()[:strings.LastIndex(first.GetOfferId(), ".")]}
	must[*recoveryv1.Case](t)(d.make(t.Context(), first.GetOfferId()))
	must[*recoveryv1.Case](t)(d.answer(t.Context(), first.GetOfferId(), recoveryv1.Answer_ANSWER_REFUSED))
	if o, err := b.worth(t.Context(), "next", "o", 30); err != nil || cents(o.GetAutomatic()) != cents(first.GetAutomatic()) {
		t.Errorf("after a refusal of %v: %v, %v", first.GetAutomatic(), o, err)
	}
	clock.move(25 * time.Hour)
	if o, err := a.worth(t.Context(), "tomorrow", "o", 30); err != nil || cents(o.GetAutomatic()) == 0 {
		t.Errorf("the next day: %v, %v", o, err)
	}
}

// A repeated request draws up one offer and takes once from the budget, even
// when the offer has been refused meanwhile.
func TestRequestOfferTwice(t *testing.T) {
	r := start(t, serve.Config{Policy: policyWith(t, dollarBudget, "USD: {scale: 1, round_to: 0.50, daily_budget: 20}")})
	d := r.desk(t, "c")
	req := recoveryv1.RequestOfferRequest_builder{CaseId: proto.String(d.id), RequestId: "once"}.Build()
	ask := func() *recoveryv1.RequestOfferResponse {
		t.Helper()
		answer, err := r.recovery.RequestOffer(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	first := ask()
	again := ask()
	if !proto.Equal(first, again) || len(again.GetCase().GetOffers()) != 1 {
		t.Errorf("answered\n%v\nand then\n%v", first, again)
	}
	must[*recoveryv1.Case](t)(d.make(t.Context(), first.GetOffer().GetOfferId()))
	must[*recoveryv1.Case](t)(d.answer(t.Context(), first.GetOffer().GetOfferId(), recoveryv1.Answer_ANSWER_REFUSED))
	if !proto.Equal(first, ask()) {
		t.Error("another answer after the refusal")
	}
	// All 20 dollars are free again.
	rest := int64(0)
	for i := range 5 {
		o, err := r.worth(t.Context(), fmt.Sprint("other", i), "o", 30)
		if err != nil {
			t.Fatal(err)
		}
		rest += cents(o.GetAutomatic())
	}
	if rest != 20_00 {
		t.Errorf("%d cents were left in the budget, want 20 dollars", rest)
	}
	other := proto.CloneOf(req)
	other.SetGoodwill(usd(1, 0))
	if _, err := r.recovery.RequestOffer(t.Context(), other); status.Code(err) != codes.AlreadyExists {
		t.Errorf("the same id for another goodwill: %v", err)
	}
}

// A dry run prices and keeps nothing, for a case and for a failure that nobody
// has reported.
func TestRequestOfferDryRun(t *testing.T) {
	r := start(t, serve.Config{})
	d := r.desk(t, "c")
	dry, err := r.recovery.RequestOffer(t.Context(), recoveryv1.RequestOfferRequest_builder{
		CaseId: proto.String(d.id), RequestId: "dry", ValidateOnly: true,
	}.Build())
	if err != nil || dry.GetOffer().GetOfferId() != "" || !dry.GetOffer().HasTotal() {
		t.Errorf("%v, %v", dry, err)
	}
	got, err := r.recovery.GetCase(t.Context(), recoveryv1.GetCaseRequest_builder{CaseId: d.id}.Build())
	if err != nil || len(got.GetCase().GetOffers()) != 0 {
		t.Errorf("the dry run kept an offer: %v, %v", got, err)
	}
	answer, err := r.recovery.RequestOffer(t.Context(), recoveryv1.RequestOfferRequest_builder{
		Event: event("never", "stranger"), RequestId: "dry", ValidateOnly: true,
	}.Build())
	if err != nil || answer.GetCase().GetCaseId() != "" || answer.GetOffer().GetState() != recoveryv1.OfferState_OFFER_STATE_PROPOSED {
		t.Errorf("%v, %v", answer, err)
	}
	for _, step := range append(dry.GetCase().GetHistory(), answer.GetCase().GetHistory()...) {
		if step.GetOfferId() != "" {
			t.Errorf("the history names an offer that is not kept: %v", step)
		}
	}
	if a := r.assess(t, "stranger"); a.GetFailuresRemembered() != 0 {
		t.Error("the dry run was remembered")
	}
	_, err = r.recovery.RequestOffer(t.Context(), recoveryv1.RequestOfferRequest_builder{
		Event: event("never", "stranger"), RequestId: "wet",
	}.Build())
	if code, _, _ := refused(t, err); code != codes.InvalidArgument {
		t.Errorf("an offer without a case: %v", err)
	}
}

func TestOfferIsRefused(t *testing.T) {
	r := start(t, serve.Config{})
	d := r.desk(t, "c")
	o := must[*recoveryv1.Offer](t)(d.offer(t.Context()))
	ask := func(m *money.Money) error {
		_, err := r.recovery.RequestOffer(t.Context(), recoveryv1.RequestOfferRequest_builder{
			CaseId: proto.String(d.id), RequestId: d.request(), Goodwill: m,
		}.Build())
		return err
	}
	make := func(id string) error { _, err := d.make(t.Context(), id); return err }
	approve := func(id string) error { _, err := d.approve(t.Context(), id); return err }
	answer := func() error {
		_, err := d.answer(t.Context(), o.GetOfferId(), recoveryv1.Answer_ANSWER_ACCEPTED)
		return err
	}
	euros := &money.Money{CurrencyCode: "EUR", Units: 1}
	check := func(name string, err error, code codes.Code, reason, says string) {
		t.Helper()
		gotCode, gotReason, _ := refused(t, err)
		if gotCode != code || gotReason != reason || !strings.Contains(status.Convert(err).Message(), says) {
			t.Errorf("%s: %v; want %s %s %q", name, err, code, reason, says)
		}
	}
	check("another currency", ask(euros), codes.FailedPrecondition, "CURRENCY_MISMATCH", "another currency")
	check("a currency of nobody", ask(&money.Money{CurrencyCode: "XXX", Units: 1}), codes.FailedPrecondition, "CURRENCY_MISMATCH", "another currency")
	check("above the ceiling", ask(usd(1000, 0)), codes.FailedPrecondition, "CAP_REACHED", "USD")
	check("half a cent", ask(usd(1, 5_000_000)), codes.InvalidArgument, "INVALID_REQUEST", "goodwill")
	check("an offer that is not there", make(d.id+".9"), codes.NotFound, "OFFER_NOT_FOUND", "no such offer")
	check("an offer of another case", make("c0000000000000000000000.1.1"), codes.NotFound, "OFFER_NOT_FOUND", "no such offer")
	check("an offer id made up", make("other"), codes.NotFound, "OFFER_NOT_FOUND", "no such offer")
	for _, id := range []string{"nonsense", ofNobody(t), strings.TrimSuffix(d.id, ".1") + ".2"} {
		none := &desk{running: r, id: id}
		_, err := none.make(t.Context(), "other")
		check("make an offer of no case", err, codes.NotFound, "CASE_NOT_FOUND", "no such case")
		_, err = none.answer(t.Context(), id+".1", recoveryv1.Answer_ANSWER_ACCEPTED)
		check("answer an offer of no case", err, codes.NotFound, "CASE_NOT_FOUND", "no such case")
		for _, goodwill := range []*money.Money{nil, euros, {CurrencyCode: "XXX", Units: 1}} {
			_, err = r.recovery.ApproveOffer(t.Context(), recoveryv1.ApproveOfferRequest_builder{
				CaseId: id, RequestId: d.request(), OfferId: "other", Approver: "a", Goodwill: goodwill}.Build())
			check("approve an offer of no case", err, codes.NotFound, "CASE_NOT_FOUND", "no such case")
			_, err = r.recovery.RequestOffer(t.Context(), recoveryv1.RequestOfferRequest_builder{
				CaseId: &id, RequestId: d.request(), Goodwill: goodwill}.Build())
			check("an offer for no case", err, codes.NotFound, "CASE_NOT_FOUND", "no such case")
		}
	}
	check("approve what needs none", approve(o.GetOfferId()), codes.FailedPrecondition, "WRONG_STATE", "allows")
	check("answer what was not made", answer(), codes.FailedPrecondition, "WRONG_STATE", "allows")
	if err := make(o.GetOfferId()); err != nil {
		t.Fatal(err)
	}
	if err := answer(); err != nil {
		t.Fatal(err)
	}
	check("answered twice", answer(), codes.FailedPrecondition, "WRONG_STATE", "allows")
}

// Calls that overlap under one request id, some of them with another content or
// with no time, never take more from the budget than it has, and lose nothing
// of it.
func TestOneRequestIDAtOnce(t *testing.T) {
	url := redistest.Server(t).URL()
	file := policyWith(t, dollarBudget, "USD: {scale: 1, round_to: 0.50, daily_budget: 60}")
	a, b := start(t, serve.Config{Redis: url, Policy: file}), start(t, serve.Config{Redis: url, Policy: file})
	const cases = 40
	ids := atOnce(t, cases, func(i int) (string, error) {
		e := event(fmt.Sprint("e", i), fmt.Sprint("c", i))
		e.SetAcceptance(recoveryv1.Acceptance_ACCEPTANCE_REJECTED)
		e.SetCorroboration(recoveryv1.Corroboration_CORROBORATION_SYSTEM_OBSERVED)
		answer, err := a.report(t.Context(), e)
		return answer.GetCase().GetCaseId(), err
	})
	ask := func(ctx context.Context, r *running, id string, goodwill int64) {
		_, err := r.recovery.RequestOffer(ctx, recoveryv1.RequestOfferRequest_builder{
			CaseId: proto.String(id), RequestId: "one", Goodwill: usd(goodwill, 0),
		}.Build())
		switch status.Code(err) {
		case codes.OK, codes.AlreadyExists, codes.DeadlineExceeded, codes.Aborted, codes.Unavailable:
		default:
			t.Error(err)
		}
	}
	atOnce(t, 4*cases, func(i int) (struct{}, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if i%4 == 3 {
			cancel()
			ctx, cancel = context.WithTimeout(t.Context(), time.Duration(1+i%5)*time.Millisecond)
		}
		defer cancel()
		ask(ctx, []*running{a, b}[i%2], ids[i/4], int64(1+i%2))
		return struct{}{}, nil
	})
	held := int64(0)
	for i := range cases {
		answer, err := a.recovery.GetCase(t.Context(), recoveryv1.GetCaseRequest_builder{CaseId: ids[i]}.Build())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range answer.GetCase().GetOffers() {
			held += cents(o.GetAutomatic())
		}
		if n := len(answer.GetCase().GetOffers()); n > 1 {
			t.Errorf("%d offers under one request id", n)
		}
	}
	if held > 60_00 {
		t.Errorf("%d cents are offered without approval, the budget is 60 dollars", held)
	}
	rest := int64(0)
	for i := range 20 {
		o, err := b.worth(t.Context(), fmt.Sprint("rest", i), "o", 30)
		if err != nil {
			t.Fatal(err)
		}
		rest += cents(o.GetAutomatic())
	}
	// A call that was given up may leave a booking for the sweep to return.
	if held+rest > 60_00 {
		t.Errorf("%d cents and then %d were offered, the budget is 60 dollars", held, rest)
	}
}

// An offer that takes the place of another keeps what that one held.
func TestReplacedOfferNearTheBudget(t *testing.T) {
	r := start(t, serve.Config{Policy: policyWith(t, dollarBudget, "USD: {scale: 1, round_to: 0.50, daily_budget: 9}")})
	first := must[*recoveryv1.Offer](t)(r.worth(t.Context(), "c", "o", 30))
	d := &desk{running: r, n: 1, id: first.GetOfferId()[:strings.LastIndex(first.GetOfferId(), ".")]}
	second := must[*recoveryv1.Offer](t)(d.offer(t.Context()))
	if cents(second.GetAutomatic()) != cents(first.GetAutomatic()) || second.GetState() != first.GetState() {
		t.Errorf("first %v %s, then %v %s", first.GetAutomatic(), first.GetState(), second.GetAutomatic(), second.GetState())
	}
}
