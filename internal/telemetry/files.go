package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Files that are read again when they change, as metrics name them. The policy has
// metrics of its own.
const (
	AccessFile = "access"
	KeysFile   = "keys"
	TLSFiles   = "tls"
)

// fileMetrics are about files that are read again when they change, and about the
// connections that are refused by what they hold.
type fileMetrics struct {
	failures *prometheus.CounterVec
	success  *prometheus.GaugeVec
	refused  *prometheus.CounterVec
	until    *prometheus.GaugeVec
}

func newFileMetrics(f promauto.Factory) fileMetrics {
	m := fileMetrics{
		failures: f.NewCounterVec(prometheus.CounterOpts{
			Name: "amends_file_reload_failures_total", Help: "Changed files that were not taken over: the access file, keys of issuers of tokens, those of TLS.",
		}, []string{"files"}),
		success: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "amends_file_last_reload_success", Help: "0 if those files as they stand were refused and what was in force stays, 1 otherwise.",
		}, []string{"files"}),
		refused: f.NewCounterVec(prometheus.CounterOpts{
			Name: "amends_connections_refused_total", Help: "Connections whose TLS handshake failed, by reason.",
		}, []string{"reason"}),
		until: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "amends_certificate_not_after_timestamp_seconds",
			Help: "Until when the certificate of the service that is in force is valid, and the last of the authorities of callers; Unix time, none without TLS.",
		}, []string{"certificate"}),
	}
	for _, files := range []string{AccessFile, KeysFile, TLSFiles} {
		m.failures.WithLabelValues(files)
		m.success.WithLabelValues(files).Set(1)
	}
	m.refused.WithLabelValues("not TLS")
	return m
}

// FilesRefused counts changed files that were not taken over.
func (m *Metrics) FilesRefused(files string) { m.files.failures.WithLabelValues(files).Inc() }

// FilesInForce says whether files as they stand are those that count.
func (m *Metrics) FilesInForce(files string, inForce bool) {
	value := 0.
	if inForce {
		value = 1
	}
	m.files.success.WithLabelValues(files).Set(value)
}

// ConnectionRefused counts a connection that was refused before any call.
func (m *Metrics) ConnectionRefused(reason string) { m.files.refused.WithLabelValues(reason).Inc() }

// CertificatesUntil tells until when the certificate of the service is valid, and the
// last of the authorities of callers; zero where there are none.
func (m *Metrics) CertificatesUntil(service, authorities time.Time) {
	m.files.until.WithLabelValues("service").Set(float64(service.Unix()))
	if !authorities.IsZero() {
		m.files.until.WithLabelValues("authorities").Set(float64(authorities.Unix()))
	}
}
