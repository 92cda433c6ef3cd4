// Command performance makes the pages about what the service costs, from what
// `amends bench` has found and docs/pictures/performance.json keeps. Run it as
// go run ./internal/performance . in the root of the repository.
package main

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"github.com/makeamends/amends/internal/bench"
	"github.com/makeamends/amends/internal/page"
)

//go:embed performance.md.tmpl
var performanceText string

//go:embed capacity.md.tmpl
var capacityText string

const figures = "docs/pictures/performance.json"

func main() {
	if err := write(cmp.Or(append(os.Args[1:], "")[0], ".")); err != nil {
		fmt.Fprintln(os.Stderr, "performance:", err)
		os.Exit(1)
	}
}

// write makes the pages, the pictures and the table of the README anew.
func write(root string) error {
	text, err := os.ReadFile(filepath.Join(root, figures))
	if err != nil {
		return err
	}
	var report bench.Report
	if err := json.Unmarshal(text, &report); err != nil {
		return fmt.Errorf("%s: %w", figures, err)
	}
	if report.Broken != "" || !report.Full {
		return fmt.Errorf("%s is not of a whole run: %s", figures, cmp.Or(report.Broken, "--full is missing"))
	}
	for _, section := range report.Sections {
		for _, plot := range section.Plots {
			if err := os.WriteFile(filepath.Join(root, "docs", "pictures", plot.Name+".svg"), plot.SVG(), 0o644); err != nil {
				return err
			}
		}
	}
	capacity, err := plan(report)
	if err != nil {
		return err
	}
	if err := fill(filepath.Join(root, "docs", "performance.md"), performanceText, report); err != nil {
		return err
	}
	if err := fill(filepath.Join(root, "docs", "capacity.md"), capacityText, capacity); err != nil {
		return err
	}
	return page.Write(filepath.Join(root, "README.md"), page.Part{Name: "ratios", Text: ratios(report, libraries...), By: "make bench"})
}

// fill writes a page from its template.
func fill(file, text string, data any) error {
	t, err := template.New(filepath.Base(file)).Funcs(template.FuncMap{
		"table": markdown, "number": bench.Number, "ratios": func(r bench.Report) string { return ratios(r, slices.Concat(libraries, prices)...) }, "figures": bench.Section.FigureTable,
		"gibibytes": func(n int64) string { return bench.Number(float64(n) / (1 << 30)) },
	}).Parse(text)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, data); err != nil {
		return err
	}
	return os.WriteFile(file, out.Bytes(), 0o644)
}

// Ratios without an aim that the pages speak of: what the libraries take, and what is
// the price of something.
var (
	libraries = []string{"cpu.libraries", "cpu.bare"}
	prices    = []string{"beside.unary", "beside.ingest", "beside.batches", "history.cpu", "cluster.wait.throughput", "cluster.wait.p50"}
)

// ratios is the table of all ratios that have an aim, and of those alongside.
func ratios(report bench.Report, alongside ...string) string {
	t := bench.Table{Columns: []string{"", "measured (rounds)", "aim", ""}}
	for _, section := range report.Sections {
		for _, r := range section.Ratios {
			if r.Verdict() != "" || slices.Contains(alongside, r.Name) {
				t.Rows = append(t.Rows, []string{r.About, r.String(), r.Aim.String(), r.Verdict()})
			}
		}
	}
	return markdown(t)
}

// markdown writes a table for a page; one without rows is nothing.
func markdown(t bench.Table) string {
	if len(t.Rows) == 0 {
		return ""
	}
	var b strings.Builder
	if t.Title != "" {
		fmt.Fprintf(&b, "%s:\n\n", t.Title)
	}
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(t.Columns)
	b.WriteString("|---" + strings.Repeat("|---:", len(t.Columns)-1) + "|\n")
	for _, row := range t.Rows {
		line(row)
	}
	return b.String()
}
