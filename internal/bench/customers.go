package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/makeamends/amends/internal/bench/turns"
	"github.com/makeamends/amends/internal/ledger"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// Among is whether a report costs more, or takes longer, among more customers.
var Among = Part{Name: "customers", About: "what a report costs and how long it takes, among few customers and among many",
	Long: true, Own: true, Plot: "customers", Lasts: func(r *Run) time.Duration { return r.byFull(45*time.Second, 150*time.Second) }, Run: among}

var aimAmong = Aim{Most: 1.1}

// turnsOfRound is how many short turns each of them has in a round, so that what
// disturbs one disturbs the others as well.
const turnsOfRound = 4

// kinds are the reports that are compared. It matters more whether the process
// remembers the customer than how many others there are.
const (
	atRandom = iota
	notRemembered
	remembered
)

var kinds = []struct {
	name, about string
	aim         Aim
}{
	atRandom:      {"random", "drawn at random", aimAmong},
	notRemembered: {"cold", "not remembered", aimAmong},
	remembered:    {"warm", "remembered", Aim{}},
}

// crowd is a service with a store and with so many customers.
type crowd struct {
	*setup
	customers int
	unmet     []int // those of whom nothing was reported, at random
	found     [3]samples
	right     [3][]float64 // share of the reports that the first guess was right for
}

// among compares reports among more and fewer customers: as many services with a
// store each stand side by side and take turns.
func among(ctx context.Context, r *Run) (s Section, err error) {
	s.Title = "What more customers cost"
	of := []int{r.Customers, 10 * r.Customers}
	if r.Full {
		of = append(of, 100*r.Customers)
	}
	crowds := make([]*crowd, len(of))
	for i, n := range of {
		c, stop, err := r.gather(ctx, n)
		defer stop()
		if err != nil {
			return s, err
		}
		crowds[i] = c
	}
	if err := r.meet(ctx, crowds, atRandom); err != nil {
		return s, err
	}
	for _, c := range crowds {
		if err := r.restart(ctx, c); err != nil {
			return s, err
		}
	}
	if err := r.meet(ctx, crowds, notRemembered, remembered); err != nil {
		return s, err
	}
	amongFigures(&s, crowds)
	return s, nil
}

// gather starts a service with customers each of whom had one good experience some
// weeks ago.
func (r *Run) gather(ctx context.Context, n int) (c *crowd, stop func(), err error) {
	of, stop, err := r.alone(ctx, 0)
	if err != nil {
		return nil, stop, err
	}
	of.about = Number(float64(n))
	c = &crowd{setup: of, customers: n, unmet: rand.Perm(n)}
	batches := (n + batchSize - 1) / batchSize
	return c, stop, inParallel(ctx, batches, func(ctx context.Context, i int) error {
		r.say("making "+c.about+" customers known", i, batches)
		b := recoveryv1.RecordInteractionsRequest_builder{}
		for k := i * batchSize; k < min(n, (i+1)*batchSize); k++ {
			praise := r.work.praise(r.work.customer(k))
			praise.SetOccurredAt(timestamppb.New(time.Now().Add(-30 * 24 * time.Hour)))
			b.Interactions = append(b.Interactions, praise)
		}
		_, err := c.service.invoke(ctx, recoveryv1.RecoveryService_RecordInteractions_FullMethodName, bytesOf(b.Build()))
		return err
	})
}

// restart replaces the service by one that remembers nobody.
func (r *Run) restart(ctx context.Context, c *crowd) (err error) {
	c.service.end()
	c.service, err = r.startService(ctx, c.masters[0].URL())
	return err
}

