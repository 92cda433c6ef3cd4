package serve_test

import (
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/makeamends/amends/internal/serve"
)

// TestSampling: the caller decides; where there is none, the share that the
// standard variables name.
func TestSampling(t *testing.T) {
	t.Setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
	for _, row := range []struct {
		ratio, flags string // no flags: no caller who is traced
		sampled      bool
	}{
		{"0", "", false}, {"0", "-00", false}, {"0", "-01", true},
		{"1", "", true}, {"1", "-00", false}, {"1", "-01", true},
	} {
		t.Run("ratio "+row.ratio+" flags "+row.flags, func(t *testing.T) {
			t.Setenv("OTEL_TRACES_SAMPLER_ARG", row.ratio)
			c := collect(t)
			s := start(t, serve.Config{})
			ctx := t.Context()
			if row.flags != "" {
				ctx = metadata.AppendToOutgoingContext(ctx, "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"+row.flags)
			}
			answer, err := s.report(ctx, event("e", "c"))
			if err == nil {
				err = s.Stop(t.Context()) // flushes
			}
			if err != nil {
				t.Fatal(err)
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			want := 0
			if row.sampled {
				want = 3
			}
			if len(c.spans) != want {
				t.Errorf("%d spans, want %d", len(c.spans), want)
			}
			// Nobody is led to what nobody kept; the log has the trace all the same.
			if kept := answer.GetCase().GetTraceParent(); strings.HasSuffix(kept, "-01") != row.sampled || !row.sampled && kept != "" {
				t.Errorf("the case keeps %q", kept)
			}
			if !traceID.MatchString(s.log.String()) {
				t.Errorf("the log has no trace:\n%s", s.log)
			}
		})
	}
}

// TestTraceSettings: what cannot be done ends the start, and is named all at once.
func TestTraceSettings(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317")
	t.Setenv("OTEL_TRACES_SAMPLER", "sometimes")
	_, err := serve.Start(t.Context(), serve.Config{Listen: "127.0.0.1:0"})
	if err == nil || !strings.Contains(err.Error(), "no URL") || !strings.Contains(err.Error(), "OTEL_TRACES_SAMPLER") {
		t.Errorf("it starts with %v", err)
	}
}
