package ledger

import (
	"context"
	_ "embed"
	"slices"
	"strings"
)

//go:embed orphan.lua
var orphanSource string

// dueIndex removes from a due index the customers that are gone. Whether the
// entry of one who is there is right is looked at with the customer.
func (r *repair) dueIndex(ctx context.Context, n names) error {
	return r.index(ctx, n.due, present, func(member string) (Key, func(*loaded) bool) {
		return Key(member), func(at *loaded) bool { return at.token != "" }
	})
}

// openIndex removes from an index of open cases those that are gone or closed.
func (r *repair) openIndex(ctx context.Context, n names, tenant string) error {
	return r.index(ctx, n.open(tenant), outlined, func(member string) (Key, func(*loaded) bool) {
		key, _, _ := parseOpenMember(member)
		return key, func(at *loaded) bool {
			_, ok := at.listed(tenant, member)
			return ok
		}
	})
}

// index removes the entries of one index that are not rightly there. Parse says
// which customer an entry speaks of, and how to tell from what is read.
func (r *repair) index(ctx context.Context, name string, what extent, parse func(member string) (Key, func(*loaded) bool)) error {
	return r.walk(ctx, func(one context.Context, cursor uint64) (uint64, error) {
		list, next, err := r.ledger.client.ZScan(one, name, cursor, "", repairBatch).Result()
		if err != nil {
			return 0, err
		}
		for page := range slices.Chunk(list, 2*repairBatch) { // a small index comes as a whole
			r.note(r.members(ctx, name, page, what, parse))
		}
		return next, nil
	})
}

// members looks at some entries of an index: member, score, ...
func (r *repair) members(ctx context.Context, name string, list []string, what extent, parse func(member string) (Key, func(*loaded) bool)) error {
	var keys []Key
	for i := 0; i < len(list); i += 2 {
		if key, _ := parse(list[i]); validKey(string(key)) {
			keys = append(keys, key)
		}
	}
	all, err := r.ledger.loadMany(ctx, keys, what)
	if err != nil {
		return err
	}
	for i := 0; i < len(list); i += 2 {
		key, right := parse(list[i])
		at := all[key]
		if at == nil {
			at = &loaded{} // an entry that nobody here wrote
		}
		if at.fault != nil || right(at) {
			continue // what is right of one who cannot be read, nobody knows
		}
		gone, err := r.remove(ctx, name, list[i], key, at.token)
		if passedOver(err) {
			r.note(err)
			continue
		}
		if err != nil {
			return err
		}
		r.found.Orphans += gone
	}
	return nil
}

// remove takes an entry out of an index while the customer stands at that version.
func (r *repair) remove(ctx context.Context, name, member string, key Key, version string) (gone int, err error) {
	tag, _, _ := strings.Cut(name, ":")
	customer := r.byTag[tag+":"].customer + string(key)
	err = r.ledger.persist(ctx, func(ctx context.Context) error {
		gone, err = r.ledger.run(ctx, r.ledger.orphan, []string{customer, name}, []any{version, member}).Int()
		return err
	})
	return gone, err
}
