package telemetry

import (
	"context"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"go.opentelemetry.io/otel/trace"
)

// Metrics are the figures that this service counts itself; how long calls take
// comes from the gRPC instrumentation. Labels hold words of the contract, of the
// policy or of this program alone: never an id, and no tenant, of which there may
// be any number. docs/metrics.md lists all of them.
type Metrics struct {
	registry *prometheus.Registry
	calls    callMetrics
	cases    caseMetrics
	goodwill goodwillMetrics
	sweep    sweepMetrics
	store    storeMetrics
	watch    watchMetrics
	policy   policyMetrics
	files    fileMetrics
}

func newMetrics(registry *prometheus.Registry, version string) *Metrics {
	f := promauto.With(registry)
	f.NewGaugeVec(prometheus.GaugeOpts{
		Name: "amends_build_info", Help: "Always 1; the labels say which binary this is.",
	}, []string{"version", "go_version"}).WithLabelValues(version, runtime.Version()).Set(1)
	return &Metrics{
		registry: registry,
		calls:    newCallMetrics(f),
		cases:    newCaseMetrics(f),
		goodwill: newGoodwillMetrics(f),
		sweep:    newSweepMetrics(f),
		store:    newStoreMetrics(f),
		watch:    newWatchMetrics(f),
		policy:   newPolicyMetrics(f),
		files:    newFileMetrics(f),
	}
}

// Words are the values that labels can have. The series of all of them exist from
// the start, so that what has not happened yet is seen as 0.
type Words struct {
	Bands, Bounds, Kinds, Milestones, Transitions, OfferStates []string
	RedisErrors, Retries, Guesses                              []string
}

// Prepare makes those series.
func (m *Metrics) Prepare(w Words) {
	m.cases.prepare(w)
	m.store.prepare(w)
}

// Count offers a counter that somebody else keeps.
func (m *Metrics) Count(name, help string, value func() uint64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
		func() float64 { return float64(value()) }))
}

// Holds offers what is true or not: 1 or 0.
func (m *Metrics) Holds(name, help string, value func() bool) {
	m.Level(name, help, func() int {
		if value() {
			return 1
		}
		return 0
	})
}

// Level offers a number that rises and falls.
func (m *Metrics) Level(name, help string, value func() int) {
	m.Share(name, help, func() float64 { return float64(value()) })
}

// Share offers a part of something.
func (m *Metrics) Share(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}

// observe adds a value, with the trace of the call as an example if that trace is
// sampled: another one could not be looked up.
func observe(ctx context.Context, in prometheus.Observer, value float64) {
	if span := trace.SpanContextFromContext(ctx); span.IsSampled() {
		if in, ok := in.(prometheus.ExemplarObserver); ok {
			in.ObserveWithExemplar(value, prometheus.Labels{"trace_id": span.TraceID().String()})
			return
		}
	}
	in.Observe(value)
}
