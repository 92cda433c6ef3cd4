package show

import (
	"fmt"
	"strconv"
	"time"
)

// Load is what became of one file that was taken in.
type Load struct {
	File     string  `json:"file"`
	Whole    bool    `json:"whole"` // it was read to its end
	Line     int     `json:"line"`  // of the last record that has its answer
	Read     int     `json:"read"`
	Recorded int     `json:"recorded"`
	Sound    int     `json:"sound"`    // of a dry run, which records nothing
	Replayed int     `json:"replayed"` // recorded before, with the same content
	Refused  int     `json:"refused"`
	Earlier  int     `json:"earlier"` // of those read, by a run that was interrupted
	Rejects  string  `json:"rejects,omitempty"`
	Seconds  float64 `json:"seconds"`
}

// Loads writes what became of files that were taken in, or checked only, one line each.
func Loads(list []Load, dryRun bool, p Page) string {
	w := p.writer()
	head := []string{"read", "recorded", "known from before", "refused"}
	if dryRun {
		head = []string{"read", "sound", "faulty"}
	}
	rows := [][]string{append([]string{"FILE"}, head...)}
	total := Load{File: "all"}
	row := func(l Load) []string {
		counts := []int{l.Read, l.Recorded, l.Replayed, l.Refused}
		if dryRun {
			counts = []int{l.Read, l.Sound, l.Refused}
		}
		cells := []string{l.File}
		for _, n := range counts {
			cells = append(cells, grouped(n))
		}
		return cells
	}
	for _, l := range list {
		rows = append(rows, append(row(l), l.note()))
		total.Read, total.Recorded, total.Replayed = total.Read+l.Read, total.Recorded+l.Recorded, total.Replayed+l.Replayed
		total.Refused, total.Sound = total.Refused+l.Refused, total.Sound+l.Sound
	}
	rows[0] = append(rows[0], "")
	if len(list) > 1 {
		rows = append(rows, append(row(total), ""))
	}
	for column := 1; column < len(rows[0])-1; column++ {
		alignRight(rows, column)
	}
	w.grid(0, rows)
	return w.String()
}

// note is what else there is to say of a file.
func (l Load) note() string {
	text := "in less than 1 s"
	if l.Seconds >= 1 {
		text = "in " + Span(time.Duration(l.Seconds*float64(time.Second)))
	}
	if l.Earlier > 0 {
		text += fmt.Sprintf(", %s of them by an earlier run", grouped(l.Earlier))
	}
	if !l.Whole {
		text += ", not to its end"
	}
	return text
}

// grouped writes a count with its thousands apart.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
