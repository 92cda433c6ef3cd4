package recovery

import (
	"cmp"
	"math"
	"slices"
)

// recommend says what to give and what to say. What is owed comes first and in
// full; goodwill comes on top, within its ceilings.
func recommend(p *Policy, s *situation, a *Assessment) Recommendation {
	f := &s.kase.Failure
	currency := cmp.Or(f.Currency, p.Compensation.DefaultCurrency)
	rec := Recommendation{
		Items:     make([]Item, 0, 3+p.Compensation.MaxGestures),
		Currency:  currency,
		ExpiresAt: s.now.Add(p.Compensation.ValidFor),
	}
	rec.ReviewReasons = review(p, s)

	owed, restitution := f.Entitlement, restitution(f)
	lost := resource(p, f)
	rec.give(Item{Kind: Entitlement, Medium: Refund, Amount: owed})
	rec.give(Item{Kind: Restitution, Medium: p.restitutionMedium(lost), Amount: restitution})

	good := goodwill(p, s, a, currency)
	rec.Ratio = good.ratio
	approval := good.minor - min(good.minor, p.automatic(s, currency), p.fresh(s, good.minor, currency))
	rec.give(Item{Kind: Goodwill, Medium: good.medium, Amount: good.minor, Approval: approval})

	rec.gesture(p, s, a, lost)
	rec.Options = options(p, s.severity, rec.Items)
	rec.Apology = apologize(p, s, a, len(rec.Items) > 0)
	return rec
}

// give adds an item, unless there is nothing to give.
func (r *Recommendation) give(it Item) {
	if it.Amount > 0 {
		r.Items = append(r.Items, it)
	}
}

// restitution gives back the value of what was of no use, less what law or
// contract return already.
func restitution(f *Failure) int64 {
	if f.Acceptance != Rejected {
		return 0
	}
	return max(f.Value-f.Entitlement, 0)
}

// restitutionMedium matches what was lost. Lost attention or time cannot be
// paid back in kind: the money goes back as a refund and a call is added.
func (p *Policy) restitutionMedium(lost Resource) Medium {
	if m := p.Compensation.Mediums[lost]; m != Call && m != 0 {
		return m
	}
	return Refund
}

type gift struct {
	minor  int64
	ratio  float64
	medium Medium
}

// goodwill is what is given beyond what is owed.
func goodwill(p *Policy, s *situation, a *Assessment, currency string) gift {
	r, f := &p.Compensation, &s.kase.Failure
	g := gift{medium: r.GoodwillCasual}
	if s.steady() {
		g.medium = r.GoodwillSteady
	}
	perUnit := p.minorPerUnit(currency)
	step := p.Currencies[currency].RoundTo
	paid := f.Entitlement + restitution(f)
	ceiling := p.lifetimeBound(s, a)
	if f.Value > 0 {
		ceiling = min(ceiling, r.Ceiling*float64(f.Value)-float64(paid))
	}
	switch {
	case p.abused(s):
		g.ratio = ratio(p, s)
		return g
	case s.controllability == 0: // a token, exact, in kind, and no admission of fault
		token := min(r.Token*perUnit, r.TokenShare*float64(f.Value))
		g.medium, g.minor = InKind, floor(token+0.5)
	case f.Value == 0: // nothing that money could be a share of
		g.medium, g.minor = Gift, roundUp(r.Gifts[a.Risk.Band]*perUnit, step)
	default:
		g.ratio = ratio(p, s)
		g.minor = roundUp(g.ratio*float64(f.Value)-float64(paid), step)
	}
	g.minor = min(g.minor, floor(ceiling))
	return g
}

// ratio is the share of the value that is returned in all (r).
func ratio(p *Policy, s *situation) float64 {
	r, f := &p.Compensation, &s.kase.Failure
	share := r.Accepted
	if f.Acceptance == Rejected {
		share = r.Rejected
	}
	if s.kase.Incident != "" {
		return min(share+r.Severity*r.IncidentSeverity+r.relationship(s.steady()), r.FirstCeiling)
	}
	share += r.Severity*s.severity + r.Repeat*min(s.repeat, r.RepeatCap) +
		r.DoubleDeviation*one(s.double()) + r.Greed*one(s.greed()) + r.relationship(s.steady() && !s.double())
	if s.repeat == 0 && !s.double() && !s.greed() {
		return min(share, r.FirstCeiling)
	}
	return min(share, r.Ceiling)
}

// relationship: a steady customer forgives a first slip for less.
func (r *CompensationRules) relationship(forgiving bool) float64 {
	if forgiving {
		return r.Steady
	}
	return r.NotSteady
}

// lifetimeBound is what a recovery may cost, in minor units, given what the
// customer is worth to us; unbounded when that is not known.
func (p *Policy) lifetimeBound(s *situation, a *Assessment) float64 {
	if s.kase.Profile.LifetimeValue <= 0 {
		return math.Inf(1)
	}
	saved := a.Risk.Ignored - a.Risk.OnTime
	return p.Compensation.LifetimeShare * saved * float64(s.kase.Profile.LifetimeValue)
}

