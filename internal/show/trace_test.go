package show_test

import (
	"os"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/internal/jaeger"
	"github.com/makeamends/amends/internal/show"
)

// drawn are traces: a call and a missed deadline, as a real Jaeger told of them,
// and one of all that can be odd.
func drawn(t *testing.T) map[string]func(show.Page) string {
	t.Helper()
	text, err := os.ReadFile("testdata/traces.json")
	if err != nil {
		t.Fatal(err)
	}
	traces, err := jaeger.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]func(show.Page) string{}
	for i, name := range []string{"trace-call", "trace-missed", "trace-strange"} {
		all[name] = func(p show.Page) string { return show.Trace(traces[i], p) }
	}
	traced := proto.CloneOf(readCase(t, "pizza"))
	traced.SetTraceParent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	all["traced"] = func(p show.Page) string { return show.Case(traced, p) }
	return all
}
