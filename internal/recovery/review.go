package recovery

// Reasons for which a human must look before anybody answers.
const (
	ReviewHumanDecides = "HUMAN_DECIDES"
	ReviewAbuseGuard   = "ABUSE_GUARD"
	ReviewChannel      = "CHANNEL"
	ReviewStale        = "STALE_EVENT"
)

func review(p *Policy, s *situation) (reasons []string) {
	f := &s.kase.Failure
	if f.Kinds&p.Severity.HumanDecides != 0 {
		reasons = append(reasons, ReviewHumanDecides)
	}
	if p.abused(s) {
		reasons = append(reasons, ReviewAbuseGuard)
	}
	if p.Apology.Form(f).Review {
		reasons = append(reasons, ReviewChannel)
	}
	if f.Stale {
		reasons = append(reasons, ReviewStale)
	}
	return reasons
}

// abused reports whether a customer claims so often, on their word alone, that
// goodwill must wait for a human.
func (p *Policy) abused(s *situation) bool {
	g, c := &p.Guard, s.customer
	if c.Claims == 0 || !s.kase.claim() {
		return false
	}
	orders := max(c.Orders, s.kase.Profile.Orders, c.Claims)
	above := g.Above(g.Alpha+float64(c.Claims), g.Beta+float64(orders-c.Claims), g.Multiple*g.MeanRate)
	return above > g.Certainty
}
