package ledger

import (
	"context"
	"slices"
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
	found.seen = state.erased
	for _, d := range state.seen {
		full, err := e.fullLists(ctx, d)
		if err != nil {
			return err
		}
		found.seen = addErased(found.seen, erasedDay{d.day, slices.Concat(full, d.hashes)})
	}
	found.seen = stillErased(found.seen, today)
	return nil
}

// fullLists reads the requests of a day that are in fields of their own.
func (e *erasure) fullLists(ctx context.Context, d seenDay) (hashes []byte, err error) {
	if d.lists == 0 {
		return nil, nil
	}
	fields := make([]string, d.lists)
	for n := range fields {
		fields[n] = listField(d.day, int32(n))
	}
	lists, err := e.ledger.client.HMGet(ctx, e.names.customer, fields...).Result()
	for _, list := range lists {
		text, _ := list.(string)
		hashes = append(hashes, text...)
	}
	return hashes, err
}
