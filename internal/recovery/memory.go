package recovery

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// decay is what remains of one unit after some time; time does not run back.
func decay(elapsed, halfLife time.Duration) float64 {
	if elapsed <= 0 {
		return 1
	}
	return math.Exp2(-float64(elapsed) / float64(halfLife))
}

// addPositive adds one positive to the decayed mass. The mass belongs to the
// newest moment seen, and an older positive arrives already decayed, so the
// order of arrival does not matter.
func (c *Customer) addPositive(p *Policy, kind Positive, at time.Time) {
	weight, half := p.Memory.Positives[kind], p.Memory.PositiveHalfLife
	if at.After(c.PositivesAt) {
		c.Positives *= decay(at.Sub(c.PositivesAt), half)
		c.PositivesAt = at
	} else {
		weight *= decay(c.PositivesAt.Sub(at), half)
	}
	c.Positives += weight
}

// takeBack removes a positive that was added for a moment in the past.
func (c *Customer) takeBack(p *Policy, kind Positive, at time.Time) {
	weight := p.Memory.Positives[kind] * decay(c.PositivesAt.Sub(at), p.Memory.PositiveHalfLife)
	c.Positives = max(c.Positives-weight, 0)
}

// positivesAt is the positive mass at one moment.
func (c *Customer) positivesAt(p *Policy, now time.Time) float64 {
	return c.Positives * decay(now.Sub(c.PositivesAt), p.Memory.PositiveHalfLife)
}

// rememberFailure keeps what later judgements need of a case that has just
// taken in an event; before is the case without it.
func (c *Customer) rememberFailure(p *Policy, before, k *Case, e Event, now time.Time) {
	at := ours(e.OccurredAt, now)
	if e.Voice >= Private {
		c.LastContact = later(c.LastContact, at)
	}
	if e.Voice >= Private || e.Order != "" && e.Kinds&p.Severity.CountsRefused == 0 {
		c.LastActivity = later(c.LastActivity, at)
	}
	c.Orders = max(c.Orders, e.Profile.Orders)
	c.countClaim(before, k)
	c.remember(Past{Case: k.Number, At: k.Failure.OccurredAt, Kinds: k.Failure.Kinds, Severity: Severity(p, &k.Failure)})
}

// countClaim keeps the count of claims in step with a case that has changed.
func (c *Customer) countClaim(before, k *Case) {
	switch {
	case k.claim() && !before.claim():
		c.Claims++
	case before.claim() && !k.claim(): // evidence has come in since
		c.Claims--
	}
}

// claim reports whether the case rests on the customer's word alone.
func (k *Case) claim() bool { return k.voiced() && k.Failure.Evidence == ClaimOnly }

// remember files one failure under its case, newest last, the oldest giving way.
func (c *Customer) remember(past Past) {
	list := slices.DeleteFunc(slices.Clone(c.Failures), func(f Past) bool { return f.Case == past.Case })
	list = append(list, past)
	slices.SortFunc(list, func(a, b Past) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Case, b.Case))
	})
	if len(list) > MostFailures {
		list = list[len(list)-MostFailures:]
	}
	c.Failures = list
}

// earlier reports whether a remembered failure came before that of the case. Of
// two at the same moment the one that was reported first came first.
func (k *Case) earlier(f Past) bool {
	return f.Case != k.Number && (f.At.Before(k.Failure.OccurredAt) || f.At.Equal(k.Failure.OccurredAt) && f.Case < k.Number)
}

// repeatMass is R: what the failures before this one still weigh, recovered
// ones less.
func (c *Customer) repeatMass(p *Policy, k *Case, now time.Time) (mass float64) {
	for _, f := range c.Failures {
		if k.earlier(f) {
			mass += f.weight(p, now)
		}
	}
	return mass
}

// weight is what a remembered failure weighs as of now.
func (f Past) weight(p *Policy, now time.Time) float64 {
	weight := f.Severity * decay(now.Sub(f.At), p.Risk.RepeatHalfLife)
	if f.Recovered {
		weight *= p.Risk.RecoveredFactor
	}
	return weight
}

// similar reports whether an earlier failure of late shares a kind.
func (c *Customer) similar(p *Policy, k *Case, now time.Time) bool {
	return slices.ContainsFunc(c.Failures, func(f Past) bool {
		return k.earlier(f) && f.Kinds&k.Failure.Kinds != 0 && now.Sub(f.At) <= p.Risk.SimilarWithin
	})
}

