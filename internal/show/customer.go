package show

import (
	"fmt"
	"slices"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// Customer writes what is remembered of a customer, the risk now, every open case in short, and what takes the most urgent one on.
func Customer(a *recoveryv1.CustomerAssessment, p Page) string {
	w := p.writer()
	name := "customer " + a.GetCustomerId()
	if t := a.GetTenant(); t != "" && t != "default" {
		name += " of tenant " + t
	}
	w.line(w.badge(a.GetBand()) + "  " + w.bold(name))
	w.prose(0, fmt.Sprintf("Chance that they leave: %s as things stand, %s if nothing had ever gone wrong.",
		w.bold(percent(a.GetRiskNow())), percent(a.GetBaseline())))
	w.section("REMEMBERED", "as of "+w.moment(a.GetAssessedAt()))
	w.grid(2, w.memory(a))
	if len(a.GetOpenCases()) == 0 {
		w.section("OPEN CASES", "none")
		return w.String()
	}
	w.section("OPEN CASES", "")
	urgent := slices.MinFunc(a.GetOpenCases(), byUrgency)
	return w.String() + Cases(a.GetOpenCases(), p) + NextSteps(urgent, p)
}

func (w *writer) memory(a *recoveryv1.CustomerAssessment) [][]string {
	rows := [][]string{
		{"relationship", plain(a.GetRelationship()), w.dim(count(a.GetOrders(), "order") + " known")},
		{"good experiences", fmt.Sprintf("%.2f", a.GetPositiveMass()), w.dim("each by its weight, fading with time")},
		{"failures", fmt.Sprintf("%.2f", a.GetRepeatMass()),
			w.dim(fmt.Sprintf("%d remembered, each by its severity, fading with time; half if made good", a.GetFailuresRemembered()))},
		{"left of closed cases", percent(a.GetResidual()), w.dim("risk above the baseline, fading with time")},
		{"claims", fmt.Sprint(a.GetClaims()), w.dim("failures on the customer's word alone")},
		{"apologies", fmt.Sprint(a.GetApologies_90D()), w.dim("in 90 days")},
	}
	if granted := a.GetGoodwillGranted_90D(); len(granted) > 0 {
		rows = append(rows, []string{"goodwill", amounts(granted), w.dim("promised or given in 90 days")})
	}
	if level := a.GetServiceLevel(); level != recoveryv1.ServiceLevel_SERVICE_LEVEL_UNSPECIFIED {
		rows = append(rows, []string{"service level", plain(level), ""})
	}
	if at := a.GetLastContactAt(); at != nil {
		rows = append(rows, []string{"last spoke to us", w.moment(at), w.dim(w.left(at))})
	}
	if at := a.GetLastActivityAt(); at != nil {
		rows = append(rows, []string{"last did anything", w.moment(at), w.dim(w.left(at))})
	}
	return rows
}
