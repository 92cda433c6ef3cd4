package ledger

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/redistest"
)

// soon is what repairs takes for the next due moment of its customers.
func soon(s Snapshot) time.Time { return time.UnixMilli(10_000_000_000 + int64(len(s.Customer.Open))) }

// repaired runs Repair, mends what is told, and gives those of the tenant.
func repaired(t *testing.T, l *Ledger, tenant string) (told []Key) {
	t.Helper()
	_, err := l.Repair(t.Context(), soon, func(key Key) {
		if s := mustLoad(t, l, key); s.Tenant != tenant {
			return // left by another test
		}
		told = append(told, key)
		mustUpdate(t, l, Write{Key: key, Reindex: true}, asItIs(l, key))
	})
	if err != nil {
		t.Errorf("Repair: %v (%v)", err, Cause(err))
	}
	slices.Sort(told)
	return slices.Compact(told) // SCAN may give a key twice
}

// asItIs is a judge that changes nothing.
func asItIs(l *Ledger, key Key) Judge {
	return func(c recovery.Customer, _ []int) (Judgement, error) {
		return Judgement{Customer: c, Due: soon(Snapshot{Key: key, Customer: c})}, nil
	}
}

func repairs(t *testing.T, open opener) {
	l := open(t)
	ctx, tenant := t.Context(), tenantOf(t)
	zadd := func(index string, score float64, member string) {
		t.Helper()
		if err := asAdmin(t, l).client.ZAdd(ctx, index, redis.Z{Score: score, Member: member}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	var all []Key
	for i := range 8 {
		key := keep(t, l, tenant, fmt.Sprint(i), at(1, 7), at(2, 0))
		mustUpdate(t, l, Write{Key: key}, asItIs(l, key))
		all = append(all, key)
	}
	n := func(i int) names { return mustNames(t, l, all[i]) }
	if told := repaired(t, l, tenant); len(told) > 0 {
		t.Fatalf("told of %v although all is right", told)
	}

	// Entries that are missing or wrong.
	asAdmin(t, l).client.ZRem(ctx, n(0).open(tenant), openMember(all[0], 2))
	zadd(n(1).open(tenant), 8, openMember(all[1], 1))
	asAdmin(t, l).client.ZRem(ctx, n(2).due, string(all[2]))
	zadd(n(3).due, 1, string(all[3]))
	// Entries of nothing: a case that never was, another tenant's list, a
	// customer who is gone, something that nobody here wrote.
	zadd(n(4).open(tenant), 7, openMember(all[4], 3))
	zadd(n(5).open(tenant+"-2"), 7, openMember(all[5], 1))
	stranger := l.Key(tenant, "stranger")
	of := mustNames(t, l, stranger)
	zadd(of.open(tenant), 7, openMember(stranger, 1))
	zadd(of.due, 7, string(stranger))
	zadd(of.open(tenant), 7, "nonsense")

	if got := pages(t, l, Query{Tenant: tenant, Most: 3}); len(got) != 15 {
		t.Errorf("%d cases are listed, want all but the one that was lost: %v", len(got), ids(got))
	}
	told := repaired(t, l, tenant)
	want := slices.Sorted(slices.Values(all[:4]))
	if !slices.Equal(told, want) {
		t.Errorf("told of %v, want %v", told, want)
	}
	for i, key := range all {
		if got, want := inIndex(t, l, tenant, key), toBe([]recovery.Case{at(1, 7), at(2, 0)}); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("customer %d: index %v, want %v", i, got, want)
		}
		if got := asAdmin(t, l).client.ZScore(ctx, n(i).due, string(key)).Val(); got != 10_000_000_002 {
			t.Errorf("customer %d: due at %.0f", i, got)
		}
	}
	for index, member := range map[string]string{
		n(5).open(tenant + "-2"): openMember(all[5], 1), of.open(tenant): openMember(stranger, 1), of.due: string(stranger),
	} {
		if err := asAdmin(t, l).client.ZScore(ctx, index, member).Err(); err != redis.Nil {
			t.Errorf("%s is left in %s: %v", member, index, err)
		}
	}
	if err := asAdmin(t, l).client.ZScore(ctx, of.open(tenant), "nonsense").Err(); err != redis.Nil {
		t.Errorf("what nobody wrote is left: %v", err)
	}
	if told := repaired(t, l, tenant); len(told) > 0 {
		t.Errorf("told of %v again", told)
	}
}

func repairRace(t *testing.T, open opener) {
	l := open(t)
	tenant := tenantOf(t)
	key := keep(t, l, tenant, "c", at(1, 7))
	n := mustNames(t, l, key)
	r := &repair{ledger: l, byTag: map[string]names{n.tag: l.buckets[0]}}
	bucket, _ := l.buckets.index(key)
	r.byTag[n.tag] = l.buckets[bucket]
	token := func() string { return asAdmin(t, l).client.HGet(t.Context(), n.customer, "v").Val() }
	stale := token()
	keep(t, l, tenant, "c", at(1, 8))
	for _, seen := range []string{"", stale} {
		if gone, err := r.remove(t.Context(), n.open(tenant), openMember(key, 1), key, seen); gone != 0 || err != nil {
			t.Errorf("looked at version %q: %d entries removed, %v", seen, gone, err)
		}
	}
	if gone, err := r.remove(t.Context(), n.open(tenant), openMember(key, 1), key, token()); gone != 1 || err != nil {
		t.Errorf("as it is: %d entries removed, %v", gone, err)
	}
}

// A walk ends with its context, soon.
func TestRepairEnds(t *testing.T) {
	l := openAt(t, Embedded)
	for i := range 250 {
		keep(t, l, "shop", fmt.Sprint(i), at(1, 7))
	}
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	_, err := l.Repair(ctx, soon, func(Key) {
		n++
		cancel()
	})
	if err == nil || n == 0 || n == 250 {
		t.Errorf("%d customers were told of, %v", n, err)
	}
}

// A walk asks Redis for many customers at once, also where they stand in the indexes.
func TestRepairTravelsTogether(t *testing.T) {
	m := newCounts()
	l := openAt(t, Embedded, func(o *Options) { o.Buckets, o.Meter = 1, m })
	const customers = 400
	for i := range customers {
		keep(t, l, "shop", fmt.Sprint(i), at(1, 7), at(2, 0))
	}
	sent := func() (all int) {
		for _, n := range m.commands {
			all += n
		}
		return all
	}
	before := sent()
	found, err := l.Repair(t.Context(), soon, func(Key) {})
	if err != nil || found.Customers < customers {
		t.Fatalf("%+v, %v", found, err)
	}
	if trips := sent() - before; trips > customers/10 {
		t.Errorf("%d round trips for %d customers", trips, customers)
	}
}

// A walk rests three times as long as it was busy, and only once for what a walk
// within it was busy with. After its last batch it need not.
func TestRepairRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &repair{ledger: &Ledger{}}
		var step func(inner bool) func(context.Context, uint64) (uint64, error)
		step = func(inner bool) func(context.Context, uint64) (uint64, error) {
			return func(_ context.Context, cursor uint64) (uint64, error) {
				time.Sleep(time.Second)
				if !inner && cursor == 1 {
					if err := r.walk(t.Context(), step(true)); err != nil {
						t.Error(err)
					}
				}
				return (cursor + 1) % 3, nil
			}
		}
		begin := time.Now()
		if err := r.walk(t.Context(), step(false)); err != nil {
			t.Error(err)
		}
		const batches, rests = 6, 5 * repairRest
		if took := time.Since(begin); took != (batches+rests)*time.Second {
			t.Errorf("six batches of a second took %v with their rests", took)
		}
	})
}

