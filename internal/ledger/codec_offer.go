package ledger

import (
	"github.com/makeamends/amends/internal/recovery"
	ledgerv1 "github.com/makeamends/amends/proto/recovery/ledger/v1"
)

func offerRecord(o recovery.Offer) *ledgerv1.Offer {
	return ledgerv1.Offer_builder{
		Number:     o.Number,
		State:      uint32(o.State),
		Items:      convert(o.Items, itemRecord),
		Currency:   o.Currency,
		Reserved:   o.Reserved,
		Booking:    o.Booking,
		CreatedAt:  nanos(o.CreatedAt),
		ExpiresAt:  nanos(o.ExpiresAt),
		ApprovedAt: nanos(o.ApprovedAt),
		Approver:   o.Approver,
		MadeAt:     nanos(o.MadeAt),
		AnsweredAt: nanos(o.AnsweredAt),
	}.Build()
}

func offerOf(m *ledgerv1.Offer) recovery.Offer {
	return recovery.Offer{
		Number:     m.GetNumber(),
		State:      recovery.OfferState(m.GetState()),
		Items:      convert(m.GetItems(), itemOf),
		Currency:   m.GetCurrency(),
		Reserved:   m.GetReserved(),
		Booking:    m.GetBooking(),
		CreatedAt:  moment(m.GetCreatedAt()),
		ExpiresAt:  moment(m.GetExpiresAt()),
		ApprovedAt: moment(m.GetApprovedAt()),
		Approver:   m.GetApprover(),
		MadeAt:     moment(m.GetMadeAt()),
		AnsweredAt: moment(m.GetAnsweredAt()),
	}
}
