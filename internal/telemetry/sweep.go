package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// sweepMetrics are about how soon the service notices that time has come.
type sweepMetrics struct {
	late   prometheus.Histogram
	behind prometheus.Gauge
	looked prometheus.Gauge
}

func newSweepMetrics(f promauto.Factory) sweepMetrics {
	return sweepMetrics{
		late: f.NewHistogram(prometheus.HistogramOpts{
			Name: "amends_sweep_late_seconds", Help: "How long after its moment a warning was given or a deadline was marked as missed.",
			Buckets: []float64{.01, .03, .1, .3, 1, 3, 10, 30, 100, 1000},
		}),
		behind: f.NewGauge(prometheus.GaugeOpts{
			Name: "amends_sweep_behind_seconds", Help: "How long the longest overdue customer had waited when this process last looked; 0 when nobody had.",
		}),
		looked: f.NewGauge(prometheus.GaugeOpts{
			Name: "amends_sweep_last_look_timestamp_seconds", Help: "When this process last learned from the store for whom something is due; Unix time.",
		}),
	}
}

// Recorded tells how long after its moment something that time did was recorded.
func (m *Metrics) Recorded(late time.Duration) { m.sweep.late.Observe(late.Seconds()) }

// Behind tells of a look at what is due: how long the longest overdue customer
// has waited.
func (m *Metrics) Behind(d time.Duration) {
	m.sweep.behind.Set(d.Seconds())
	m.sweep.looked.SetToCurrentTime()
}
