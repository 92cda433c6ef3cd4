package rpc

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/makeamends/amends/internal/auth"
	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/policy"
	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/redistest"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// thrifty is the default policy with 20 dollars a day, with offers that are valid
// for an hour, and with two open cases of a customer.
type thrifty struct{}

func (thrifty) Rules(context.Context, ...string) (recovery.Rules, error) {
	p := *policy.Default().Rules
	dollar := p.Currencies["USD"]
	dollar.DailyBudget = 20_00
	p.Currencies = maps.Clone(p.Currencies)
	p.Currencies["USD"] = dollar
	p.Compensation.ValidFor = time.Hour
	p.Memory.OpenCases = 2
	return recovery.Rules{Active: &p}, nil
}

// interrupted is a ledger whose caller is held up, once, while something else
// happens: when it has read a case, or before it changes a customer. What answers to
// the changes of a lost one nobody hears.
type interrupted struct {
	*ledger.Ledger
	read, change func()
	lost         bool
}

func (i *interrupted) Case(ctx context.Context, id string) (ledger.Snapshot, recovery.Case, error) {
	at, k, err := i.Ledger.Case(ctx, id)
	happen(&i.read)
	return at, k, err
}

func (i *interrupted) Update(ctx context.Context, w ledger.Write, judge ledger.Judge) ([]ledger.Result, error) {
	happen(&i.change)
	results, err := i.Ledger.Update(ctx, w, judge)
	if err == nil && i.lost {
		return nil, &ledger.Unavailable{Unknown: true}
	}
	return results, err
}

func happen(what *func()) {
	if do := *what; do != nil {
		*what = nil
		do()
	}
}

// till is where offers are drawn up: by calls that are done at once, and by one
// that is held up.
type till struct {
	testing.TB
	ctx         context.Context
	ledger      *interrupted
	quick, slow *Service
	ahead       atomic.Int64 // of noon, in ns
	calls       int
	other       string // a case of another customer
}

