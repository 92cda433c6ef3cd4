package telemetry

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// goodwillMetrics are about money given beyond what is owed, in minor units, whose
// number differs from currency to currency.
type goodwillMetrics struct {
	proposed *prometheus.CounterVec
	granted  *prometheus.CounterVec
	minor    *prometheus.GaugeVec
	budget   *prometheus.GaugeVec
	used     *prometheus.GaugeVec
}

func newGoodwillMetrics(f promauto.Factory) goodwillMetrics {
	return goodwillMetrics{
		proposed: f.NewCounterVec(prometheus.CounterOpts{
			Name: "amends_goodwill_proposed_minor_units_total",
			Help: "Goodwill recommended, in minor units of the currency (amends_currency_minor_units), by whether it needs an approver; later judgements of a case count what they add.",
		}, []string{"currency", "approval"}),
		granted: f.NewCounterVec(prometheus.CounterOpts{
			Name: "amends_goodwill_granted_minor_units_total",
			Help: "Goodwill of offers that customers accepted, in minor units of the currency (amends_currency_minor_units), by whether it needed an approver.",
		}, []string{"currency", "approval"}),
		minor: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "amends_currency_minor_units", Help: "Minor units in one unit of the currency, such as 100 cents in a dollar; of the currencies that the active policy lists.",
		}, []string{"currency"}),
		budget: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "amends_budget_daily_minor_units", Help: "What offers may give without approval to the customers of one tenant in a UTC day, in minor units, by the active policy; none for a currency without a budget.",
		}, []string{"currency"}),
		used: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "amends_budget_most_used_minor_units", Help: "What the tenant that has used most of its budget of today (UTC) has booked or spent of it, in minor units, as looked at every 30 seconds.",
		}, []string{"currency"}),
	}
}

// Goodwill is an amount in minor units of a currency: the part that needs no
// approval, and the part that does.
type Goodwill struct {
	Currency                string
	Automatic, WithApproval int64
}

// Whether goodwill needs an approver.
const (
	withoutApproval = "none"
	withApproval    = "required"
)

func (g Goodwill) addTo(vec *prometheus.CounterVec) {
	if g.Automatic > 0 {
		vec.WithLabelValues(g.Currency, withoutApproval).Add(float64(g.Automatic))
	}
	if g.WithApproval > 0 {
		vec.WithLabelValues(g.Currency, withApproval).Add(float64(g.WithApproval))
	}
}

// Proposed counts goodwill that was recommended.
func (m *Metrics) Proposed(g Goodwill) { g.addTo(m.goodwill.proposed) }

// Granted counts goodwill that a customer accepted.
func (m *Metrics) Granted(g Goodwill) { g.addTo(m.goodwill.granted) }

// Currency is one that the active policy lists.
type Currency struct {
	Code   string
	Digits int   // decimals of its minor unit
	Budget int64 // of a tenant's day, in minor units; negative: none
}

// currencies are those of the policy that decides from now on.
func (g *goodwillMetrics) currencies(listed []Currency) {
	g.minor.Reset()
	g.budget.Reset()
	for _, c := range listed {
		g.minor.WithLabelValues(c.Code).Set(math.Pow10(c.Digits))
		for _, approval := range []string{withoutApproval, withApproval} {
			g.proposed.WithLabelValues(c.Code, approval)
			g.granted.WithLabelValues(c.Code, approval)
		}
		if c.Budget >= 0 {
			g.budget.WithLabelValues(c.Code).Set(float64(c.Budget))
			g.used.WithLabelValues(c.Code)
		}
	}
}

// BudgetUsed tells what the tenant that has used most of its budget of today has
// used of it, by currency.
func (m *Metrics) BudgetUsed(most map[string]int64) {
	for currency, used := range most {
		m.goodwill.used.WithLabelValues(currency).Set(float64(used))
	}
}
