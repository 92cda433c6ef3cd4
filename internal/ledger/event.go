package ledger

import (
	"github.com/makeamends/amends/internal/recovery"
	ledgerv1 "github.com/makeamends/amends/proto/recovery/ledger/v1"
)

// encodeEvent makes the stream entry of one transition of a case; the case is
// the one after the change.
func encodeEvent(key Key, tenant string, k recovery.Case, t recovery.Transition) ([]byte, error) {
	return marshal.Marshal(ledgerv1.Event_builder{
		Key:        string(key),
		Tenant:     tenant,
		CaseNumber: k.Number,
		At:         nanos(t.At),
		Change:     uint32(t.Change),
		Milestone:  uint32(t.Milestone),
		State:      uint32(k.State),
		Revision:   k.Revision,
		Band:       uint32(k.Assessment.Risk.Band),
		RespondBy:  nanos(k.RespondBy()),
	}.Build())
}
