package recovery

import (
	"slices"
	"time"
)

// Recollection is what is known of a customer at one moment, whatever the case.
type Recollection struct {
	Risk         float64 // that they leave: the worst of the open cases, and what closed ones have left over
	Band         Band    // of Risk, or higher where a human decides
	Baseline     float64 // risk without any failure
	Positives    float64 // P
	Repeat       float64 // what all remembered failures weigh
	Residual     float64 // risk left over from closed cases
	Relationship Relationship
	Level        ServiceLevel
	Apologies    int     // given in the rolling window
	Grants       []Grant // of the rolling window
}

// Recall says what is known of a customer as of now; c is the customer as of
// that moment, made by [View], which has judged the open cases. It changes
// nothing.
func Recall(c Customer, rules Rules, now time.Time) Recollection {
	p := rules.Active
	m := Recollection{
		Positives:    c.positivesAt(p, now),
		Residual:     c.residualAt(p, now),
		Relationship: relationship(p, &c, Profile{}),
		Level:        c.servedLevel(p, now),
		Apologies:    c.apologies(p, &Case{}, now),
		Grants:       slices.DeleteFunc(slices.Clone(c.Grants), func(g Grant) bool { return !p.Memory.counts(g.At, now) }),
	}
	for _, f := range c.Failures {
		m.Repeat += f.weight(p, now)
	}
	m.Baseline = baseline(&p.Risk, m.Positives, c.idle(now))
	m.Risk = min(p.Risk.Ceiling, m.Baseline+m.Residual)
	m.Band = p.Risk.band(m.Risk)
	open := false
	for i := range c.Open {
		a := &c.Open[i].Assessment
		m.Relationship = a.Relationship // as the newest case was told
		if c.Open[i].State >= Resolved {
			continue // what it leaves over is in Residual
		}
		m.Risk, m.Band = max(m.Risk, a.Risk.Ignored), max(m.Band, a.Risk.Band)
		if !open {
			m.Level = a.Level
		}
		open = true
		m.Level = min(m.Level, a.Level)
	}
	return m
}

// idle is how long the customer has shown no sign of life; 0 for a stranger.
func (c *Customer) idle(now time.Time) time.Duration {
	if c.LastActivity.IsZero() {
		return 0
	}
	return max(now.Sub(c.LastActivity), 0)
}
