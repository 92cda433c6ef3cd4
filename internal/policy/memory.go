package policy

import "github.com/makeamends/amends/internal/recovery"

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

	c.require(r.OpenCases >= 1 && r.OpenCases <= 1000, at.to("open_cases", "value"), "must be 1 to 1000")
	c.ascending(true,
		bound{at.to("new_orders", "value"), float64(r.NewOrders)},
		bound{at.to("steady_orders", "value"), float64(r.SteadyOrders)})
}
