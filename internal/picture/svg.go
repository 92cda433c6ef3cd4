package main

import (
	"fmt"

	"github.com/makeamends/amends/internal/recovery"
)

// class adds to a class that time does something.
func class(of string, time bool) string {
	if time {
		return of + " time"
	}
	return of
}

// path draws a line with a tip; dashed for what time does.
func (d *diagram) path(time bool, format string, args ...any) {
	tip := "tip"
	if time {
		tip = "clocktip"
	}
	d.Print(`<path class="%s" marker-end="url(#%s)" d="%s"/>`, way(time), tip, fmt.Sprintf(format, args...))
}

// line draws one without a tip.
func (d *diagram) line(time bool, format string, args ...any) {
	d.Print(`<path class="%s" d="%s"/>`, way(time), fmt.Sprintf(format, args...))
}

func way(time bool) string {
	if time {
		return "way clock"
	}
	return "way"
}

// begin opens the picture: how a case begins.
func (d *diagram) begin() {
	const legend = 78
	height := d.tops[recovery.FollowedUp+1] - boxGap + legend
	d.Open(pageWidth, height, "The life of a case: its states, and the steps between them")
	for _, id := range []string{"tip", "clocktip"} {
		d.Print(`<defs><marker id="%s" class="%s" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="9" markerHeight="9"`+
			` markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L10 5L0 10Z"/></marker></defs>`, id, id)
	}
	d.Ground(pageWidth, height)
	x := (boxLeft + boxRight) / 2
	d.Print(`<circle class="tip" cx="%d" cy="22" r="7"/>`, x)
	d.path(false, "M%d 29V%d", x, firstTop-1)
	d.Text("label", "start", x+14, 42, recovery.StepReport.String())
}

// end says how to read the picture, and closes it.
func (d *diagram) end() {
	y := d.tops[recovery.FollowedUp+1] - boxGap + 34
	d.path(false, "M%d %dH%d", 28, y, 78)
	d.Text("note", "start", 88, y+4, "somebody takes the step")
	d.path(true, "M%d %dH%d", 268, y, 318)
	d.Text("note", "start", 328, y+4, "time does")
	d.Text("note", "start", 420, y+4, "in small type: leaves the state as it is")
	d.Text("note", "start", 28, y+26, "Deadlines come near and go by meanwhile; only a missed follow-up changes the state.")
	d.Print("</svg>")
}
