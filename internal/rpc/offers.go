package rpc

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/recovery"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// RequestOffer draws up an offer at the prices of now. What it gives without
// approval is taken out of the tenant's budget first, and the offer is kept
// second; what is taken and not kept goes back.
func (s *Service) RequestOffer(ctx context.Context, req *recoveryv1.RequestOfferRequest) (*recoveryv1.RequestOfferResponse, error) {
	if req.HasEvent() {
		return s.imagineOffer(ctx, req)
	}
	o := &offering{service: s, req: req}
	if req.GetValidateOnly() {
		return o.rehearse(ctx)
	}
	return o.carryOut(ctx)
}

// offering is one call of RequestOffer for a case.
type offering struct {
	service *Service
	req     *recoveryv1.RequestOfferRequest
}

// subject is the case that an offer is asked for, and what it is judged by.
type subject struct {
	at       ledger.Snapshot
	customer recovery.Customer // with the case among the closed ones if it was filed away, so that a step with it is refused for what it is
	kase     recovery.Case
	rules    recovery.Rules
}

// load reads the case as it is stored.
func (o *offering) load(ctx context.Context) (subject, error) {
	at, k, err := o.service.ledger.Case(ctx, o.req.GetCaseId())
	if err == nil {
		err = own(ctx)(at.Tenant)
	}
	if err != nil {
		return subject{}, err
	}
	c := at.Customer
	if recovery.Numbered(c.Open, k.Number) == nil {
		c.Closed = []recovery.Case{k}
	}
	rules, err := o.service.rulesFor(ctx, c)
	return subject{at, c, k, rules}, err
}

func (o *offering) carryOut(ctx context.Context) (*recoveryv1.RequestOfferResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, offerTime)
	defer cancel()
	g, err := o.book(ctx)
	if err != nil {
		return nil, err
	}
	stored, replayed, err := o.service.step(ctx, o.req, func(rules recovery.Rules) (recovery.Action, error) {
		a, err := action(recovery.StepRequestOffer, o.req.GetGoodwill(), rules)
		a.Budget, a.Booking, a.Instead = g.Price, g.booking.Name, g.instead
		return a, err
	})
	// No offer was kept with this booking, which is this call's alone. Where that
	// is not known, the sweep finds out.
	if g.booking.Name != "" && (replayed || err != nil && !unknown(err)) {
		_ = o.service.ledger.ReturnBooking(context.WithoutCancel(ctx), g.booking)
	}
	if err != nil {
		return nil, err
	}
	kase := &recoveryv1.Case{}
	if err := proto.Unmarshal(stored, kase); err != nil {
		return nil, err
	}
	return offerAnswer(kase), nil
}

// offerAnswer points out the newest offer of a case.
func offerAnswer(kase *recoveryv1.Case) *recoveryv1.RequestOfferResponse {
	offers := kase.GetOffers()
	return recoveryv1.RequestOfferResponse_builder{Offer: offers[len(offers)-1], Case: kase}.Build()
}

// unknown reports whether a change may have been made although it failed.
func unknown(err error) bool {
	var gone *ledger.Unavailable
	return errors.As(err, &gone) && gone.Unknown || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

const (
	// offerTime bounds the call, whatever its caller allows.
	offerTime = time.Minute
	// doubtAfter is how long a booking may be without its offer: far longer than
	// the call that would keep it.
	doubtAfter = 10 * offerTime
)

// grant is what the tenant's budget gives to an offer.
type grant struct {
	recovery.Price
	booking ledger.Booking // without a name: nothing was taken
	instead int64          // number of the offer that gives way; 0: none
}

// book takes what the offer would give without approval out of the tenant's
// budget, under a name that no other call has. Nothing is taken for a request
// that was carried out before, nor for one that will be refused: both are told
// so by the step, as is who asks for a case that is not there any more. What the
// offer that gives way to this one still holds is counted as free: it ends with
// the step, or the step sees that it was accepted.
func (o *offering) book(ctx context.Context) (g grant, err error) {
	s := o.service
	was, err := o.load(ctx)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return g, nil
	case err != nil:
		return g, err
	}
	now := s.now()
	name := ledger.BookingName(now, s.ledger.Hash("booking", o.req.GetCaseId()+" "+o.req.GetRequestId()))
	wish, err := o.preview(was.customer, was.kase.Number, was.rules, anyBudget)
	if err != nil || slices.ContainsFunc(was.kase.Offers, func(old recovery.Offer) bool { return ledger.SameBooking(old.Booking, name) }) {
		return g, nil
	}
	g.Price = recovery.Price{Currency: wish.Currency, Minor: wish.Reserved}
	limit := budget(was.rules, wish.Currency)
	switch {
	case limit == recovery.NoBudget:
		return grant{Price: anyBudget}, nil
	case wish.Reserved == 0:
		return g, nil
	}
	old := givesWay(&was.kase)
	g.instead = old.Number
	g.booking = ledger.Booking{Tenant: was.at.Tenant, Currency: wish.Currency, Day: now, CaseID: o.req.GetCaseId(), Name: name}
	g.Minor, err = s.ledger.Book(ctx, g.booking, old.Booking, wish.Reserved, limit, now.Add(doubtAfter))
	return g, err
}

