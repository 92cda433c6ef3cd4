package bench

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/makeamends/amends/internal/bench/turns"
)

// Calls is what a report costs, and how long it takes.
var Calls = Part{Name: "calls", About: "what a report of a failure costs and how long it takes, beside the baselines", Plot: "latency",
	Lasts: func(r *Run) time.Duration { return time.Duration((4+3*len(r.shares()))*(4*r.Rounds+1)) * r.Slice / 4 }, Run: calls}

// What is to be achieved.
var (
	aimCPU        = Aim{Most: 2.5}
	aimThroughput = Aim{Least: 0.45}
	aimPlain      = Aim{Least: 1.5}
	aimTrips      = Aim{Most: 2}
)

func calls(ctx context.Context, r *Run) (Section, error) {
	s := Section{Title: "A report of a failure"}
	if err := r.crew(ctx); err != nil {
		return s, err
	}
	all, err := r.inTurns(ctx, "closed loop", []*target{r.echo, r.bare, r.plain, r.service.target}, func(t *target) *outcome {
		return closed(ctx, r.Callers, r.Slice, r.reporting(t))
	})
	if len(all[r.service.target]) == 0 {
		return s, err
	}
	r.closedFigures(&s, all)
	if err != nil {
		return s, err
	}
	return s, r.openLoops(ctx, &s, all[r.service.target].together().rate())
}

// inTurns gives every target its turn in each round.
func (r *Run) inTurns(ctx context.Context, what string, targets []*target, turn func(*target) *outcome) (map[*target]samples, error) {
	all := map[*target]samples{}
	for _, t := range targets {
		r.say(what+": warming up the "+t.name, 0, r.Rounds)
		closed(ctx, r.Callers, r.Slice/4, r.reporting(t))
	}
	for round := range r.Rounds {
		of := map[*target]sample{}
		for i := range turns.InRound(round, len(targets)) {
			t := targets[i]
			r.say(what+", "+t.name, round+1, r.Rounds)
			s, err := r.take(ctx, t, func() *outcome { return turn(t) })
			if err != nil {
				return all, err
			}
			of[t] = s
		}
		for t, s := range of { // only rounds that are complete
			all[t] = append(all[t], s)
		}
	}
	return all, nil
}

// closedFigures tells of the closed loop.
func (r *Run) closedFigures(s *Section, all map[*target]samples) {
	echo, own := all[r.echo], all[r.service.target]
	t := Table{Columns: []string{"closed loop of " + fmt.Sprint(r.Callers) + " callers", "calls/s", "server µs/call", "Redis µs/call", "Redis trips", "Redis commands",
		"p50 ms", "p90", "p99", "p99.9", "max", "refused"}}
	figures := map[string]Figure{}
	for _, of := range []struct {
		name string
		samples
	}{{"echo", echo}, {"bare", all[r.bare]}, {"plain", all[r.plain]}, {"service", own}} {
		for _, f := range []Figure{
			of.each(of.name+".rate", "calls a second, closed loop", "/s", sample.rate),
			of.perCall(of.name+".cpu", "processor time of the server", "µs/call", sample.serverCPU),
			of.perCall(of.name+".redis.cpu", "processor time of Redis", "µs/call", sample.redisCPU),
			of.perCall(of.name+".redis.trips", "round trips to Redis", "/call", sample.trips),
			of.perCall(of.name+".redis.commands", "commands of Redis, those of scripts included", "/call", func(s sample) float64 { return s.redis.commands }),
		} {
			figures[f.Name] = f
			if of.name != "echo" || f.Name == "echo.rate" || f.Name == "echo.cpu" {
				s.Figures = append(s.Figures, tabled(f)...)
			}
		}
		value := func(name string) string { return Number(figures[of.name+name].Value) }
		row := []string{of.name, value(".rate"), value(".cpu"), value(".redis.cpu"), value(".redis.trips"), value(".redis.commands")}
		if of.name == "echo" {
			row[3], row[4], row[5] = "-", "-", "-"
		}
		t.Rows = append(t.Rows, append(row, percentiles(of.together())...))
	}
	answer := own.perCall("answer", "message of an answer", "B", func(s sample) float64 { return float64(s.answered) })
	s.Tables = append(s.Tables, t)
	s.Figures = append(s.Figures,
		own.perCall("service.allocs", "allocations of the service", "/call", func(s sample) float64 { return s.allocs }),
		own.perCall("service.allocated", "memory that the service allocates", "B/call", func(s sample) float64 { return s.bytes }),
		own.perCall("service.redis.in", "bytes to Redis", "B/call", func(s sample) float64 { return s.redis.in }),
		all[r.bare].perCall("bare.redis.in", "bytes to Redis, of the bare baseline", "B/call", func(s sample) float64 { return s.redis.in }),
		own.perCall("service.redis.out", "bytes from Redis", "B/call", func(s sample) float64 { return s.redis.out }),
		own.each("service.memory", "memory of the service at the end of a turn", "MiB", func(s sample) float64 { return s.memory }),
		echo.each("echo.memory", "memory of the echo at the end of a turn", "MiB", func(s sample) float64 { return s.memory }),
		NewFigure("customer", fmt.Sprintf("memory of Redis for a customer with %d good experiences and a failure", goodTimes), "B", r.perCustomer),
		NewFigure("request", "message of a request", "B", float64(r.request)),
		answer,
		NewFigure("baseline.answer", "message of an answer of the baselines", "B", float64(r.answer)),
	)
	s.Ratios = append(s.Ratios,
		NewRatio("cpu.echo", "processor time of the server a call, service : echo", figures["service.cpu"], figures["echo.cpu"], aimCPU),
		NewRatio("cpu.libraries", "processor time of the server a call, bare : echo", figures["bare.cpu"], figures["echo.cpu"], Aim{}),
		NewRatio("cpu.bare", "processor time of the server a call, service : bare", figures["service.cpu"], figures["bare.cpu"], Aim{}),
		NewRatio("throughput.echo", "calls a second, service : echo", figures["service.rate"], figures["echo.rate"], aimThroughput),
		NewRatio("throughput.plain", "calls a second, service : plain", figures["service.rate"], figures["plain.rate"], aimPlain),
		NewRatio("cpu.plain", "processor time of the server a call, service : plain", figures["service.cpu"], figures["plain.cpu"], Aim{}),
		NewRatio("redis.plain", "processor time of Redis a call, service : plain", figures["service.redis.cpu"], figures["plain.redis.cpu"], Aim{}),
		Ratio{figures["service.redis.trips"], aimTrips},
	)
	s.Tables = append(s.Tables, commands(own))
	s.Notes = append(s.Notes, fmt.Sprintf("Each call reports a new failure of a customer who has had %d good experiences: in turns the first failure of one, and the second of another while the first one's case is still open. "+
		"The service has served these customers before and remembers them (%s). Requests have %s bytes, answers of the service %s on average, those of the baselines %s.", goodTimes, roomForAll, Number(float64(r.request)), Number(math.Round(answer.Value)), Number(float64(r.answer))))
	if sum := own.together(); sum.refused > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("The service refused %d of %d calls for load, by its own limit; they are not among those that were done.", sum.refused, sum.done+sum.refused))
	}
}

