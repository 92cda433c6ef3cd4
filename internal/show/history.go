package show

import (
	"github.com/charmbracelet/lipgloss"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// history writes the steps of a case, where there is more to tell than that it was opened.
func (w *writer) history(c *recoveryv1.Case) {
	if len(c.GetHistory()) < 2 {
		return
	}
	w.section("SO FAR", "")
	rows := make([][]string, 0, len(c.GetHistory()))
	for _, step := range c.GetHistory() {
		rows = append(rows, []string{w.moment(step.GetAt()), w.transition(step)})
	}
	w.grid(2, rows)
}

// transition tells one step of a case; what went wrong or is about to stands out.
func (w *writer) transition(t *recoveryv1.Transition) string {
	text := plain(t.GetKind())
	if t.GetMilestone() != recoveryv1.Milestone_MILESTONE_UNSPECIFIED {
		text += ": " + plain(t.GetMilestone())
	}
	if colour, ok := transitionColours[t.GetKind()]; ok {
		return w.in(colour, text)
	}
	return text
}

var transitionColours = map[recoveryv1.TransitionKind]lipgloss.Color{
	recoveryv1.TransitionKind_TRANSITION_KIND_WARNED:      orange,
	recoveryv1.TransitionKind_TRANSITION_KIND_MISSED:      red,
	recoveryv1.TransitionKind_TRANSITION_KIND_RESOLVED:    green,
	recoveryv1.TransitionKind_TRANSITION_KIND_FOLLOWED_UP: green,
}
