package recovery

import (
	"slices"
	"time"
)

// requestOffer draws up an offer at the prices of now. One that the customer
// does not know of yet gives way to it.
func (t turn) requestOffer(a Action) error {
	c, k := t.c, t.k
	d := Decide(t.p, c, k, t.now)
	o, err := t.price(&d, a)
	if err != nil {
		return err
	}
	k.Assessment, k.Recommendation = d.Assessment, d.Recommendation
	k.endOffers(t.now)
	if !k.makeRoomForOffer() {
		return ErrNothing
	}
	k.Offers = append(k.Offers, o)
	c.book(t.p, k, t.now)
	t.noteOffer(ChangeOfferRequested, &o)
	return nil
}

func (t turn) noteOffer(what Change, o *Offer) {
	t.k.note(Transition{At: t.now, Change: what, Offer: o.Number})
}

// makeRoomForOffer drops the oldest offer that came to nothing when there are
// too many; false when all of them count.
func (k *Case) makeRoomForOffer() bool {
	if len(k.Offers) < MostOffers {
		return true
	}
	i := slices.IndexFunc(k.Offers, func(o Offer) bool { return o.State == Expired || o.State == OfferRefused })
	if i >= 0 {
		k.Offers = slices.Delete(slices.Clone(k.Offers), i, i+1)
	}
	return i >= 0
}

// nextOffer is the number of the offer to come.
func (k *Case) nextOffer() int64 {
	if len(k.Offers) == 0 {
		return 1
	}
	return k.Offers[len(k.Offers)-1].Number + 1
}

// price makes an offer of what is recommended, less what was accepted already,
// and reserves what of its goodwill needs no approval.
func (t turn) price(d *Decision, a Action) (Offer, error) {
	o := Offer{
		Number: t.k.nextOffer(), State: Proposed, Items: t.k.outstanding(d.Recommendation.Items),
		Currency: d.Recommendation.Currency, CreatedAt: t.now, ExpiresAt: t.now.Add(t.p.Compensation.ValidFor),
	}
	limit := t.automaticLeft(o.Currency)
	if a.Budget.Currency != "" && a.Budget.Currency != o.Currency {
		limit = 0 // what the budget grants is of another currency
	}
	limit = min(limit, t.k.granted(a))
	if a.Goodwill != nil {
		if err := t.admitGoodwill(*a.Goodwill, o.Currency); err != nil {
			return Offer{}, err
		}
		o.Items = t.withGoodwill(o.Items, a.Goodwill.Minor)
	}
	if len(o.Items) == 0 {
		return Offer{}, ErrNothing
	}
	o.reserve(limit)
	o.Booking = a.Booking
	if slices.ContainsFunc(o.Items, func(it Item) bool { return it.Approval > 0 }) {
		o.State = ApprovalRequired
	}
	return o, nil
}

// granted is what the budget grants to a new offer. What was to give way and was
// accepted meanwhile is spent of it.
func (k *Case) granted(a Action) int64 {
	for _, o := range k.Offers {
		if o.Number == a.Instead && o.State == OfferAccepted {
			return a.Budget.Minor - o.Reserved
		}
	}
	return a.Budget.Minor
}

// reserve takes so much of the goodwill as needs no approval.
func (o *Offer) reserve(limit int64) {
	for i := range o.Items {
		if it := &o.Items[i]; it.Kind == Goodwill {
			o.Reserved = max(0, min(it.Amount-it.Approval, limit))
			it.Approval = it.Amount - o.Reserved
		}
	}
}

// approveOffer allows what exceeds the automatic limits, perhaps with another
// goodwill.
func (t turn) approveOffer(a Action) error {
	o, err := t.k.offer(a.Offer, ApprovalRequired)
	if err != nil {
		return err
	}
	if a.Goodwill != nil {
		if err := t.admitGoodwill(*a.Goodwill, o.Currency); err != nil {
			return err
		}
		was := o.Reserved
		o.Items, o.Reserved = t.withGoodwill(o.Items, a.Goodwill.Minor), 0
		o.reserve(was)
	}
	o.State, o.ApprovedAt, o.Approver = Approved, t.now, a.Approver
	t.c.book(t.p, t.k, t.now)
	t.noteOffer(ChangeOfferApproved, o)
	return nil
}

// makeOffer takes note that the customer was told, which is an answer.
func (t turn) makeOffer(a Action) error {
	o, err := t.k.offer(a.Offer, Proposed, Approved)
	if err != nil {
		return err
	}
	o.State, o.MadeAt = Made, t.now
	t.answer()
	t.k.meet(t.p, t.now, MakeOffer)
	t.noteOffer(ChangeOfferMade, o)
	return nil
}

// acceptOffer takes note of a yes: what was reserved is spent. It leaves nobody
// waiting for an answer.
func (t turn) acceptOffer(a Action) error {
	o, err := t.k.offer(a.Offer, Made)
	if err != nil {
		return err
	}
	o.State, o.AnsweredAt = OfferAccepted, t.now
	t.noteOffer(ChangeOfferAnswered, o)
	t.spoke(Private, t.k.Failure.Channel)
	t.k.AnsweredAt = later(t.k.AnsweredAt, t.now)
	t.k.meet(t.p, t.now, Acknowledge, FirstResponse)
	t.c.book(t.p, t.k, t.now)
	return nil
}

