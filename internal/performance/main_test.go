package main

import (
	"os"
	"path/filepath"
	"slices"
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
	lines := lines(map[string]float64{
		"service.cpu": 1000, "service.redis.cpu": 100, "batches.cpu": 100, "batches.redis.cpu": 10,
		durable: 1.25, clusterRedis: 2, clusterService: 1.5, memoryOfCase: 1 << 10, memoryOfClosed: 1000,
	})
	const million, tenMillion, billion = 2, 3, 5 // the columns
	is := func(name string, column int) string {
		for _, row := range lines.Rows {
			if row[0] == name {
				return row[column]
			}
		}
		return "missing"
	}
	for name, want := range map[string]float64{
		"reports a second":          1e9 * 2 * 0.04 / 2.63e6 * 10, // 304
		"steps a second":            1217,
		"good experiences a second": 7605,
		"processors of the service": 8, // ((1521 × 1 ms + 7605 × 0.1 ms) × 1.5 + 0.25) ÷ 0.5 = 7.3
		"processors of the service, if good experiences come one by one": 28, // (9126 × 1 ms × 1.5 + 0.25) ÷ 0.5 = 27.9
		"processors of Redis, if good experiences come one by one":       5,  // 9126 × 0.1 ms × 1.25 × 2 ÷ 0.5 = 4.6
		"processors of Redis":                2, // (1521 × 0.1 ms + 7605 × 0.01 ms) × 1.25 × 2 ÷ 0.5 = 1.1
		"hours of a walk over all customers": 83.33,
		"closed cases of a customer":         2.88,
		"memory of a customer, B":            3904, // 1024 + 2.88 × 1000
		"memory of Redis, GiB":               4545, // 10⁹ × 3904 × 1.25 ÷ 2³⁰
		"buckets of a shard":                 1,    // of 17.8 GiB each
		"shards":                             256,
		"memory of the largest shard, GiB":   17.8,
		"replicas":                           256,
	} {
		if found := is(name, billion); found != bench.Number(want) {
			t.Errorf("%s: %q, want %s", name, found, bench.Number(want))
		}
	}
	for column, want := range map[int]string{million: "1", tenMillion: "3"} {
		if found := is("shards", column); found != want {
			t.Errorf("%s customers: %s shards, want %s", lines.Columns[column], found, want)
		}
	}
}

// A Redis Cluster has three masters at least, so two shards are never enough.
func TestCapacityNeverHasTwoShards(t *testing.T) {
	with := map[string]float64{
		"service.cpu": 1, "service.redis.cpu": 1, "batches.cpu": 1, "batches.redis.cpu": 1,
		durable: 1, clusterRedis: 1, clusterService: 1, memoryOfClosed: 1,
	}
	for _, bytes := range []float64{100, 1000, 2000, 3000, 4000, 20_000} {
		with[memoryOfCase] = bytes
		for _, row := range lines(with).Rows {
			if row[0] == "shards" && slices.Contains(row, "2") {
				t.Errorf("with customers of %g B: %q", bytes, row)
			}
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
	for _, name := range append([]string{"cluster.wait.cpu", "cluster.single.cpu", "cluster.wait.redis.cpu", "cluster.single.redis.cpu"}, measured...) {
		report.Sections[0].Figures = append(report.Sections[0].Figures, bench.NewFigure(name, "", "", 1))
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
