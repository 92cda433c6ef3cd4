package rpc

import (
	"github.com/makeamends/amends/internal/recovery"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

func (e encoder) assessment(a *recovery.Assessment) *recoveryv1.Assessment {
	return recoveryv1.Assessment_builder{
		Severity: a.Severity,
		Risk: recoveryv1.Risk_builder{
			Ignored: a.Risk.Ignored,
			OnTime:  a.Risk.OnTime,
			Late:    a.Risk.Late,
			Band:    recoveryv1.Band(a.Risk.Band),
		}.Build(),
		Baseline:              a.Baseline,
		EscalationProbability: a.Escalation,
		DoubleDeviation:       a.Double,
		DoubleDeviationCauses: list(a.Causes, func(c *recovery.Code) recoveryv1.ReasonCode { return recoveryv1.ReasonCode(*c) }),
		RepeatMass:            a.Repeat,
		PositiveMass:          a.Positives,
		PositivesOwed:         a.Owed,
		ServiceLevel:          recoveryv1.ServiceLevel(a.Level),
		Reasons:               list(a.Reasons, reason),
		LogOdds:               a.LogOdds,
		Noticed:               a.Noticed,
		Patience:              a.Patience,
	}.Build()
}

func reason(r *recovery.Reason) *recoveryv1.Reason {
	return recoveryv1.Reason_builder{
		Code:          recoveryv1.ReasonCode(r.Code),
		Contribution:  r.Contribution,
		EvidenceGrade: recoveryv1.EvidenceGrade(r.Grade),
		Source:        r.Source,
	}.Build()
}

func (e encoder) recommendation(r *recovery.Recommendation) *recoveryv1.Recommendation {
	return recoveryv1.Recommendation_builder{
		Items:          e.items(r.Items, r.Currency),
		Total:          e.money(r.Total(), r.Currency),
		Ratio:          r.Ratio,
		Apology:        apology(&r.Apology),
		Options:        e.options(r),
		ReviewRequired: len(r.ReviewReasons) > 0,
		ReviewReasons:  r.ReviewReasons,
		ExpiresAt:      timestamp(r.ExpiresAt),
	}.Build()
}

func (e encoder) items(all []recovery.Item, currency string) []*recoveryv1.RecommendationItem {
	return list(all, func(it *recovery.Item) *recoveryv1.RecommendationItem {
		return recoveryv1.RecommendationItem_builder{
			Kind:             recoveryv1.ItemKind(it.Kind),
			Medium:           recoveryv1.Medium(it.Medium),
			Amount:           e.some(it.Amount, currency),
			ApprovalRequired: e.some(it.Approval, currency),
			Description:      it.Text,
			MenuItem:         it.Menu,
		}.Build()
	})
}

func (e encoder) options(r *recovery.Recommendation) []*recoveryv1.RecommendationOption {
	return list(r.Options, func(o *recovery.Option) *recoveryv1.RecommendationOption {
		return recoveryv1.RecommendationOption_builder{Title: o.Title, Items: e.items(o.Items, r.Currency)}.Build()
	})
}

func apology(a *recovery.Apology) *recoveryv1.ApologyPlan {
	return recoveryv1.ApologyPlan_builder{
		MustInclude: list(a.Include, point),
		MustAvoid:   list(a.Avoid, point),
		Speaker:     recoveryv1.Speaker(a.Speaker),
		Channel: recoveryv1.ChannelPlan_builder{
			Form: recoveryv1.ResponseForm(a.Form),
			Text: a.FormText,
		}.Build(),
	}.Build()
}

func point(l *recovery.Line) *recoveryv1.ApologyPoint {
	return recoveryv1.ApologyPoint_builder{Code: l.Code, Text: l.Text}.Build()
}
