package ledger

import "github.com/makeamends/amends/internal/recovery"

func offerFields(r *record, o *recovery.Offer) {
	number(r, 1, &o.Number)
	number(r, 2, &o.State)
	parts(r, 3, &o.Items, itemFields)
	text(r, 4, &o.Currency)
	number(r, 5, &o.Reserved)
	text(r, 6, &o.Booking)
	r.moment(7, &o.CreatedAt)
	r.moment(8, &o.ExpiresAt)
	r.moment(9, &o.ApprovedAt)
	text(r, 10, &o.Approver)
	r.moment(11, &o.MadeAt)
	r.moment(12, &o.AnsweredAt)
}
