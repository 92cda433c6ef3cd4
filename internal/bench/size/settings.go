package size

import (
	"context"
	"fmt"
	"time"

	"github.com/makeamends/amends/internal/bench/turns"
)

// Setting is one value of a setting of Redis, and what it costs.
type Setting struct {
	Value  string
	Each   float64         // bytes of used_memory a customer with a case
	CPU    []time.Duration // of Redis for one report, in each round
	Second []float64       // reports carried out in a second, in each round
}

// lists compares from which size of a field on Redis makes a table of a customer.
func (m *measurement) lists(ctx context.Context) (err error) {
	const name = "hash-max-listpack-value"
	var all []variant
	for _, value := range []string{"64", "512", "1024", "2048", "4096"} {
		all = append(all, variant{value, []string{name, value}})
	}
	m.report.Lists, err = m.vary(ctx, name, all)
	return err
}

// Busy is what customers with many requests cost with one value of a setting.
type Busy struct {
	Value    string
	Requests int             // of each customer, in these days
	Usage    int64           // MEMORY USAGE of one
	CPU      []time.Duration // of Redis for one good experience more, in each round
}

// busyCustomers are so few that the requests of a turn, one for each and then again,
// make all of them a little busier, and none much.
const busyCustomers = 20

// entries compares from how many fields on Redis makes a table of a customer. Only
// who has made more requests than that in nine days is another one for it.
func (m *measurement) entries(ctx context.Context) error {
	values := []string{"128", "256", "512"}
	stores := make([]*store, len(values))
	for i, value := range values {
		s, err := m.start(ctx, "hash-max-listpack-entries", value)
		if err != nil {
			return err
		}
		defer s.stop()
		stores[i] = s
	}
	for _, requests := range []int{10, 150, 300} {
		who := fmt.Sprintf("%d-", requests)
		found := make([]Busy, len(values))
		for i, s := range stores {
			m.progress("customers with %d requests, hash-max-listpack-entries %s", requests, values[i])
			for n := range requests {
				if err := s.praise(ctx, who, busyCustomers, fmt.Sprint(n)); err != nil {
					return err
				}
			}
			found[i] = Busy{Value: values[i], Requests: requests}
			var err error
			if found[i].Usage, err = s.usage(ctx, who+"-0"); err != nil {
				return err
			}
		}
		for turn := range 4 * m.Rounds {
			for i := range stores {
				i = (turn + i) % len(stores)
				took, err := stores[i].praised(ctx, who, fmt.Sprint("turn ", turn))
				if err != nil {
					return err
				}
				found[i].CPU = append(found[i].CPU, took)
			}
		}
		m.report.Entries = append(m.report.Entries, found...)
	}
	return nil
}

// praised is what a good experience of each busy customer, one by one, takes Redis.
func (s *store) praised(ctx context.Context, who, round string) (time.Duration, error) {
	before, err := s.redis.CPU(ctx)
	if err != nil {
		return 0, err
	}
	for i := range busyCustomers {
		customer := fmt.Sprint(who, "-", i)
		if err := s.praiseOne(ctx, customer, customer+round); err != nil {
			return 0, err
		}
	}
	after, err := s.redis.CPU(ctx)
	return (after - before) / busyCustomers, err
}

// NoFile is the value of [Report.Sync] for a Redis without an append-only file.
const NoFile = "no file"

// sync compares how often Redis writes its file to the disk, and having none.
func (m *measurement) sync(ctx context.Context) (err error) {
	const name = "appendfsync"
	all := []variant{{NoFile, []string{"appendonly", "no"}}}
	for _, value := range []string{"always", "everysec", "no"} {
		all = append(all, variant{value, []string{"appendonly", "yes", name, value}})
	}
	m.report.Sync, err = m.vary(ctx, name, all)
	return err
}

// variant is one of some settings that are compared.
type variant struct {
	value    string
	settings []string // name, value, ...
}

const (
	turnsOfRound = 4 // of each variant
	turnPasses   = 2 // over the customers of a turn
)

// vary reports failures to servers that differ in their settings: one for each
// customer, and then, in turns, further ones, which join the case. A round is some such
// turns, that there be reports enough in it.
func (m *measurement) vary(ctx context.Context, name string, variants []variant) ([]Setting, error) {
	out := make([]Setting, len(variants))
	stores := make([]*store, len(variants))
	for i, v := range variants {
		out[i].Value = v.value
		s, err := m.start(ctx, v.settings...)
		if err != nil {
			return nil, err
		}
		defer s.stop()
		stores[i] = s
		held, err := s.held(ctx, m.Changes, s.fail)
		if err != nil {
			return nil, err
		}
		out[i].Each = held.Each
	}
	n := m.Changes / m.Rounds
	for round := range m.Rounds {
		m.progress("%s: round %d of %d", name, round+1, m.Rounds)
		busy, took := make([]time.Duration, len(stores)), make([]time.Duration, len(stores))
		for turn := range turnsOfRound {
			for i := range turns.InRound(round*turnsOfRound+turn, len(stores)) {
				cpu, lasted, err := stores[i].reported(ctx, n, fmt.Sprintf("round %d, turn %d", round, turn))
				if err != nil {
					return nil, err
				}
				busy[i], took[i] = busy[i]+cpu, took[i]+lasted
			}
		}
		reports := turnsOfRound * turnPasses * n
		for i := range stores {
			out[i].CPU = append(out[i].CPU, busy[i]/time.Duration(reports))
			out[i].Second = append(out[i].Second, float64(reports)/took[i].Seconds())
		}
	}
	return out, nil
}

// reported is what further reports of n customers take, of the processor of Redis and
// of time.
func (s *store) reported(ctx context.Context, n int, turn string) (cpu, took time.Duration, err error) {
	before, err := s.redis.CPU(ctx)
	if err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	for pass := range turnPasses {
		if err := s.fail(ctx, "c", n, fmt.Sprint(turn, ", ", pass)); err != nil {
			return 0, 0, err
		}
	}
	took = time.Since(begin)
	after, err := s.redis.CPU(ctx)
	return after - before, took, err
}
