package show

import (
	"slices"
	"time"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// broken are the promises of a case that were missed and have not been made up for, the oldest first, one a milestone: neither was the same
// promised anew and kept, nor was the thing done late. What a resolution has ended is not counted any more.
func broken(c *recoveryv1.Case) []*recoveryv1.Deadline {
	if c.GetState() >= recoveryv1.CaseState_CASE_STATE_RESOLVED {
		return nil
	}
	var open []*recoveryv1.Deadline
	for _, d := range c.GetDeadlines() {
		isSame := func(o *recoveryv1.Deadline) bool { return o.GetMilestone() == d.GetMilestone() }
		switch d.GetState() {
		case recoveryv1.DeadlineState_DEADLINE_STATE_MET:
			open = slices.DeleteFunc(open, isSame)
		case recoveryv1.DeadlineState_DEADLINE_STATE_MISSED:
			if !slices.ContainsFunc(open, isSame) && !doneLate(d, c) {
				open = append(open, d)
			}
		}
	}
	slices.SortStableFunc(open, func(a, b *recoveryv1.Deadline) int { return a.GetDueAt().AsTime().Compare(b.GetDueAt().AsTime()) })
	return open
}

// keeps says which transitions do what a milestone asks for. Nobody can tell from the history who contacted whom; but what the customer
// says is promised an answer anew, so that the deadline that was missed is not the last of its kind.
var keeps = map[recoveryv1.Milestone][]recoveryv1.TransitionKind{
	recoveryv1.Milestone_MILESTONE_FIRST_RESPONSE: {
		recoveryv1.TransitionKind_TRANSITION_KIND_CONTACTED, recoveryv1.TransitionKind_TRANSITION_KIND_OFFER_MADE,
	},
	recoveryv1.Milestone_MILESTONE_OFFER: {recoveryv1.TransitionKind_TRANSITION_KIND_OFFER_MADE},
}

// doneLate tells whether what was missed has been done since, or has been promised anew by opening the case again.
func doneLate(d *recoveryv1.Deadline, c *recoveryv1.Case) bool {
	milestone := d.GetMilestone()
	if milestone == recoveryv1.Milestone_MILESTONE_ACKNOWLEDGE && c.GetState() > recoveryv1.CaseState_CASE_STATE_OPEN {
		return true
	}
	due := d.GetDueAt().AsTime()
	if milestone != recoveryv1.Milestone_MILESTONE_FOLLOW_UP && due.Before(openedAgain(c)) {
		return true
	}
	return !pending(c, milestone) && slices.ContainsFunc(c.GetHistory(), func(t *recoveryv1.Transition) bool {
		return slices.Contains(keeps[milestone], t.GetKind()) && !t.GetAt().AsTime().Before(due)
	})
}

// overdue is the broken promise to see to where nothing is pending any more: the oldest one that can still be made up for. It is nil if
// something is pending, or if no promise is broken.
func overdue(c *recoveryv1.Case) *recoveryv1.Deadline {
	if Next(c) != nil {
		return nil
	}
	for _, d := range broken(c) {
		if d.GetMilestone() != recoveryv1.Milestone_MILESTONE_FOLLOW_UP { // which opened the case again
			return d
		}
	}
	return nil
}

// openedAgain is when the case was opened again for the last time; the zero time if it never was.
func openedAgain(c *recoveryv1.Case) (at time.Time) {
	for _, t := range c.GetHistory() {
		if t.GetKind() == recoveryv1.TransitionKind_TRANSITION_KIND_REOPENED {
			at = t.GetAt().AsTime()
		}
	}
	return at
}
