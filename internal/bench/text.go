package bench

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// link is how a note names a page of the docs.
var link = regexp.MustCompile(`\[([^\]]+)\]\(([^)]+)\)`)

// Print writes the report for people.
func (r Report) Print(w io.Writer) error {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "%s; %d processors (%s), %s GiB; %s; Redis %s; amends %s\n", m.System, m.Processors, m.Processor,
		Number(float64(m.Memory)/(1<<30)), m.Go, m.Redis, m.Version)
	for _, s := range r.Sections {
		fmt.Fprintf(&b, "\n%s (%s)\n\n", s.Title, s.Name)
		for _, t := range s.all() {
			if t.Title != "" {
				fmt.Fprintf(&b, "%s\n", t.Title)
			}
			t.print(&b)
			b.WriteByte('\n')
		}
		for _, note := range s.Notes {
			fmt.Fprintf(&b, "%s\n", link.ReplaceAllString(note, "$1 (docs/$2)"))
		}
	}
	if r.Broken != "" {
		fmt.Fprintf(&b, "\nNot complete: %s\n", r.Broken)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// all are the tables of the section, its ratios first and its figures last.
func (s Section) all() (tables []Table) {
	if len(s.Ratios) > 0 {
		tables = append(tables, s.RatioTable())
	}
	tables = append(tables, s.Tables...)
	if figures := s.FigureTable(); len(figures.Rows) > 0 {
		tables = append(tables, figures)
	}
	return tables
}

// RatioTable shows the ratios with their aims.
func (s Section) RatioTable() Table {
	t := Table{Columns: []string{"", "median (rounds)", "aim", ""}}
	for _, r := range s.Ratios {
		t.Rows = append(t.Rows, []string{r.About, r.String(), r.Aim.String(), r.Verdict()})
	}
	return t
}

// FigureTable shows the figures that no other table shows.
func (s Section) FigureTable() Table {
	t := Table{Columns: []string{"", "median (rounds)"}}
	for _, f := range s.Figures {
		if !f.Tabled {
			t.Rows = append(t.Rows, []string{f.About, f.String()})
		}
	}
	return t
}

// print writes aligned columns: the first to the left, what begins with a number
// to the right.
func (t Table) print(b *strings.Builder) {
	widths := make([]int, len(t.Columns))
	for _, row := range append([][]string{t.Columns}, t.Rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for n, row := range append([][]string{t.Columns}, t.Rows...) {
		var line strings.Builder
		for i, cell := range row {
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i > 0 && (n == 0 || isNumber(cell)) {
				line.WriteString(space + cell + "  ")
			} else {
				line.WriteString(cell + space + "  ")
			}
		}
		b.WriteString("  " + strings.TrimRight(line.String(), " ") + "\n")
	}
}

func isNumber(cell string) bool {
	return cell == "-" || cell != "" && strings.ContainsRune("0123456789", rune(cell[0]))
}
