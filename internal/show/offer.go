package show

import (
	"strings"

	"github.com/charmbracelet/lipgloss"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// offers writes what was offered, the oldest first, each with what became of it.
func (w *writer) offers(offers []*recoveryv1.Offer) {
	if len(offers) == 0 {
		return
	}
	w.section("OFFERS", "")
	rows := make([][]string, 0, len(offers))
	for _, o := range offers {
		rows = append(rows, []string{w.offerState(o), w.bold(Money(o.GetTotal())), strings.Join(w.aboutOffer(o), unbroken+"· ")})
	}
	alignRight(rows, 1)
	w.grid(2, rows)
}

// aboutOffer tells what matters of an offer beside its state and total: its id, approval, and when what was done with it.
func (w *writer) aboutOffer(o *recoveryv1.Offer) []string {
	parts := []string{together(o.GetOfferId())}
	if !isZero(o.GetApprovalRequired()) && o.GetApprovedAt() == nil && isOpen(o) {
		parts = append(parts, w.in(orange, together(Money(o.GetApprovalRequired())+" needs approval")))
	}
	if o.GetApprovedAt() != nil {
		parts = append(parts, together("approved by "+o.GetApprovedBy()+" "+w.moment(o.GetApprovedAt())))
	}
	if o.GetMadeAt() != nil {
		parts = append(parts, together("made "+w.moment(o.GetMadeAt())))
	}
	if o.GetAnsweredAt() != nil {
		parts = append(parts, together("answered "+w.moment(o.GetAnsweredAt())))
	}
	if isOpen(o) && o.GetExpiresAt() != nil {
		parts = append(parts, together("holds until "+w.moment(o.GetExpiresAt())))
	}
	return parts
}

// isOpen tells whether an offer can still come to something: nobody has answered it, and it has not expired.
func isOpen(o *recoveryv1.Offer) bool {
	switch o.GetState() {
	case recoveryv1.OfferState_OFFER_STATE_ACCEPTED, recoveryv1.OfferState_OFFER_STATE_REFUSED, recoveryv1.OfferState_OFFER_STATE_EXPIRED:
		return false
	default:
		return true
	}
}

// offerState is the state of an offer in the colour of what it means.
func (w *writer) offerState(o *recoveryv1.Offer) string {
	colour := map[recoveryv1.OfferState]lipgloss.Color{
		recoveryv1.OfferState_OFFER_STATE_APPROVAL_REQUIRED: orange,
		recoveryv1.OfferState_OFFER_STATE_ACCEPTED:          green,
		recoveryv1.OfferState_OFFER_STATE_REFUSED:           red,
		recoveryv1.OfferState_OFFER_STATE_EXPIRED:           grey,
	}
	if c, ok := colour[o.GetState()]; ok {
		return w.in(c, plain(o.GetState()))
	}
	return plain(o.GetState())
}

// Offer writes one offer in full: what is in it, what needs approval, until when it holds. It is used where nothing is kept, too.
func Offer(o *recoveryv1.Offer, p Page) string {
	w := p.writer()
	w.line(w.offerState(o) + gap + w.bold("offer of "+Money(o.GetTotal())))
	w.items(2, o.GetItems(), o.GetTotal())
	if o.GetExpiresAt() != nil {
		w.prose(2, w.dim("Holds until "+w.moment(o.GetExpiresAt())+", "+w.left(o.GetExpiresAt())+"."))
	}
	return w.String()
}

// OfferStands says in one sentence how an offer of a case stands, and the command that would take it on, if there is one.
func OfferStands(o *recoveryv1.Offer, c *recoveryv1.Case, p Page) string {
	then := func(command string) string { return ": amends " + command + " " + c.GetCaseId() }
	about := "the offer " + o.GetOfferId() + " "
	switch o.GetState() {
	case recoveryv1.OfferState_OFFER_STATE_PROPOSED:
		return about + "was not made yet" + then("make")
	case recoveryv1.OfferState_OFFER_STATE_APPROVAL_REQUIRED:
		return about + "waits for approval" + then("approve") + " --approver NAME"
	case recoveryv1.OfferState_OFFER_STATE_APPROVED:
		return about + "was approved by " + o.GetApprovedBy() + " and not made yet" + then("make")
	case recoveryv1.OfferState_OFFER_STATE_MADE:
		return about + "was made " + p.moment(o.GetMadeAt()) + " and waits for the customer's answer" + then("answer") + " accepted"
	case recoveryv1.OfferState_OFFER_STATE_ACCEPTED, recoveryv1.OfferState_OFFER_STATE_REFUSED:
		return about + "was " + plain(o.GetState()) + " " + p.moment(o.GetAnsweredAt()) + "; that answer stands"
	default:
		text := about + "is " + plain(o.GetState())
		if c.GetState() < recoveryv1.CaseState_CASE_STATE_RESOLVED {
			text += "; draw up another" + then("offer")
		}
		return text
	}
}

// NewestOffer is the offer that a word about the offer of a case is probably about: the newest one that can still come to something, else
// the newest; nil if there is none.
func NewestOffer(c *recoveryv1.Case) *recoveryv1.Offer { return lastOffer(c) }
