package ledger

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/recovery"
)

// neighbours are customers of one bucket.
func neighbours(l *Ledger, tenant string, n int) (keys []Key) {
	home := -1
	for i := 0; len(keys) < n; i++ {
		key := l.Key(tenant, fmt.Sprint(i))
		bucket, _ := l.buckets.index(key)
		if home < 0 {
			home = bucket
		}
		if bucket == home {
			keys = append(keys, key)
		}
	}
	return keys
}

// putAside: however many come to nothing at the head of an index, those that are
// put aside hide nobody, until something else is due for them.
func putAside(t *testing.T, open opener) {
	l := open(t)
	until := func(ms int64) time.Time { return time.UnixMilli(ms) }
	due := func(ms int64, most int, aside map[Due]bool) []Due {
		t.Helper()
		found, err := l.Due(t.Context(), until(ms), most, aside)
		if err != nil {
			t.Fatalf("Due: %v (%v)", err, Cause(err))
		}
		return found
	}
	aside := map[Due]bool{}
	for _, d := range due(999, 1000, nil) { // of other tests
		aside[d] = true
	}
	keys := neighbours(l, tenantOf(t), 72)
	n := mustNames(t, l, keys[0])
	foreign := []string{"x", "no key at all"}
	t.Cleanup(func() { asAdmin(t, l).client.ZRemRangeByScore(t.Context(), n.due, "1000", "2000") })
	for i, key := range keys {
		asAdmin(t, l).client.ZAdd(t.Context(), n.due, redis.Z{Score: float64(1000 + i), Member: string(key)})
	}
	for _, m := range foreign {
		asAdmin(t, l).client.ZAdd(t.Context(), n.due, redis.Z{Score: 1000, Member: m})
		aside[Due{Key(m), until(1000).UTC()}] = true
	}
	for i, key := range keys[:70] {
		aside[Due{key, until(int64(1000 + i)).UTC()}] = true
	}
	if got := due(2000, 64, aside); len(got) != 2 || got[0].Key != keys[70] || got[1].Key != keys[71] {
		t.Errorf("behind 72 entries that are put aside: %v, want %v", got, keys[70:])
	}
	if got := due(2000, 1, aside); len(got) != 1 || got[0].Key != keys[70] {
		t.Errorf("at most one: %v", got)
	}
	if l.Server(t.Context(), keys[0]) == "" || l.Server(t.Context(), keys[0]) != l.Server(t.Context(), keys[1]) || l.Server(t.Context(), Key(foreign[0])) != "" {
		t.Error("the customers of one bucket are on one server, and an entry of nobody on none")
	}
	asAdmin(t, l).client.ZAdd(t.Context(), n.due, redis.Z{Score: 1500, Member: string(keys[3])})
	if got := due(2000, 64, aside); len(got) != 3 || got[2].Key != keys[3] {
		t.Errorf("something else is due for one that was put aside: %v", got)
	}
	only := slices.DeleteFunc(due(2000, 5, nil), func(d Due) bool { return d.At.UnixMilli() < 1000 })
	if len(only) > 5 {
		t.Errorf("%d of one bucket, want five at most", len(only))
	}
}

// nothingDue: only who cannot have anything due leaves the index.
func nothingDue(t *testing.T, open opener) {
	l := open(t)
	tenant := tenantOf(t)
	closed, erased, busy := keep(t, l, tenant, "closed"), keep(t, l, tenant, "erased", at(1, 7)), keep(t, l, tenant, "busy", at(1, 7))
	mustUpdate(t, l, Write{Key: erased}, func(c recovery.Customer, _ []int) (Judgement, error) {
		c.Cases = 1
		return Judgement{Customer: c}, nil
	})
	mustErase(t, l, erased, time.Hour)
	all := map[Key]bool{closed: false, erased: false, l.Key(tenant, "stranger"): false, busy: true}
	for key := range all {
		asAdmin(t, l).client.ZAdd(t.Context(), mustNames(t, l, key).due, redis.Z{Score: 20_000, Member: string(key)})
	}
	before := dump(t, l)
	for key, stays := range all {
		if err := l.Undue(t.Context(), key); err != nil {
			t.Fatalf("%v (%v)", err, Cause(err))
		}
		entry := mustNames(t, l, key).due + " " + string(key)
		if !stays {
			delete(before, entry)
		}
	}
	if after := dump(t, l); !maps.Equal(after, before) {
		unchanged(t, l, before)
		t.Error("the index is another than expected")
	}
	asAdmin(t, l).client.ZRem(t.Context(), mustNames(t, l, busy).due, string(busy))
	if err := l.Undue(t.Context(), "x"); err == nil {
		t.Error("what is no key is taken off")
	}
}
