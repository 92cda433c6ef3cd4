package telemetry

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// caseMetrics are about what was decided and what became of it. Only what was
// kept counts, once, in the process that kept it.
type caseMetrics struct {
	decisions   *prometheus.CounterVec
	kinds       *prometheus.CounterVec
	risk        prometheus.Histogram
	transitions *prometheus.CounterVec
	deadlines   *prometheus.CounterVec
	lateness    *prometheus.HistogramVec
	offers      *prometheus.CounterVec
}

func newCaseMetrics(f promauto.Factory) caseMetrics {
	return caseMetrics{
		decisions: f.NewCounterVec(prometheus.CounterOpts{
			Name: "amends_decisions_total", Help: "Failures judged and kept, by band of the risk if ignored and by the rule that set the time of the first response.",
		}, []string{"band", "bound"}),
		kinds: f.NewCounterVec(prometheus.CounterOpts{
			Name: "amends_decision_kinds_total", Help: "Failures judged and kept, by kind of failure; one of several kinds counts for each.",
		}, []string{"kind"}),
		risk: f.NewHistogram(prometheus.HistogramOpts{
			Name: "amends_decision_risk_ratio", Help: "Risk that the customer leaves if nobody answers, of each failure judged and kept; 0 to 1.",
			Buckets: []float64{.1, .2, .3, .4, .5, .6, .7, .8, .9, 1},
		}),
		transitions: f.NewCounterVec(prometheus.CounterOpts{
			Name: "amends_case_transitions_total", Help: "What has happened to cases, by kind of transition, whether somebody asked for it or time did it.",
		}, []string{"kind"}),
		deadlines: f.NewCounterVec(prometheus.CounterOpts{
			Name: "amends_deadlines_total", Help: "Deadlines that got their verdict, MET or MISSED, by milestone.",
		}, []string{"milestone", "verdict"}),
		lateness: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "amends_deadline_lateness_seconds", Help: "How long after a missed deadline the step was taken that it was about.",
			Buckets: []float64{60, 300, 900, 1800, 3600, 2 * 3600, 4 * 3600, 8 * 3600, 24 * 3600, 48 * 3600, 168 * 3600},
		}, []string{"milestone"}),
		offers: f.NewCounterVec(prometheus.CounterOpts{
			Name: "amends_offers_total", Help: "Offers that have come to a state.",
		}, []string{"state"}),
	}
}

// The verdicts on a deadline.
const (
	met    = "MET"
	missed = "MISSED"
)

func (c *caseMetrics) prepare(w Words) {
	for _, band := range w.Bands {
		for _, bound := range w.Bounds {
			c.decisions.WithLabelValues(band, bound)
		}
	}
	for _, milestone := range w.Milestones {
		c.deadlines.WithLabelValues(milestone, met)
		c.deadlines.WithLabelValues(milestone, missed)
		c.lateness.WithLabelValues(milestone)
	}
	for vec, values := range map[*prometheus.CounterVec][]string{c.kinds: w.Kinds, c.transitions: w.Transitions, c.offers: w.OfferStates} {
		for _, value := range values {
			vec.WithLabelValues(value)
		}
	}
}

// Decided counts a failure that was judged: the band of the risk if ignored, the
// rule that set the time of the first response, and the risk, 0 to 1.
func (m *Metrics) Decided(ctx context.Context, band, bound string, risk float64) {
	m.cases.decisions.WithLabelValues(band, bound).Inc()
	observe(ctx, m.cases.risk, risk)
}

// DecidedKind counts a kind of a failure that was judged.
func (m *Metrics) DecidedKind(kind string) { m.cases.kinds.WithLabelValues(kind).Inc() }

// Happened counts a transition of a case.
func (m *Metrics) Happened(kind string) { m.cases.transitions.WithLabelValues(kind).Inc() }

// DeadlineMet counts a promise that was kept.
func (m *Metrics) DeadlineMet(milestone string) {
	m.cases.deadlines.WithLabelValues(milestone, met).Inc()
}

// DeadlineMissed counts a promise that was broken.
func (m *Metrics) DeadlineMissed(milestone string) {
	m.cases.deadlines.WithLabelValues(milestone, missed).Inc()
}

// DoneLate counts a step that was taken so long after its deadline was missed.
func (m *Metrics) DoneLate(ctx context.Context, milestone string, by time.Duration) {
	observe(ctx, m.cases.lateness.WithLabelValues(milestone), by.Seconds())
}

// OfferReached counts an offer that has come to a state.
func (m *Metrics) OfferReached(state string) { m.cases.offers.WithLabelValues(state).Inc() }
