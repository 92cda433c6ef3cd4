package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/makeamends/amends/internal/recovery"
)

// numbers are those of the default policy on which the life of a case depends.
func numbers() string {
	d, m, c := &rules.Active.Deadlines, &rules.Active.Memory, &rules.Active.Compensation
	usd := rules.Active.Currencies["USD"]
	var b strings.Builder
	b.WriteString("| what | by default | in the policy |\n|---|---|---|\n")
	add := func(what, value, name string) { fmt.Fprintf(&b, "| %s | %s | `%s` |\n", what, value, name) }

	add("acknowledgement, when the customer spoke", span(d.Acknowledge), "deadlines.acknowledge")
	add("first response and offer, by band", times(d), "deadlines.band")
	add("no later than, on the wall clock", span(d.PatienceCeiling), "deadlines.patience_ceiling")
	add("first response to a public complaint", fmt.Sprintf("%s; %s when %s people or more may see it",
		span(d.Public), span(d.PublicWide), count(d.WideReach)), "deadlines.public, public_wide, wide_reach")
	add("first response to a customer in the house", fmt.Sprintf("%s, and %s before they leave, but not within %s nor after they leave",
		span(d.OnPremises), span(d.BeforeDeparture), span(d.NeverBefore)), "deadlines.on_premises, before_departure, never_before")
	add("somebody who spoke in person and did not say when they leave is in the house for", span(d.Stay), "deadlines.stay")
	add("resolution", span(d.Resolve), "deadlines.resolve")
	add("follow-up, after the resolution", span(d.FollowUp), "deadlines.follow_up")
	add("warnings, after these shares of the time", shares(d.Warnings), "deadlines.warnings")
	add("times that each missed promise is made anew without a new event", strconv.Itoa(d.Renewals), "deadlines.renewals")
	add("and the share of the band's time that it then has", fmt.Sprintf("%g %%", 100*d.RenewedShare), "deadlines.renewed_share")
	add("an unvoiced case lapses after", span(m.LapseUnvoiced), "memory.lapse_unvoiced")
	add("reports of one order or incident join one case within", span(m.JoinWithin), "memory.join_within")
	add("open cases of a customer", strconv.Itoa(m.OpenCases), "memory.open_cases")
	add("what an ended case leaves over halves every", span(m.ResidualHalfLife), "memory.residual_half_life")
	add("an offer expires after", span(c.ValidFor), "compensation.valid_for")
	add("goodwill without approval, a case", fmt.Sprintf("%g reference units", c.AutomaticCase), "compensation.automatic_case")
	add("goodwill without approval, a customer", fmt.Sprintf("%g reference units in %s", c.AutomaticCustomer, span(m.RollingWindow)),
		"compensation.automatic_customer, memory.rolling_window")
	add("goodwill without approval, a tenant", count(usd.DailyBudget/100)+" USD in a UTC day; each currency has a budget of its own", "currencies.table, daily_budget")
	return b.String()
}

// span says a duration in the largest unit that divides it.
func span(d time.Duration) string {
	units := []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}}
	for _, u := range units {
		if n := int64(d / u.of); n > 1 && d%u.of == 0 {
			return fmt.Sprintf("%d %ss", n, u.name)
		}
	}
	return d.String()
}

func times(d *recovery.DeadlineRules) string {
	var list []string
	for b := recovery.Critical; b >= recovery.Low; b-- {
		list = append(list, fmt.Sprintf("%s %s", b, span(d.Band[b])))
	}
	return strings.Join(list, ", ")
}

func shares(list []float64) string {
	var out []string
	for _, s := range list {
		out = append(out, fmt.Sprintf("%g %%", 100*s))
	}
	return strings.Join(out, " and ")
}

// count groups the digits of a number.
func count(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
