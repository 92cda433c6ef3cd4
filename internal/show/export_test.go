package show

import recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"

// The parts of a case, each by itself.

func Risk(a *recoveryv1.Assessment, p Page) string {
	return part(p, func(w *writer) { w.risk(a) })
}

func Reasons(a *recoveryv1.Assessment, p Page) string {
	return part(p, func(w *writer) { w.reasons(a) })
}

func Compensation(r *recoveryv1.Recommendation, p Page) string {
	return part(p, func(w *writer) { w.give(recoveryv1.Case_builder{Recommendation: r}.Build()) })
}

func Review(r *recoveryv1.Recommendation, p Page) string {
	return part(p, func(w *writer) { w.review(r) })
}

func Deadlines(c *recoveryv1.Case, p Page) string {
	return part(p, func(w *writer) { w.deadlines(c) })
}

func Apology(plan *recoveryv1.ApologyPlan, p Page) string {
	return part(p, func(w *writer) { w.apology(plan) })
}

func part(p Page, write func(*writer)) string {
	w := p.writer()
	write(w)
	return w.String()
}
