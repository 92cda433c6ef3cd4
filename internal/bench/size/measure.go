// Package size measures how much memory of Redis a customer takes, and what the
// settings of Redis that bear on it cost.
//
// It starts Redis servers of its own, with the settings of the deployment, and
// fills them through the handlers of the service, so what is measured is what the
// service stores.
package size

import (
	"context"
	"fmt"
	"time"

	"github.com/makeamends/amends/internal/redisproc"
)

// Options say what to measure: each of them 1 at least, and Changes as many as Rounds.
type Options struct {
	Customers int // of each kind
	Changes   int // how many are made with each setting
	Longest   int // history of one customer, in events
	Rounds    int // in which what is compared takes turns
}

// Report is what was found.
type Report struct {
	Customers int
	Positive  Held    // customers with one good experience
	Case      Held    // customers with one open case and nothing else
	Friend    Held    // customers with an open case and some good experiences long ago
	Growth    []Grown // what more events make of one customer
	Closed    []Closed
	Lists     []Setting // hash-max-listpack-value
	Entries   []Busy    // hash-max-listpack-entries
	Sync      []Setting // appendfsync, the first without a file
}

// Held is what customers take.
type Held struct {
	Each    float64 // bytes of used_memory, with keys, expiry, indexes and streams
	Usage   int64   // what MEMORY USAGE says of one
	Content int     // bytes in use of the block that is most of it
	Took    time.Duration
}

// Measure does all of it, and tells what it does. It takes some minutes for a
// million customers.
func Measure(ctx context.Context, o Options, progress func(format string, args ...any)) (Report, error) {
	m := &measurement{Options: o, progress: progress, report: Report{Customers: o.Customers}}
	for _, step := range []func(context.Context) error{m.positives, m.cases, m.friends, m.growth, m.closed, m.lists, m.entries, m.sync} {
		if err := step(ctx); err != nil {
			return m.report, err
		}
	}
	return m.report, nil
}

type measurement struct {
	Options
	progress func(format string, args ...any)
	report   Report
}

// store is a Redis of its own with the service on it.
type store struct {
	*shop
	redis *redisproc.Server
}

func (m *measurement) start(ctx context.Context, settings ...string) (*store, error) {
	all := redisproc.InMemory()
	for i := 0; i < len(settings); i += 2 {
		all[settings[i]] = settings[i+1]
	}
	server, err := redisproc.Start(ctx, redisproc.Config{Settings: all})
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, server.URL())
	if err != nil {
		server.Stop()
		return nil, err
	}
	return &store{s, server}, nil
}

func (s *store) stop() {
	s.ledger.Close()
	s.redis.Stop()
}

// positives fills a store with customers who have praised once.
func (m *measurement) positives(ctx context.Context) error {
	s, err := m.start(ctx)
	if err != nil {
		return err
	}
	defer s.stop()
	m.progress("recording one good experience of each of %d customers", m.Customers)
	m.report.Positive, err = s.held(ctx, m.Customers, s.praise)
	return err
}

// cases fills a store with customers whose first failure was reported.
func (m *measurement) cases(ctx context.Context) error {
	s, err := m.start(ctx)
	if err != nil {
		return err
	}
	defer s.stop()
	m.progress("reporting a failure of each of %d customers", m.Customers)
	m.report.Case, err = s.held(ctx, m.Customers, s.fail)
	return err
}

// GoodTimes is how many good experiences a customer with some has. After so many the
// service has more to say to a failure, so its answer is longer.
const GoodTimes = 10

// friends fills a store with customers who report their first failure after good
// experiences whose requests are forgotten by then.
func (m *measurement) friends(ctx context.Context) error {
	s, err := m.start(ctx)
	if err != nil {
		return err
	}
	defer s.stop()
	m.progress("reporting a failure of each of %d customers with %d good experiences", m.Customers, GoodTimes)
	m.report.Friend, err = s.held(ctx, m.Customers, func(ctx context.Context, who string, n int, round string) error {
		for i := range GoodTimes {
			if err := s.praise(ctx, who, n, fmt.Sprint(round, i)); err != nil {
				return err
			}
		}
		s.clock.skip(10 * 24 * time.Hour)
		return s.fail(ctx, who, n, round)
	})
	return err
}

// held fills the store and tells what each customer has added.
func (s *store) held(ctx context.Context, n int, fill func(ctx context.Context, who string, n int, round string) error) (h Held, err error) {
	if err := fill(ctx, "first", 1, "first"); err != nil { // scripts, policies and words
		return h, err
	}
	before, err := s.used(ctx)
	if err != nil {
		return h, err
	}
	begin := time.Now()
	if err := fill(ctx, "c", n, "first"); err != nil {
		return h, err
	}
	h.Took = time.Since(begin)
	after, err := s.used(ctx)
	if err != nil {
		return h, err
	}
	h.Each = float64(after-before) / float64(n)
	if h.Usage, err = s.usage(ctx, "c-0"); err != nil {
		return h, err
	}
	h.Content, err = s.content(ctx, "c-0")
	return h, err
}

// used is how much memory the store takes.
func (s *store) used(ctx context.Context) (bytes int64, err error) {
	text, err := s.redis.Client().Info(ctx, "memory").Result()
	if err != nil {
		return 0, err
	}
	_, err = fmt.Sscan(redisproc.Fields(text)["used_memory"], &bytes)
	return bytes, err
}

// usage is what Redis says of one customer alone.
func (s *store) usage(ctx context.Context, who string) (int64, error) {
	hash, err := s.hash(ctx, who)
	if err != nil {
		return 0, err
	}
	return s.redis.Client().MemoryUsage(ctx, hash, 0).Result()
}

// content is how many bytes the list of one customer's fields has.
func (s *store) content(ctx context.Context, who string) (int, error) {
	hash, err := s.hash(ctx, who)
	if err != nil {
		return 0, err
	}
	if err := s.redis.Client().ConfigSet(ctx, "rdbcompression", "no").Err(); err != nil {
		return 0, err
	}
	const around = 1 + 2 + 2 + 8 // type and length of the list; version, checksum
	dump, err := s.redis.Client().Dump(ctx, hash).Result()
	return len(dump) - around, err
}

// hash is the key of one customer.
func (s *store) hash(ctx context.Context, who string) (string, error) {
	keys, _, err := s.redis.Client().Scan(ctx, 0, "{b*}:c"+string(s.key(who)), 1<<30).Result()
	if err != nil || len(keys) != 1 {
		return "", fmt.Errorf("%d hashes of one customer: %w", len(keys), err)
	}
	return keys[0], nil
}
