package show

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/makeamends/amends/internal/jaeger"
)

// Trace draws one trace as a waterfall: every span with what it belongs to, who made it, how long it took and when, and below it what it
// tells.
func Trace(t jaeger.Trace, p Page) string {
	w := p.writer()
	begin, total := extent(t.Spans)
	w.line(w.bold("trace " + t.ID))
	services := map[string]bool{}
	for i := range t.Spans {
		services[t.Spans[i].Service] = true
	}
	w.prose(0, w.dim(fmt.Sprintf("%s of %s, %s, began %s", count(int64(len(t.Spans)), "span"), count(int64(len(services)), "service"),
		Duration(total), begin.In(p.Now.Location()).Format("Mon 2 Jan 2006 15:04:05.000 MST"))))
	f := w.fall(t.Spans, begin, total)
	for i := range t.Spans {
		f.row(&t.Spans[i])
	}
	return w.String()
}

// extent is when the first span began, and how long it took until the last one ended.
func extent(spans []jaeger.Span) (begin time.Time, total time.Duration) {
	var end time.Time
	for i := range spans {
		s := &spans[i]
		if begin.IsZero() || s.Start.Before(begin) {
			begin = s.Start
		}
		if e := s.Start.Add(s.Duration); e.After(end) {
			end = e
		}
	}
	return begin, end.Sub(begin)
}

// fall is the columns of a waterfall.
type fall struct {
	*writer
	begin                        time.Time
	total                        time.Duration
	names, services, took, cells int             // widths
	told                         map[string]bool // whom it is about
}

// Columns that a bar takes at least, and those that a name does at most.
const (
	leastCells = 16
	mostName   = 46
)

func (w *writer) fall(spans []jaeger.Span, begin time.Time, total time.Duration) *fall {
	w.line("")
	f := &fall{writer: w, begin: begin, total: max(total, 1), told: map[string]bool{}}
	for i := range spans {
		s := &spans[i]
		f.names = max(f.names, width(name(s)))
		f.services = max(f.services, width(clean(s.Service)))
		f.took = max(f.took, width(Duration(s.Duration)))
	}
	f.names, f.services = min(f.names, mostName), min(f.services, 16)
	f.cells = w.width() - f.names - f.services - f.took - 3*len(gap)
	if f.cells < leastCells {
		f.names -= leastCells - f.cells
		f.cells = leastCells
	}
	return f
}

// name is that of the span, under that of its parent, without the package of the contract.
func name(s *jaeger.Span) string {
	return strings.Repeat("  ", s.Depth) + strings.TrimPrefix(clean(s.Name), "recovery.v1.")
}

func (f *fall) row(s *jaeger.Span) {
	colour := blue
	if s.Failed() {
		colour = red
	}
	f.line(pad(name(s), f.names) + gap + f.dim(pad(clean(s.Service), f.services)) + gap + padLeft(Duration(s.Duration), f.took) + gap +
		f.in(colour, f.bar(s)))
	f.details(s)
}

// bar stands where the span does in the time of the trace.
func (f *fall) bar(s *jaeger.Span) string {
	scale := float64(f.cells) / float64(f.total)
	from := math.Floor(float64(s.Start.Sub(f.begin)) * scale)
	from = min(from, float64(f.cells-1))
	to := float64(s.Start.Add(s.Duration).Sub(f.begin)) * scale
	return strings.Repeat(" ", int(from)) + rightBar((to-from)/float64(f.cells), f.cells-int(from))
}

// details are what the span tells: attributes of the service, reasons, and where it leads.
func (f *fall) details(s *jaeger.Span) {
	indent := 2*s.Depth + 4
	if s.Failed() {
		f.prose(indent, f.in(red, "failed"+failure(s)))
	}
	var parts, reasons []string
	for _, t := range s.Tags {
		key, ours := strings.CutPrefix(t.Key, "recovery.")
		text := strings.ReplaceAll(clean(key), "_", " ") + " " + clean(t.Value)
		if !ours || key == "customer" && f.told[text] {
			continue // most spans of a trace are about one customer
		}
		f.told[text] = true
		parts = append(parts, text)
	}
	for i := range s.Events {
		reasons = append(reasons, event(&s.Events[i]))
	}
	if len(parts) > 0 {
		f.prose(indent, f.dim(chain(parts)))
	}
	if len(reasons) > 0 {
		f.prose(indent, f.dim(chain(reasons)))
	}
	for _, l := range s.Links {
		f.prose(indent, "links to trace "+f.in(blue, together(clean(l.Trace)))+f.dim(" span "+clean(l.Span)))
	}
}

// failure is why a span failed, as far as it says; nothing when it does not.
func failure(s *jaeger.Span) string {
	why := cmp.Or(s.Tag("otel.status_description"), s.Tag("rpc.response.status_code"), s.Tag("error.type"))
	if why == "" {
		return ""
	}
	return ": " + clean(why)
}

// event is a reason with what it adds, or whatever else has happened.
func event(e *jaeger.Event) string {
	if code := e.Tag("recovery.reason.code"); code != "" {
		x, _ := strconv.ParseFloat(e.Tag("recovery.reason.contribution"), 64)
		return clean(code) + " " + signed(x)
	}
	return clean(e.Name)
}

// clean takes out what would steer the terminal: a trace may hold what anybody has sent to the collector.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '·'
		}
		return r
	}, text)
}

// Duration writes how long something took, in the unit that suits it, with three digits.
func Duration(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return Span(d)
	case d >= time.Second:
		return digits(d.Seconds()) + " s"
	case d >= time.Millisecond:
		return digits(float64(d)/float64(time.Millisecond)) + " ms"
	default:
		return strconv.FormatInt(d.Microseconds(), 10) + " µs"
	}
}

// digits writes a number below 1000 with three of them.
func digits(x float64) string {
	switch {
	case x >= 100:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case x >= 10:
		return strconv.FormatFloat(x, 'f', 1, 64)
	default:
		return strconv.FormatFloat(x, 'f', 2, 64)
	}
}