// Whoever has everything written anew need not know what of it was wrong: the end of
// the hash and the due index as well, of who has a case and of who has none.
func TestReindex(t *testing.T) {
	l := openAt(t, redistest.Shared(t).URL())
	admin := asAdmin(t, l).client
	for i, judge := range []Judge{opens, count} {
		w := one(l, fmt.Sprint("anew ", i), "a")
		mustUpdate(t, l, w, judge)
		n := mustNames(t, l, w.Key)
		ends, due := admin.PTTL(t.Context(), n.customer).Val() > 0, admin.ZScore(t.Context(), n.due, string(w.Key)).Err() == nil
		if hasCase := i == 0; ends == hasCase || due != hasCase {
			t.Fatalf("customer %d: ends %t, due %t", i, ends, due)
		}
		if due {
			admin.PExpire(t.Context(), n.customer, time.Hour)
			admin.ZRem(t.Context(), n.due, string(w.Key))
		} else {
			admin.Persist(t.Context(), n.customer)
			admin.ZAdd(t.Context(), n.due, redis.Z{Score: 1, Member: string(w.Key)})
		}
		mustUpdate(t, l, Write{Key: w.Key, Reindex: true}, func(c recovery.Customer, _ []int) (Judgement, error) {
			j, err := judge(c, nil)
			if len(c.Open) == 0 {
				j.Due = time.Time{}
			}
			return j, err
		})
		if left := admin.PTTL(t.Context(), n.customer).Val(); left > 0 != ends {
			t.Errorf("customer %d: the hash ends in %v", i, left)
		}
		if err := admin.ZScore(t.Context(), n.due, string(w.Key)).Err(); (err == nil) != due {
			t.Errorf("customer %d: in the due index: %v", i, err)
		}
	}
}
