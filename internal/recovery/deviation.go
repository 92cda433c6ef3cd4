package recovery

import (
	"slices"
	"time"
)

// doubleDeviation gives the causes for which the recovery itself counts as
// failed, none when it does not.
func doubleDeviation(p *Policy, c *Customer, k *Case, now time.Time) (causes []Code) {
	if k.missed(func(d Deadline) bool { return d.Milestone != FollowUp && k.voiced() && d.DueAt.After(k.VoicedAt) }) {
		causes = append(causes, CauseDeadlineMissed)
	}
	if k.Refused || k.Failure.Kinds&p.Severity.CountsRefused != 0 {
		causes = append(causes, CauseRefusedOrIgnored)
	}
	if k.missed(func(d Deadline) bool { return d.Milestone == FollowUp }) {
		causes = append(causes, CauseFollowUpMissed)
	}
	if c.mostOfAKind(p, k, now) >= p.Risk.ThirdSameKind {
		causes = append(causes, CauseThirdSameKind)
	}
	return causes
}

// missed reports whether a deadline for which is true was missed.
func (k *Case) missed(is func(Deadline) bool) bool {
	return slices.ContainsFunc(k.Deadlines, func(d Deadline) bool { return d.Verdict == Missed && is(d) })
}

// mostOfAKind counts the unrecovered failures of late, this one included, that
// share one kind with this one, for the kind that recurs most.
func (c *Customer) mostOfAKind(p *Policy, k *Case, now time.Time) (most int) {
	for kind := range k.Failure.Kinds.All() {
		count := 1
		for _, f := range c.Failures {
			if k.earlier(f) && !f.Recovered && f.Kinds.Has(kind) && now.Sub(f.At) <= p.Risk.SimilarWithin {
				count++
			}
		}
		most = max(most, count)
	}
	return most
}

// level reports how well the customer is served.
func level(p *Policy, s *situation) ServiceLevel {
	c, k := s.customer, s.kase
	overdue := false
	for i := range c.Open {
		overdue = overdue || c.Open[i].unanswered(s.now)
	}
	switch {
	case overdue || k.unanswered(s.now), s.greed() && (k.Refused || k.Failure.Kinds.Has(Refused)):
		return LevelFailure
	case !k.voiced() && !k.AnsweredAt.IsZero():
		return LevelTransformational
	case k.voiced() && k.AnsweredAt.IsZero():
		return LevelSurvival
	default:
		return c.servedLevel(p, s.now)
	}
}

// unanswered reports whether a first response was due and nobody has answered
// since.
func (k *Case) unanswered(now time.Time) bool {
	return k.State < Resolved && slices.ContainsFunc(k.Deadlines, func(d Deadline) bool {
		return d.Milestone == FirstResponse && d.Verdict != Met && !k.stopped(&d) && !now.Before(d.DueAt) && k.AnsweredAt.Before(d.DueAt)
	})
}

// servedLevel is the level of a customer for whom nobody is waiting.
func (c *Customer) servedLevel(p *Policy, now time.Time) ServiceLevel {
	switch {
	case !c.LastMiss.IsZero() && now.Sub(c.LastMiss) < p.Memory.ServiceWindow:
		return LevelSurvival
	case c.Proactive:
		return LevelTransformational
	default:
		return LevelSuccess
	}
}
