// Package svg draws pictures for the docs that can be read on light and on dark
// pages.
package svg

import (
	"fmt"
	"html"
	"strings"
)

// Style has colours for light and for dark pages. A picture has a ground of its
// own, so that it can be read on any page.
const Style = `<style>
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

// Picture is a picture under way.
type Picture struct{ strings.Builder }

// Print adds one line.
func (p *Picture) Print(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// Text writes, anchored at its start, middle or end.
func (p *Picture) Text(class, anchor string, x, y int, what string) {
	p.Print(`<text class="%s" text-anchor="%s" x="%d" y="%d">%s</text>`, class, anchor, x, y, html.EscapeString(what))
}

// Open begins a picture that says what it shows.
func (p *Picture) Open(width, height int, title string) {
	p.Print(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-labelledby="title">`,
		width, height, width, height)
	p.Print(`<title id="title">%s</title>`, html.EscapeString(title))
	p.Print("%s", Style)
}

// Ground lays the ground; what is drawn before is hidden by it.
func (p *Picture) Ground(width, height int) {
	p.Print(`<rect class="ground" x="0.5" y="0.5" width="%d" height="%d" rx="8"/>`, width-1, height-1)
}
