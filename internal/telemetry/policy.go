package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// policyMetrics are about the policy that decides.
type policyMetrics struct {
	failures prometheus.Counter
	success  prometheus.Gauge
	info     *prometheus.GaugeVec
}

func newPolicyMetrics(f promauto.Factory) policyMetrics {
	return policyMetrics{
		failures: f.NewCounter(prometheus.CounterOpts{
			Name: "amends_policy_reload_failures_total", Help: "Changed policy files that were not taken over.",
		}),
		success: f.NewGauge(prometheus.GaugeOpts{
			Name: "amends_policy_last_reload_success", Help: "1 if the policy file as it stands is the active policy, 0 if it was refused.",
		}),
		info: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "amends_policy_info", Help: "Always 1; the label holds the version of the active policy.",
		}, []string{"version"}),
	}
}

// PolicyActive names the policy that decides from now on, and the currencies that
// it lists.
func (m *Metrics) PolicyActive(version string, listed []Currency) {
	m.policy.info.Reset()
	m.policy.info.WithLabelValues(version).Set(1)
	m.policy.success.Set(1)
	m.goodwill.currencies(listed)
}

// PolicyRefused counts a policy file that could not be taken over.
func (m *Metrics) PolicyRefused() {
	m.policy.failures.Inc()
	m.policy.success.Set(0)
}
