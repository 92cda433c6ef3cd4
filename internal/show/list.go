package show

import (
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/lipgloss/table"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// Cases writes a table of cases, one a line: how urgent, what it is about, what is due next, what it may cost.
func Cases(cases []*recoveryv1.Case, p Page) string {
	w := p.writer()
	if len(cases) == 0 {
		w.prose(0, "No cases.")
		return w.String()
	}
	t := table.New().Border(lipgloss.NormalBorder()).BorderTop(false).BorderBottom(false).BorderLeft(false).BorderRight(false).
		BorderColumn(false).BorderStyle(w.renderer.NewStyle().Foreground(grey)).
		StyleFunc(func(row, _ int) lipgloss.Style {
			style := w.renderer.NewStyle().PaddingRight(2)
			if row == table.HeaderRow {
				return style.Bold(true)
			}
			return style
		}).
		Headers("BAND", "LEAVES", "STATE", "GIVE", "NEXT")
	for _, c := range cases {
		band := c.GetAssessment().GetRisk().GetBand()
		t.Row(w.in(bandColour(band), word(band)), percent(c.GetAssessment().GetRisk().GetIgnored()), plain(c.GetState()),
			Money(c.GetRecommendation().GetTotal()), next(c, p))
	}
	const above = 2 // the header and its line
	for i, line := range strings.Split(t.Render(), "\n") {
		if line = strings.TrimRight(line, " "); line == "" {
			continue
		}
		w.line(line)
		// What it is about and the id stand below: both are too long for a column.
		if n := i - above; n >= 0 && n < len(cases) {
			w.prose(2, chain([]string{summary(cases[n]), w.dim("amends case " + cases[n].GetCaseId())}))
		}
	}
	return w.String()
}

// summary names what a case is about by its newest failure.
func summary(c *recoveryv1.Case) string {
	failures := c.GetFailures()
	if len(failures) == 0 {
		return ""
	}
	text := what(failures[len(failures)-1])
	if len(failures) > 1 {
		text = count(int64(len(failures)), "failure") + ", " + text
	}
	return text
}

// next is the earliest deadline that is not settled.
func next(c *recoveryv1.Case, p Page) string {
	var first *recoveryv1.Deadline
	for _, d := range c.GetDeadlines() {
		if d.GetState() != recoveryv1.DeadlineState_DEADLINE_STATE_PENDING {
			continue
		}
		if first == nil || d.GetDueAt().AsTime().Before(first.GetDueAt().AsTime()) {
			first = d
		}
	}
	if first == nil {
		return ""
	}
	return plain(first.GetMilestone()) + " " + p.left(first.GetDueAt())
}

func cut(text string, limit int) string {
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	return string(runes[:limit-1]) + "…"
}
