package policy

import (
	"github.com/makeamends/amends/internal/document"
	"github.com/makeamends/amends/internal/recovery"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

func (c *compiler) severity() {
	m, r := c.message.GetSeverity(), &c.rules.Severity
	at := path{"severity"}
	r.MoneyFrom, r.MoneyTo = m.GetMoneyFrom().GetValue(), m.GetMoneyTo().GetValue()
	r.MoneyWeight = m.GetMoneyWeight().GetValue()
	c.require(r.MoneyFrom > 0, at.To("money_from", "value"), "must be above 0")
	c.ascending(true,
		bound{at.To("money_from", "value"), r.MoneyFrom},
		bound{at.To("money_to", "value"), r.MoneyTo})
	c.lateSteps(at.To("late"))
	c.kinds(at.To("kinds"))
}

// lateSteps: delays ascend, so do severities, and only the last has no limit.
func (c *compiler) lateSteps(at path) {
	steps := c.message.GetSeverity().GetLate()
	for i, m := range steps {
		here := at.To(i)
		step := recovery.LateStep{UpTo: m.GetUpTo().AsDuration(), Severity: m.GetSeverity()}
		switch last := i == len(steps)-1; {
		case last && m.HasUpTo():
			c.require(false, here.To("up_to"), "the last step must have no limit, for the longest delays")
		case !last && !m.HasUpTo():
			c.Add(here, "up_to is missing: only the last step has no limit")
		}
		if i > 0 {
			before := c.rules.Severity.Late[i-1]
			limits := []bound{{at.To(i-1, "up_to"), before.UpTo.Hours()}, {here.To("up_to"), step.UpTo.Hours()}}
			if m.HasUpTo() {
				c.ascending(true, limits...)
			}
			c.ascending(false, bound{at.To(i-1, "severity"), before.Severity}, bound{here.To("severity"), step.Severity})
		}
		c.rules.Severity.Late = append(c.rules.Severity.Late, step)
	}
}

// kinds: each kind has exactly one rule, and a severity but for LATE.
func (c *compiler) kinds(at path) {
	r := &c.rules.Severity
	seen := map[string]path{}
	for i, m := range c.message.GetSeverity().GetKinds() {
		here := at.To(i)
		kind := term[recovery.Kind](m.GetKind())
		if kind == 0 {
			continue // reported by the schema's rules
		}
		c.unique(seen, here.To("kind"), kind.String())
		switch late := kind == recovery.Late; {
		case late && m.HasSeverity():
			c.require(false, here.To("severity"), "LATE has none of its own: it follows the delay, see severity.late")
		case !late && !m.HasSeverity():
			c.Add(here, "severity is missing")
		}
		r.Kinds[kind] = m.GetSeverity()
		r.Resources[kind] = term[recovery.Resource](m.GetTakes())
		if m.GetHumanDecides() {
			r.HumanDecides |= recovery.Kinds(kind)
		}
		if m.GetCountsAsRefused() {
			r.CountsRefused |= recovery.Kinds(kind)
		}
	}
	if len(r.Late) > 0 {
		r.Kinds[recovery.Late] = r.Late[len(r.Late)-1].Severity
	}
	for _, name := range document.ShortNames(recoveryv1.FailureKind(0).Descriptor()) {
		if _, given := seen[name]; !given && c.Sound(at) {
			c.Add(at, "kind %s is missing", name)
		}
	}
}
