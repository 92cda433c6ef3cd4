package show

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"github.com/charmbracelet/x/ansi"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// Cases writes a table of cases, one a line: which and how urgent, how far it has come, what is due next and how much time is left, what
// it may cost. Where the page is narrow, a wide amount is cut, and then the columns that matter least are left out.
func Cases(cases []*recoveryv1.Case, p Page) string {
	w := p.writer()
	if len(cases) == 0 {
		w.prose(0, "No cases.")
		return w.String()
	}
	columns := cmp.Or(w.Width, w.width())
	if w.Unbound {
		columns = math.MaxInt32
	}
	lines := w.table(cases, columns)
	w.line(lines[0])
	w.line(w.dim(strings.Repeat("─", ansi.StringWidth(lines[0]))))
	for _, line := range lines[1:] {
		w.line(line)
	}
	w.prose(0, w.dim("One in full: "+together("amends case "+cases[0].GetCaseId())))
	return w.String()
}

// column is one property of cases in a table.
type column struct {
	title string
	// worth says what is left out first where the table is too wide: what is worth less.
	worth int
	right bool
	least int // columns to which it is cut before others are left out; 0: it is not
	cell  func(*writer, *recoveryv1.Case) string
}

var caseColumns = []column{
	{title: "CASE", worth: 10, cell: func(_ *writer, c *recoveryv1.Case) string { return c.GetCaseId() }},
	{title: "BAND", worth: 7, cell: func(w *writer, c *recoveryv1.Case) string {
		band := c.GetAssessment().GetRisk().GetBand()
		return w.in(bandColour(band), word(band))
	}},
	{title: "STATE", worth: 5, cell: func(_ *writer, c *recoveryv1.Case) string { return plain(c.GetState()) }},
	{title: "NEXT", worth: 6, cell: func(w *writer, c *recoveryv1.Case) string {
		if late := overdue(c); late != nil {
			return w.in(red, "overdue "+plain(late.GetMilestone()))
		}
		if d := Next(c); d != nil {
			return plain(d.GetMilestone())
		}
		return ""
	}},
	{title: "TIME LEFT", worth: 9, right: true, cell: (*writer).timeLeft},
	{title: "MISSED", worth: 8, right: true, cell: func(w *writer, c *recoveryv1.Case) string {
		if n := len(broken(c)); n > 0 {
			return w.in(red, fmt.Sprint(n))
		}
		return ""
	}},
	{title: "LEAVES", worth: 4, right: true, cell: func(_ *writer, c *recoveryv1.Case) string {
		if c.GetState() >= recoveryv1.CaseState_CASE_STATE_RESOLVED {
			return ""
		}
		return percent(c.GetAssessment().GetRisk().GetIgnored())
	}},
	{title: "GIVE", worth: 3, right: true, least: 14, cell: func(_ *writer, c *recoveryv1.Case) string { return giveInShort(c) }},
	{title: "ABOUT", worth: 2, cell: func(w *writer, c *recoveryv1.Case) string { return w.dim(summary(c)) }},
}

// leastAbout is how many columns are worth telling what a case is about.
const leastAbout = 12

// table lays the cases out below their headings within so many columns of the page; what the cases are about takes what is left.
func (w *writer) table(cases []*recoveryv1.Case, columns int) []string {
	rows := make([][]string, len(cases)+1)
	widths := make([]int, len(caseColumns))
	for i, column := range caseColumns {
		rows[0] = append(rows[0], w.bold(column.title))
		for n, c := range cases {
			cell := column.cell(w, c)
			rows[n+1] = append(rows[n+1], cell)
			widths[i] = max(widths[i], ansi.StringWidth(cell))
		}
		if widths[i] > 0 { // a column without content is left out
			widths[i] = max(widths[i], ansi.StringWidth(column.title))
		}
	}
	fit(widths, columns)
	lines := make([]string, len(rows))
	for n, row := range rows {
		lines[n] = join(row, widths)
	}
	return lines
}

// fit makes the widths fit, by cutting the columns that may be cut and by setting those of columns that are left out to 0.
func fit(widths []int, columns int) {
	last := len(widths) - 1
	total := 0
	for _, width := range widths[:last] {
		if width > 0 {
			total += width + len(gap)
		}
	}
	// cut gives up what is missing, if that is enough.
	cut := func(missing int) {
		for i, column := range caseColumns[:last] {
			if spare := widths[i] - column.least; column.least > 0 && missing > 0 && missing <= spare {
				widths[i] -= missing
				total -= missing
			}
		}
	}
	cut(total + min(widths[last], leastAbout) - columns)
	// What is short needs no more room than it has.
	if room := columns - total; room < min(widths[last], leastAbout) {
		widths[last] = 0
	} else {
		widths[last] = min(widths[last], room)
	}
	if widths[last] == 0 {
		total -= len(gap)
	} else {
		total += widths[last]
	}
	cut(total - columns)
	for total > columns {
		least := 0 // the case itself stays, come what may
		for i, column := range caseColumns[:last] {
			if widths[i] > 0 && column.worth < caseColumns[least].worth {
				least = i
			}
		}
		if least == 0 {
			return
		}
		total -= widths[least] + len(gap)
		widths[least] = 0
	}
}

// join writes one row of a table; cells of width 0 are left out.
func join(row []string, widths []int) string {
	var line strings.Builder
	for i, cell := range row {
		if widths[i] == 0 {
			continue
		}
		cell = ansi.Truncate(cell, widths[i], "…")
		blank := strings.Repeat(" ", widths[i]-ansi.StringWidth(cell))
		if i > 0 {
			line.WriteString(gap)
		}
		if caseColumns[i].right {
			cell, blank = blank+cell, ""
		}
		line.WriteString(cell + blank)
	}
	return strings.TrimRight(line.String(), " ")
}

// timeLeft is how long until the next deadline, or how long it is overdue; a clock that stands still says so.
func (w *writer) timeLeft(c *recoveryv1.Case) string {
	d := Next(c)
	if late := overdue(c); late != nil {
		d = late
	}
	switch {
	case d == nil:
		return ""
	case stopped(d, c):
		return w.dim("on hold")
	}
	left := roundLeft(d.GetDueAt().AsTime().Sub(w.Now))
	switch {
	case left < 0:
		return w.in(red, Span(left.Abs())+" late")
	case left < soon:
		return w.in(orange, Span(left))
	default:
		return Span(left)
	}
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

func cut(text string, limit int) string {
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	return string(runes[:limit-1]) + "…"
}
