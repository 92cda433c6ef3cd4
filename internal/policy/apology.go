package policy

import (
	"github.com/makeamends/amends/internal/recovery"
	policyv1 "github.com/makeamends/amends/proto/recovery/policy/v1"
)

func (c *compiler) apology() {
	m, r := c.message.GetApology(), &c.rules.Apology
	at := path{"apology"}
	r.Include = c.apologyLines(at.To("include"), m.GetInclude())
	r.Avoid = c.apologyLines(at.To("avoid"), m.GetAvoid())
	r.Spent = int(m.GetSpent().GetValue())
	c.require(r.Spent >= 1 && r.Spent <= recovery.MostApologies, at.To("spent", "value"),
		"must be 1 to %d, the apologies that are remembered", recovery.MostApologies)
	r.Forms = map[recovery.Channel]recovery.FormRule{}
	seen := map[string]path{}
	for i, f := range m.GetForms() {
		channel := term[recovery.Channel](f.GetChannel())
		if channel == 0 {
			continue // reported by the schema's rules
		}
		c.unique(seen, at.To("forms", i, "channel"), channel.String())
		r.Forms[channel] = recovery.FormRule{
			Form: term[recovery.Form](f.GetForm()), Text: f.GetText(), Review: f.GetReview(),
			Speaker: term[recovery.Speaker](f.GetSpeaker()),
		}
	}
	r.Private = recovery.FormRule{Form: term[recovery.Form](m.GetOther().GetForm()), Text: m.GetOther().GetText()}
}

func (c *compiler) apologyLines(at path, list []*policyv1.ApologyLine) []recovery.ApologyRule {
	seen := map[string]path{}
	rules := make([]recovery.ApologyRule, 0, len(list))
	for i, l := range list {
		c.unique(seen, at.To(i, "code"), l.GetCode())
		rules = append(rules, recovery.ApologyRule{
			Code: l.GetCode(), Text: l.GetText(), When: term[recovery.Circumstance](l.GetWhen()),
		})
	}
	return rules
}
