package show

import (
	"strings"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// speakerWords say who should apologise.
var speakerWords = map[recoveryv1.Speaker]string{
	recoveryv1.Speaker_SPEAKER_ANYONE:       "whoever is there first answers",
	recoveryv1.Speaker_SPEAKER_NAMED_PERSON: "one person answers, by name, and stays responsible",
	recoveryv1.Speaker_SPEAKER_MANAGER:      "a manager answers, by name",
	recoveryv1.Speaker_SPEAKER_EXECUTIVE:    "an executive answers, by name",
}

func (w *writer) apology(plan *recoveryv1.ApologyPlan) {
	if plan == nil {
		return
	}
	w.section("SAY", speakerWords[plan.GetSpeaker()])
	w.points("•", plan.GetMustInclude(), func(text string) string { return w.in(green, text) })
	if text := plan.GetChannel().GetText(); text != "" {
		w.grid(2, [][]string{{w.in(blue, "→"), text}})
	}
	if len(plan.GetMustAvoid()) > 0 {
		w.section("AVOID", "")
		w.points("×", plan.GetMustAvoid(), func(text string) string { return w.in(red, text) })
	}
}

func (w *writer) points(mark string, points []*recoveryv1.ApologyPoint, paint func(string) string) {
	for _, point := range points {
		text := point.GetText()
		if text == "" {
			text = strings.ToLower(strings.ReplaceAll(point.GetCode(), "_", " "))
		}
		w.grid(2, [][]string{{paint(mark), text}})
	}
}

func (w *writer) deadlines(c *recoveryv1.Case) {
	w.section("BY WHEN", "")
	if c.GetHeldSince() != nil {
		w.prose(2, "The clocks stand still since "+w.moment(c.GetHeldSince())+": the customer owes something.")
	}
	rows := make([][]string, 0, len(c.GetDeadlines()))
	promised := map[recoveryv1.Milestone]bool{}
	for _, d := range c.GetDeadlines() {
		milestone := plain(d.GetMilestone())
		if d.GetMilestone() == recoveryv1.Milestone_MILESTONE_FIRST_RESPONSE {
			milestone = w.bold(milestone)
		}
		why := because(d, c)
		if promised[d.GetMilestone()] {
			why = "promised anew, " + why
		}
		promised[d.GetMilestone()] = true
		rows = append(rows, []string{milestone, w.moment(d.GetDueAt()), w.state(d, c), why})
	}
	if len(rows) > 0 {
		w.grid(2, rows)
	}
}

func (w *writer) state(d *recoveryv1.Deadline, c *recoveryv1.Case) string {
	switch {
	case d.GetState() == recoveryv1.DeadlineState_DEADLINE_STATE_MET:
		return w.in(green, "met, "+w.left(d.GetMetAt()))
	case d.GetState() == recoveryv1.DeadlineState_DEADLINE_STATE_MISSED:
		return w.in(red, "missed, "+w.left(d.GetDueAt()))
	case stopped(d, c):
		return w.dim("on hold")
	default:
		return w.left(d.GetDueAt())
	}
}
