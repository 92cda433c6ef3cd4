package recovery

import (
	"cmp"
	"slices"
)

// gesture adds what the menu offers for such a case, in its order.
func (r *Recommendation) gesture(p *Policy, s *situation, a *Assessment, lost Resource) {
	f := Facts{
		Failure: &s.kase.Failure, Severity: s.severity, ValueUnits: p.units(s.kase.Failure.Value, s.kase.Failure.Currency),
		Profile: s.kase.Profile, Orders: max(s.customer.Orders, s.kase.Profile.Orders),
		Positives: s.positives, Repeat: s.repeat, Lost: lost, Assessment: a,
		OnPremises: p.Deadlines.onPremises(&s.kase.Failure, s.now),
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
