package recovery

import "time"

// Offer is what was offered to the customer of a case.
type Offer struct {
	Number     int64 // unique within the case, from 1
	State      OfferState
	Items      []Item
	Currency   string
	Reserved   int64  // goodwill that needs no approval; booked against the caps and the tenant's budget
	Booking    string // name of the booking in the tenant's budget; empty when there is none
	CreatedAt  time.Time
	ExpiresAt  time.Time // unless it is answered
	ApprovedAt time.Time
	Approver   string
	MadeAt     time.Time // when the customer was told
	AnsweredAt time.Time
}

// OfferState is how far an offer has come.
type OfferState uint8

// The states of an offer.
const (
	Proposed OfferState = iota + 1
	ApprovalRequired
	Approved
	Made
	OfferAccepted
	OfferRefused
	Expired
)

// String gives the contract's name without its prefix.
func (s OfferState) String() string {
	return name([]string{"", "PROPOSED", "APPROVAL_REQUIRED", "APPROVED", "MADE", "ACCEPTED", "REFUSED", "EXPIRED"}, uint8(s))
}

// Live reports whether the offer can still be answered.
func (o Offer) Live() bool { return o.State <= Made }
