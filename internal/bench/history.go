package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/makeamends/amends/internal/bench/turns"
)

// History is whether a call costs more for a customer with a longer history.
var History = Part{Name: "history", About: "what a report costs by the history of the customer",
	Long: true, Plot: "history", Lasts: func(r *Run) time.Duration { return r.byFull(20*time.Second, 60*time.Second) }, Run: history}

// lengths are the histories that are compared. The longer one is, the fewer
// customers have it, so that all are filled in a bearable time; and the shorter
// one is, the more, so that the measurement itself hardly makes it longer.
var lengths = []length{{1, 1000}, {10, 1000}, {100, 200}, {1000, 20}}

// length is how many failures so many customers have had before the first turn.
type length struct{ failures, customers int }

// before says how many failures a customer has had before one of so many reports,
// which are spread evenly.
func (l length) before(reports int) string {
	last := l.failures + (reports-1)/l.customers
	if last <= l.failures {
		return Number(float64(l.failures))
	}
	return Number(float64(l.failures)) + " to " + Number(float64(last))
}

func history(ctx context.Context, r *Run) (Section, error) {
	s := Section{Title: "What a history costs"}
	if err := r.crew(ctx); err != nil {
		return s, err
	}
	return s, r.byLength(ctx, &s)
}

// lengthFigures shows what a report costs after each of these histories, and compares
// the longest with the shortest.
func lengthFigures(s *Section, of []length, found []samples) {
	t := Table{Title: "A report by the failures that the customer has had before", Columns: []string{"failures before", "server µs/call", "Redis µs/call", "p50 ms"}}
	plot := Plot{Name: "history", Title: t.Title, X: Axis{Label: t.Columns[0], Log: true}, Y: Axis{Label: "µs a call"},
		Series: []Series{{Name: "server"}, {Name: "Redis"}}}
	var server, redis []Figure
	before := make([]string, len(of))
	for i, l := range of {
		n := l.failures
		before[i] = l.before(int(found[i].together().done))
		cpu := found[i].perCall(fmt.Sprintf("history.%d.cpu", n), "processor time of the server", "µs/call", sample.serverCPU)
		redisCPU := found[i].perCall(fmt.Sprintf("history.%d.redis.cpu", n), "processor time of Redis", "µs/call", sample.redisCPU)
		server, redis = append(server, cpu), append(redis, redisCPU)
		t.Rows = append(t.Rows, []string{before[i], cpu.String(), redisCPU.String(), Number(found[i].together().quantile(50))})
		for line, f := range []Figure{cpu, redisCPU} {
			plot.Series[line].Points = append(plot.Series[line].Points, [2]float64{float64(n), f.Value})
		}
	}
	s.Figures = append(s.Figures, tabled(slices.Concat(server, redis)...)...)
	s.Tables, s.Plots = append(s.Tables, t), append(s.Plots, plot)
	most := len(of) - 1
	about := fmt.Sprintf("after %s failures : after %s", before[most], before[0])
	s.Ratios = append(s.Ratios,
		NewRatio("history.cpu", "processor time of the server a call, "+about, server[most], server[0], Aim{}),
		NewRatio("history.redis", "processor time of Redis a call, "+about, redis[most], redis[0], Aim{}))
}

// byLength gives customers histories, and then reports one failure more of them.
func (r *Run) byLength(ctx context.Context, s *Section) error {
	of := slices.Clone(lengths)
	if !r.Full {
		of = of[:3]
	}
	for i := range of {
		of[i].customers = max(1, min(of[i].customers, r.Customers, 10*r.Customers/of[i].failures))
	}
	name := func(failures, n int) string { return r.work.customer(10_000_000*failures + n) }
	for _, l := range of {
		err := inParallel(ctx, l.failures*l.customers, func(ctx context.Context, n int) error {
			if n%100 == 0 {
				r.say(fmt.Sprintf("histories of %d failures", l.failures), n, l.failures*l.customers)
			}
			_, err := r.service.call(ctx, r.work.report(name(l.failures, n%l.customers)))
			return err
		})
		if err != nil {
			return err
		}
	}
	const calls = 100 // a turn
	all := make([]samples, len(of))
	for round := range max(r.Rounds, 5) {
		for i := range turns.InRound(round, len(of)) {
			l := of[i]
			r.say(fmt.Sprintf("one failure more after %d", l.failures), round+1, max(r.Rounds, 5))
			sample, err := r.take(ctx, r.service.target, func() *outcome {
				return fixed(ctx, r.service.target, calls, func(n int) []byte { return r.work.report(name(l.failures, (round*calls+n)%l.customers)) })
			})
			if err != nil {
				return err
			}
			all[i] = append(all[i], sample)
		}
	}
	s.Notes = append(s.Notes, "Each failure before is one of another order, and its case is still open: no history costs more. Where the failures before are a range, the rounds themselves have made them more.")
	lengthFigures(s, of, all)
	return nil
}
