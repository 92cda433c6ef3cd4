package show

import (
	"fmt"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// Simulation sets the judgement under a candidate policy beside that under the active one, and then writes the candidate's in full.
func Simulation(r *recoveryv1.SimulatePolicyResponse, p Page) string {
	w := p.writer()
	active, candidate := r.GetBaseline(), r.GetCase()
	w.section("ACTIVE AND CANDIDATE", "")
	rows := [][]string{{"", "", w.dim("active " + active.GetPolicyVersion()), w.dim("candidate " + candidate.GetPolicyVersion())}}
	for _, fact := range facts {
		was, is := fact.read(active, p), fact.read(candidate, p)
		mark := ""
		if was != is {
			mark = w.in(orange, "≠")
		}
		rows = append(rows, []string{mark, fact.name, was, is})
	}
	w.grid(2, rows)
	w.line("")
	return w.String() + Case(candidate, p)
}

// facts are the figures of a case that a policy decides.
var facts = []struct {
	name string
	read func(c *recoveryv1.Case, p Page) string
}{
	{"band", func(c *recoveryv1.Case, _ Page) string { return word(c.GetAssessment().GetRisk().GetBand()) }},
	{"severity", func(c *recoveryv1.Case, _ Page) string { return fmt.Sprintf("%.2f", c.GetAssessment().GetSeverity()) }},
	{"leaves, if nobody answers", func(c *recoveryv1.Case, _ Page) string { return percent(c.GetAssessment().GetRisk().GetIgnored()) }},
	{"leaves, if we are late", func(c *recoveryv1.Case, _ Page) string { return percent(c.GetAssessment().GetRisk().GetLate()) }},
	{"leaves, if we are on time", func(c *recoveryv1.Case, _ Page) string { return percent(c.GetAssessment().GetRisk().GetOnTime()) }},
	{"to give", func(c *recoveryv1.Case, _ Page) string { return Money(c.GetRecommendation().GetTotal()) }},
	{"answer by", func(c *recoveryv1.Case, p Page) string { return p.moment(c.GetRespondBy()) }},
	{"bound by", func(c *recoveryv1.Case, _ Page) string { return plain(firstResponse(c).GetBoundBy()) }},
	{"a person decides", func(c *recoveryv1.Case, _ Page) string {
		if c.GetRecommendation().GetReviewRequired() {
			return "yes"
		}
		return "no"
	}},
}
