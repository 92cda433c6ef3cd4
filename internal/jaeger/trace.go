package jaeger

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Trace is one trace.
type Trace struct {
	ID    string          // 32 hexadecimal digits
	Spans []Span          // parents before their children, and these by when they began
	JSON  json.RawMessage // the same as Jaeger tells it
}

// Span is one span of a trace.
type Span struct {
	ID       string // 16 hexadecimal digits
	Parent   string // empty: none that is known
	Depth    int    // how many parents it has within the trace
	Service  string
	Name     string
	Start    time.Time
	Duration time.Duration
	Tags     []Tag // in the order in which they were set
	Events   []Event
	Links    []Link
}

// Tag is one attribute, its value as text.
type Tag struct{ Key, Value string }

// Event is what happened at one moment of a span.
type Event struct {
	At   time.Time
	Name string
	Tags []Tag
}

// Link leads to a span of another trace.
type Link struct{ Trace, Span string }

// Tag gives the value of an attribute; empty when there is none.
func (s *Span) Tag(key string) string { return valueOf(s.Tags, key) }

// Tag gives the value of an attribute; empty when there is none.
func (e *Event) Tag(key string) string { return valueOf(e.Tags, key) }

func valueOf(tags []Tag, key string) string {
	for _, t := range tags {
		if t.Key == key {
			return t.Value
		}
	}
	return ""
}

// Failed reports whether the span ended with an error.
func (s *Span) Failed() bool { return s.Tag("error") == "true" }

// The shapes of the API.
type (
	traceJSON struct {
		TraceID   string
		Spans     []spanJSON
		Processes map[string]struct{ ServiceName string }
	}
	spanJSON struct {
		SpanID        string
		OperationName string
		References    []struct{ RefType, TraceID, SpanID string }
		StartTime     int64 // microseconds
		Duration      int64 // microseconds
		Tags          []tagJSON
		Logs          []struct {
			Timestamp int64
			Fields    []tagJSON
		}
		ProcessID string
	}
	tagJSON struct {
		Key   string
		Value any
	}
)

func read(body json.RawMessage) (Trace, error) {
	var j traceJSON
	if err := json.Unmarshal(body, &j); err != nil || j.TraceID == "" {
		return Trace{}, ErrOther
	}
	t := Trace{ID: clean(traceID(j.TraceID)), JSON: body}
	for i := range j.Spans {
		t.Spans = append(t.Spans, j.span(&j.Spans[i], t.ID))
	}
	t.Spans = inOrder(t.Spans)
	return t, nil
}

func (j *traceJSON) span(s *spanJSON, trace string) Span {
	out := Span{
		ID: s.SpanID, Service: clean(j.Processes[s.ProcessID].ServiceName), Name: s.OperationName,
		Start: micros(s.StartTime), Duration: time.Duration(s.Duration) * time.Microsecond, Tags: tags(s.Tags),
	}
	for _, r := range s.References {
		if r.RefType == "CHILD_OF" && traceID(r.TraceID) == trace {
			out.Parent = r.SpanID
		} else {
			out.Links = append(out.Links, Link{clean(traceID(r.TraceID)), clean(r.SpanID)})
		}
	}
	for _, l := range s.Logs {
		e := Event{At: micros(l.Timestamp), Tags: tags(l.Fields)}
		e.Name = e.Tag("event")
		e.Tags = slices.DeleteFunc(e.Tags, func(t Tag) bool { return t.Key == "event" })
		out.Events = append(out.Events, e)
	}
	return out
}

// traceID has all its digits; Jaeger leaves out those of an upper half that is 0.
func traceID(id string) string { return strings.Repeat("0", max(32-len(id), 0)) + id }

func micros(n int64) time.Time { return time.UnixMicro(n).UTC() }

func tags(list []tagJSON) []Tag {
	out := make([]Tag, len(list))
	for i, t := range list {
		out[i] = Tag{t.Key, fmt.Sprint(t.Value)}
	}
	return out
}

// inOrder puts parents before their children. A span whose parent is not in the
// trace, or is itself below the span, begins a tree of its own.
func inOrder(spans []Span) []Span {
	slices.SortStableFunc(spans, func(a, b Span) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(b.Duration, a.Duration)) })
	known := map[string]bool{}
	for i := range spans {
		known[spans[i].ID] = true
	}
	below := map[string][]int{}
	for i := range spans {
		parent := spans[i].Parent
		if !known[parent] {
			parent = ""
		}
		below[parent] = append(below[parent], i)
	}
	out := make([]Span, 0, len(spans))
	placed := make([]bool, len(spans))
	var place func(i, depth int)
	place = func(i, depth int) {
		if placed[i] {
			return
		}
		placed[i] = true
		spans[i].Depth = depth
		out = append(out, spans[i])
		for _, child := range below[spans[i].ID] {
			place(child, depth+1)
		}
	}
	for _, i := range below[""] {
		place(i, 0)
	}
	for i := range spans { // of a circle
		place(i, 0)
	}
	return out
}
