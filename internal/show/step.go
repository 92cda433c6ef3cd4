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
	label := "next"
	for _, command := range commands(c) {
		rows = append(rows, []string{label, together(command)})
		label = ""
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
	switch {
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

// mostCommands is how many ways to go on are named: more would not be read.
const mostCommands = 3

// commands are those that take the case on, the most urgent first.
func commands(c *recoveryv1.Case) []string {
	id := c.GetCaseId()
	var list []string
	add := func(isFit bool, command, rest string) {
		if isFit && len(list) < mostCommands {
			list = append(list, strings.TrimRight("amends "+command+" "+id+" "+rest, " "))
		}
	}
	if IsOver(c) {
		return []string{"amends reopen " + id}
	}
	offer := lastOffer(c)
	is := func(states ...recoveryv1.OfferState) bool {
		for _, state := range states {
			if offer != nil && offer.GetState() == state {
				return true
			}
		}
		return false
	}
	isWaiting := offer != nil && isOpen(offer)
	isSettled := is(recoveryv1.OfferState_OFFER_STATE_ACCEPTED)
	add(c.GetHeldSince() != nil, "release", "")
	add(is(recoveryv1.OfferState_OFFER_STATE_APPROVAL_REQUIRED), "approve", "--approver NAME")
	add(is(recoveryv1.OfferState_OFFER_STATE_PROPOSED, recoveryv1.OfferState_OFFER_STATE_APPROVED), "make", "")
	add(is(recoveryv1.OfferState_OFFER_STATE_MADE), "answer", "accepted")
	add(isSettled && pending(c, recoveryv1.Milestone_MILESTONE_RESOLVE), "resolve", "satisfied")
	add(pending(c, recoveryv1.Milestone_MILESTONE_ACKNOWLEDGE), "ack", "")
	add(pending(c, recoveryv1.Milestone_MILESTONE_FIRST_RESPONSE), "contact", "--out --channel "+channelOf(c))
	add(pending(c, recoveryv1.Milestone_MILESTONE_OFFER) && !isWaiting && !isSettled, "offer", "")
	add(pending(c, recoveryv1.Milestone_MILESTONE_RESOLVE) && len(list) == 0, "resolve", "satisfied")
	add(pending(c, recoveryv1.Milestone_MILESTONE_FOLLOW_UP), "follow-up", "")
	return list
}

// channelOf is where the customer spoke last, as the flag of a contact takes it; the telephone if nobody knows.
func channelOf(c *recoveryv1.Case) string {
	channel := recoveryv1.Channel_CHANNEL_PHONE
	for _, f := range c.GetFailures() {
		if f.GetChannel() != recoveryv1.Channel_CHANNEL_UNSPECIFIED {
			channel = f.GetChannel()
		}
	}
	return strings.ReplaceAll(plain(channel), " ", "-")
}
