package show

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// Board is a view of the cases that are not over, for a screen that somebody watches.
type Board struct {
	// Cases in any order; those that are over are not shown.
	Cases []*recoveryv1.Case
	// Recent is what happened last, the newest at the end. As many as there is room for are shown.
	Recent []*recoveryv1.CaseEvent
	// Status says how things are between the screen and the service; empty if all is well.
	Status string
	// Height is how many lines the screen has, 1 or more.
	Height int
}

// Lines draws the board: at most Height lines, none wider than the page, which here is as wide or as narrow as the screen. The case with
// the least time left comes first.
func (b Board) Lines(p Page) []string {
	w := p.writer()
	cases := b.sorted()
	lines := []string{w.heading(cases), w.in(orange, b.Status)}
	recent := b.recent(w)
	room := b.Height - len(lines) - 1 - len(recent) // without the line of headings
	lines = append(lines, b.rows(w, cases, max(room, 1))...)
	lines = append(lines, recent...)
	lines = lines[:min(len(lines), max(b.Height, 1))]
	for i, line := range lines {
		lines[i] = ansi.Truncate(breakable.Replace(line), max(p.Width, 1), "…")
	}
	return lines
}

// sorted are the cases that are not over, the most urgent first.
func (b Board) sorted() []*recoveryv1.Case {
	cases := slices.DeleteFunc(slices.Clone(b.Cases), IsOver)
	slices.SortFunc(cases, byUrgency)
	return cases
}

// byUrgency compares cases by what is due next: what is overdue with nothing promised any more, running clocks, those that stand still, then
// nothing.
func byUrgency(x, y *recoveryv1.Case) int {
	rankX, dueX := rank(x)
	rankY, dueY := rank(y)
	order := cmp.Compare(rankX, rankY)
	if order == 0 && dueX != nil {
		order = dueX.GetDueAt().AsTime().Compare(dueY.GetDueAt().AsTime())
	}
	if order == 0 {
		order = cmp.Compare(y.GetAssessment().GetRisk().GetBand(), x.GetAssessment().GetRisk().GetBand())
	}
	return cmp.Or(order, strings.Compare(x.GetCaseId(), y.GetCaseId()))
}

// rank is how urgent a case is, the least first, and the deadline that makes it so; nil if there is none.
func rank(c *recoveryv1.Case) (int, *recoveryv1.Deadline) {
	late, next := overdue(c), Next(c)
	switch {
	case late != nil:
		return 0, late
	case next == nil:
		return 3, nil
	case stopped(next, c):
		return 2, next
	default:
		return 1, next
	}
}

// heading counts the cases by band, those that are late, and those with a promise that was broken and not made up for, beside the time.
func (w *writer) heading(cases []*recoveryv1.Case) string {
	late, missed, bands := 0, 0, map[recoveryv1.Band]int{}
	for _, c := range cases {
		bands[c.GetAssessment().GetRisk().GetBand()]++
		if rank, d := rank(c); rank < 2 && d.GetDueAt().AsTime().Before(w.Now) {
			late++
		}
		if len(broken(c)) > 0 {
			missed++
		}
	}
	parts := []string{w.Now.Format("15:04:05") + gap + w.bold(count(int64(len(cases)), "case"))}
	for band := recoveryv1.Band_BAND_CRITICAL; band >= recoveryv1.Band_BAND_LOW; band-- {
		if n := bands[band]; n > 0 {
			parts = append(parts, w.in(bandColour(band), fmt.Sprintf("%d %s", n, word(band))))
		}
	}
	if late > 0 {
		parts = append(parts, w.in(red, fmt.Sprintf("%d late", late)))
	}
	if missed > 0 {
		parts = append(parts, w.in(red, fmt.Sprintf("%d missed a promise", missed)))
	}
	return strings.Join(parts, " · ")
}

// rows are the headings and the cases, as many as there is room for.
func (b Board) rows(w *writer, cases []*recoveryv1.Case, room int) []string {
	switch {
	case len(cases) == 0 && b.Status != "": // nobody knows
		return nil
	case len(cases) == 0:
		return []string{"No open cases."}
	}
	shown, hidden := cases, 0
	if len(cases) > room {
		shown = cases[:max(room-1, 0)]
		hidden = len(cases) - len(shown)
	}
	lines := w.table(shown, w.Width)
	if hidden > 0 {
		lines = append(lines, w.dim(fmt.Sprintf("… and %d more", hidden)))
	}
	return lines
}

// recent are the last events below an empty line, in at most a quarter of the screen.
func (b Board) recent(w *writer) []string {
	n := min(len(b.Recent), b.Height/4-1)
	if n <= 0 {
		return nil
	}
	lines := []string{""}
	for _, e := range b.Recent[len(b.Recent)-n:] {
		at := e.GetTransition().GetAt().AsTime().In(w.Now.Location()).Format("15:04:05")
		lines = append(lines, w.dim(at)+gap+e.GetCaseId()+gap+w.transition(e.GetTransition()))
	}
	return lines
}
