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

// sync compares how often Redis writes its file to the disk.
func (m *measurement) sync(ctx context.Context) (err error) {
	m.report.Sync, err = m.vary(ctx, "appendfsync", []string{"always", "everysec", "no"}, "appendonly", "yes")
	if err != nil {
		return err
	}
	without, err := m.vary(ctx, "appendonly", []string{"no"})
	m.report.Sync = append(m.report.Sync, without...)
	return err
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