func openTill(t *testing.T, url string) *till {
	l := &till{TB: t, ctx: auth.WithPlace(t.Context())}
	if _, err := auth.Open().Admit(l.ctx, "", auth.Credentials{}); err != nil {
		t.Fatal(err)
	}
	store, err := ledger.Open(t.Context(), ledger.Options{URL: url, Secret: []byte(strings.Repeat("s", 32)), Now: l.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	l.ledger = &interrupted{Ledger: store}
	service := func(on Ledger) *Service {
		s, err := New(Config{Ledger: on, Rules: thrifty{}, Now: l.now, Tracer: noop.NewTracerProvider().Tracer("")})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	l.quick, l.slow = service(store), service(l.ledger)
	return l
}

func (l *till) now() time.Time { return noon.Add(time.Duration(l.ahead.Load())) }

func (l *till) request() string { l.calls++; return fmt.Sprint("request ", l.calls) }

func dollars(n int64) *money.Money { return &money.Money{CurrencyCode: "USD", Units: n} }

// opened reports the first failure of a customer and gives the case.
func (l *till) opened(customer string) string {
	l.Helper()
	return l.reported(customer, 1)
}

// reported reports a failure of a customer and gives the case, which is that of its
// number.
func (l *till) reported(customer string, number int64) string {
	l.Helper()
	if _, err := l.quick.ReportFailure(l.ctx, recoveryv1.ReportFailureRequest_builder{Event: recoveryv1.FailureEvent_builder{
		EventId: fmt.Sprint("e-", customer, number), CustomerId: customer, OccurredAt: timestamppb.New(noon),
		Kinds:         []recoveryv1.FailureKind{recoveryv1.FailureKind_FAILURE_KIND_QUALITY},
		OrderValue:    dollars(200),
		Acceptance:    recoveryv1.Acceptance_ACCEPTANCE_REJECTED,
		Corroboration: recoveryv1.Corroboration_CORROBORATION_SYSTEM_OBSERVED,
	}.Build()}.Build()); err != nil {
		l.Fatal(err)
	}
	return ledger.CaseID(l.ledger.Key(DefaultTenant, customer), number)
}

// resolved ends a case for good.
func (l *till) resolved(id string) {
	l.Helper()
	if _, err := l.quick.ResolveCase(l.ctx, recoveryv1.ResolveCaseRequest_builder{
		CaseId: id, RequestId: l.request(), Outcome: recoveryv1.Outcome_OUTCOME_WITHDRAWN,
	}.Build()); err != nil {
		l.Fatal(err)
	}
}

// ask requests an offer with that goodwill.
func (l *till) ask(s *Service, id string, goodwill int64) *recoveryv1.Offer {
	l.Helper()
	answer, err := s.RequestOffer(l.ctx, recoveryv1.RequestOfferRequest_builder{
		CaseId: proto.String(id), RequestId: l.request(), Goodwill: dollars(goodwill),
	}.Build())
	if err != nil {
		l.Fatal(err)
	}
	return answer.GetOffer()
}

// answered has an offer made and answered.
func (l *till) answered(id string, o *recoveryv1.Offer, how recoveryv1.Answer) {
	l.Helper()
	if _, err := l.quick.MakeOffer(l.ctx, recoveryv1.MakeOfferRequest_builder{CaseId: id, RequestId: l.request(), OfferId: o.GetOfferId()}.Build()); err != nil {
		l.Fatal(err)
	}
	if _, err := l.quick.AnswerOffer(l.ctx, recoveryv1.AnswerOfferRequest_builder{CaseId: id, RequestId: l.request(), OfferId: o.GetOfferId(), Answer: how}.Build()); err != nil {
		l.Fatal(err)
	}
}

// given is how many cents the offers of some cases give without approval, of
// those that can be or were accepted.
func (l *till) given(ids ...string) (cents int64) {
	l.Helper()
	for _, id := range ids {
		_, k, err := l.ledger.Ledger.Case(l.ctx, id)
		if err != nil {
			l.Fatal(err)
		}
		for _, o := range k.Offers {
			if o.Live() || o.State == recovery.OfferAccepted {
				cents += o.Reserved
			}
		}
	}
	return cents
}

// Whatever becomes of an offer while another is drawn up in its place, all that are
// given keep within the budget, and what none of them gives is free again.
func TestBudgetWhileAnOfferGivesWay(t *testing.T) {
	const accepted, refused = recoveryv1.Answer_ANSWER_ACCEPTED, recoveryv1.Answer_ANSWER_REFUSED
	for name, tt := range map[string]struct {
		first        int64 // goodwill of the offer that is to give way, in dollars
		meanwhile    func(l *till, id string, first *recoveryv1.Offer)
		read, booked int64 // cents given in the end, if it happens when the case was read, and when the budget was booked
	}{
		"nothing": {20, func(*till, string, *recoveryv1.Offer) {}, 20_00, 20_00},
		"another takes its place": {20, func(l *till, id string, _ *recoveryv1.Offer) {
			l.ask(l.quick, id, 1)
		}, 19_00, 20_00},
		"it is accepted": {15, func(l *till, id string, first *recoveryv1.Offer) {
			l.answered(id, first, accepted)
		}, 20_00, 20_00},
		"it is refused and another customer asks": {20, func(l *till, id string, first *recoveryv1.Offer) {
			l.answered(id, first, refused)
			l.ask(l.quick, l.other, 20)
		}, 20_00, 20_00},
		"it expires and another customer asks": {20, func(l *till, id string, _ *recoveryv1.Offer) {
			l.ahead.Store(int64(90 * time.Minute))
			if _, err := l.quick.AcknowledgeCase(l.ctx, recoveryv1.AcknowledgeCaseRequest_builder{CaseId: id, RequestId: l.request()}.Build()); err != nil {
				l.Fatal(err)
			}
			l.ask(l.quick, l.other, 20)
		}, 20_00, 20_00},
	} {
		run := func(when string, want int64, hold func(on *interrupted, happens func())) {
			t.Run(name+" when "+when, func(t *testing.T) {
				l := openTill(t, redistest.Shared(t).URL())
				id := l.opened("c")
				l.other = l.opened("other")
				first := l.ask(l.quick, id, tt.first)
				hold(l.ledger, func() { tt.meanwhile(l, id, first) })
				l.ask(l.slow, id, 40)
				if got := l.given(id, l.other); got != want {
					t.Errorf("%d cents are given, want %d of the 2000", got, want)
				}
				if used, err := l.ledger.BudgetUsed(l.ctx, DefaultTenant, "USD", noon); err != nil || used != want {
					t.Errorf("%d cents of the budget are used, %v; want %d", used, err, want)
				}
			})
		}
		run("read", tt.read, func(on *interrupted, happens func()) { on.read = happens })
		run("booked", tt.booked, func(on *interrupted, happens func()) { on.change = happens })
	}
}

// A dry run prices as the call itself does, also when an offer gives way to it.
func TestDryRunWhileAnOfferGivesWay(t *testing.T) {
	for name, tt := range map[string]struct {
		other int64         // goodwill of another customer's offer, in dollars
		later time.Duration // when the second offer is asked for
		want  int64         // dollars
	}{
		"some is left beside it":                  {0, time.Minute, 12},
		"it holds all the rest":                   {8, time.Minute, 12},
		"it is of yesterday, and today's is left": {0, 45 * time.Minute, 12},
		"it is of yesterday, and today's is gone": {20, 45 * time.Minute, 0},
	} {
		t.Run(name, func(t *testing.T) {
			l := openTill(t, redistest.Shared(t).URL())
			id, other := l.opened("c"), l.opened("other")
			l.ahead.Store(int64(11*time.Hour + 30*time.Minute))
			l.ask(l.quick, id, 12)
			l.ahead.Add(int64(tt.later))
			if tt.other > 0 {
				l.ask(l.quick, other, tt.other)
			}
			dry, err := l.quick.RequestOffer(l.ctx, recoveryv1.RequestOfferRequest_builder{
				CaseId: proto.String(id), RequestId: l.request(), Goodwill: dollars(12), ValidateOnly: true,
			}.Build())
			if err != nil {
				t.Fatal(err)
			}
			if got := dry.GetOffer().GetAutomatic().GetUnits(); got != tt.want {
				t.Errorf("the dry run gives %d dollars without approval, want %d", got, tt.want)
			}
			if got := l.ask(l.quick, id, 12).GetAutomatic().GetUnits(); got != tt.want {
				t.Errorf("the call gives %d dollars without approval, want %d", got, tt.want)
			}
		})
	}
}

// Whatever ends an offer, also of another case than it is about, gives back at once
// what the offer held of the budget.
func TestBudgetOfAnOfferThatEnds(t *testing.T) {
	const afterwards = 90 * time.Minute
	number := func(l *till, n int64) string { return ledger.CaseID(l.ledger.Key(DefaultTenant, "c"), n) }
	for name, tt := range map[string]struct {
		later time.Duration // than it was drawn up
		do    func(l *till) error
	}{
		"a report opens a case too many": {0, func(l *till) error {
			l.reported("c", 4)
			return nil
		}},
		"a case too many is opened again": {0, func(l *till) error {
			_, err := l.quick.ReopenCase(l.ctx, recoveryv1.ReopenCaseRequest_builder{CaseId: number(l, 1), RequestId: l.request()}.Build())
			return err
		}},
		"a report comes after its time": {afterwards, func(l *till) error {
			l.reported("c", 4)
			return nil
		}},
		"praise comes after its time": {afterwards, func(l *till) error {
			_, err := l.quick.RecordInteractions(l.ctx, recoveryv1.RecordInteractionsRequest_builder{Interactions: []*recoveryv1.Interaction{
				recoveryv1.Interaction_builder{
					InteractionId: "i", CustomerId: "c", OccurredAt: timestamppb.New(noon), Kind: recoveryv1.InteractionKind_INTERACTION_KIND_PRAISE,
				}.Build(),
			}}.Build())
			return err
		}},
		"another case takes a step after its time": {afterwards, func(l *till) error {
			_, err := l.quick.AcknowledgeCase(l.ctx, recoveryv1.AcknowledgeCaseRequest_builder{CaseId: number(l, 3), RequestId: l.request()}.Build())
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			l := openTill(t, redistest.Shared(t).URL())
			l.resolved(l.reported("c", 1))
			id := l.reported("c", 2)
			l.reported("c", 3)
			l.ask(l.quick, id, 20)
			l.ahead.Store(int64(tt.later))
			if err := tt.do(l); err != nil {
				t.Fatal(err)
			}
			if given := l.given(id); given != 0 {
				t.Fatalf("%d cents are given, so the offer has not ended", given)
			}
			if used, err := l.ledger.BudgetUsed(l.ctx, DefaultTenant, "USD", noon); err != nil || used != 0 {
				t.Errorf("%d cents of the budget are used, %v", used, err)
			}
		})
	}
}

// A step that was carried out, but whose process ended before it told the budget, is
// told to the budget when it is asked for again.
func TestBudgetOfAnOfferThatEndsUnheard(t *testing.T) {
	l := openTill(t, redistest.Shared(t).URL())
	l.ledger.lost = true
	id := l.opened("c")
	l.ask(l.quick, id, 20)
	req := recoveryv1.ResolveCaseRequest_builder{CaseId: id, RequestId: l.request(), Outcome: recoveryv1.Outcome_OUTCOME_WITHDRAWN}.Build()
	if _, err := l.slow.ResolveCase(l.ctx, req); err == nil {
		t.Fatal("its answer was not lost")
	}
	if _, err := l.quick.ResolveCase(l.ctx, req); err != nil {
		t.Fatal(err)
	}
	if used, err := l.ledger.BudgetUsed(l.ctx, DefaultTenant, "USD", noon); err != nil || used != 0 {
		t.Errorf("%d cents of the budget are used, %v", used, err)
	}
}