// book keeps the goodwill that a case is given without approval against the
// customer's cap. Until an offer is drawn up that is the most that was ever
// recommended, in whatever currency, since a caller may have given it. From
// then on it is what the offers hold that were neither refused nor expired, or
// what was recommended after the last of them.
func (c *Customer) book(p *Policy, k *Case, now time.Time) {
	minor, at := k.automatic(p, now)
	g := Grant{Case: k.Number, At: at, Currency: k.Recommendation.Currency, Minor: minor}
	g.Units = p.units(g.Minor, g.Currency)
	list := slices.Clone(c.Grants)
	i := slices.IndexFunc(list, func(old Grant) bool { return old.Case == k.Number })
	switch {
	case i < 0 && g.Minor > 0:
		list = append(list, g)
	case i < 0, len(k.Offers) == 0 && g.Units <= list[i].Units:
		return
	case g.Minor == 0:
		list = slices.Delete(list, i, i+1)
	default:
		list[i] = g
	}
	if len(list) > MostGrants {
		list = foldOldest(list)
	}
	c.Grants = list
}

// automatic is the goodwill that the case is given without approval, and when
// it was given: a refused or expired offer gives nothing, an accepted one gave
// when it was answered. What was recommended after the last offer counts where
// it is more.
func (k *Case) automatic(p *Policy, now time.Time) (minor int64, at time.Time) {
	var offered time.Time
	for _, o := range k.Offers {
		offered = o.CreatedAt
		if o.Live() || o.State == OfferAccepted {
			minor += o.Reserved
			at = later(at, later(o.CreatedAt, o.AnsweredAt))
		}
	}
	recommended := k.Recommendation.ExpiresAt.Add(-p.Compensation.ValidFor)
	if _, automatic := k.Recommendation.Goodwill(); automatic > minor && recommended.After(offered) {
		return automatic, now
	}
	return minor, at
}

// foldOldest books the oldest grant together with the next of its currency, as
// of no case in particular and under the later time, so that a bounded list
// never forgets money early.
func foldOldest(list []Grant) []Grant {
	for i := 1; i < len(list); i++ {
		if list[i].Currency == list[0].Currency {
			list[i].Case = 0
			list[i].At = later(list[i].At, list[0].At)
			list[i].Minor += list[0].Minor
			list[i].Units += list[0].Units
			return list[1:]
		}
	}
	return list
}

// granted is the goodwill, in reference units, that other cases were given
// without approval in the rolling window.
func (c *Customer) granted(p *Policy, k *Case, now time.Time) (units float64) {
	for _, g := range c.Grants {
		if g.Case != k.Number && p.Memory.counts(g.At, now) {
			units += g.Units
		}
	}
	return units
}

// counts reports whether what was given at one moment is in the rolling window
// of another.
func (r *MemoryRules) counts(at, now time.Time) bool { return now.Sub(at) < r.RollingWindow }

// forget drops what has left the rolling window of every policy by which the
// customer is judged.
func (c *Customer) forget(rules Rules, now time.Time) {
	longest := rules.Active
	for i := range c.Open {
		if p := rules.For(c.Open[i].Policy); p.Memory.RollingWindow > longest.Memory.RollingWindow {
			longest = p
		}
	}
	old := func(at time.Time) bool { return !longest.Memory.counts(at, now) }
	if slices.ContainsFunc(c.Grants, func(g Grant) bool { return old(g.At) }) {
		c.Grants = slices.DeleteFunc(slices.Clone(c.Grants), func(g Grant) bool { return old(g.At) })
	}
	if slices.ContainsFunc(c.Apologies, func(a Apologised) bool { return old(a.At) }) {
		c.Apologies = slices.DeleteFunc(slices.Clone(c.Apologies), func(a Apologised) bool { return old(a.At) })
	}
}

// relationship is as stated, else as the orders tell.
func relationship(p *Policy, c *Customer, pr Profile) Relationship {
	orders := max(pr.Orders, c.Orders)
	switch {
	case pr.Relationship != 0:
		return pr.Relationship
	case pr.Loyalty || orders >= p.Memory.SteadyOrders:
		return Steady
	case orders <= p.Memory.NewOrders:
		return New
	default:
		return Casual
	}
}

// combineProfiles keeps the fuller word about the customer.
func combineProfiles(a, b Profile) Profile {
	return Profile{
		Relationship:  max(a.Relationship, b.Relationship),
		LifetimeValue: max(a.LifetimeValue, b.LifetimeValue),
		Orders:        max(a.Orders, b.Orders),
		Loyalty:       a.Loyalty || b.Loyalty,
	}
}
