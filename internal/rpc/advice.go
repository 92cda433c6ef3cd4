package rpc

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/makeamends/amends/internal/recovery"
)

func (a *answer) assessment(n protowire.Number, as *recovery.Assessment) {
	start := a.Open(n)
	a.Float(1, as.Severity)
	a.risk(2, &as.Risk)
	a.Float(3, as.Baseline)
	a.Float(4, as.Escalation)
	a.Flag(5, as.Double)
	a.codes(6, as.Causes)
	a.Float(7, as.Repeat)
	a.Float(8, as.Positives)
	a.Number(9, uint64(as.Owed))
	a.Number(10, uint64(as.Level))
	for i := range as.Reasons {
		a.reason(11, &as.Reasons[i])
	}
	a.Float(12, as.LogOdds)
	a.Float(13, as.Noticed)
	a.Float(14, as.Patience)
	a.Flag(15, a.policy.Risk.FallsShort(as))
	a.Close(start)
}

func (a *answer) risk(n protowire.Number, r *recovery.Risk) {
	start := a.Open(n)
	a.Float(1, r.Ignored)
	a.Float(2, r.OnTime)
	a.Float(3, r.Late)
	a.Number(4, uint64(r.Band))
	a.Close(start)
}

func (a *answer) codes(n protowire.Number, codes []recovery.Code) {
	if len(codes) == 0 {
		return
	}
	start := a.Open(n)
	for _, c := range codes {
		a.Bytes = protowire.AppendVarint(a.Bytes, uint64(c))
	}
	a.Close(start)
}

func (a *answer) reason(n protowire.Number, r *recovery.Reason) {
	term := &a.policy.Risk.Terms[r.Code]
	start := a.Open(n)
	a.Number(1, uint64(r.Code))
	a.Float(2, r.Contribution)
	a.Number(3, uint64(term.Grade))
	a.Text(4, term.Source)
	a.Close(start)
}

func (a *answer) recommendation(n protowire.Number, k *recovery.Case) {
	r := &k.Recommendation
	start := a.Open(n)
	a.items(1, r.Items, r.Currency)
	a.money(2, r.Total(), r.Currency)
	a.Float(3, r.Ratio)
	a.apology(4, k)
	a.options(5, r)
	a.Flag(6, len(r.ReviewReasons) > 0)
	for _, reason := range r.ReviewReasons {
		a.Entry(7, reason)
	}
	a.time(8, r.ExpiresAt)
	a.Close(start)
}

func (a *answer) items(n protowire.Number, all []recovery.Item, currency string) {
	for i := range all {
		it := &all[i]
		start := a.Open(n)
		a.Number(1, uint64(it.Kind))
		a.Number(2, uint64(it.Medium))
		a.some(3, it.Amount, currency)
		a.some(4, it.Approval, currency)
		a.Text(5, a.policy.Text(*it))
		a.Text(6, it.Menu)
		a.Close(start)
	}
}

func (a *answer) options(n protowire.Number, r *recovery.Recommendation) {
	for i := range r.Options.All() {
		if i >= len(a.policy.Options.Choices) {
			return // of a policy that is lost; so below
		}
		choice := &a.policy.Options.Choices[i]
		start := a.Open(n)
		a.Text(1, choice.Title)
		a.items(2, choice.Pay(r.Items), r.Currency)
		a.Close(start)
	}
}

func (a *answer) apology(n protowire.Number, k *recovery.Case) {
	plan, rules := &k.Recommendation.Apology, &a.policy.Apology
	start := a.Open(n)
	a.points(1, rules.Include, plan.Include)
	a.points(2, rules.Avoid, plan.Avoid)
	a.Number(3, uint64(plan.Speaker))
	channel := a.Open(4)
	a.Number(1, uint64(plan.Form))
	a.Text(2, rules.Form(&k.Failure).Text)
	a.Close(channel)
	a.Close(start)
}

func (a *answer) points(n protowire.Number, rules []recovery.ApologyRule, picks recovery.Picks) {
	for i := range picks.All() {
		if i >= len(rules) {
			return
		}
		start := a.Open(n)
		a.Text(1, rules[i].Code)
		a.Text(2, rules[i].Text)
		a.Close(start)
	}
}