// fewRefused is the share of refused calls up to which the times of the others stand
// for all.
const fewRefused = 0.01

// percentiles are the cells of a row, and how many were refused.
func percentiles(o *outcome) (cells []string) {
	for _, p := range []float64{50, 90, 99, 99.9, 100} {
		cells = append(cells, Number(o.quantile(p)))
	}
	refused := "-"
	if o.refused > 0 {
		refused = fmt.Sprintf("%.1f %%", 100*o.refusedShare())
	}
	return append(cells, refused)
}

// commands are those of Redis that a call comes to, those of scripts included.
func commands(all samples) Table {
	sum, done := map[string]float64{}, 0.0
	for _, s := range all {
		done += float64(s.done)
		for name, n := range s.redis.byName {
			sum[name] += n
		}
	}
	t := Table{Title: "Commands of Redis for one call of the service", Columns: []string{"command", "calls"}}
	for name, n := range sum {
		if n/done >= 0.005 {
			t.Rows = append(t.Rows, []string{name, Number(n / done)})
		}
	}
	slices.SortFunc(t.Rows, func(a, b []string) int { return slices.Compare(a, b) })
	return t
}

// shares of what the service can do are asked for in the open loops.
func (r *Run) shares() []float64 {
	if r.Full {
		return []float64{0.1, 0.3, 0.5, 0.7, 0.9}
	}
	return []float64{0.5, 0.8}
}

// openLoops asks for several shares of what the service can do, of all targets
// the same number of calls.
func (r *Run) openLoops(ctx context.Context, s *Section, can float64) error {
	t := Table{Title: "Open loop: calls at moments that do not depend on the answers, times from those moments on",
		Columns: []string{"calls/s asked for", "of its capacity", "target", "calls/s done", "p50 ms", "p90", "p99", "p99.9", "max", "refused"}}
	plot := Plot{Name: "latency", Title: "Time of a call by load (open loop)", X: Axis{Label: "calls a second asked for"}, Y: Axis{Label: "milliseconds", Log: true},
		Hollow: fmt.Sprintf("over %g %% refused: times of the rest", 100*fewRefused)}
	for _, name := range []string{"service p50", "service p99", "plain p99", "echo p99"} {
		plot.Series = append(plot.Series, Series{Name: name})
	}
	defer func() { s.Tables, s.Plots = append(s.Tables, t), append(s.Plots, plot) }()
	targets := []*target{r.service.target, r.plain, r.echo}
	for _, share := range r.shares() {
		rate := share * can
		all, err := r.inTurns(ctx, fmt.Sprintf("open loop at %.0f %%", 100*share), targets, func(t *target) *outcome {
			return open(ctx, rate, r.Slice, r.reporting(t))
		})
		if len(all[r.service.target]) == 0 {
			return err
		}
		for i, target := range targets {
			sum := all[target].together()
			t.Rows = append(t.Rows, append([]string{Number(rate), fmt.Sprintf("%.0f %%", 100*share), target.name, Number(sum.rate())}, percentiles(sum)...))
			plot.Series[i+1].add(rate, sum, 99)
			if i == 0 {
				plot.Series[0].add(rate, sum, 50)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// add draws the time within which so many percent of the calls were done.
func (s *Series) add(rate float64, o *outcome, percent float64) {
	if o.refusedShare() > fewRefused {
		s.Hollow = append(s.Hollow, len(s.Points))
	}
	s.Points = append(s.Points, [2]float64{rate, o.quantile(percent)})
}
