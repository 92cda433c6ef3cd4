package recovery

import (
	"cmp"
	"math"
)

// recommend says what to give and what to say. What is owed comes first and in
// full; goodwill comes on top, within its ceilings.
func recommend(p *Policy, s *situation, a *Assessment) Recommendation {
	f := &s.kase.Failure
	currency := cmp.Or(s.kase.currency(), p.Compensation.DefaultCurrency)
	rec := Recommendation{
		Items:     make([]Item, 0, 3+p.Compensation.MaxGestures),
		Currency:  currency,
		ExpiresAt: s.now.Add(p.Compensation.ValidFor),
	}
	rec.ReviewReasons = review(p, s)

	owed, restitution := f.Entitlement, restitution(f)
	lost := resource(p, f)
	good := goodwill(p, s, a, currency)
	rec.Ratio = good.ratio
	pays := automatic{owed, restitution, good.minor}
	if f.Stale {
		pays = p.fresh(s, currency)
	}
	pays.goodwill = min(pays.goodwill, p.automatic(s, currency))
	rec.give(Item{Kind: Entitlement, Medium: Refund, Amount: owed}, pays.entitlement)
	rec.give(Item{Kind: Restitution, Medium: p.restitutionMedium(lost), Amount: restitution}, pays.restitution)
	rec.give(Item{Kind: Goodwill, Medium: good.medium, Amount: good.minor}, pays.goodwill)

	rec.gesture(p, s, a, lost)
	rec.Options = options(p, s.severity, rec.Items)
	rec.Apology = apologize(p, s, a, len(rec.Items) > 0)
	return rec
}

// automatic is how much of each amount is given without approval.
type automatic struct{ entitlement, restitution, goodwill int64 }

// give adds an item of which so much needs no approval, unless there is
// nothing to give.
func (r *Recommendation) give(it Item, automatic int64) {
	if it.Amount > 0 {
		it.Approval = it.Amount - min(it.Amount, automatic)
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
// paid back in kind, and a call is no money: that goes back as a refund.
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
		ceiling = min(ceiling, p.valueBound(f, paid))
	}
	switch {
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
	if s.abused {
		g.minor = 0
	}
	return g
}

// ratio is the share of the value that is returned in all (r).
func ratio(p *Policy, s *situation) float64 {
	r, f := &p.Compensation, &s.kase.Failure
	share := r.Accepted
	if f.Acceptance == Rejected {
		share = r.Rejected
	}
	most := r.FirstCeiling
	if s.kase.Incident != "" {
		share += r.Severity*r.IncidentSeverity + r.relationship(s.steady())
	} else {
		share += r.Severity*s.severity + r.Repeat*min(s.repeat, r.RepeatCap) +
			r.DoubleDeviation*one(s.double()) + r.Greed*one(s.greed()) + r.relationship(s.steady() && !s.double())
		if s.repeat > 0 || s.double() || s.greed() {
			most = r.Ceiling
		}
	}
	return max(min(share, most), 0)
}

// relationship: a steady customer forgives a first slip for less.
func (r *CompensationRules) relationship(forgiving bool) float64 {
	if forgiving {
		return r.Steady
	}
	return r.NotSteady
}

// valueBound is what goodwill may be, in minor units, beside what is paid anyway.
func (p *Policy) valueBound(f *Failure, paid int64) float64 {
	return p.Compensation.Ceiling*float64(f.Value) - float64(paid)
}

// mostGoodwill is the most, in minor units, that a case may be given as
// goodwill, with approval: up to the ceiling of the value or, where no money is
// at stake, the greatest gift; and never more than the customer is worth.
func (p *Policy) mostGoodwill(s *situation, a *Assessment, currency string) int64 {
	f := &s.kase.Failure
	most := p.Compensation.Gifts[Critical] * p.minorPerUnit(currency)
	if f.Value > 0 {
		most = p.valueBound(f, f.Entitlement+restitution(f))
	}
	return floor(min(most, p.lifetimeBound(s, a)))
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

// fresh is what those accounts alone would bring that came in time; what came
// too late never pays by itself.
func (p *Policy) fresh(s *situation, currency string) automatic {
	k := *s.kase
	k.Failure = Failure{}
	for _, f := range k.Accounts {
		switch {
		case f.Stale:
		case k.Failure.Kinds == 0:
			k.Failure = f
		default:
			k.Failure = combine(p, k.Failure, f)
		}
	}
	if k.Failure.Kinds == 0 {
		return automatic{}
	}
	alone := situate(p, s.customer, &k, s.now)
	risk := assess(p, &alone)
	return automatic{k.Failure.Entitlement, restitution(&k.Failure), goodwill(p, &alone, &risk, currency).minor}
}
