package show

import (
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
)

const gap = "  "

// grid writes rows of aligned columns without lines between them. Every column is as wide as its widest cell; the last one takes what is
// left of the page and wraps.
func (w *writer) grid(indent int, rows [][]string) {
	w.columns(indent, columnWidths(rows), rows)
}

// columns writes rows as grid does, with columns at least as wide as given: so that lines between the rows do not disturb them.
func (w *writer) columns(indent int, widths []int, rows [][]string) {
	for _, row := range rows {
		var fixed strings.Builder
		fixed.WriteString(strings.Repeat(" ", indent))
		last := len(row) - 1
		for i, cell := range row[:last] {
			fixed.WriteString(cell + strings.Repeat(" ", widths[i]-lipgloss.Width(cell)) + gap)
		}
		before := lipgloss.Width(fixed.String())
		for n, part := range strings.Split(ansi.Wrap(row[last], max(w.width()-before, 12), ""), "\n") {
			if n == 0 {
				w.line(fixed.String() + part)
			} else {
				w.line(strings.Repeat(" ", before) + part)
			}
		}
	}
}

// columnWidths measures every column but the last of each row.
func columnWidths(rows [][]string) []int {
	var widths []int
	for _, row := range rows {
		for i, cell := range row[:len(row)-1] {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], lipgloss.Width(cell))
		}
	}
	return widths
}

// alignRight pads the cells of one column on their left.
func alignRight(rows [][]string, column int) {
	width := 0
	for _, row := range rows {
		width = max(width, lipgloss.Width(row[column]))
	}
	for _, row := range rows {
		row[column] = strings.Repeat(" ", width-lipgloss.Width(row[column])) + row[column]
	}
}
