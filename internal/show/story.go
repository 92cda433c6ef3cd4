package show

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/lipgloss"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// StoryTitle opens a story: a rule across the page with its title, then what it is about.
func StoryTitle(id, title, tell string, p Page) string {
	w := p.writer()
	head := "── " + id + " · " + title + " "
	w.line(w.title(head + strings.Repeat("─", max(w.width()-lipgloss.Width(head), 0))))
	w.prose(0, tell)
	w.line("")
	return w.String()
}

// Moment is one step of a story: how long before or after the decision it happens, and what happens.
type Moment struct {
	Offset time.Duration
	Say    string
	Came   string // what it came to; may be empty
}

// Timeline writes the steps of a story below each other.
func Timeline(moments []Moment, p Page) string {
	w := p.writer()
	rows := make([][]string, 0, len(moments))
	for _, m := range moments {
		rows = append(rows, []string{w.in(blue, offset(m.Offset)), m.Say})
		if m.Came != "" {
			rows = append(rows, []string{"", w.dim(m.Came)})
		}
	}
	w.grid(2, rows)
	return w.String()
}

// Came says what has happened to a case since it was looked at last, from the history, and the risk that it comes to; before is nil
// the first time.
func Came(before, now *recoveryv1.Case, p Page) string {
	seen := 0
	if before != nil {
		seen = len(before.GetHistory())
	}
	var parts []string
	for _, t := range now.GetHistory()[seen:] {
		what := plain(t.GetKind())
		if t.GetMilestone() != recoveryv1.Milestone_MILESTONE_UNSPECIFIED {
			what += " (" + plain(t.GetMilestone()) + ")"
		}
		parts = append(parts, what)
	}
	parts = slices.Compact(parts)
	if now.GetState() < recoveryv1.CaseState_CASE_STATE_RESOLVED {
		risk := now.GetAssessment().GetRisk()
		parts = append(parts, fmt.Sprintf("risk %s, %s", percent(risk.GetIgnored()), word(risk.GetBand())))
	}
	if o := lastOffer(now); o != nil && o.GetAnsweredAt() == nil {
		parts = append(parts, fmt.Sprintf("offer of %s: %s", Money(o.GetTotal()), plain(o.GetState())))
	}
	return "→ " + chain(parts)
}

func offset(d time.Duration) string {
	switch {
	case d < 0:
		return Span(d.Abs()) + " before"
	case d > 0:
		return Span(d) + " later"
	default:
		return "now"
	}
}

// Decision writes what was decided on a case and why, without what to say: the risk and its reasons, the compensation, the deadlines.
func Decision(c *recoveryv1.Case, p Page) string {
	w := p.writer()
	w.failures(c)
	w.risk(c.GetAssessment())
	w.reasonsInBrief(c.GetAssessment())
	w.give(c)
	w.review(c.GetRecommendation())
	w.deadlines(c)
	return w.String()
}

// Ending is the outcome of one story, for the table of all.
type Ending struct {
	ID, Title string
	Case      *recoveryv1.Case
	Now       time.Time
}

// Endings writes one line a story; titles are cut to what the page leaves them.
func Endings(list []Ending, p Page) string {
	w := p.writer()
	rows := [][]string{{"", w.bold("band"), w.bold("ignored"), w.bold("late"), w.bold("on time"), w.bold("give"), w.bold("answer")}}
	for _, e := range list {
		risk := e.Case.GetAssessment().GetRisk()
		there := p
		there.Now = e.Now
		rows = append(rows, []string{
			"", w.in(bandColour(risk.GetBand()), word(risk.GetBand())),
			percent(risk.GetIgnored()), percent(risk.GetLate()), percent(risk.GetOnTime()),
			Money(e.Case.GetRecommendation().GetTotal()), there.left(e.Case.GetRespondBy()),
		})
	}
	for column := 2; column <= 5; column++ {
		alignRight(rows, column)
	}
	room := w.width() - w.answers(rows)
	for _, width := range columnWidths(rows)[1:] {
		room -= len(gap) + width
	}
	rows[0][0] = w.bold("story")
	for i, e := range list {
		rows[i+1][0] = cut(fmt.Sprintf("%-3s %s", e.ID, e.Title), room)
	}
	w.grid(0, rows)
	return w.String()
}

// answers is how wide the last column is, with the gap before it.
func (w *writer) answers(rows [][]string) int {
	widest := 0
	for _, row := range rows {
		widest = max(widest, width(row[len(row)-1]))
	}
	return widest + len(gap)
}

// Note writes a remark that nobody has to read, after an empty line.
func Note(text string, p Page) string {
	w := p.writer()
	w.line("")
	w.prose(0, w.dim(text))
	return w.String()
}

// Legend explains the grades of evidence and the service levels.
func Legend(p Page) string {
	w := p.writer()
	w.line("")
	w.grid(0, [][]string{
		{w.bold("evidence"), w.dim(chain([]string{"A field experiment", "B laboratory or survey by scholars", "C industry survey", "D folklore",
			"M measured on orders", "O our judgement"}))},
		{w.bold("service level"), w.dim(chain([]string{"failure: a deadline was missed, or refused out of greed", "survival: the customer had to complain",
			"success: every deadline kept", "transformational: we spoke first"}))},
	})
	return w.String()
}
