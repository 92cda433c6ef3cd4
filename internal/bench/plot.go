package bench

import (
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/makeamends/amends/internal/svg"
)

// Where things stand in a plot.
const (
	plotHeight          = 420
	plotLeft, plotRight = 84, 640        // the names of the lines stand to the right
	plotNames           = plotRight + 64 // from here on
	plotTop, plotBottom = 56, 356
)

// plotStyle has a colour and a dash for each line, so that nobody needs colours.
const plotStyle = `<style>
.head { font-size: 16px; font-weight: 600; }
.tick { font-size: 12px; fill: #59636e; }
.grid { stroke: #d1d9e0; stroke-width: 1; }
.curve { fill: none; stroke-width: 2.4; }
.c0 { stroke: #0b57d0; } .c1 { stroke: #b3261e; stroke-dasharray: 9 4; } .c2 { stroke: #7a4a00; stroke-dasharray: 3 4; } .c3 { stroke: #5f6b76; stroke-dasharray: 12 4 3 4; }
.hollow { fill: #ffffff; stroke-width: 2; stroke-dasharray: none; }
.key { stroke: #59636e; }
@media (prefers-color-scheme: dark) {
.tick { fill: #a3adb8; }
.grid { stroke: #3d444d; }
.c0 { stroke: #7cb0ff; } .c1 { stroke: #ff8a80; } .c2 { stroke: #f0b45b; } .c3 { stroke: #a3adb8; }
.hollow { fill: #0d1117; }
.key { stroke: #a3adb8; }
}
</style>`

// SVG draws the plot.
func (p Plot) SVG() []byte {
	var out svg.Picture
	width := p.width()
	out.Open(width, plotHeight, p.Title)
	out.Print("%s", plotStyle)
	out.Ground(width, plotHeight)
	out.Text("head", "start", plotLeft, 32, p.Title)
	x, y := p.scales()
	for _, tick := range x.ticks() {
		at := int(x.at(tick))
		out.Print(`<path class="grid" d="M%d %dV%d"/>`, at, plotTop, plotBottom)
		out.Text("tick", "middle", at, plotBottom+18, Number(tick))
	}
	for _, tick := range y.ticks() {
		at := int(y.at(tick))
		out.Print(`<path class="grid" d="M%d %dH%d"/>`, plotLeft, at, plotRight)
		out.Text("tick", "end", plotLeft-8, at+4, Number(tick))
	}
	out.Text("label", "middle", (plotLeft+plotRight)/2, plotBottom+44, p.X.Label)
	out.Text("label", "start", 16, plotTop-8, p.Y.Label)
	for i, s := range p.Series {
		p.curve(&out, i, s, x, y)
	}
	if p.hasHollow() {
		top := keyAt(len(p.Series))
		out.Print(`<circle class="hollow key" cx="%d" cy="%d" r="5"/>`, plotRight+36, top)
		out.Text("label", "start", plotNames, top+5, p.Hollow)
	}
	out.Print("</svg>")
	return []byte(out.String())
}

// width has room for the longest name, in a font that is wide.
func (p Plot) width() int {
	width := 820
	fit := func(name string) { width = max(width, plotNames+8*utf8.RuneCountInString(name)+16) }
	for _, s := range p.Series {
		fit(s.Name)
	}
	if p.hasHollow() {
		fit(p.Hollow)
	}
	return width
}

func (p Plot) hasHollow() bool {
	return slices.ContainsFunc(p.Series, func(s Series) bool { return len(s.Hollow) > 0 })
}

// curve draws one line, and its name into the legend.
func (p Plot) curve(out *svg.Picture, i int, s Series, x, y scale) {
	class := fmt.Sprintf("curve c%d", i%4)
	way := ""
	for n, point := range s.Points {
		step := "L"
		if n == 0 {
			step = "M"
		}
		way += fmt.Sprintf("%s%.1f %.1f", step, x.at(point[0]), y.at(point[1]))
	}
	if way != "" {
		out.Print(`<path class="%s" d="%s"/>`, class, way)
	}
	for _, n := range s.Hollow {
		out.Print(`<circle class="%s hollow" cx="%.1f" cy="%.1f" r="5"/>`, class, x.at(s.Points[n][0]), y.at(s.Points[n][1]))
	}
	top := keyAt(i)
	out.Print(`<path class="%s" d="M%d %dH%d"/>`, class, plotRight+16, top, plotRight+56)
	out.Text("label", "start", plotNames, top+5, s.Name)
}

// keyAt is where an entry of the legend stands.
func keyAt(i int) int { return plotTop + 12 + 24*i }

// scales fit all points; what is not logarithmic begins at 0.
func (p Plot) scales() (x, y scale) {
	x = scale{log: p.X.Log, low: math.Inf(1), from: plotLeft, to: plotRight}
	y = scale{log: p.Y.Log, low: math.Inf(1), from: plotBottom, to: plotTop}
	for _, s := range p.Series {
		for _, point := range s.Points {
			x.widen(point[0])
			y.widen(point[1])
		}
	}
	x.settle()
	y.settle()
	return x, y
}

// scale is one axis.
type scale struct {
	log       bool
	low, high float64
	from, to  float64 // pixels
}

func (s *scale) widen(v float64) {
	if v > 0 || !s.log {
		s.low, s.high = min(s.low, v), max(s.high, v)
	}
}

// settle makes room for what there is, also if it is nothing.
func (s *scale) settle() {
	switch {
	case s.high == 0:
		s.low, s.high = 1, 10
	case !s.log:
		s.high *= 1.05
	}
	if !s.log {
		s.low = 0
	} else if s.low == s.high {
		s.low, s.high = s.low/2, s.high*2
	}
}

func (s *scale) at(v float64) float64 {
	share := (v - s.low) / (s.high - s.low)
	if s.log {
		share = math.Log(max(v, s.low)/s.low) / math.Log(s.high/s.low)
	}
	return s.from + share*(s.to-s.from)
}

// ticks are round numbers: of a logarithmic scale powers of ten, with 2 and 5
// between them if there would be few.
func (s *scale) ticks() (at []float64) {
	if !s.log {
		step := math.Pow(10, math.Floor(math.Log10(s.high)))
		for s.high/step < 4 {
			step /= 2
		}
		for v := 0.0; v <= s.high; v += step {
			at = append(at, v)
		}
		return at
	}
	between := []float64{1}
	if s.high/s.low < 1000 {
		between = []float64{1, 2, 5}
	}
	for power := math.Pow(10, math.Floor(math.Log10(s.low))); power <= s.high; power *= 10 {
		for _, n := range between {
			at = append(at, n*power)
		}
	}
	return slices.DeleteFunc(at, func(v float64) bool { return v < s.low || v > s.high })
}