// givesWay is the offer that ends when the case gets another: the only one that
// may be live, as each ends those before it.
func givesWay(k *recovery.Case) (old recovery.Offer) {
	if i := slices.IndexFunc(k.Offers, recovery.Offer.Live); i >= 0 {
		old = k.Offers[i]
	}
	return old
}

// anyBudget bounds nothing.
var anyBudget = recovery.Price{Minor: recovery.NoBudget}

// budget is how much of a currency a tenant may give in a day, by the policy
// that is active.
func budget(rules recovery.Rules, currency string) int64 {
	if cur, ok := rules.Active.Currencies[currency]; ok {
		return cur.DailyBudget
	}
	cur, _ := rules.Currency(currency)
	return cur.DailyBudget
}

// preview is the offer as it would be drawn up now.
func (o *offering) preview(c recovery.Customer, number int64, rules recovery.Rules, budget recovery.Price) (recovery.Offer, error) {
	k, err := o.imagine(c, number, rules, budget)
	if err != nil {
		return recovery.Offer{}, err
	}
	return k.Offers[len(k.Offers)-1], nil
}

func (o *offering) imagine(c recovery.Customer, number int64, rules recovery.Rules, budget recovery.Price) (recovery.Case, error) {
	a, err := action(recovery.StepRequestOffer, o.req.GetGoodwill(), rules)
	if err != nil {
		return recovery.Case{}, err
	}
	a.Budget, a.Revision = budget, o.req.GetRevision()
	_, k, err := recovery.Advance(c, number, a, rules, o.service.now())
	return k, err
}

// rehearse answers as if and reserves nothing.
func (o *offering) rehearse(ctx context.Context) (*recoveryv1.RequestOfferResponse, error) {
	was, err := o.load(ctx)
	if err != nil {
		return nil, err
	}
	return o.suppose(ctx, origin{was.at.Tenant, was.at.Key}, was.customer, was.kase.Number, was.rules)
}

// suppose prices the offer with what is left of the tenant's budget, what the
// offer that gives way to it holds of the same day included.
func (o *offering) suppose(ctx context.Context, at origin, c recovery.Customer, number int64, rules recovery.Rules) (*recoveryv1.RequestOfferResponse, error) {
	wish, err := o.preview(c, number, rules, anyBudget)
	if err != nil {
		return nil, err
	}
	left := budget(rules, wish.Currency)
	if left != recovery.NoBudget && wish.Reserved > 0 {
		now := o.service.now()
		used, err := o.service.ledger.BudgetUsed(ctx, at.tenant, wish.Currency, now)
		if err != nil {
			return nil, err
		}
		old := givesWay(recovery.Numbered(c.Open, number))
		if ledger.BookingOf(at.tenant, o.req.GetCaseId(), &old).SameBudget(ledger.Booking{Tenant: at.tenant, Currency: wish.Currency, Day: now}) {
			used -= old.Reserved
		}
		left = max(left-used, 0)
	}
	k, err := o.imagine(c, number, rules, recovery.Price{Currency: wish.Currency, Minor: left})
	if err != nil {
		return nil, err
	}
	answer := offerAnswer(encode(at, &k, rules))
	name := answer.GetOffer().GetOfferId() // of an offer that is not kept: nothing may name it
	for _, t := range answer.GetCase().GetHistory() {
		if t.GetOfferId() == name {
			t.SetOfferId("")
		}
	}
	answer.GetOffer().SetOfferId("")
	return answer, nil
}

