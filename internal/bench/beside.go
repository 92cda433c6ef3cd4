package bench

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/makeamends/amends/internal/bench/turns"
)

// besideRate is how many reports a second are made beside a load: few, so that they
// wait for the load and not for each other.
const besideRate = 200

// mostAgain is how often a turn is repeated in which calls failed, such as by a store
// that took too long on a machine with other work. The notes say which were.
const mostAgain = 3

// loads are what reports are made beside; the first of them is nothing, which has no run.
func (r *Run) loads() []way {
	ways := r.ways()
	calls, ingest, batches := ways[0], ways[1], ways[2]
	ingest.name = "ingest" // the only one here
	return []way{{name: "alone", about: "nothing"}, calls, ingest, batches}
}

// amid is one turn of reports.
type amid struct {
	sample
	echo *outcome // of as many calls of the echo meanwhile
	rate float64  // events a second that the load came to
}

// beside measures how long reports take that are made now and then while the service
// is kept busy, in turns.
func (r *Run) beside(ctx context.Context, s *Section) error {
	loads := r.loads()
	found := make([][]amid, len(loads))
	var repeated []string
	for round := range r.Rounds {
		for n := range turns.InRound(round, len(loads)) {
			r.say("reports beside "+loads[n].about, round+1, r.Rounds)
			turn, err := r.besideOne(ctx, loads[n])
			for again := 0; err != nil && ctx.Err() == nil && again < mostAgain; again++ {
				repeated = append(repeated, fmt.Sprintf("A turn beside %s is not in these figures and was repeated: %v.", loads[n].about, err))
				turn, err = r.besideOne(ctx, loads[n])
			}
			if err != nil {
				return fmt.Errorf("reports beside %s: %w", loads[n].about, err)
			}
			found[n] = append(found[n], turn)
		}
	}
	besideFigures(s, loads, found)
	s.Notes = append(s.Notes, repeated...)
	return nil
}

// besideOne is one turn of reports. The echo is called at the same time: what its
// calls wait for is the machine and the callers, not the service.
func (r *Run) besideOne(ctx context.Context, l way) (a amid, err error) {
	var meanwhile error
	a.sample, err = r.take(ctx, r.service.target, func() *outcome {
		done := make(chan *outcome, 1)
		if l.run == nil {
			done <- newOutcome()
		} else {
			lead := r.Slice / 5 // until the load has begun
			go func() { done <- l.run(ctx, r.Slice+lead) }()
			time.Sleep(lead)
		}
		echoed := make(chan *outcome, 1)
		go func() { echoed <- open(ctx, besideRate, r.Slice, r.reporting(r.echo)) }()
		o := open(ctx, besideRate, r.Slice, r.reporting(r.service.target))
		load := <-done
		a.echo = <-echoed
		if l.run != nil {
			a.rate, meanwhile = load.rate(), load.broken()
		}
		meanwhile = cmp.Or(meanwhile, a.echo.broken())
		return o
	})
	if err == nil && meanwhile != nil {
		err = fmt.Errorf("what was done meanwhile: %w", meanwhile)
	}
	return a, err
}

func besideFigures(s *Section, loads []way, found [][]amid) {
	t := Table{Title: fmt.Sprintf("Open loop of %d reports a second beside something else", besideRate),
		Columns: []string{"beside", "events/s meanwhile", "reports/s", "p50 ms", "p90", "p99", "p99.9", "max", "refused", "echo p50 ms", "p99"}}
	p99 := make([]Figure, len(loads))
	for i, l := range loads {
		var reports samples
		var rates []float64
		echo := newOutcome()
		for _, turn := range found[i] {
			reports, rates = append(reports, turn.sample), append(rates, turn.rate)
			echo.add(turn.echo)
		}
		name := "beside." + l.name
		p50 := reports.each(name+".p50", "time of a report (p50), beside "+l.about, "ms", sample.p50)
		p99[i] = reports.each(name+".p99", "time of a report (p99), beside "+l.about, "ms", sample.p99)
		s.Figures = append(s.Figures, tabled(p50, p99[i])...)
		sum := reports.together()
		events := "-"
		if l.run != nil {
			events = Number(Median(rates))
			s.Ratios = append(s.Ratios, NewRatio(name, "time of a report (p99), beside "+l.about+" : beside nothing", p99[i], p99[0], Aim{}))
		}
		row := append([]string{l.about, events, Number(sum.rate())}, percentiles(sum)...)
		t.Rows = append(t.Rows, append(row, Number(echo.quantile(50)), Number(echo.quantile(99))))
	}
	s.Tables = append(s.Tables, t)
	s.Notes = append(s.Notes, "Beside a load that takes all it can get, its callers and Redis take their part of the processors too, so reports wait for those as well: compare with the reports beside other reports. The last two columns are of as many calls of the echo, made at the same time by the same callers: that much is due to the machine and the callers alone.")
}
