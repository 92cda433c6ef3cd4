package monitoring

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

var update = flag.Bool("update", false, "write the table of docs/metrics.md anew")

const (
	page    = "docs/metrics.md"
	begin   = "<!-- made by: go test ./internal/monitoring -run TestQueries -update -->\n"
	ending  = "<!-- end of what is made -->\n"
	heading = "| metric | type | unit | labels | meaning |\n|---|---|---|---|---|\n"
)

// metricsPage compares the page with what the server tells of its metrics.
func metricsPage(t *testing.T, ops string) {
	text, _ := get(t, "http://"+ops+"/metrics")
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	table := heading
	for _, name := range slices.Sorted(maps.Keys(families)) {
		if strings.HasPrefix(name, "amends_") || strings.HasPrefix(name, "rpc_") {
			table += line(families[name])
		}
	}
	was := read(t, page)
	before, rest, ok := strings.Cut(was, begin)
	_, behind, closed := strings.Cut(rest, ending)
	if !ok || !closed {
		t.Fatalf("%s has not the marks %q and %q", page, begin, ending)
	}
	now := before + begin + table + ending + behind
	switch {
	case now == was:
	case *update:
		if err := os.WriteFile(filepath.Join(root, page), []byte(now), 0o644); err != nil { //nolint:gosec // a page for everybody
			t.Fatal(err)
		}
	default:
		t.Errorf("%s is not what the server tells; run: go test ./internal/monitoring -run TestQueries -update", page)
	}
}

func line(f *dto.MetricFamily) string {
	labels := map[string]bool{}
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			labels["`"+l.GetName()+"`"] = true
		}
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s | %s |\n", f.GetName(), strings.ToLower(f.GetType().String()), unit(f.GetName()),
		strings.Join(slices.Sorted(maps.Keys(labels)), " "), f.GetHelp())
}

// unit is what the name says, as names of metrics do.
func unit(name string) string {
	name = strings.TrimSuffix(name, "_total")
	for suffix, unit := range map[string]string{
		"_timestamp_seconds": "Unix time", "_seconds": "seconds", "_bytes": "bytes", "_ratio": "0 to 1", "_minor_units": "minor units", "_success": "0 or 1",
		"_ready": "0 or 1", "_durable": "0 or 1", "_info": "1",
	} {
		if strings.HasSuffix(name, suffix) && !(suffix == "_seconds" && strings.HasSuffix(name, "_timestamp_seconds")) {
			return unit
		}
	}
	return "count"
}