// meet reports failures, in turns: of other customers in each turn, one failure each
// for every kind. So all have the same history, however many there are.
func (r *Run) meet(ctx context.Context, crowds []*crowd, of ...int) error {
	many := turnsOfRound * r.Rounds
	calls := max(1, min(200, r.Customers*2/5/many)) // there are two meetings, and a tenth of all is for warming up
	for _, c := range crowds {
		r.report(ctx, c, c.draw(r.Customers/10))
	}
	for turn := range many {
		for i := range turns.InRound(turn, len(crowds)) {
			c := crowds[i]
			customers := c.draw(calls)
			for _, kind := range of {
				r.say(fmt.Sprintf("reports among %s customers, %s", c.about, kinds[kind].about), turn/turnsOfRound+1, r.Rounds)
				if err := r.encounter(ctx, c, kind, turn%turnsOfRound == 0, customers); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// encounter measures one turn, which begins a round or belongs to the last one.
func (r *Run) encounter(ctx context.Context, c *crowd, kind int, begins bool, customers []int) error {
	before, err := c.rightGuesses(ctx)
	if err != nil {
		return err
	}
	s, _, err := c.take(ctx, func() *outcome { return r.report(ctx, c, customers) })
	if err != nil {
		return err
	}
	after, err := c.rightGuesses(ctx)
	if err != nil {
		return err
	}
	if begins {
		c.found[kind] = append(c.found[kind], s)
	} else {
		c.found[kind][len(c.found[kind])-1].add(s)
	}
	c.right[kind] = append(c.right[kind], (after-before)/float64(s.done))
	return nil
}

func (c *crowd) rightGuesses(ctx context.Context) (float64, error) {
	return c.service.counted(ctx, "amends_ledger_guesses_total", "outcome", "right")
}

// draw takes some of those of whom nothing was reported.
func (c *crowd) draw(n int) []int {
	n = min(n, len(c.unmet))
	drawn := c.unmet[:n]
	c.unmet = c.unmet[n:]
	return drawn
}

// report reports a failure of each of these customers.
func (r *Run) report(ctx context.Context, c *crowd, customers []int) *outcome {
	return fixed(ctx, c.service.target, len(customers), func(n int) []byte { return r.work.report(r.work.customer(customers[n])) })
}

// amongFigures compares each with the fewest customers.
func amongFigures(s *Section, crowds []*crowd) {
	t := Table{Columns: []string{"customers", "the customer is", "right guesses", "server µs/call", "Redis µs/call", "Redis trips", "p50 ms", "p99"}}
	plot := Plot{Name: "customers", Title: "A report by the customers that there are", X: Axis{Label: "customers", Log: true}, Y: Axis{Label: "µs a call"}}
	most := len(crowds) - 1
	for kind, k := range kinds {
		figures := make([][]Figure, len(crowds))
		server, redis := Series{Name: "server, " + k.about}, Series{Name: "Redis, " + k.about}
		for i, c := range crowds {
			name := fmt.Sprintf("customers.%s.%d", k.name, c.customers)
			about := fmt.Sprintf("a report among %s, %s", c.about, k.about)
			figures[i] = tabled(
				c.found[kind].each(name+".p50", "time (p50), "+about, "ms", sample.p50),
				c.found[kind].each(name+".p99", "time (p99), "+about, "ms", sample.p99),
				c.found[kind].perCall(name+".cpu", "processor time of the server, "+about, "µs/call", sample.serverCPU),
				c.found[kind].perCall(name+".redis.cpu", "processor time of Redis, "+about, "µs/call", sample.redisCPU),
			)
			trips := c.found[kind].perCall("", "", "", sample.trips)
			p50, p99, cpu, redisCPU := figures[i][0], figures[i][1], figures[i][2], figures[i][3]
			t.Rows = append(t.Rows, []string{c.about, k.about, fmt.Sprintf("%.0f %%", 100*Median(c.right[kind])),
				Number(cpu.Value), Number(redisCPU.Value), Number(trips.Value), Number(p50.Value), Number(p99.Value)})
			server.Points = append(server.Points, [2]float64{float64(c.customers), cpu.Value})
			redis.Points = append(redis.Points, [2]float64{float64(c.customers), redisCPU.Value})
			s.Figures = append(s.Figures, figures[i]...)
		}
		if kind != remembered {
			plot.Series = append(plot.Series, server, redis)
		}
		for n, what := range []struct {
			name, about string
			aim         Aim
		}{
			{"p50", "time of a report (p50)", k.aim}, {"p99", "time of a report (p99)", k.aim},
			{"cpu", "processor time of the server a report", Aim{}}, {"redis", "processor time of Redis a report", Aim{}},
		} {
			about := fmt.Sprintf("%s, customers %s, among %s : among %s", what.about, k.about, crowds[most].about, crowds[0].about)
			s.Ratios = append(s.Ratios, NewRatio("customers."+k.name+"."+what.name, about, figures[most][n], figures[0][n], what.aim))
		}
	}
	s.Tables, s.Plots = append(s.Tables, t), append(s.Plots, plot)
	s.Notes = append(s.Notes, fmt.Sprintf("As many services, each with a Redis of its own, run side by side and take turns, %d short ones in a round. Each customer had one good experience some weeks ago. %d callers, in a closed loop, report the first failure of customers drawn at random, and then, where the customer is remembered, the second.", turnsOfRound, fewCallers),
		"What the number of customers costs is seen where all are remembered by the process, or none, because it has just been started. Customers drawn at random are as the process was left by making them known: it has room for "+fmt.Sprint(ledger.DefaultCache>>20)+" MiB of them (`--remember`), some 9,000 in each, so for a million. Where all guesses are right, it remembers all of them. Among more customers than it has room for, the rows \"not remembered\" are the ones to read: most first reports are of customers whom it reads first, in a second round trip; the steps of a case that follow within the hour are not, if they come to the same process.",
		"The walk over all customers that mends the indexes, which begins ten minutes after the last one, is not in these figures: [promises](promises.md#deadlines) has what it takes.")
}
