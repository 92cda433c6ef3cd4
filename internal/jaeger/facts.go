package jaeger

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// A trace may hold what anybody has sent to the collector, so all text that is
// meant to be read goes through here.

// Extent is when the first span began, and how long it took until the last one
// ended.
func (t *Trace) Extent() (begin time.Time, total time.Duration) {
	var end time.Time
	for i := range t.Spans {
		s := &t.Spans[i]
		if begin.IsZero() || s.Start.Before(begin) {
			begin = s.Start
		}
		if e := s.Start.Add(s.Duration); e.After(end) {
			end = e
		}
	}
	return begin, end.Sub(begin)
}

// Title is the name of the span without the package of the contract.
func (s *Span) Title() string { return strings.TrimPrefix(clean(s.Name), "recovery.v1.") }

// Facts are what the span tells in the words of the service, such as "band HIGH".
func (s *Span) Facts() (facts []string) {
	for _, t := range s.Tags {
		if key, ours := strings.CutPrefix(t.Key, "recovery."); ours {
			facts = append(facts, strings.ReplaceAll(clean(key), "_", " ")+" "+clean(t.Value))
		}
	}
	return facts
}

// Happened are the events of the span: a reason with the log-odds that it adds,
// such as "SEVERITY +1.01", or a name.
func (s *Span) Happened() (events []string) {
	for i := range s.Events {
		e := &s.Events[i]
		text := clean(e.Name)
		if code := e.Tag("recovery.reason.code"); code != "" {
			x, _ := strconv.ParseFloat(e.Tag("recovery.reason.contribution"), 64)
			text = clean(code) + " " + strings.ReplaceAll(fmt.Sprintf("%+.2f", x), "-", "−")
		}
		events = append(events, text)
	}
	return events
}

// Failure is why the span failed, as far as it says; empty when it does not, or
// did not fail.
func (s *Span) Failure() string {
	if !s.Failed() {
		return ""
	}
	return clean(cmp.Or(s.Tag("otel.status_description"), s.Tag("error.type"), s.Tag("rpc.response.status_code")))
}

// clean takes out what would steer a terminal.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '·'
		}
		return r
	}, text)
}

// Short writes how long something took, in the unit that suits it, with three
// digits: "845 µs", "7.67 ms", "12.4 s".
func Short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return digits(d.Seconds()) + " s"
	case d >= time.Millisecond:
		return digits(float64(d)/float64(time.Millisecond)) + " ms"
	default:
		return strconv.FormatInt(d.Microseconds(), 10) + " µs"
	}
}

func digits(x float64) string {
	places := 0
	switch {
	case x < 10:
		places = 2
	case x < 100:
		places = 1
	}
	return strconv.FormatFloat(x, 'f', places, 64)
}
