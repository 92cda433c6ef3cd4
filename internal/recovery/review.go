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
	if s.abused {
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
// goodwill must wait for a human. A case that does not rest on their word is not
// held back by what they claimed elsewhere.
func abused(p *Policy, c *Customer, k *Case) bool {
	g := &p.Guard
	if c.Claims == 0 || !k.claim() {
		return false
	}
	orders := max(c.Orders, k.Profile.Orders, c.Claims)
	above := g.Above(g.Alpha+float64(c.Claims), g.Beta+float64(orders-c.Claims), g.Multiple*g.MeanRate)
	return above > g.Certainty
}