// automatic is how much goodwill, in minor units, this case may be given
// without approval.
func (p *Policy) automatic(s *situation, currency string) int64 {
	if s.kase.Failure.Kinds&p.Severity.HumanDecides != 0 {
		return 0
	}
	left := p.Compensation.AutomaticCustomer - s.customer.granted(p, s.kase, s.now)
	return p.minor(min(p.Compensation.AutomaticCase, left), currency)
}

// fresh is the goodwill that those accounts alone would bring that came in
// time; what came too late never pays by itself.
func (p *Policy) fresh(s *situation, amount int64, currency string) int64 {
	if !s.kase.Failure.Stale {
		return amount
	}
	k := *s.kase
	k.Failure = Failure{}
	for _, f := range k.Accounts {
		switch {
		case f.Stale:
		case k.Failure.Kinds == 0:
			k.Failure = f
		default:
			k.Failure = combine(k.Failure, f)
		}
	}
	if k.Failure.Kinds == 0 {
		return 0
	}
	alone := situate(p, s.customer, &k, s.now)
	risk := assess(p, &alone)
	return goodwill(p, &alone, &risk, currency).minor
}

// abused reports whether a customer claims so often, on their word alone, that
// goodwill must wait for a human.
func (p *Policy) abused(s *situation) bool {
	g, c := &p.Guard, s.customer
	if c.Claims == 0 || !s.kase.claim() {
		return false
	}
	orders := max(c.Orders, s.kase.Profile.Orders, c.Claims)
	above := g.Above(g.Alpha+float64(c.Claims), g.Beta+float64(orders-c.Claims), g.Multiple*g.MeanRate)
	return above > g.Certainty
}

// Reasons for which a human must look before anybody answers.
const (
	ReviewHumanDecides = "HUMAN_DECIDES"
	ReviewAbuseGuard   = "ABUSE_GUARD"
	ReviewChannel      = "CHANNEL"
	ReviewStale        = "STALE_EVENT"
)

func review(p *Policy, s *situation) (reasons []string) {
	f := &s.kase.Failure
	if f.Kinds&p.Severity.HumanDecides != 0 {
		reasons = append(reasons, ReviewHumanDecides)
	}
	if p.abused(s) {
		reasons = append(reasons, ReviewAbuseGuard)
	}
	if p.Apology.Form(f).Review {
		reasons = append(reasons, ReviewChannel)
	}
	if f.Stale {
		reasons = append(reasons, ReviewStale)
	}
	return reasons
}

// gesture adds what the menu offers for such a case, and the call that lost
// attention or time asks for.
func (r *Recommendation) gesture(p *Policy, s *situation, a *Assessment, lost Resource) {
	f := Facts{
		Failure: s.kase.Failure, Severity: s.severity, ValueUnits: p.units(s.kase.Failure.Value, s.kase.Failure.Currency),
		Profile: s.kase.Profile, Orders: max(s.customer.Orders, s.kase.Profile.Orders),
		Positives: s.positives, Repeat: s.repeat, Lost: lost, Assessment: a,
	}
	f.Profile.Relationship = s.relationship
	added := 0
	for i := range p.Menu {
		if added == p.Compensation.MaxGestures {
			return
		}
		if it := &p.Menu[i]; it.When(&f) {
			r.Items = append(r.Items, Item{Kind: Gesture, Medium: it.Medium, Menu: it.ID})
			added++
		}
	}
}

// options are several ways to receive the same amounts: choosing among them
// helps after severe failures. Choices that come to the same thing count once.
func options(p *Policy, severity float64, items []Item) (picks Picks) {
	if severity < p.Options.FromSeverity {
		return 0
	}
	for i, choice := range p.Options.Choices {
		if picks.Len() < p.Options.Most && choice.differs(p.Options.Choices, picks, items) {
			picks |= 1 << i
		}
	}
	if picks.Len() < 2 {
		return 0
	}
	return picks
}

// differs reports whether a choice pays any of the items by other means than
// each of those picked so far; the first has to pay one at all.
func (ch Choice) differs(all []Choice, picks Picks, items []Item) bool {
	for i := range picks.All() {
		same := true
		for _, it := range items {
			same = same && ch.medium(it) == all[i].medium(it)
		}
		if same {
			return false
		}
	}
	return slices.ContainsFunc(items, Item.payable)
}

// Pay gives the restitution and the goodwill among the items by the means of
// the choice; what is owed by law and the gestures stay as they are.
func (ch Choice) Pay(items []Item) (paid []Item) {
	for _, it := range items {
		if it.payable() {
			it.Medium = ch.medium(it)
			paid = append(paid, it)
		}
	}
	return paid
}

func (it Item) payable() bool { return it.Kind == Restitution || it.Kind == Goodwill }

func (ch Choice) medium(it Item) Medium {
	switch it.Kind {
	case Restitution:
		return cmp.Or(ch.Restitution, it.Medium)
	case Goodwill:
		return cmp.Or(ch.Goodwill, it.Medium)
	default:
		return it.Medium
	}
}

// Text describes an item in the policy's words.
func (p *Policy) Text(it Item) string {
	for i := range p.Menu {
		if it.Kind == Gesture && p.Menu[i].ID == it.Menu {
			return p.Menu[i].Text
		}
	}
	return p.Compensation.Texts[it.Kind]
}
