package telemetry

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the figures that this service counts itself; those of the calls
// come from the gRPC instrumentation.
type Metrics struct {
	registry  *prometheus.Registry
	decisions *prometheus.CounterVec
	conflicts prometheus.Counter
	reloads   reloads
	watchers  prometheus.Gauge
	dropped   prometheus.Counter
}

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
	registry.MustRegister(m.decisions, m.conflicts, m.reloads.failures, m.reloads.success, m.reloads.info, m.watchers, m.dropped, build)
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