// imagineOffer prices an offer for a failure that nobody has reported.
func (s *Service) imagineOffer(ctx context.Context, req *recoveryv1.RequestOfferRequest) (*recoveryv1.RequestOfferResponse, error) {
	event := req.GetEvent()
	at, err := s.origin(ctx, event)
	if err != nil {
		return nil, err
	}
	was, err := s.ledger.Load(ctx, at.key)
	if err != nil {
		return nil, err
	}
	rules, err := s.rulesFor(ctx, was.Customer)
	if err != nil {
		return nil, err
	}
	r := &report{service: s, field: inEvent, event: event, at: at}
	c, k, err := r.decide(ctx, was.Customer, rules, s.now())
	if err != nil {
		return nil, err
	}
	o := &offering{service: s, req: req}
	answer, err := o.suppose(ctx, at, c, k.Number, rules)
	if err != nil {
		return nil, err
	}
	answer.GetCase().SetCustomerId(event.GetCustomerId())
	if k.Number > was.Customer.Cases {
		answer.GetCase().SetCaseId("")
	}
	return answer, nil
}

// ApproveOffer allows what exceeds the automatic limits.
func (s *Service) ApproveOffer(ctx context.Context, req *recoveryv1.ApproveOfferRequest) (*recoveryv1.ApproveOfferResponse, error) {
	return stepOffer(s, ctx, req, func(rules recovery.Rules) (recovery.Action, error) {
		a, err := action(recovery.StepApproveOffer, req.GetGoodwill(), rules)
		a.Approver = req.GetApprover()
		return a, err
	}, &recoveryv1.ApproveOfferResponse{})
}

// MakeOffer records that the customer was told of an offer.
func (s *Service) MakeOffer(ctx context.Context, req *recoveryv1.MakeOfferRequest) (*recoveryv1.MakeOfferResponse, error) {
	return stepOffer(s, ctx, req, plainly(recovery.StepMakeOffer), &recoveryv1.MakeOfferResponse{})
}

// AnswerOffer records what the customer said to an offer.
func (s *Service) AnswerOffer(ctx context.Context, req *recoveryv1.AnswerOfferRequest) (*recoveryv1.AnswerOfferResponse, error) {
	step := recovery.StepAcceptOffer
	if req.GetAnswer() == recoveryv1.Answer_ANSWER_REFUSED {
		step = recovery.StepRefuseOffer
	}
	return stepOffer(s, ctx, req, plainly(step), &recoveryv1.AnswerOfferResponse{})
}

func plainly(step recovery.Step) func(recovery.Rules) (recovery.Action, error) {
	return func(recovery.Rules) (recovery.Action, error) { return recovery.Action{Step: step}, nil }
}

// stepOffer takes one step with an offer of a case.
func stepOffer[R interface {
	stepRequest
	GetOfferId() string
}, A proto.Message](s *Service, ctx context.Context, req R, how func(recovery.Rules) (recovery.Action, error), answer A) (A, error) {
	stored, _, err := s.step(ctx, req, func(rules recovery.Rules) (recovery.Action, error) {
		number, ok := offerNumber(req.GetCaseId(), req.GetOfferId())
		if !ok {
			return recovery.Action{}, recovery.ErrNoOffer
		}
		a, err := how(rules)
		a.Offer = number
		return a, err
	})
	if err != nil {
		var none A
		return none, err
	}
	return withStored(answer, stored), nil
}

// action is a step with the goodwill that the caller names, if any.
func action(step recovery.Step, goodwill *money.Money, rules recovery.Rules) (recovery.Action, error) {
	a := recovery.Action{Step: step}
	if goodwill == nil {
		return a, nil
	}
	currency, listed := rules.Currency(goodwill.GetCurrencyCode())
	if !listed {
		return a, recovery.ErrCurrency // the one of the case is listed
	}
	amount, whole := minor(goodwill, currency.Digits)
	if !whole {
		return a, invalid([]fault{{field: "goodwill", allowed: "must not be finer than the minor unit of " + goodwill.GetCurrencyCode()}})
	}
	a.Goodwill = &recovery.Price{Currency: goodwill.GetCurrencyCode(), Minor: amount}
	return a, nil
}

// OfferID names an offer by its case and its number.
func OfferID(caseID string, number int64) string {
	return caseID + "." + strconv.FormatInt(number, 10)
}

// offerNumber takes an offer id of a case apart.
func offerNumber(caseID, offerID string) (int64, bool) {
	digits, ok := strings.CutPrefix(offerID, caseID+".")
	number, err := strconv.ParseInt(digits, 10, 64)
	return number, ok && err == nil && number > 0 && OfferID(caseID, number) == offerID
}
