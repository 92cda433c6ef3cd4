package policy

import (
	"github.com/makeamends/amends/internal/recovery"
	policyv1 "github.com/makeamends/amends/proto/recovery/policy/v1"
)

// sense reports what can be computed but makes no sense.
func (c *compiler) sense() {
	r, deadlines := c.rules, path{"deadlines"}
	c.ascending(false,
		bound{deadlines.To("band", "critical", "value"), r.Deadlines.Band[recovery.Critical].Hours()},
		bound{deadlines.To("patience_ceiling", "value"), r.Deadlines.PatienceCeiling.Hours()})

	risk := path{"risk"}
	ceiling := risk.To("ceiling", "value")
	c.ascending(true,
		bound{risk.To("base_rate", "value"), r.Risk.BaseRate},
		bound{ceiling, r.Risk.Ceiling})
	if c.Sound(ceiling) {
		c.require(r.Risk.Bands[recovery.Critical] <= r.Risk.Ceiling, risk.To("bands", "critical", "value"),
			"must not be above %s: no risk is", ceiling)
	}
	c.shares(path{"compensation", "ratio"})
	for name, m := range c.message.GetCalendars() {
		c.require(!m.HasHours() || len(specOf(m).Hours) > 0, path{"calendars", key(name), "hours"},
			"never open, so no deadline could be met; leave hours out to be always open")
	}
}

// shares: only the relationship may take something off the ratio.
func (c *compiler) shares(at path) {
	m := c.message.GetCompensation().GetRatio()
	for _, share := range []struct {
		name string
		m    *policyv1.Weight
	}{
		{"rejected", m.GetRejected()},
		{"accepted", m.GetAccepted()},
		{"severity", m.GetSeverity()},
		{"repeat", m.GetRepeat()},
		{"double_deviation", m.GetDoubleDeviation()},
		{"greed", m.GetGreed()},
	} {
		c.require(share.m.GetValue() >= 0, at.To(share.name, "value"), "must not be negative; only steady and not_steady may be")
	}
}
