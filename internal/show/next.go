package show

import (
	"slices"
	"strings"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// NextSteps writes the commands that would take a case on, the most urgent first, after an empty line. It is empty for a case that is not
// stored.
func NextSteps(c *recoveryv1.Case, p Page) string {
	list := commands(c)
	if c.GetCaseId() == "" || len(list) == 0 {
		return ""
	}
	w := p.writer()
	w.line("")
	w.grid(2, nextRows(list))
	return w.String()
}

// nextRows lay commands out below each other.
func nextRows(list []string) [][]string {
	rows := make([][]string, 0, len(list))
	label := "next"
	for _, command := range list {
		rows = append(rows, []string{label, together(command)})
		label = ""
	}
	return rows
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
	offer := currentOffer(c)
	is := func(states ...recoveryv1.OfferState) bool {
		return offer != nil && slices.Contains(states, offer.GetState())
	}
	isWaiting := offer != nil && isOpen(offer)
	isSettled := is(recoveryv1.OfferState_OFFER_STATE_ACCEPTED)
	rest, _ := left(c)
	add(c.GetHeldSince() != nil, "release", "")
	add(is(recoveryv1.OfferState_OFFER_STATE_APPROVAL_REQUIRED), "approve", "--approver NAME")
	add(is(recoveryv1.OfferState_OFFER_STATE_PROPOSED, recoveryv1.OfferState_OFFER_STATE_APPROVED), "make", "")
	add(is(recoveryv1.OfferState_OFFER_STATE_MADE), "answer", "accepted")
	add(owed(c, recoveryv1.Milestone_MILESTONE_ACKNOWLEDGE), "ack", "")
	add(owed(c, recoveryv1.Milestone_MILESTONE_FIRST_RESPONSE), "contact", "--out --channel "+channelOf(c))
	add(owed(c, recoveryv1.Milestone_MILESTONE_OFFER) && !isWaiting && (!isSettled || !isZero(rest.GetTotal())), "offer", "")
	add(owed(c, recoveryv1.Milestone_MILESTONE_RESOLVE) && (isSettled || len(list) == 0), "resolve", "satisfied")
	add(pending(c, recoveryv1.Milestone_MILESTONE_FOLLOW_UP), "follow-up", "")
	add(contactedSinceResolved(c), "reopen", "")
	return list
}

// currentOffer is the offer that counts: one that was answered before the case was opened again settles nothing any more.
func currentOffer(c *recoveryv1.Case) *recoveryv1.Offer {
	offer := lastOffer(c)
	if offer.GetAnsweredAt() != nil && offer.GetAnsweredAt().AsTime().Before(openedAgain(c)) {
		return nil
	}
	return offer
}

// contactedSinceResolved tells whether the customer may have written after the case was resolved, which changes nothing by itself: whoever
// reads it decides whether the case is to be opened again.
func contactedSinceResolved(c *recoveryv1.Case) (yes bool) {
	if c.GetState() != recoveryv1.CaseState_CASE_STATE_RESOLVED {
		return false
	}
	for _, t := range c.GetHistory() {
		switch t.GetKind() {
		case recoveryv1.TransitionKind_TRANSITION_KIND_RESOLVED:
			yes = false
		case recoveryv1.TransitionKind_TRANSITION_KIND_CONTACTED:
			yes = true
		}
	}
	return yes
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
