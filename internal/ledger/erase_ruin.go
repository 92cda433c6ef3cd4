package ledger

import (
	"context"
	"strings"
)

// ruin is what there is of a customer who cannot be read. It must be possible to
// erase it all the same.
func (e *erasure) ruin(at loaded, fault error) loaded {
	at.fault = fault
	at.state = state{}
	if !e.told {
		e.ledger.opts.Logger.Warn("a customer who cannot be read is erased; no tombstone is left", "error", Cause(fault))
		e.told = true
	}
	return at
}

// findListed finds the open cases of a customer who cannot be read in the index.
func (e *erasure) findListed(ctx context.Context, found *estate) error {
	if found.at.fault == nil {
		return nil
	}
	entries := e.ledger.client.ZScan(ctx, e.names.open(e.tenant), 0, string(e.key)+".*", streamPage).Iterator()
	for entries.Next(ctx) {
		if strings.HasPrefix(entries.Val(), string(e.key)) { // the score follows
			found.listed = append(found.listed, entries.Val())
		}
	}
	return entries.Err()
}

// findSeen finds the requests that were answered in the last days, in this life
// and in those before.
func (e *erasure) findSeen(ctx context.Context, found *estate) error {
	state, today := found.at.state, day(e.ledger.opts.Now())
	found.seen = stillErased(state.erased, today)
	if len(state.days) == 0 || found.at.fault != nil {
		return nil
	}
	fields := make([]string, len(state.days))
	for i, d := range state.days {
		fields[i] = dayField(d)
	}
	lists, err := e.ledger.client.HMGet(ctx, e.names.customer, fields...).Result()
	if err != nil {
		return err
	}
	for i, list := range lists {
		hashes, _ := list.(string)
		found.seen = addErased(found.seen, erasedDay{state.days[i], []byte(hashes)})
	}
	found.seen = stillErased(found.seen, today)
	return nil
}
