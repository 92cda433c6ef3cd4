package size_test

import (
	"fmt"
	"io"
	"time"

	"github.com/makeamends/amends/internal/bench"
	"github.com/makeamends/amends/internal/bench/size"
)

// write prints the report as text.
func write(to io.Writer, r size.Report) {
	p := func(format string, args ...any) { fmt.Fprintf(to, format+"\n", args...) }
	p("memory of Redis, %d customers of each kind", r.Customers)
	for _, row := range []struct {
		name string
		size.Held
	}{{"one good experience", r.Positive}, {"one open case", r.Case}, {fmt.Sprintf("the same after %d good experiences", size.GoodTimes), r.Friend}} {
		p("  %-35s %6.0f B each  (MEMORY USAGE %d, content %d)  filled in %v", row.name, row.Each, row.Usage, row.Content, row.Took.Round(time.Second))
	}
	p("one customer, MEMORY USAGE after so many good experiences, ten days later")
	for _, g := range r.Growth {
		p("  %6d  and one more %d B, and a failure %d B; with a case open all the while %d B, at 500 a day %d B, after reports that joined it %d B",
			g.Events, g.Positive, g.Case, g.Open, g.Busy, g.Joined)
	}
	p("one customer, MEMORY USAGE after so many closed cases, ten days later")
	for _, c := range r.Closed {
		p("  %6d  and a good experience %d B, and a failure %d B", c.Cases, c.Positive, c.Case)
	}
	p("  each of some closed cases takes %.0f B", r.AClosedCase())
	table := func(name string, settings []size.Setting) {
		p("%s", name)
		for _, s := range settings {
			p("  %-9s %6.0f B each, %v of Redis a report, %.0f reports a second", s.Value, s.Each, median(s.CPU), bench.Median(s.Second))
		}
	}
	table("hash-max-listpack-value", r.Lists)
	p("hash-max-listpack-entries")
	for _, b := range r.Entries {
		p("  %-9s %3d requests: MEMORY USAGE %d B, %v of Redis a good experience", b.Value, b.Requests, b.Usage, median(b.CPU))
	}
	table("appendfsync", r.Sync)
}

func median(took []time.Duration) time.Duration {
	var of []float64
	for _, d := range took {
		of = append(of, float64(d))
	}
	return time.Duration(bench.Median(of))
}
