package show

import (
	"fmt"
	"strings"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// Step writes where a case stands after a step, in a few lines: its state, what is due next, the offer that counts, and the commands
// that would take it on.
func Step(c *recoveryv1.Case, p Page) string {
	w := p.writer()
	band := c.GetAssessment().GetRisk().GetBand()
	w.line(w.in(bandColour(band), word(band)) + gap + w.bold("case "+c.GetCaseId()))
	state := stateOf(c)
	if c.GetOutcome() != recoveryv1.Outcome_OUTCOME_UNSPECIFIED {
		state += ", " + plain(c.GetOutcome())
	}
	about := []string{w.bold(state), fmt.Sprintf("revision %d", c.GetRevision())}
	if c.GetState() < recoveryv1.CaseState_CASE_STATE_RESOLVED {
		about = append(about, percent(c.GetAssessment().GetRisk().GetIgnored())+" leave if nobody answers")
	}
	rows := [][]string{{"state", chain(about)}, {"due", w.due(c)}}
	if o := lastOffer(c); o != nil {
		rows = append(rows, []string{"offer", strings.Join(append([]string{together(w.offerState(o)), together(Money(o.GetTotal()))}, w.aboutOffer(o)...),
			unbroken+"· ")})
	}
	if !p.Told {
		rows = append(rows, nextRows(commands(c))...)
	}
	w.grid(2, rows)
	return w.String()
}

// stateOf is how far the case has come, and whether it is held.
func stateOf(c *recoveryv1.Case) string {
	if c.GetHeldSince() != nil {
		return plain(c.GetState()) + ", on hold"
	}
	return plain(c.GetState())
}

// due tells what comes next and by when.
func (w *writer) due(c *recoveryv1.Case) string {
	d := Next(c)
	late := overdue(c)
	switch {
	case late != nil:
		return w.in(red, "overdue "+plain(late.GetMilestone())) + " since " + together(w.moment(late.GetDueAt())) + ", " +
			w.in(red, Span(w.Now.Sub(late.GetDueAt().AsTime()))+" late")
	case d == nil:
		return "nothing"
	case stopped(d, c):
		return plain(d.GetMilestone()) + ", on hold since " + together(w.moment(c.GetHeldSince()))
	}
	left := w.left(d.GetDueAt())
	if d.GetDueAt().AsTime().Before(w.Now) {
		left = w.in(red, left)
	}
	return fmt.Sprintf("%s %s, %s, %s", w.bold(plain(d.GetMilestone())), together(w.moment(d.GetDueAt())), left, because(d, c))
}

// lastOffer is the newest offer that can still come to something, else the newest; nil if there is none.
func lastOffer(c *recoveryv1.Case) (last *recoveryv1.Offer) {
	for _, o := range c.GetOffers() {
		if last == nil || isOpen(o) || !isOpen(last) {
			last = o
		}
	}
	return last
}
