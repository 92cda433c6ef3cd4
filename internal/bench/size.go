package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/makeamends/amends/internal/bench/size"
)

// Size is what a customer takes in Redis.
var Size = Part{Name: "size", About: "memory of Redis for a customer, and what its settings cost",
	Long: true, Own: true, Lasts: func(r *Run) time.Duration { return r.byFull(65*time.Second, 290*time.Second) }, Run: sizes}

// What a customer is to take, in bytes.
var (
	aimPositive = Aim{Most: 250}
	aimCase     = Aim{Most: 1500}
)

func sizes(ctx context.Context, r *Run) (Section, error) {
	s := Section{Title: "What a customer takes in Redis"}
	o := size.Options{Customers: r.Customers, Changes: max(r.Rounds, r.Customers/10), Longest: 100, Rounds: r.Rounds}
	if r.Full {
		o.Customers, o.Longest = 10*o.Customers, 10_000
	}
	found, err := size.Measure(ctx, o, func(format string, args ...any) { r.say(fmt.Sprintf(format, args...), 0, 0) })
	if err != nil {
		return s, err
	}
	s.Tables = append(s.Tables, growth(found.Growth), closedCases(found.Closed),
		settings("hash-max-listpack-value", found.Lists, "64"), entries(found.Entries), settings("appendfsync", found.Sync, size.NoFile))
	s.Figures = append(s.Figures, tabled(NewFigure("size.closed", "memory of Redis for each closed case of a customer with some", "B", found.AClosedCase()))...)
	s.Ratios = append(s.Ratios,
		Ratio{NewFigure("size.positive", "memory of Redis for a customer with one good experience", "B", found.Positive.Each), aimPositive},
		Ratio{NewFigure("size.case", "memory of Redis for a customer with one open case", "B", found.Case.Each), aimCase},
		Ratio{NewFigure("size.friend", fmt.Sprintf("memory of Redis for a customer with one open case, after %d good experiences", size.GoodTimes), "B", found.Friend.Each), aimCase})
	for _, file := range found.Sync {
		if file.Value != size.NoFile {
			s.Ratios = append(s.Ratios, compared("size.file."+file.Value, fmt.Sprintf("processor time of Redis a report, with an append-only file (appendfsync %s) : %s", file.Value, size.NoFile),
				found.Sync, file.Value, size.NoFile))
		}
	}
	s.Notes = append(s.Notes, fmt.Sprintf("Of %s customers of each kind, in a Redis without an append-only file unless the table says otherwise. In the tables of hash-max-listpack-value and appendfsync there are %s, so the streams and indexes of 256 buckets weigh more, as they do among few customers in all of this. [What a customer takes](size.md) says more.", Number(float64(o.Customers)), Number(float64(o.Changes))),
		"500 events a day are about as many as are possible: of one with more than 5,000 requests in nine days the rest is refused. Who has more requests than hash-max-listpack-entries in these days is a table of Redis from then on, and the table stays large until some tens of changes have gone by.")
	return s, nil
}

// growth shows what becomes of customers with a long history.
func growth(of []size.Grown) Table {
	t := Table{Title: "One customer, MEMORY USAGE in bytes, ten days after so many events and after one more of them; in the second column that one is a first failure, and in the others a case was open before",
		Columns: []string{"events", "good experiences, 5 a day", "and a failure", "open case, 10 good experiences a day", "500 a day", "500 reports a day that join it"}}
	for _, g := range of {
		row := []string{Number(float64(g.Events))}
		for _, bytes := range []int64{g.Positive, g.Case, g.Open, g.Busy, g.Joined} {
			row = append(row, Number(float64(bytes)))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// closedCases shows what customers take whose cases have come to their end.
func closedCases(of []size.Closed) Table {
	t := Table{Title: fmt.Sprintf("One customer, MEMORY USAGE in bytes, after %d good experiences and then so many cases that were reported, acknowledged, answered, resolved and followed up, ten days after the last one and after one more event", size.GoodBefore),
		Columns: []string{"closed cases", "that event is a good experience", "it is a failure, whose case is open"}}
	for _, c := range of {
		t.Rows = append(t.Rows, []string{Number(float64(c.Cases)), Number(float64(c.Positive)), Number(float64(c.Case))})
	}
	return t
}

// entries shows what customers with many requests cost.
func entries(of []size.Busy) Table {
	t := Table{Columns: []string{"hash-max-listpack-entries", "requests of the customer", "MEMORY USAGE, B", "Redis µs/good experience"}}
	for _, b := range of {
		var took []float64
		for _, d := range b.CPU {
			took = append(took, micros(d))
		}
		t.Rows = append(t.Rows, []string{b.Value, Number(float64(b.Requests)), Number(float64(b.Usage)), Number(Median(took))})
	}
	return t
}

// settings shows what a report costs with each value of a setting, also beside one of
// them, round by round.
func settings(name string, of []size.Setting, beside string) Table {
	t := Table{Columns: []string{name, "used_memory a customer, B", "Redis µs/report", "of Redis, beside " + beside, "reports/s"}}
	for _, s := range of {
		ratio := "-"
		if s.Value != beside {
			ratio = compared("", "", of, s.Value, beside).String()
		}
		t.Rows = append(t.Rows, []string{s.Value, Number(s.Each), Number(Median(perReport(s))), ratio, Number(Median(s.Second))})
	}
	return t
}

// compared is the processor time of Redis for a report with one value of a setting
// beside that with another one.
func compared(name, about string, of []size.Setting, value, beside string) Ratio {
	took := map[string]Figure{}
	for _, s := range of {
		took[s.Value] = NewFigure("", "", "", perReport(s)...)
	}
	return NewRatio(name, about, took[value], took[beside], Aim{})
}

// perReport is the processor time of Redis in each round, in microseconds.
func perReport(s size.Setting) (took []float64) {
	for _, d := range s.CPU {
		took = append(took, micros(d))
	}
	return took
}
