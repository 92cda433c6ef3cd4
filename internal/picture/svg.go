package main

import (
	"fmt"
	"html"

	"github.com/makeamends/amends/internal/recovery"
)

// style has colours for light and for dark pages. The picture has a ground of
// its own, so that it can be read on any page.
const style = `<style>
text { font-family: -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; fill: #1f2328; }
.ground { fill: #ffffff; stroke: #d1d9e0; }
.box { fill: #f2f6fb; stroke: #57606a; stroke-width: 1.5; }
.state { font-size: 16px; font-weight: 600; letter-spacing: 0.4px; }
.stay { font-size: 12.5px; fill: #59636e; }
.label { font-size: 13.5px; }
.note { font-size: 13px; fill: #59636e; }
.time { font-style: italic; fill: #9a3412; }
.way { fill: none; stroke: #57606a; stroke-width: 1.6; }
.clock { stroke: #c2410c; stroke-dasharray: 6 4; }
.tip { fill: #57606a; }
.clocktip { fill: #c2410c; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.ground { fill: #0d1117; stroke: #3d444d; }
.box { fill: #161d27; stroke: #9198a1; }
.stay, .note { fill: #a3adb8; }
.time { fill: #ffb074; }
.way { stroke: #9198a1; }
.clock { stroke: #f0883e; }
.tip { fill: #9198a1; }
.clocktip { fill: #f0883e; }
}
</style>`

// print adds one line to the picture.
func (d *diagram) print(format string, args ...any) { fmt.Fprintf(&d.svg, format+"\n", args...) }

// class adds to a class that time does something.
func class(of string, time bool) string {
	if time {
		return of + " time"
	}
	return of
}

func (d *diagram) text(class, align string, x, y int, what string) {
	d.print(`<text class="%s" text-anchor="%s" x="%d" y="%d">%s</text>`, class, align, x, y, html.EscapeString(what))
}

// path draws a line with a tip; dashed for what time does.
func (d *diagram) path(time bool, format string, args ...any) {
	tip := "tip"
	if time {
		tip = "clocktip"
	}
	d.print(`<path class="%s" marker-end="url(#%s)" d="%s"/>`, way(time), tip, fmt.Sprintf(format, args...))
}

// line draws one without a tip.
func (d *diagram) line(time bool, format string, args ...any) {
	d.print(`<path class="%s" d="%s"/>`, way(time), fmt.Sprintf(format, args...))
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
	d.print(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-labelledby="title">`,
		pageWidth, height, pageWidth, height)
	d.print(`<title id="title">The life of a case: its states, and the steps between them</title>`)
	d.print(style)
	for _, id := range []string{"tip", "clocktip"} {
		d.print(`<defs><marker id="%s" class="%s" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="9" markerHeight="9"`+
			` markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L10 5L0 10Z"/></marker></defs>`, id, id)
	}
	d.print(`<rect class="ground" x="0.5" y="0.5" width="%d" height="%d" rx="8"/>`, pageWidth-1, height-1)
	x := (boxLeft + boxRight) / 2
	d.print(`<circle class="tip" cx="%d" cy="22" r="7"/>`, x)
	d.path(false, "M%d 29V%d", x, firstTop-1)
	d.text("label", "start", x+14, 42, recovery.StepReport.String())
}

// end says how to read the picture, and closes it.
func (d *diagram) end() {
	y := d.tops[recovery.FollowedUp+1] - boxGap + 34
	d.path(false, "M%d %dH%d", 28, y, 78)
	d.text("note", "start", 88, y+4, "somebody takes the step")
	d.path(true, "M%d %dH%d", 268, y, 318)
	d.text("note", "start", 328, y+4, "time does")
	d.text("note", "start", 420, y+4, "in small type: leaves the state as it is")
	d.text("note", "start", 28, y+26, "Deadlines come near and go by meanwhile; only a missed follow-up changes the state.")
	d.print("</svg>")
}
