package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// watchMetrics are about those who follow cases.
type watchMetrics struct {
	watchers prometheus.Gauge
	dropped  prometheus.Counter
}

func newWatchMetrics(f promauto.Factory) watchMetrics {
	return watchMetrics{
		watchers: f.NewGauge(prometheus.GaugeOpts{
			Name: "amends_watchers", Help: "Watches of cases that are open just now.",
		}),
		dropped: f.NewCounter(prometheus.CounterOpts{
			Name: "amends_watchers_dropped_total", Help: "Watches that were ended because their reader was too slow.",
		}),
	}
}

// Watching counts watches that began, or ended with a negative number.
func (m *Metrics) Watching(more int) { m.watch.watchers.Add(float64(more)) }

// WatcherDropped counts a watch that was ended because its reader was too slow.
func (m *Metrics) WatcherDropped() { m.watch.dropped.Inc() }
