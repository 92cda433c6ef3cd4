package main

import (
	"fmt"
	"html"
	"os"

	"github.com/makeamends/amends/internal/jaeger"
	"github.com/makeamends/amends/internal/svg"
)

// Where things stand in the picture of traces.
const (
	waterWidth  = 960
	waterNames  = 26  // where the names begin
	waterMakers = 320 // and the services
	waterBars   = 410
	waterEnd    = 850
	rowHeight   = 26
	factHeight  = 17
	factRunes   = 118 // of the small type, that fit into a line
)

// Colours of the bars, by the service that made the span; a span that leads to
// another trace stands out.
const traceStyle = `<style>
.head { font-size: 15px; font-weight: 600; }
.name { font-size: 13.5px; }
.maker, .fact { font-size: 12px; fill: #59636e; }
.took { font-size: 12px; }
.grid { stroke: #d1d9e0; stroke-width: 1; }
.ours { fill: #2f6fbd; }
.theirs { fill: #7d8590; }
.late { fill: #c2410c; }
.link { fill: none; stroke: #c2410c; stroke-width: 1.6; stroke-dasharray: 6 4; }
@media (prefers-color-scheme: dark) {
.maker, .fact { fill: #a3adb8; }
.grid { stroke: #3d444d; }
.ours { fill: #6cb0f5; }
.theirs { fill: #8b949e; }
.late { fill: #f0883e; }
.link { stroke: #f0883e; }
}
</style>`

// water is the picture of traces under way.
type water struct {
	svg.Picture
	y    int
	rows map[jaeger.Link]int // middle of the row of each span
}

// traces draws what Jaeger has told of some traces, the later ones below those
// that they link to.
func traces(file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	list, err := jaeger.Read(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	d := &water{y: 20, rows: map[jaeger.Link]int{}}
	for i := range list {
		d.trace(&list[i])
	}
	for i := range list {
		d.links(&list[i])
	}
	height := d.y - 4
	var out svg.Picture
	out.Open(waterWidth, height, "A call from its client to its commit, and the missed deadline that leads back to it")
	out.Print("%s", traceStyle)
	out.Print(`<defs><marker id="clocktip" class="clocktip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="9" markerHeight="9"` +
		` markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L10 5L0 10Z"/></marker></defs>`)
	out.Ground(waterWidth, height)
	return []byte(out.String() + d.String() + "</svg>\n"), nil
}

func (d *water) text(class string, x int, what string) {
	d.Print(`<text class="%s" x="%d" y="%d">%s</text>`, class, x, d.y, html.EscapeString(what))
}

// trace draws one trace below what is there.
func (d *water) trace(t *jaeger.Trace) {
	begin, total := t.Extent()
	d.y += 14
	d.text("head", waterNames, "trace "+t.ID)
	d.y += 10
	d.Print(`<path class="grid" d="M%d %dH%d"/>`, waterNames, d.y, waterWidth-waterNames)
	scale := float64(waterEnd-waterBars) / float64(max(total, 1))
	for i := range t.Spans {
		s := &t.Spans[i]
		d.y += rowHeight
		d.rows[jaeger.Link{Trace: t.ID, Span: s.ID}] = d.y - 5
		d.text("name", waterNames+16*s.Depth, s.Title())
		d.text("maker", waterMakers, s.Service)
		from := waterBars + float64(s.Start.Sub(begin))*scale
		width := max(float64(s.Duration)*scale, 2)
		d.Print(`<rect class="%s" x="%.1f" y="%d" width="%.1f" height="12" rx="2"/>`, paint(s), from, d.y-11, width)
		d.text("took", int(from+width)+6, jaeger.Short(s.Duration))
		d.facts(s)
	}
	d.y += 26
}

func paint(s *jaeger.Span) string {
	switch {
	case len(s.Links) > 0:
		return "late"
	case s.Service == "amends":
		return "ours"
	default:
		return "theirs"
	}
}

// facts writes below a span what it tells.
func (d *water) facts(s *jaeger.Span) {
	for _, list := range [][]string{s.Facts(), s.Happened()} {
		line := ""
		for i, fact := range list {
			if line != "" && len([]rune(line+fact)) > factRunes {
				d.fact(s, line)
				line = ""
			}
			line += fact
			if i < len(list)-1 {
				line += " · "
			}
		}
		d.fact(s, line)
	}
}

func (d *water) fact(s *jaeger.Span, line string) {
	if line != "" {
		d.y += factHeight
		d.text("fact", waterNames+16*s.Depth+16, line)
	}
}

// links draws where spans lead, on the right of all bars.
func (d *water) links(t *jaeger.Trace) {
	for i := range t.Spans {
		s := &t.Spans[i]
		for _, l := range s.Links {
			if to, ok := d.rows[l]; ok {
				x := waterWidth - 14
				d.Print(`<path class="link" marker-end="url(#clocktip)" d="M%d %dH%dV%dH%d"/>`,
					waterEnd+66, d.rows[jaeger.Link{Trace: t.ID, Span: s.ID}], x, to, waterEnd+66)
			}
		}
	}
}
