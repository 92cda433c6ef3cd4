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
		Reasons:               list(a.Reasons, e.reason),
		LogOdds:               a.LogOdds,
		Noticed:               a.Noticed,
		Patience:              a.Patience,
	}.Build()
}

func (e encoder) reason(r *recovery.Reason) *recoveryv1.Reason {
	term := &e.policy.Risk.Terms[r.Code]
	return recoveryv1.Reason_builder{
		Code:          recoveryv1.ReasonCode(r.Code),
		Contribution:  r.Contribution,
		EvidenceGrade: recoveryv1.EvidenceGrade(term.Grade),
		Source:        term.Source,
	}.Build()
}

func (e encoder) recommendation(k *recovery.Case) *recoveryv1.Recommendation {
	r := &k.Recommendation
	return recoveryv1.Recommendation_builder{
		Items:          e.items(r.Items, r.Currency),
		Total:          e.money(r.Total(), r.Currency),
		Ratio:          r.Ratio,
		Apology:        e.apology(k),
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
			Description:      e.policy.Text(*it),
			MenuItem:         it.Menu,
		}.Build()
	})
}

func (e encoder) options(r *recovery.Recommendation) (options []*recoveryv1.RecommendationOption) {
	for i := range r.Options.All() {
		if i >= len(e.policy.Options.Choices) {
			break // of a policy that is lost; so below
		}
		choice := e.policy.Options.Choices[i]
		options = append(options, recoveryv1.RecommendationOption_builder{
			Title: choice.Title, Items: e.items(choice.Pay(r.Items), r.Currency),
		}.Build())
	}
	return options
}

func (e encoder) apology(k *recovery.Case) *recoveryv1.ApologyPlan {
	plan, rules := &k.Recommendation.Apology, &e.policy.Apology
	return recoveryv1.ApologyPlan_builder{
		MustInclude: points(rules.Include, plan.Include),
		MustAvoid:   points(rules.Avoid, plan.Avoid),
		Speaker:     recoveryv1.Speaker(plan.Speaker),
		Channel: recoveryv1.ChannelPlan_builder{
			Form: recoveryv1.ResponseForm(plan.Form),
			Text: rules.Form(&k.Failure).Text,
		}.Build(),
	}.Build()
}

func points(rules []recovery.ApologyRule, picks recovery.Picks) []*recoveryv1.ApologyPoint {
	out := make([]*recoveryv1.ApologyPoint, 0, picks.Len())
	for i := range picks.All() {
		if i >= len(rules) {
			break
		}
		out = append(out, recoveryv1.ApologyPoint_builder{Code: rules[i].Code, Text: rules[i].Text}.Build())
	}
	return out
}
