package show

import (
	"slices"
	"time"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// soon is how little time left asks for attention.
const soon = 15 * time.Minute

// Next is the deadline of the case that comes next: the earliest of those that are not settled, one whose clock runs before one whose
// clock stands still. It is nil if nothing is due.
func Next(c *recoveryv1.Case) *recoveryv1.Deadline {
	var next *recoveryv1.Deadline
	for _, d := range c.GetDeadlines() {
		if isPending(d) && (next == nil || before(d, next, c)) {
			next = d
		}
	}
	return next
}

func before(a, b *recoveryv1.Deadline, c *recoveryv1.Case) bool {
	if stoppedA, stoppedB := stopped(a, c), stopped(b, c); stoppedA != stoppedB {
		return stoppedB
	}
	return a.GetDueAt().AsTime().Before(b.GetDueAt().AsTime())
}

func isPending(d *recoveryv1.Deadline) bool {
	return d.GetState() == recoveryv1.DeadlineState_DEADLINE_STATE_PENDING
}

// stopped tells whether the clock of a pending deadline stands still: a hold does not stop who reads along, nor law or contract.
func stopped(d *recoveryv1.Deadline, c *recoveryv1.Case) bool {
	if c.GetHeldSince() == nil || !isPending(d) {
		return false
	}
	switch d.GetBoundBy() {
	case recoveryv1.Bound_BOUND_PUBLIC, recoveryv1.Bound_BOUND_STATUTORY, recoveryv1.Bound_BOUND_CONTRACT:
		return false
	default:
		return true
	}
}

// IsOver tells whether nothing more is expected of a case.
func IsOver(c *recoveryv1.Case) bool {
	switch c.GetState() {
	case recoveryv1.CaseState_CASE_STATE_FOLLOWED_UP:
		return true
	case recoveryv1.CaseState_CASE_STATE_RESOLVED:
		return Next(c) == nil
	default:
		return false
	}
}

// owed tells whether what a milestone asks for is still to be done, in time or late.
func owed(c *recoveryv1.Case, milestone recoveryv1.Milestone) bool {
	return pending(c, milestone) || slices.ContainsFunc(broken(c), func(d *recoveryv1.Deadline) bool { return d.GetMilestone() == milestone })
}

// pending tells whether a milestone of the case is neither met nor missed.
func pending(c *recoveryv1.Case, milestone recoveryv1.Milestone) bool {
	for _, d := range c.GetDeadlines() {
		if d.GetMilestone() == milestone && isPending(d) {
			return true
		}
	}
	return false
}
