package ledger

import "github.com/makeamends/amends/internal/recovery"

func assessmentFields(r *record, a *recovery.Assessment) {
	r.moment(1, &a.At)
	r.float(2, &a.Severity)
	r.float(3, &a.Risk.Ignored)
	r.float(4, &a.Risk.OnTime)
	r.float(5, &a.Risk.Late)
	number(r, 6, &a.Risk.Band)
	r.float(7, &a.Baseline)
	r.float(8, &a.Escalation)
	r.flag(9, &a.Double)
	numbers(r, 10, &a.Causes)
	r.float(11, &a.Repeat)
	r.float(12, &a.Positives)
	number(r, 13, &a.Owed)
	number(r, 14, &a.Level)
	parts(r, 15, &a.Reasons, reasonFields)
	r.float(16, &a.LogOdds)
	r.float(17, &a.Noticed)
	r.float(18, &a.Patience)
	number(r, 19, &a.Relationship)
}

func reasonFields(r *record, reason *recovery.Reason) {
	number(r, 1, &reason.Code)
	r.float(2, &reason.Contribution)
}

func recommendationFields(r *record, rec *recovery.Recommendation) {
	parts(r, 1, &rec.Items, itemFields)
	text(r, 2, &rec.Currency)
	r.float(3, &rec.Ratio)
	part(r, 4, &rec.Apology, apologyFields)
	bits(r, 5, &rec.Options)
	r.texts(6, &rec.ReviewReasons)
	r.moment(7, &rec.ExpiresAt)
}

func itemFields(r *record, it *recovery.Item) {
	number(r, 1, &it.Kind)
	number(r, 2, &it.Medium)
	number(r, 3, &it.Amount)
	number(r, 4, &it.Approval)
	text(r, 5, &it.Menu)
}

func apologyFields(r *record, a *recovery.Apology) {
	bits(r, 1, &a.Include)
	bits(r, 2, &a.Avoid)
	number(r, 3, &a.Speaker)
	number(r, 4, &a.Form)
}
