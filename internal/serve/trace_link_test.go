package serve_test

import (
	"encoding/hex"
	"fmt"
	"slices"
	"testing"
	"time"

	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// await gives the spans of that name, once there are so many.
func (c *collector) await(t *testing.T, name string, n int) (found []*tracev1.Span) {
	t.Helper()
	eventually(t, 10*time.Second, fmt.Sprintf("%d spans %s are there", n, name), func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		found = slices.DeleteFunc(slices.Clone(c.spans), func(s *tracev1.Span) bool { return s.GetName() != name })
		return len(found) >= n
	})
	return found
}

// identity names a span among all.
func identity(s *tracev1.Span) string {
	return hex.EncodeToString(s.GetTraceId()) + "-" + hex.EncodeToString(s.GetSpanId())
}

// linked names the one span that a span links to.
func linked(t *testing.T, s *tracev1.Span) string {
	t.Helper()
	if len(s.GetLinks()) != 1 {
		t.Fatalf("%s of %s has %d links, want 1", s.GetName(), textOf(s, "recovery.milestone"), len(s.GetLinks()))
	}
	return hex.EncodeToString(s.GetLinks()[0].GetTraceId()) + "-" + hex.EncodeToString(s.GetLinks()[0].GetSpanId())
}

func textOf(s *tracev1.Span, key string) string {
	for _, a := range s.GetAttributes() {
		if a.GetKey() == key {
			return a.GetValue().GetStringValue()
		}
	}
	return ""
}

// TestWhoPromised: a missed deadline leads to the call that made that very
// promise: the report that opened the case, the sweep that promised anew what had
// been missed before, or a later report that brought the deadline forward.
func TestWhoPromised(t *testing.T) {
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
	c := collect(t)
	s := start(t, serve.Config{Sweep: 10 * time.Millisecond})
	inPrivate := event("e-1", "c")
	inPrivate.SetOrderId("o")
	s.mustReport(t, inPrivate)
	c.await(t, "recovery.v1.RecoveryService/ReportFailure", 1) // so that it comes first
	inPublic := event("e-2", "c")
	inPublic.SetOrderId("o")
	inPublic.SetChannel(recoveryv1.Channel_CHANNEL_SOCIAL)
	s.mustReport(t, inPublic)
	reports := c.await(t, "recovery.v1.RecoveryService/ReportFailure", 2)

	s.clock.move(5*time.Minute + time.Second)
	missed := c.await(t, "recovery.missed", 1)
	sweeps := c.await(t, "sweep.customer", 1)
	if got, want := linked(t, missed[0]), identity(reports[0]); got != want || textOf(missed[0], "recovery.milestone") != "ACKNOWLEDGE" {
		t.Errorf("the missed %s leads to %s, want the first report, %s", textOf(missed[0], "recovery.milestone"), got, want)
	}
	s.clock.move(5*time.Minute + time.Second)
	missed = c.await(t, "recovery.missed", 2)
	parent := slices.IndexFunc(sweeps, func(s *tracev1.Span) bool { return string(s.GetSpanId()) == string(missed[0].GetParentSpanId()) })
	if parent < 0 || linked(t, missed[1]) != identity(sweeps[parent]) {
		t.Errorf("what was promised anew leads to %s, want the sweep that missed it before", linked(t, missed[1]))
	}
	s.clock.move(50 * time.Minute)
	var answer *tracev1.Span
	eventually(t, 10*time.Second, "the response in public is missed", func() bool {
		for _, span := range c.await(t, "recovery.missed", 2) {
			if textOf(span, "recovery.milestone") == "FIRST_RESPONSE" {
				answer = span
			}
		}
		return answer != nil
	})
	if got, want := linked(t, answer), identity(reports[1]); got != want || textOf(answer, "recovery.bound_by") != "PUBLIC" {
		t.Errorf("the missed response, bound by %s, leads to %s, want the second report, %s", textOf(answer, "recovery.bound_by"), got, want)
	}
}
