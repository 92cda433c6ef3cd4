package show

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/makeamends/amends/internal/jaeger"
)

// Trace draws one trace as a waterfall: every span with what it belongs to, who made it, how long it took and when, and below it what it
// tells.
func Trace(t jaeger.Trace, p Page) string {
	w := p.writer()
	begin, total := t.Extent()
	services := map[string]bool{}
	for i := range t.Spans {
		services[t.Spans[i].Service] = true
	}
	w.line(w.bold("trace " + t.ID))
	w.prose(0, w.dim(fmt.Sprintf("%s of %s, %s, began %s", count(int64(len(t.Spans)), "span"), count(int64(len(services)), "service"),
		jaeger.Short(total), begin.In(p.Now.Location()).Format("Mon 2 Jan 2006 15:04:05.000 MST"))))
	w.line("")
	f := w.fall(t.Spans)
	f.begin, f.total = begin, max(total, 1)
	for i := range t.Spans {
		f.row(&t.Spans[i])
	}
	return w.String()
}

// fall is a waterfall.
type fall struct {
	*writer
	begin                        time.Time
	total                        time.Duration
	names, services, took, cells int             // widths of the columns
	told                         map[string]bool // facts that are the same in most spans
}

// How wide columns may be.
const (
	leastCells  = 16 // of the bars
	mostName    = 46
	mostService = 16
)

func (w *writer) fall(spans []jaeger.Span) *fall {
	f := &fall{writer: w, told: map[string]bool{}}
	for i := range spans {
		f.names = max(f.names, width(nested(&spans[i])))
		f.services = max(f.services, width(spans[i].Service))
		f.took = max(f.took, width(jaeger.Short(spans[i].Duration)))
	}
	f.names, f.services = min(f.names, mostName), min(f.services, mostService)
	rest := w.width() - f.names - f.services - f.took - 3*len(gap)
	f.cells = max(rest, leastCells)
	f.names -= f.cells - rest
	return f
}

// nested is the name of a span under that of its parent.
func nested(s *jaeger.Span) string { return strings.Repeat("  ", s.Depth) + s.Title() }

func (f *fall) row(s *jaeger.Span) {
	colour := blue
	if s.Failed() {
		colour = red
	}
	f.line(pad(nested(s), f.names) + gap + f.dim(pad(s.Service, f.services)) + gap + padLeft(jaeger.Short(s.Duration), f.took) + gap +
		f.in(colour, f.bar(s)))
	f.details(s, min(2*s.Depth+4, f.width()/2))
}

// bar stands where the span does in the time of the trace.
func (f *fall) bar(s *jaeger.Span) string {
	scale := float64(f.cells) / float64(f.total)
	from := min(math.Floor(float64(s.Start.Sub(f.begin))*scale), float64(f.cells-1))
	to := float64(s.Start.Add(s.Duration).Sub(f.begin)) * scale
	rest := float64(f.cells) - from
	return strings.Repeat(" ", int(from)) + rightBar((to-from)/rest, int(rest))
}

// details are what the span tells, and where it leads.
func (f *fall) details(s *jaeger.Span, indent int) {
	if s.Failed() {
		f.prose(indent, f.in(red, strings.TrimSuffix("failed: "+s.Failure(), ": ")))
	}
	facts := slices.DeleteFunc(s.Facts(), func(fact string) bool {
		again := f.told[fact] && strings.HasPrefix(fact, "customer ")
		f.told[fact] = true
		return again
	})
	for _, list := range [][]string{facts, s.Happened()} {
		if len(list) > 0 {
			f.prose(indent, f.dim(chain(list)))
		}
	}
	for _, l := range s.Links {
		f.prose(indent, "links to trace "+f.in(blue, l.Trace)+f.dim(", span "+l.Span))
	}
}
