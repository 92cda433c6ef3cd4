package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/makeamends/amends/internal/bench"
)

const root = "../.."

// The pages are what the templates of now make of the figures that are kept: no
// figure was put in by hand, and no text was changed in the page alone.
func TestThePagesAreMade(t *testing.T) {
	made := t.TempDir()
	if err := os.MkdirAll(filepath.Join(made, "docs", "pictures"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{figures, "README.md"} {
		if err := os.WriteFile(filepath.Join(made, name), []byte(read(t, root, name)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := write(made); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"README.md", "docs/performance.md", "docs/capacity.md"} {
		if diff := cmp.Diff(read(t, root, name), read(t, made, name)); diff != "" {
			t.Errorf("%s is not what is made (- there, + made); run: go run ./internal/performance\n%s", name, diff)
		}
	}
	pictures, err := filepath.Glob(filepath.Join(made, "docs", "pictures", "*.svg"))
	if err != nil || len(pictures) == 0 {
		t.Fatalf("no picture is made: %v", err)
	}
	for _, picture := range pictures {
		name := filepath.Join("docs", "pictures", filepath.Base(picture))
		if read(t, root, name) != read(t, made, name) {
			t.Errorf("%s is not what is made; run: go run ./internal/performance", name)
		}
		if !strings.Contains(read(t, root, "docs/performance.md"), "pictures/"+filepath.Base(picture)) {
			t.Errorf("the page does not show %s", name)
		}
	}
}

// What a run has not found, or not all of it, makes no page.
func TestAPartOfARunMakesNoPage(t *testing.T) {
	for name, text := range map[string]string{
		"broken":   `{"full": true, "broken": "interrupted"}`,
		"short":    `{"full": false}`,
		"nothing":  `{"full": true}`,
		"no JSON":  `full`,
		"no bytes": ``,
	} {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "docs", "pictures"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, figures), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := write(dir); err == nil {
			t.Errorf("%s: a page is made", name)
		}
	}
}

// The arithmetic with numbers that can be checked by head.
func TestCapacity(t *testing.T) {
	lines := lines(map[string]float64{"service.cpu": 1000, "service.redis.cpu": 100, "batches.cpu": 100, "batches.redis.cpu": 10, memoryOfCase: 1 << 10})
	const billion = 5 // the column
	for name, want := range map[string]float64{
		"reports a second":          1e9 * 2 * 0.04 / 2.63e6 * 10, // 304
		"steps a second":            1217,
		"good experiences a second": 7605,
		"processors of the service": 5, // (1521 × 1 ms + 7605 × 0.1 ms) ÷ 0.5 = 4.6
		"processors of the service, if good experiences come one by one": 19, // 9126 × 1 ms ÷ 0.5 = 18.3
		"processors of Redis, if good experiences come one by one":       3,  // 9126 × 0.1 ms × 1.5 ÷ 0.5 = 2.7
		"processors of Redis":  1,    // (1521 × 0.1 ms + 7605 × 0.01 ms) × 1.5 ÷ 0.5 = 0.7
		"memory of Redis, GiB": 1192, // 10⁹ KiB × 1.25
		"buckets of a shard":   3,    // of 4.7 GiB each
		"shards":               86,   // 256 ÷ 3
		"replicas":             86,
	} {
		found := ""
		for _, row := range lines.Rows {
			if row[0] == name {
				found = row[billion]
			}
		}
		if found != bench.Number(want) {
			t.Errorf("%s: %q, want %s", name, found, bench.Number(want))
		}
	}
}

// Memory is reckoned with the customers who take most, whether or not there is an aim for them.
func TestCapacityReckonsWithTheLargestCustomer(t *testing.T) {
	report := bench.Report{Sections: []bench.Section{{
		Figures: []bench.Figure{{Name: "customer", About: "a few", Value: 1600, Unit: "B"}},
		Ratios: []bench.Ratio{
			{Figure: bench.Figure{Name: "size.case", About: "none", Value: 1400, Unit: "B"}},
			{Figure: bench.Figure{Name: "size.friend", About: "many", Value: 2000, Unit: "B"}},
		},
	}}}
	for _, name := range []string{"service.cpu", "service.redis.cpu", "batches.cpu", "batches.redis.cpu"} {
		report.Sections[0].Figures = append(report.Sections[0].Figures, bench.Figure{Name: name, Value: 1})
	}
	c, err := plan(report)
	if err != nil {
		t.Fatal(err)
	}
	if last := c.Inputs.Rows[len(c.Inputs.Rows)-1]; last[0] != "many" || last[1] != "2,000 B" {
		t.Errorf("it reckons with %q", last)
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
