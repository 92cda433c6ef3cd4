package policy

import (
	"github.com/makeamends/amends/internal/recovery"
	policyv1 "github.com/makeamends/amends/proto/recovery/policy/v1"
)

func (c *compiler) risk() {
	m, r := c.message.GetRisk(), &c.rules.Risk
	at := path{"risk"}
	c.terms(at.To("terms"))
	c.goodwill(at.To("goodwill"))

	locus := m.GetControllability()
	r.Controllability[recovery.Firm] = locus.GetFirm().GetValue()
	r.Controllability[recovery.Partner] = locus.GetPartner().GetValue()
	r.Controllability[recovery.ByCustomer] = locus.GetCustomer().GetValue()
	r.Controllability[recovery.Nobody] = locus.GetNone().GetValue()

	r.RepeatHalfLife = duration(m.GetRepeatHalfLife())
	r.RepeatCap = m.GetRepeatCap().GetValue()
	r.RecoveredFactor = m.GetRecoveredFactor().GetValue()
	r.SimilarWithin = duration(m.GetSimilarWithin())
	r.ThirdSameKind = int(m.GetThirdSameKind().GetValue())
	c.require(r.ThirdSameKind >= 2 && r.ThirdSameKind <= recovery.MostFailures,
		at.To("third_same_kind", "value"), "must be 2 to %d, the failures that are remembered", recovery.MostFailures)
	r.SilentAfter = duration(m.GetSilentAfter())

	c.window(r.SimilarWithin, at.To("similar_within", "value"))

	r.BaseRate = m.GetBaseRate().GetValue()
	c.require(r.BaseRate > 0 && r.BaseRate < 1, at.To("base_rate", "value"), "must be above 0 and below 1")
	r.PositivesWeight = m.GetPositivesWeight().GetValue()
	r.IdleWeight = m.GetIdleWeight().GetValue()
	r.IdleUnit = duration(m.GetIdleUnit())
	r.PatienceHalfLife = duration(m.GetPatienceHalfLife())
	r.Ceiling = m.GetCeiling().GetValue()
	c.require(r.Ceiling < 1, at.To("ceiling", "value"), "must be below 1: nothing is certain")
	c.recovery(at)
	c.motives(at.To("motives"))
	c.bands(at.To("bands"))
}

// terms: a negative weight would turn a reason to leave into one to stay.
func (c *compiler) terms(at path) {
	m := c.message.GetRisk().GetTerms()
	for _, t := range []struct {
		code recovery.Code
		name string
		m    *policyv1.Weight
	}{
		{recovery.ReasonSeverity, "severity", m.GetSeverity()},
		{recovery.ReasonControllability, "controllability", m.GetControllability()},
		{recovery.ReasonMotive, "motive", m.GetMotive()},
		{recovery.ReasonRepeat, "repeat", m.GetRepeat()},
		{recovery.ReasonSimilar, "similar", m.GetSimilar()},
		{recovery.ReasonStable, "stable", m.GetStable()},
		{recovery.ReasonDoubleDeviation, "double_deviation", m.GetDoubleDeviation()},
		{recovery.ReasonPublic, "public", m.GetPublic()},
		{recovery.ReasonBetrayal, "betrayal", m.GetBetrayal()},
		{recovery.ReasonSilent, "silent", m.GetSilent()},
	} {
		c.require(t.m.GetValue() >= 0, at.To(t.name, "value"), "must not be negative")
		c.rules.Risk.Terms[t.code] = recovery.Term{
			Weight: t.m.GetValue(), Grade: term[recovery.Grade](t.m.GetGrade()), Source: t.m.GetSource(),
		}
	}
	c.require(m.GetSeverity().GetValue() > 0, at.To("severity", "value"), "must be above 0: the weight of a good experience is measured against it")
}

// goodwill derives the weight of one good experience, so that the stated number
// of them cancels the reference failure exactly.
func (c *compiler) goodwill(at path) {
	m, r := c.message.GetRisk().GetGoodwill(), &c.rules.Risk
	positives, reference := m.GetPositivesToCancel(), m.GetReferenceSeverity().GetValue()
	c.require(positives.GetValue() > 0, at.To("positives_to_cancel", "value"), "must be above 0")
	c.require(reference > 0, at.To("reference_severity", "value"), "must be above 0")
	r.Terms[recovery.ReasonGoodwill] = recovery.Term{
		Weight: r.Terms[recovery.ReasonSeverity].Weight * reference / positives.GetValue(),
		Grade:  term[recovery.Grade](positives.GetGrade()), Source: positives.GetSource(),
	}
	r.GoodwillCap = m.GetCap().GetValue()
}

// recovery: late is never better than on time, and what is worse attenuates more.
func (c *compiler) recovery(at path) {
	m, r := c.message.GetRisk(), &c.rules.Risk
	r.OnTimeEffect = m.GetOnTimeEffect().GetValue()
	r.LateEffect = m.GetLateEffect().GetValue()
	c.ascending(false,
		bound{at.To("late_effect", "value"), r.LateEffect},
		bound{at.To("on_time_effect", "value"), r.OnTimeEffect})
	a := m.GetAttenuation()
	r.Attenuation = recovery.Attenuation{
		PublicDouble: a.GetPublicDouble().GetValue(),
		Double:       a.GetDoubleDeviation().GetValue(),
		Repeat:       a.GetRepeat().GetValue(),
	}
	c.ascending(false,
		bound{at.To("attenuation", "public_double", "value"), r.Attenuation.PublicDouble},
		bound{at.To("attenuation", "double_deviation", "value"), r.Attenuation.Double},
		bound{at.To("attenuation", "repeat", "value"), r.Attenuation.Repeat})
}

func (c *compiler) motives(at path) {
	m, r := c.message.GetRisk().GetMotives(), &c.rules.Risk.Motives
	r[recovery.Unintended] = m.GetUnintended().GetValue()
	r[recovery.Negligent] = m.GetNegligent().GetValue()
	r[recovery.IntendedBenign] = m.GetIntendedBenign().GetValue()
	r[recovery.Greed] = m.GetGreed().GetValue()
	c.ascending(false,
		bound{at.To("unintended", "value"), r[recovery.Unintended]},
		bound{at.To("negligent", "value"), r[recovery.Negligent]},
		bound{at.To("intended_benign", "value"), r[recovery.IntendedBenign]},
		bound{at.To("greed", "value"), r[recovery.Greed]})
}

func (c *compiler) bands(at path) {
	m, r := c.message.GetRisk().GetBands(), &c.rules.Risk.Bands
	r[recovery.Moderate] = m.GetModerate().GetValue()
	r[recovery.High] = m.GetHigh().GetValue()
	r[recovery.Critical] = m.GetCritical().GetValue()
	c.require(r[recovery.Moderate] > 0, at.To("moderate", "value"), "must be above 0, where LOW begins")
	c.ascending(true,
		bound{at.To("moderate", "value"), r[recovery.Moderate]},
		bound{at.To("high", "value"), r[recovery.High]},
		bound{at.To("critical", "value"), r[recovery.Critical]})
}

func (c *compiler) escalation() {
	m := c.message.GetEscalation()
	c.rules.Escalation = recovery.EscalationRules{
		Intercept:       m.GetIntercept().GetValue(),
		DoubleDeviation: m.GetDoubleDeviation().GetValue(),
		Motive:          m.GetMotive().GetValue(),
		Betrayal:        m.GetBetrayal().GetValue(),
		Severity:        m.GetSeverity().GetValue(),
	}
}
