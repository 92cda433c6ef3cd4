package telemetry

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// storeMetrics are about Redis and the ledger in it.
type storeMetrics struct {
	operations *prometheus.HistogramVec
	errors     *prometheus.CounterVec
	retries    *prometheus.CounterVec
	guesses    *prometheus.CounterVec
}

func newStoreMetrics(f promauto.Factory) storeMetrics {
	return storeMetrics{
		operations: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "amends_redis_operation_duration_seconds", Help: "How long Redis took to answer, by command; a pipeline counts once, as its first command.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1},
		}, []string{"command"}),
		errors: f.NewCounterVec(prometheus.CounterOpts{
			Name: "amends_redis_errors_total", Help: "Operations of Redis that failed, by what that means for a change: was it refused, did no answer come, does somebody have to act.",
		}, []string{"class"}),
		retries: f.NewCounterVec(prometheus.CounterOpts{
			Name: "amends_ledger_retries_total", Help: "Operations of the ledger that were done again: because the customer had changed meanwhile (conflict), because a slot of the cluster moves, or because the store was away (outage).",
		}, []string{"cause"}),
		guesses: f.NewCounterVec(prometheus.CounterOpts{
			Name: "amends_ledger_guesses_total", Help: "Changes judged on what the process remembered of the customer: committed at once (right), in vain since the customer had changed or the request had been carried out (wrong), or with nothing to commit, which a read confirmed (unused).",
		}, []string{"outcome"}),
	}
}

func (s *storeMetrics) prepare(w Words) {
	for _, class := range w.RedisErrors {
		s.errors.WithLabelValues(class)
	}
	for _, cause := range w.Retries {
		s.retries.WithLabelValues(cause)
	}
	for _, outcome := range w.Guesses {
		s.guesses.WithLabelValues(outcome)
	}
}

// Operation counts one round trip to Redis; class says how it failed, and is
// empty when it did not.
func (m *Metrics) Operation(ctx context.Context, command string, took time.Duration, class string) {
	observe(ctx, m.store.operations.WithLabelValues(command), took.Seconds())
	if class != "" {
		m.store.errors.WithLabelValues(class).Inc()
	}
}

// Retried counts an operation of the ledger that is done again.
func (m *Metrics) Retried(cause string) { m.store.retries.WithLabelValues(cause).Inc() }

// Guessed counts a change that was judged on what the process remembered.
func (m *Metrics) Guessed(outcome string) { m.store.guesses.WithLabelValues(outcome).Inc() }

// Pool is what a pool of connections tells of itself.
type Pool struct {
	Hits, Misses, Timeouts uint64 // so far
	Idle, Busy             uint64 // connections just now
}

// Pool offers the figures of a pool of connections to Redis, read whenever
// somebody asks.
func (m *Metrics) Pool(name string, read func() Pool) {
	label := prometheus.Labels{"pool": name}
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, label)
	}
	m.registry.MustRegister(&pool{
		read:        read,
		hits:        describe("amends_redis_pool_hits_total", "Connections that were free when one was wanted."),
		misses:      describe("amends_redis_pool_misses_total", "Connections that were not free when one was wanted."),
		timeouts:    describe("amends_redis_pool_timeouts_total", "Operations that gave up waiting for a free connection."),
		connections: describe("amends_redis_pool_connections", "Connections to Redis, by what they do.", "state"),
	})
}

type pool struct {
	read                                func() Pool
	hits, misses, timeouts, connections *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (p *pool) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{p.hits, p.misses, p.timeouts, p.connections} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (p *pool) Collect(to chan<- prometheus.Metric) {
	now := p.read()
	send := func(d *prometheus.Desc, kind prometheus.ValueType, value uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, kind, float64(value), labels...)
	}
	send(p.hits, prometheus.CounterValue, now.Hits)
	send(p.misses, prometheus.CounterValue, now.Misses)
	send(p.timeouts, prometheus.CounterValue, now.Timeouts)
	send(p.connections, prometheus.GaugeValue, now.Idle, "idle")
	send(p.connections, prometheus.GaugeValue, now.Busy, "busy")
}
