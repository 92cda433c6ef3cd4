package recovery

import (
	"math"
	"time"
)

// situation is everything known of a case at one moment, reduced to the
// variables of the model.
type situation struct {
	customer        *Customer
	kase            *Case
	now             time.Time
	severity        float64 // S
	controllability float64 // C
	motive          float64 // M
	repeat          float64 // R
	positives       float64 // P
	similar         bool
	silent          bool
	abused          bool   // they claim too often, on their word alone
	causes          []Code // of the double deviation; none: the recovery has not failed
	wait            time.Duration
	idle            time.Duration
	relationship    Relationship
}

func (s *situation) voiced() bool { return s.kase.voiced() }
func (s *situation) public() bool { return s.kase.Failure.Voice == Public }
func (s *situation) steady() bool { return s.relationship == Steady }
func (s *situation) double() bool { return len(s.causes) > 0 }
func (s *situation) greed() bool  { return s.kase.Failure.Attribution.Motive == Greed }

// betrayed: love becomes hate when those who were loyal are failed twice or
// exploited.
func (s *situation) betrayed() bool { return s.steady() && (s.double() || s.greed()) }

func situate(p *Policy, c *Customer, k *Case, now time.Time) situation {
	s := situation{
		customer: c, kase: k, now: now,
		severity:        Severity(p, &k.Failure),
		controllability: controllability(p, k.Failure.Attribution),
		motive:          p.Risk.Motives[k.Failure.Attribution.Motive],
		repeat:          c.repeatMass(p, k, now),
		positives:       c.positivesAt(p, now),
		similar:         c.similar(p, k, now),
		causes:          doubleDeviation(p, c, k, now),
		abused:          abused(p, c, k),
		relationship:    relationship(p, c, k.Profile),
	}
	s.silent = !k.voiced() && now.Sub(k.Failure.OccurredAt) >= p.Risk.SilentAfter
	s.wait = c.waiting(k, now)
	s.idle = c.idle(now)
	return s
}

// controllability is how much the customer believes the failure could have
// been avoided, 0..1.
func controllability(p *Policy, a Attribution) float64 {
	if a.Controllability != nil {
		return *a.Controllability
	}
	return p.Risk.Controllability[max(a.Locus, Firm)]
}

// waiting is how long the customer has gone without a human answer since they
// last spoke or did anything. Only those wait who spoke about this case and were
// not answered since; what they do elsewhere lets a wait begin anew, but begins none.
func (c *Customer) waiting(k *Case, now time.Time) time.Duration {
	answered := !k.AnsweredAt.IsZero() && !k.AnsweredAt.Before(k.SpokenAt)
	if !k.voiced() || answered {
		return 0
	}
	return max(now.Sub(later(c.LastContact, c.LastActivity)), 0)
}

// assess scores the risk that the customer leaves. The score is a sum of
// log-odds, so that the reasons add up to it exactly.
func assess(p *Policy, s *situation) Assessment {
	r := &p.Risk
	a := Assessment{
		At: s.now, Severity: s.severity, Double: s.double(), Causes: s.causes,
		Repeat: s.repeat, Positives: s.positives, Relationship: s.relationship,
		Reasons: make([]Reason, 0, Terms),
	}
	a.add(p, ReasonSeverity, s.severity)
	a.add(p, ReasonControllability, s.controllability-1)
	a.add(p, ReasonMotive, s.motive)
	a.add(p, ReasonRepeat, min(s.repeat, r.RepeatCap))
	a.add(p, ReasonSimilar, one(s.similar))
	a.add(p, ReasonStable, one(s.kase.Failure.Attribution.Recurring && !s.similar))
	a.add(p, ReasonDoubleDeviation, one(s.double()))
	a.add(p, ReasonPublic, one(s.public()))
	a.add(p, ReasonBetrayal, one(s.betrayed()))
	a.add(p, ReasonSilent, one(s.silent))
	a.add(p, ReasonGoodwill, -min(s.positives, r.GoodwillCap))

	a.Baseline = baseline(r, s.positives, s.idle)
	a.Noticed = 1
	if !s.voiced() {
		a.Noticed = 1 - math.Pow(1-s.severity, 1+s.repeat)
	}
	a.Patience = decay(s.wait, r.PatienceHalfLife)
	a.Risk = r.risk(&a, r.attenuation(s))
	if s.kase.Failure.Kinds&p.Severity.HumanDecides != 0 {
		a.Risk.Band = Critical
	}
	a.Escalation = p.Escalation.chance(s)
	if weight := r.Terms[ReasonGoodwill].Weight; a.LogOdds > 0 {
		a.Owed = int64(math.Ceil(a.LogOdds/weight - rounding))
	}
	a.Level = level(p, s)
	return a
}

// rounding is what a sum of terms that cancel each other may be off by.
const rounding = 1e-9

// FallsShort reports whether the log-odds stay above 0 however many good experiences
// there are: only so many count.
func (r *RiskRules) FallsShort(a *Assessment) bool {
	left := r.GoodwillCap - min(a.Positives, r.GoodwillCap)
	return a.LogOdds > left*r.Terms[ReasonGoodwill].Weight+rounding
}

// add puts one term into the sum; a term of nothing is no reason.
func (a *Assessment) add(p *Policy, code Code, amount float64) {
	if amount == 0 {
		return
	}
	contribution := p.Risk.Terms[code].Weight * amount
	a.LogOdds += contribution
	a.Reasons = append(a.Reasons, Reason{code, contribution})
}

// baseline is the risk without any failure: it falls with positives and rises
// with idleness.
func baseline(r *RiskRules, positives float64, idle time.Duration) float64 {
	months := float64(idle) / float64(r.IdleUnit)
	return sigmoid(logit(r.BaseRate) - r.PositivesWeight*math.Log1p(positives) + r.IdleWeight*math.Log1p(months))
}

// risk turns log-odds into the three risks. A recovery never brings the risk
// below the baseline: there is no service-recovery paradox on loyalty.
func (r *RiskRules) risk(a *Assessment, attenuation float64) Risk {
	leave := func(e float64) float64 {
		leaves := a.Baseline + a.Noticed*(e-a.Baseline) // written so that it is never a bit below the baseline
		return min(r.Ceiling, leaves+(1-leaves)*(1-a.Patience))
	}
	recovered := func(effect float64) float64 {
		return leave(max(sigmoid(a.LogOdds-effect*attenuation), a.Baseline))
	}
	ignored := leave(sigmoid(a.LogOdds))
	return Risk{
		Ignored: ignored,
		OnTime:  min(ignored, recovered(r.OnTimeEffect)),
		Late:    min(ignored, recovered(r.LateEffect)),
		Band:    r.band(ignored),
	}
}

// attenuation is how much of its effect a recovery keeps.
func (r *RiskRules) attenuation(s *situation) float64 {
	switch {
	case s.double() && s.public():
		return r.Attenuation.PublicDouble
	case s.double():
		return r.Attenuation.Double
	case s.repeat > 0:
		return r.Attenuation.Repeat
	default:
		return 1
	}
}

func (r *RiskRules) band(ignored float64) Band {
	for b := Critical; b > Low; b-- {
		if ignored >= r.Bands[b] {
			return b
		}
	}
	return Low
}

// chance is the chance that the complaint becomes public.
func (e *EscalationRules) chance(s *situation) float64 {
	if s.public() {
		return 1
	}
	return sigmoid(e.Intercept + e.DoubleDeviation*one(s.double()) + e.Motive*s.motive +
		e.Betrayal*one(s.steady() && s.double()) + e.Severity*s.severity)
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
func logit(p float64) float64   { return math.Log(p / (1 - p)) }

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
