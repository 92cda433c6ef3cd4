package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/makeamends/amends/internal/bench/size"
	"github.com/makeamends/amends/internal/redisproc"
)

// Size is what a customer takes in Redis.
var Size = Part{Name: "size", About: "memory of Redis for a customer, and what its settings cost",
	Long: true, Lasts: func(r *Run) time.Duration { return r.byFull(40*time.Second, 150*time.Second) }, Run: sizes}

func sizes(ctx context.Context, r *Run) (Section, error) {
	s := Section{Title: "What a customer takes in Redis"}
	o := size.Options{Customers: r.Customers, Few: max(1, r.Customers/10), Changes: max(r.Rounds, r.Customers/10), Longest: 100, Rounds: r.Rounds}
	if r.Full {
		o.Customers *= 10
	}
	found, err := size.Measure(ctx, o, func(format string, args ...any) { r.say(fmt.Sprintf(format, args...), 0, 0) })
	if errors.Is(err, redisproc.ErrMissing) {
		err = &StoreError{err}
	}
	if err != nil {
		return s, err
	}
	s.Figures = append(s.Figures,
		NewFigure("size.positive", "memory of Redis for a customer with one good experience", "B", found.Positive.Each),
		NewFigure("size.case", "memory of Redis for a customer with one open case", "B", found.Case.Each))
	s.Tables = append(s.Tables, growth(found.Growth), settings("hash-max-listpack-value", found.Lists), settings("appendfsync; at last without a file", found.Sync))
	s.Ratios = append(s.Ratios,
		Ratio{NewFigure("size.load", fmt.Sprintf("time to read a customer, among %s : among %s", Number(float64(o.Customers)), Number(float64(o.Few))), "×", found.Load.Ratio()), Aim{}},
		Ratio{NewFigure("size.commit", fmt.Sprintf("time to change a customer, among %s : among %s", Number(float64(o.Customers)), Number(float64(o.Few))), "×", found.Commit.Ratio()), Aim{}})
	s.Notes = append(s.Notes, fmt.Sprintf("Of %s customers of each kind, in a Redis without an append-only file unless the table says otherwise. [What a customer takes](size.md) says more.", Number(float64(o.Customers))))
	return s, nil
}

// growth shows what becomes of customers with a long history.
func growth(of []size.Grown) Table {
	t := Table{Title: "One customer, MEMORY USAGE after so many good experiences, ten days later", Columns: []string{"good experiences", "and one more, B", "and a failure, B"}}
	for _, g := range of {
		t.Rows = append(t.Rows, []string{Number(float64(g.Events)), Number(float64(g.Positive)), Number(float64(g.Case))})
	}
	return t
}

// settings shows what a report costs with each value of a setting.
func settings(name string, of []size.Setting) Table {
	t := Table{Columns: []string{name, "used_memory a customer, B", "Redis µs/report", "reports/s"}}
	for _, s := range of {
		var took []float64
		for _, d := range s.CPU {
			took = append(took, micros(d))
		}
		t.Rows = append(t.Rows, []string{s.Value, Number(s.Each), Number(Median(took)), Number(Median(s.Second))})
	}
	return t
}