// refuseOffer takes note of a no: the recovery has failed too, and a better one
// is due.
func (t turn) refuseOffer(a Action) error {
	o, err := t.k.offer(a.Offer, Made)
	if err != nil {
		return err
	}
	o.State, o.AnsweredAt = OfferRefused, t.now
	t.noteOffer(ChangeOfferAnswered, o)
	t.spoke(Private, t.k.Failure.Channel)
	t.k.Refused = true
	t.judge(only(FirstResponse, MakeOffer))
	t.note(ChangeReassessed)
	return nil
}

// offer gives an offer of the case's own that is in one of the states.
func (k *Case) offer(number int64, in ...OfferState) (*Offer, error) {
	k.Offers = slices.Clone(k.Offers)
	for i := range k.Offers {
		o := &k.Offers[i]
		if o.Number != number {
			continue
		}
		if !slices.Contains(in, o.State) {
			return nil, &OfferError{State: o.State, Allowed: in}
		}
		return o, nil
	}
	return nil, ErrNoOffer
}

// endOffers ends the offers that nobody has answered.
func (k *Case) endOffers(now time.Time) {
	for i := range k.Offers {
		if k.Offers[i].Live() {
			k.endOffer(i, now)
		}
	}
}

// endOffer ends an offer that was not answered.
func (k *Case) endOffer(i int, now time.Time) {
	k.Offers = slices.Clone(k.Offers)
	k.Offers[i].State = Expired
	k.note(Transition{At: now, Change: ChangeOfferExpired, Offer: k.Offers[i].Number})
}

// expireOffers ends the offers whose time is over at one moment.
func (c *Customer) expireOffers(p *Policy, k *Case, at time.Time) {
	for i := range k.Offers {
		if k.Offers[i].Live() && !at.Before(k.Offers[i].ExpiresAt) {
			k.endOffer(i, at)
			c.book(p, k, at)
		}
	}
}

// outstanding is what of the recommended items was not accepted before.
func (k *Case) outstanding(items []Item) (rest []Item) {
	for _, it := range items {
		for _, o := range k.Offers {
			if o.State == OfferAccepted {
				it = it.less(o.Items)
			}
		}
		if it.Kind == Gesture && it.Menu != "" || it.Amount > 0 {
			rest = append(rest, it)
		}
	}
	return rest
}

// less takes off what was given already; of a gesture, all of it.
func (it Item) less(given []Item) Item {
	for _, g := range given {
		switch {
		case g.Kind != it.Kind:
		case it.Kind == Gesture && g.Menu == it.Menu:
			it.Menu = ""
		case it.Kind != Gesture:
			it.Amount = max(it.Amount-g.Amount, 0)
			it.Approval = min(it.Approval, it.Amount)
		}
	}
	return it
}

// automaticLeft is how much more goodwill the case may be given without
// approval, in minor units: of its own limit and of the customer's.
func (t turn) automaticLeft(currency string) int64 {
	s := situate(t.p, t.c, t.k, t.now)
	if s.abused {
		return 0
	}
	left := t.p.automatic(&s, currency)
	for _, o := range t.k.Offers {
		if o.State == OfferAccepted {
			left -= o.Reserved
		}
	}
	return max(left, 0)
}

// admitGoodwill refuses an amount that nobody may give.
func (t turn) admitGoodwill(g Price, currency string) error {
	if g.Currency != currency {
		return ErrCurrency
	}
	s := situate(t.p, t.c, t.k, t.now)
	risk := assess(t.p, &s)
	most := t.p.mostGoodwill(&s, &risk, currency)
	for _, o := range t.k.Offers {
		if o.State == OfferAccepted {
			most -= o.goodwill()
		}
	}
	if g.Minor > most {
		return &CapError{Most: Price{currency, max(most, 0)}, Digits: t.p.Currencies[currency].Digits}
	}
	return nil
}

func (o Offer) goodwill() (sum int64) {
	for _, it := range o.Items {
		if it.Kind == Goodwill {
			sum += it.Amount
		}
	}
	return sum
}

// withGoodwill puts another goodwill in the place of the recommended one. None
// of it is automatic when the case came too late to pay by itself.
func (t turn) withGoodwill(items []Item, minor int64) []Item {
	it := Item{Kind: Goodwill, Medium: t.p.Compensation.GoodwillCasual, Amount: minor}
	if t.k.Assessment.Relationship == Steady {
		it.Medium = t.p.Compensation.GoodwillSteady
	}
	if t.k.Failure.Stale {
		it.Approval = minor
	}
	var out []Item
	placed := minor == 0
	for _, old := range items {
		switch {
		case old.Kind == Goodwill:
			it.Medium = old.Medium
			continue
		case old.Kind == Gesture && !placed:
			out, placed = append(out, it), true
		}
		out = append(out, old)
	}
	if !placed {
		out = append(out, it)
	}
	return out
}
