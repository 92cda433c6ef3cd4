package policy

import (
	"time"

	"github.com/makeamends/amends/internal/recovery"
)

func (c *compiler) memory() {
	m, r := c.message.GetMemory(), &c.rules.Memory
	at := path{"memory"}
	r.PositiveHalfLife = duration(m.GetPositiveHalfLife())
	weights := m.GetPositives()
	r.Positives[recovery.OrderFulfilled] = weights.GetOrderFulfilled().GetValue()
	r.Positives[recovery.PositiveRating] = weights.GetPositiveRating().GetValue()
	r.Positives[recovery.Praise] = weights.GetPraise().GetValue()
	r.Positives[recovery.Loyalty] = weights.GetLoyalty().GetValue()
	r.Positives[recovery.Referral] = weights.GetReferral().GetValue()
	r.Positives[recovery.SatisfiedRecovery] = weights.GetSatisfiedRecovery().GetValue()
	r.JoinWithin = duration(m.GetJoinWithin())
	r.StaleAfter = duration(m.GetStaleAfter())
	r.RollingWindow = duration(m.GetRollingWindow())
	r.ServiceWindow = duration(m.GetServiceWindow())
	r.ResidualHalfLife = duration(m.GetResidualHalfLife())
	r.ResidualFactor = m.GetResidualFactor().GetValue()
	r.LapseUnvoiced = duration(m.GetLapseUnvoiced())
	r.OpenCases = int(m.GetOpenCases().GetValue())
	r.SteadyOrders = m.GetSteadyOrders().GetValue()
	r.NewOrders = m.GetNewOrders().GetValue()

	c.require(r.StaleAfter <= recovery.MostStale, at.To("stale_after", "value"),
		"must be at most 7d: that is how long a repeated request is recognised")
	for field, window := range map[string]time.Duration{
		"join_within": r.JoinWithin, "rolling_window": r.RollingWindow, "service_window": r.ServiceWindow, "lapse_unvoiced": r.LapseUnvoiced,
	} {
		c.window(window, at.To(field, "value"))
	}
	c.require(r.OpenCases >= 1 && r.OpenCases <= 1000, at.To("open_cases", "value"), "must be 1 to 1000")
	c.ascending(true,
		bound{at.To("new_orders", "value"), float64(r.NewOrders)},
		bound{at.To("steady_orders", "value"), float64(r.SteadyOrders)})
}

// window refuses a time that the store does not remember.
func (c *compiler) window(w time.Duration, at path) {
	c.require(w <= recovery.MostWindow, at, "must be at most 200d: customers without an open case are forgotten after twice that time")
}
