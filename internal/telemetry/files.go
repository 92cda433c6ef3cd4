package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// fileMetrics are about files that are read again when they change, and about the
// connections that are refused by what they hold.
type fileMetrics struct {
	failures *prometheus.CounterVec
	success  *prometheus.GaugeVec
	refused  *prometheus.CounterVec
}

func newFileMetrics(f promauto.Factory) fileMetrics {
	return fileMetrics{
		failures: f.NewCounterVec(prometheus.CounterOpts{
			Name: "amends_file_reload_failures_total", Help: "Changed files that were not taken over: access, keys (of issuers of tokens), tls.",
		}, []string{"files"}),
		success: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "amends_file_last_reload_success", Help: "1 if the files as they stand are in force, 0 if they were refused; none before the first change.",
		}, []string{"files"}),
		refused: f.NewCounterVec(prometheus.CounterOpts{
			Name: "amends_connections_refused_total", Help: "Connections whose TLS handshake failed, by reason.",
		}, []string{"reason"}),
	}
}

// Reloaded says how the reading of changed files went.
func (m *Metrics) Reloaded(files string, taken bool) {
	if taken {
		m.files.success.WithLabelValues(files).Set(1)
		return
	}
	m.files.failures.WithLabelValues(files).Inc()
	m.files.success.WithLabelValues(files).Set(0)
}

// ConnectionRefused counts a connection that was refused before any call.
func (m *Metrics) ConnectionRefused(reason string) { m.files.refused.WithLabelValues(reason).Inc() }
