package size

import (
	"context"
	"fmt"
	"time"
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
	m.report.Lists, err = m.vary(ctx, "hash-max-listpack-value", []string{"64", "512", "1024", "2048", "4096"})
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

// sync compares how often Redis writes its file to the disk.
func (m *measurement) sync(ctx context.Context) (err error) {
	m.report.Sync, err = m.vary(ctx, "appendfsync", []string{"always", "everysec", "no"}, "appendonly", "yes")
	if err != nil {
		return err
	}
	without, err := m.vary(ctx, "appendonly", []string{"no"})
	if err != nil {
		return err
	}
	without[0].Value = "no file"
	m.report.Sync = append(m.report.Sync, without...)
	return nil
}

// vary reports failures to servers that differ in one setting, in turns: one for
// each customer, and then a further one, which joins the case.
func (m *measurement) vary(ctx context.Context, name string, values []string, settings ...string) ([]Setting, error) {
	out := make([]Setting, len(values))
	stores := make([]*store, len(values))
	for i, value := range values {
		out[i].Value = value
		s, err := m.start(ctx, append([]string{name, value}, settings...)...)
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
	for round := range m.Rounds {
		m.progress("%s: round %d of %d", name, round+1, m.Rounds)
		for i, s := range stores {
			before, err := s.redis.CPU(ctx)
			if err != nil {
				return nil, err
			}
			begin := time.Now()
			n := m.Changes / m.Rounds
			if err := s.fail(ctx, "c", n, fmt.Sprint("round ", round)); err != nil {
				return nil, err
			}
			took := time.Since(begin)
			after, err := s.redis.CPU(ctx)
			if err != nil {
				return nil, err
			}
			out[i].CPU = append(out[i].CPU, (after-before)/time.Duration(n))
			out[i].Second = append(out[i].Second, float64(n)/took.Seconds())
		}
	}
	return out, nil
}
