package telemetry

import (
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the figures that this service counts itself; those of the calls
// come from the gRPC instrumentation.
type Metrics struct {
	registry  *prometheus.Registry
	decisions *prometheus.CounterVec
	conflicts prometheus.Counter
	reloads   reloads
	time      timeMetrics
	watchers  prometheus.Gauge
	dropped   prometheus.Counter
}

// timeMetrics are about what time does to cases.
type timeMetrics struct {
	happened *prometheus.CounterVec
	late     prometheus.Histogram
	behind   prometheus.Gauge
}

func newTimeMetrics() timeMetrics {
	return timeMetrics{
		happened: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "amends_time_transitions_total", Help: "What time did to cases, as this process recorded it: kind of transition, and the milestone that it is about.",
		}, []string{"kind", "milestone"}),
		late: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "amends_sweep_late_seconds", Help: "How long after its moment something that time did was recorded.",
			Buckets: []float64{.01, .03, .1, .3, 1, 3, 10, 30, 100, 1000},
		}),
		behind: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "amends_sweep_behind_seconds", Help: "How long the longest overdue customer had waited when this process last looked; 0 when nobody had.",
		}),
	}
}

// Happened counts something that time did, and how late it was recorded.
func (m *Metrics) Happened(kind, milestone string, late time.Duration) {
	m.time.happened.WithLabelValues(kind, milestone).Inc()
	m.time.late.Observe(late.Seconds())
}

// Behind says how long the longest overdue customer has waited.
func (m *Metrics) Behind(d time.Duration) { m.time.behind.Set(d.Seconds()) }

type reloads struct {
	failures prometheus.Counter
	success  prometheus.Gauge
	info     *prometheus.GaugeVec
}

func newMetrics(registry *prometheus.Registry, version string) *Metrics {
	m := &Metrics{
		registry: registry,
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "amends_decisions_total", Help: "Failures judged and kept, by band of the risk if ignored.",
		}, []string{"band"}),
		conflicts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "amends_ledger_conflicts_total", Help: "Judgements done again because the customer had changed meanwhile.",
		}),
		watchers: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "amends_watchers", Help: "Watches of cases that are open just now.",
		}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "amends_watchers_dropped_total", Help: "Watches that were ended because their reader was too slow.",
		}),
		reloads: reloads{
			failures: prometheus.NewCounter(prometheus.CounterOpts{
				Name: "amends_policy_reload_failures_total", Help: "Changed policy files that were not taken over.",
			}),
			success: prometheus.NewGauge(prometheus.GaugeOpts{
				Name: "amends_policy_last_reload_success", Help: "1 if the policy file as it stands is the active policy, 0 if it was refused.",
			}),
			info: prometheus.NewGaugeVec(prometheus.GaugeOpts{
				Name: "amends_policy_info", Help: "Always 1; the label holds the version of the active policy.",
			}, []string{"version"}),
		},
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "amends_build_info", Help: "Always 1; the labels say which binary this is.",
	}, []string{"version", "go_version"})
	build.WithLabelValues(version, runtime.Version()).Set(1)
	m.time = newTimeMetrics()
	registry.MustRegister(m.time.happened, m.time.late, m.time.behind, m.decisions, m.conflicts, m.reloads.failures, m.reloads.success, m.reloads.info, m.watchers, m.dropped, build)
	return m
}

// Decided counts a decision by the name of its band.
func (m *Metrics) Decided(band string) { m.decisions.WithLabelValues(band).Inc() }

// Conflicted counts a judgement that had to be done again.
func (m *Metrics) Conflicted() { m.conflicts.Inc() }

// Watching counts watches that began, or ended with a negative number.
func (m *Metrics) Watching(more int) { m.watchers.Add(float64(more)) }

// WatcherDropped counts a watch that was ended because its reader was too slow.
func (m *Metrics) WatcherDropped() { m.dropped.Inc() }

// PolicyActive names the policy that decides from now on.
func (m *Metrics) PolicyActive(version string) {
	m.reloads.info.Reset()
	m.reloads.info.WithLabelValues(version).Set(1)
	m.reloads.success.Set(1)
}

// PolicyRefused counts a policy file that could not be taken over.
func (m *Metrics) PolicyRefused() {
	m.reloads.failures.Inc()
	m.reloads.success.Set(0)
}

// Count offers a counter that somebody else keeps.
func (m *Metrics) Count(name, help string, value func() uint64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
		func() float64 { return float64(value()) }))
}
