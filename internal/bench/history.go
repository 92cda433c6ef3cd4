package bench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// History is whether a call costs more for a customer with a longer history, or
// among more customers.
var History = Part{Name: "history", About: "what a report costs by history, and by the number of customers",
	Long: true, Lasts: func(r *Run) time.Duration { return r.byFull(30*time.Second, 170*time.Second) }, Run: history}

// lengths are the histories that are compared. The longer one is, the fewer
// customers have it, so that all are filled in a bearable time; and the shorter
// one is, the more, so that the measurement itself hardly makes it longer.
var lengths = []struct{ failures, customers int }{{1, 1000}, {10, 1000}, {100, 200}, {1000, 20}}

func history(ctx context.Context, r *Run) (Section, error) {
	s := Section{Title: "What a history costs"}
	if err := r.crew(ctx); err != nil {
		return s, err
	}
	if err := r.byLength(ctx, &s); err != nil {
		return s, err
	}
	return s, r.byCustomers(ctx, &s)
}

// costs are the columns of a table of what calls cost under some condition.
type costs struct {
	name       string // of what differs
	table      Table
	plot       Plot
	cpu, redis []Figure
}

func newCosts(name, title, axis string) *costs {
	c := &costs{name: name, table: Table{Title: title, Columns: []string{axis, "server µs/call", "Redis µs/call", "p50 ms"}}}
	c.plot = Plot{Name: name, Title: title, X: Axis{Label: axis, Log: true}, Y: Axis{Label: "µs a call"},
		Series: []Series{{Name: "server"}, {Name: "Redis"}}}
	return c
}

func (c *costs) add(n int, all samples) {
	cpu := all.perCall(fmt.Sprintf("%s.%d.cpu", c.name, n), "processor time of the server", "µs/call", func(s sample) float64 { return micros(s.cpu) })
	redis := all.perCall(fmt.Sprintf("%s.%d.redis.cpu", c.name, n), "processor time of Redis", "µs/call", func(s sample) float64 { return micros(s.redis.cpu) })
	c.cpu, c.redis = append(c.cpu, cpu), append(c.redis, redis)
	c.table.Rows = append(c.table.Rows, []string{Number(float64(n)), cpu.String(), redis.String(), Number(all.together().quantile(50))})
	for i, f := range []Figure{cpu, redis} {
		c.plot.Series[i].Points = append(c.plot.Series[i].Points, [2]float64{float64(n), f.Value})
	}
}

// into adds what was found to a section, and compares the last with the first.
func (c *costs) into(s *Section, about string) {
	s.Figures = append(s.Figures, tabled(append(c.cpu, c.redis...)...)...)
	s.Tables, s.Plots = append(s.Tables, c.table), append(s.Plots, c.plot)
	if n := len(c.cpu) - 1; n > 0 {
		s.Ratios = append(s.Ratios,
			NewRatio(c.name+".cpu", "processor time of the server a call, "+about, c.cpu[n], c.cpu[0], Aim{}),
			NewRatio(c.name+".redis", "processor time of Redis a call, "+about, c.redis[n], c.redis[0], Aim{}))
	}
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
		err := r.inParallel(ctx, l.failures*l.customers, func(ctx context.Context, n int) error {
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
		for i, l := range of {
			r.say("one failure more", round+1, r.Rounds)
			sample, err := r.take(ctx, r.service.target, func() *outcome {
				return r.counted(ctx, calls, func(n int) []byte { return r.work.report(name(l.failures, (round*calls+n)%l.customers)) })
			})
			if err != nil {
				return err
			}
			all[i] = append(all[i], sample)
		}
	}
	c := newCosts("history", "A report by the failures that the customer has had before", "failures before")
	for i, l := range of {
		c.add(l.failures, all[i])
	}
	s.Notes = append(s.Notes, "Each failure before is one of another order, and its case is still open: no history costs more.")
	c.into(s, fmt.Sprintf("after %s failures : after %d", Number(float64(of[len(of)-1].failures)), of[0].failures))
	return nil
}

// byCustomers adds customers, and reports failures of some of them.
func (r *Run) byCustomers(ctx context.Context, s *Section) error {
	of := []int{r.Customers}
	if r.Full {
		of = append(of, 10*r.Customers, 100*r.Customers)
	}
	c := newCosts("customers", "A report by the customers that there are", "customers")
	known := r.Customers
	for _, n := range of {
		if err := r.enlarge(ctx, known, n); err != nil {
			return err
		}
		r.work.customers, known = n, n
		var all samples
		for round := range r.Rounds {
			r.say(fmt.Sprintf("reports among %d customers", n), round+1, r.Rounds)
			sample, err := r.take(ctx, r.service.target, func() *outcome {
				return closed(ctx, fewCallers, r.Slice/2, r.reporting(r.service.target))
			})
			if err != nil {
				return err
			}
			all = append(all, sample)
		}
		c.add(n, all)
	}
	s.Notes = append(s.Notes, "The numbers of customers come one after the other, not in turns, since customers cannot be taken away: other work of the machine weighs more in that table. "+
		"What goes on in the background counts in it, and the more customers there are, the fewer of them the service remembers, whom it can change in one round trip.")
	c.into(s, fmt.Sprintf("among %s customers : among %s", Number(float64(of[len(of)-1])), Number(float64(of[0]))))
	return nil
}

// enlarge makes more customers known by one good experience each, of some weeks ago.
func (r *Run) enlarge(ctx context.Context, from, to int) error {
	return r.inParallel(ctx, (to-from)/batchSize, func(ctx context.Context, n int) error {
		r.say("making more customers known", n, (to-from)/batchSize)
		b := recoveryv1.RecordInteractionsRequest_builder{}
		for i := range batchSize {
			praise := r.work.praise(r.work.customer(from + n*batchSize + i))
			praise.SetOccurredAt(timestamppb.New(time.Now().Add(-30 * 24 * time.Hour)))
			b.Interactions = append(b.Interactions, praise)
		}
		_, err := r.service.invoke(ctx, recoveryv1.RecoveryService_RecordInteractions_FullMethodName, bytesOf(b.Build()))
		return err
	})
}

// counted makes a number of calls.
func (r *Run) counted(ctx context.Context, calls int, body func(int) []byte) *outcome {
	all, begin := newOutcome(), time.Now()
	var mu sync.Mutex
	_ = r.inParallel(ctx, calls, func(ctx context.Context, n int) error { // what failed is counted
		began := time.Now()
		answer, err := r.service.call(ctx, body(n))
		mu.Lock()
		defer mu.Unlock()
		all.note(time.Since(began), answer, err)
		return nil
	})
	all.took = time.Since(begin)
	return all
}
