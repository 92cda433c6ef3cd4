package recovery

import "time"

// apologize plans the answer: what it must contain, what it must avoid, who
// gives it and where.
func apologize(p *Policy, s *situation, a *Assessment, compensated bool) Apology {
	facts := circumstancesOf(p, s, compensated)
	form := p.Apology.Form(&s.kase.Failure)
	return Apology{
		Include: pick(p.Apology.Include, facts),
		Avoid:   pick(p.Apology.Avoid, facts),
		Speaker: speaker(p, s, a, form),
		Form:    form.Form,
	}
}

// circumstancesOf is a set: bit c stands for circumstance c.
func circumstancesOf(p *Policy, s *situation, compensated bool) (set uint32) {
	for c, holds := range [circumstances]bool{
		Always:        true,
		AtFault:       s.controllability > 0,
		NotAtFault:    s.controllability == 0,
		WhenSteady:    s.steady(),
		WhenRepeated:  s.repeat > 0,
		WhenSpent:     s.customer.apologies(p, s.kase, s.now) >= p.Apology.Spent,
		WhenPublic:    s.public(),
		WhenReviewed:  s.kase.Failure.Channel == ReviewSite || s.kase.Failure.Channel == ComplaintSite,
		WhenDouble:    s.double(),
		WhenUnvoiced:  !s.voiced(),
		WhenOfferMade: compensated,
	} {
		if holds {
			set |= 1 << c
		}
	}
	return set
}

// apologies counts those that came with other cases, in the rolling window.
func (c *Customer) apologies(p *Policy, k *Case, now time.Time) (count int) {
	for _, a := range c.Apologies {
		if a.Case != k.Number && p.Memory.counts(a.At, now) {
			count++
		}
	}
	return count
}

// pick gives the rules whose circumstance is one of the facts.
func pick(rules []ApologyRule, facts uint32) (picks Picks) {
	for i, r := range rules {
		if facts&(1<<r.When) != 0 {
			picks |= 1 << i
		}
	}
	return picks
}

// Form is how a failure is answered on the channel that it came by.
func (r *ApologyRules) Form(f *Failure) FormRule {
	if form, ok := r.Forms[f.Channel]; ok {
		return form
	}
	return r.Private
}

// speaker is the rank that the case asks for; the highest of several wins.
func speaker(p *Policy, s *situation, a *Assessment, form FormRule) Speaker {
	who := max(Anyone, form.Speaker)
	if s.double() {
		who = max(who, NamedPerson)
	}
	if a.Risk.Band == Critical {
		who = max(who, Manager)
	}
	if s.kase.Failure.Reach >= p.Deadlines.WideReach {
		who = Executive
	}
	return who
}
