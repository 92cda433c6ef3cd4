package ledger

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/recovery"
)

// indexes is the part of the contract about what is found without naming a customer.
func indexes(t *testing.T, open opener) {
	for name, test := range map[string]func(*testing.T, opener){
		"the index follows the customers":         indexFollows,
		"cases are listed by deadline":            listOrder,
		"pages hold while cases come and go":      listStable,
		"a list ends at a deadline":               listBefore,
		"what is due comes in order":              dueOrder,
		"what is put aside hides nobody":          putAside,
		"who has nothing due leaves the index":    nothingDue,
		"lost entries are told, orphans go":       repairs,
		"no orphan goes whose customer came back": repairRace,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

// at makes a case with a deadline so many milliseconds after 1970; 0: none.
func at(number, ms int64) recovery.Case {
	k := recovery.Case{Number: number, State: recovery.Open}
	if ms != 0 {
		k.Deadlines = []recovery.Deadline{{Milestone: recovery.Resolve, DueAt: time.UnixMilli(ms).UTC(), Verdict: recovery.Pending}}
	}
	return k
}

// tenantOf gives each test, on each store, a tenant of its own.
func tenantOf(t *testing.T) string {
	return strings.NewReplacer("/", ".", "_", "-").Replace(strings.ToLower(t.Name()))
}

// keep makes the customer's cases those given: whatever else is open is closed.
func keep(t *testing.T, l *Ledger, tenant, customer string, cases ...recovery.Case) Key {
	t.Helper()
	key := l.Key(tenant, customer)
	mustUpdate(t, l, Write{Key: key, Tenant: tenant}, func(c recovery.Customer, _ []int) (Judgement, error) {
		for _, k := range c.Open {
			if recovery.Numbered(cases, k.Number) == nil {
				c.Closed = append(c.Closed, k)
			}
		}
		c.Open = cases
		return Judgement{Customer: c}, nil
	})
	return key
}

// pages lists a tenant to the end.
func pages(t *testing.T, l *Ledger, q Query) (all []Listed) {
	t.Helper()
	for range 10_000 {
		page, err := l.List(t.Context(), q)
		if err != nil {
			t.Fatalf("List: %v (%v)", err, Cause(err))
		}
		if len(page.Cases) > q.Most {
			t.Fatalf("%d cases on a page of %d", len(page.Cases), q.Most)
		}
		all = append(all, page.Cases...)
		if !page.More {
			return all
		}
		q.After = reread(t, l, page.Next)
	}
	t.Fatal("the pages do not end")
	return nil
}

// reread sends a cursor through its text.
func reread(t *testing.T, l *Ledger, c Cursor) Cursor {
	t.Helper()
	again, err := l.ParseCursor(c.String())
	if err != nil || again != c {
		t.Fatalf("cursor %q reads as %q, %v", c, again, err)
	}
	return again
}

// inIndex is what the index of a tenant holds of a customer, by number.
func inIndex(t *testing.T, l *Ledger, tenant string, key Key) map[int64]int64 {
	t.Helper()
	found := map[int64]int64{}
	for _, z := range asAdmin(t, l).client.ZRangeWithScores(t.Context(), mustNames(t, l, key).open(tenant), 0, -1).Val() {
		if k, number, err := parseOpenMember(z.Member.(string)); err == nil && k == key {
			found[number] = int64(z.Score)
		}
	}
	return found
}

// toBe is what it should hold.
func toBe(open []recovery.Case) map[int64]int64 {
	want := map[int64]int64{}
	for i := range open {
		want[open[i].Number] = openScore(&open[i])
	}
	return want
}

// roam changes a customer at random: opens, moves, writes in place, closes,
// opens again, or does nothing.
func roam(r *rand.Rand) Judge {
	touch := func(k *recovery.Case) {
		k.Revision++
		k.Fresh = append(k.Fresh, recovery.Transition{Change: recovery.ChangeReassessed})
	}
	return func(c recovery.Customer, _ []int) (Judgement, error) {
		pick := func() int { return r.IntN(max(1, len(c.Open))) }
		switch n := r.IntN(6); {
		case n == 0 || len(c.Open) == 0:
			c.Cases++
			c.Open = append(slices.Clone(c.Open), at(c.Cases, r.Int64N(3)))
		case n == 1:
			i := pick()
			c.Open = slices.Clone(c.Open)
			c.Open[i].Deadlines = at(0, 1+r.Int64N(5)).Deadlines
		case n == 2 && len(c.Open[0].Deadlines) > 0:
			c.Open[0].Deadlines[0].DueAt = time.UnixMilli(1 + r.Int64N(5)) // in what was given
			touch(&c.Open[0])
		case n == 3:
			i := pick()
			touch(&c.Open[i])
			c.Closed = append(c.Closed, c.Open[i])
			c.Open = slices.Delete(c.Open, i, i+1) // in what was given
		case n == 4 && c.Cases > 0:
			if number := 1 + r.Int64N(c.Cases); recovery.Numbered(c.Open, number) == nil {
				c.Open = append(slices.Clone(c.Open), at(number, 7))
			}
		}
		return Judgement{Customer: c}, nil
	}
}

func indexFollows(t *testing.T, open opener) {
	l := open(t)
	r := rand.New(rand.NewPCG(1, 2))
	tenant := tenantOf(t)
	for i := range 200 {
		key := l.Key(tenant, fmt.Sprint(i%4))
		mustUpdate(t, l, Write{Key: key, Tenant: tenant}, roam(r))
		s := mustLoad(t, l, key)
		if got, want := inIndex(t, l, tenant, key), toBe(s.Customer.Open); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("after %d changes: index %v, want %v", i+1, got, want)
		}
	}
}

func listOrder(t *testing.T, open opener) {
	l := open(t)
	tenant := tenantOf(t)
	r := rand.New(rand.NewPCG(3, 4))
	want := 0
	for i := range 40 {
		cases := []recovery.Case{at(1, r.Int64N(4)), at(2, 1+r.Int64N(1_000)), at(3, 0)}[:1+i%3]
		keep(t, l, tenant, fmt.Sprint(i), cases...)
		want += len(cases)
	}
	// Somebody else's customer, in a bucket that is used here too.
	bucket, _ := l.buckets.index(l.Key(tenant, "0"))
	other := "a"
	for ; ; other += "a" {
		if b, _ := l.buckets.index(l.Key(tenant+"-2", other)); b == bucket {
			break
		}
	}
	keep(t, l, tenant+"-2", other, at(1, 1))

	all := pages(t, l, Query{Tenant: tenant, Most: 1000})
	if len(all) != want {
		t.Fatalf("%d cases are listed, want %d", len(all), want)
	}
	seen := map[string]bool{}
	for i, k := range all {
		id := CaseID(k.Snapshot.Key, k.Case.Number)
		if k.Snapshot.Tenant != tenant || !k.Snapshot.Found || seen[id] {
			t.Errorf("%s of %q is listed, again: %t", id, k.Snapshot.Tenant, seen[id])
		}
		seen[id] = true
		if i > 0 && openScore(&all[i-1].Case) > openScore(&k.Case) {
			t.Errorf("due at %d after %d", openScore(&k.Case), openScore(&all[i-1].Case))
		}
	}
	for _, most := range []int{9, 50} {
		if got := ids(pages(t, l, Query{Tenant: tenant, Most: most})); !slices.Equal(got, ids(all)) {
			t.Errorf("in pages of %d: %v\nat once: %v", most, got, ids(all))
		}
	}
	if got := pages(t, l, Query{Tenant: tenant + "-2", Most: 10}); len(got) != 1 || got[0].Snapshot.Tenant != tenant+"-2" {
		t.Errorf("the other tenant: %v", ids(got))
	}
	if got := pages(t, l, Query{Tenant: tenant + "-3", Most: 10}); len(got) > 0 {
		t.Errorf("a tenant without cases: %v", ids(got))
	}
}

func ids(list []Listed) []string {
	out := make([]string, len(list))
	for i, k := range list {
		out[i] = CaseID(k.Snapshot.Key, k.Case.Number)
	}
	return out
}

func listStable(t *testing.T, open opener) {
	l := open(t)
	tenant := tenantOf(t)
	for i := range 30 {
		keep(t, l, tenant, fmt.Sprint(i), at(1, int64(10*(1+i/3)))) // three of each deadline
	}
	before := pages(t, l, Query{Tenant: tenant, Most: 100})
	first, err := l.List(t.Context(), Query{Tenant: tenant, Most: 10})
	if err != nil || !slices.Equal(ids(first.Cases), ids(before[:10])) {
		t.Fatalf("first page: %v, %v", ids(first.Cases), err)
	}
	gone := func(k Listed) {
		mustUpdate(t, l, Write{Key: k.Snapshot.Key}, closes)
	}
	gone(before[9]) // after which the next page begins
	gone(before[3])
	gone(before[20])
	keep(t, l, tenant, "new and earlier", at(1, 5))
	keep(t, l, tenant, "new and last", at(1, 0))
	got := ids(pages(t, l, Query{Tenant: tenant, After: reread(t, l, first.Next), Most: 10}))
	want := slices.Concat(ids(before[10:20]), ids(before[21:]), []string{CaseID(l.Key(tenant, "new and last"), 1)})
	if !slices.Equal(got, want) {
		t.Errorf("the rest of the list:\n%v, want\n%v", got, want)
	}
	for _, text := range []string{"x", "1", "1.x", "1." + strings.Repeat("A", 22), "01." + strings.Repeat("A", 22) + ".1", first.Next.String() + "0x"} {
		if _, err := l.ParseCursor(text); !errors.Is(err, ErrCursor) {
			t.Errorf("cursor %q: %v", text, err)
		}
	}
}

func listBefore(t *testing.T, open opener) {
	l := open(t)
	tenant := tenantOf(t)
	for i := range 20 {
		keep(t, l, tenant, fmt.Sprint(i), at(1, int64(i)), at(2, 0)) // the first of all has none
	}
	for _, ms := range []int64{1, 2, 10, 100} {
		got := pages(t, l, Query{Tenant: tenant, Before: time.UnixMilli(ms), Most: 4})
		if want := min(ms, 20) - 1; len(got) != int(want) {
			t.Errorf("%d cases are due before %d ms, want %d", len(got), ms, want)
		}
	}
	// Within one millisecond the deadline itself counts, not the index.
	k := at(1, 50)
	k.Deadlines[0].DueAt = k.Deadlines[0].DueAt.Add(300)
	keep(t, l, tenant, "fine", k)
	for d, want := range map[time.Duration]int{300: 0, 301: 1} {
		got := pages(t, l, Query{Tenant: tenant, Before: time.UnixMilli(50).Add(d), Most: 100})
		if len(got)-19 != want {
			t.Errorf("%d cases are due before 50 ms and %d ns, want %d", len(got), d, 19+want)
		}
	}
}

func dueOrder(t *testing.T, open opener) {
	l := open(t)
	tenant := tenantOf(t)
	mine := map[Key]int{}
	for i := range 30 {
		key := l.Key(tenant, fmt.Sprint(i))
		mine[key] = 30 - i
		mustUpdate(t, l, Write{Key: key, Tenant: tenant}, func(c recovery.Customer, _ []int) (Judgement, error) {
			c.Open = []recovery.Case{at(1, int64(30-i))}
			return Judgement{Customer: c, Due: time.UnixMilli(int64(30 - i))}, nil
		})
	}
	find := func(ms, most int) (found []int) {
		t.Helper()
		all, err := l.Due(t.Context(), time.UnixMilli(int64(ms)).Add(999_999), most, nil)
		if err != nil {
			t.Fatalf("Due: %v (%v)", err, Cause(err))
		}
		for _, d := range all {
			if n, ok := mine[d.Key]; !ok || !d.At.Equal(time.UnixMilli(int64(n))) {
				t.Errorf("%s is due at %v, known: %t", d.Key, d.At, ok)
			} else {
				found = append(found, n)
			}
		}
		return found
	}
	for _, ms := range []int{0, 1, 17} {
		want := make([]int, ms)
		for i := range want {
			want[i] = i + 1
		}
		if got := find(ms, 100); !slices.Equal(got, want) {
			t.Errorf("due at %d ms: %v", ms, got)
		}
	}
	used := map[int]bool{}
	for key := range mine {
		bucket, _ := l.buckets.index(key)
		used[bucket] = true
	}
	if got := find(30, 1); len(got) != len(used) {
		t.Errorf("%d customers, one of each of %d buckets", len(got), len(used))
	}
}

// Many cases with one deadline, in few buckets, are listed each once.
func TestListWithOneDeadline(t *testing.T) {
	for _, buckets := range []int{1, 3} {
		l := openAt(t, Embedded, func(o *Options) { o.Buckets = buckets })
		var want []string
		for i := range 60 {
			ms := int64(10)
			if i%3 == 0 {
				ms = 0
			}
			key := keep(t, l, "shop", strconv.Itoa(i), at(1, ms), at(2, ms))
			want = append(want, CaseID(key, 1), CaseID(key, 2))
		}
		slices.Sort(want)
		whole := ids(pages(t, l, Query{Tenant: "shop", Most: 1000}))
		for _, most := range []int{1, 7, 120} {
			got := ids(pages(t, l, Query{Tenant: "shop", Most: most}))
			if !slices.Equal(got, whole) {
				t.Errorf("%d buckets, pages of %d: not as at once", buckets, most)
			}
		}
		slices.Sort(whole)
		if !slices.Equal(whole, want) {
			t.Errorf("%d buckets: %d cases are listed, want %d", buckets, len(whole), len(want))
		}
	}
}

// A commit that changes nothing in the index does not name it.
func TestCommitsWithoutADifferenceLeaveTheIndexAlone(t *testing.T) {
	l := openAt(t, Embedded)
	c := recovery.Customer{Cases: 2, Open: []recovery.Case{at(1, 5), at(2, 0)}}
	key := l.Key("shop", "c")
	for name, tc := range map[string]struct {
		reindex bool
		edit    func(*recovery.Customer)
		want    string
	}{
		"nothing":  {false, func(c *recovery.Customer) { c.Orders++ }, "[] []"},
		"reindex":  {true, func(*recovery.Customer) {}, "[5 K.1 253402300799999 K.2] []"},
		"moved":    {false, func(c *recovery.Customer) { c.Open[1] = at(2, 9) }, "[9 K.2] []"},
		"gone":     {false, func(c *recovery.Customer) { c.Open = c.Open[:1] }, "[] [K.2]"},
		"opened":   {false, func(c *recovery.Customer) { c.Open = append(c.Open, at(3, 1)) }, "[1 K.3] []"},
		"held":     {false, func(c *recovery.Customer) { c.Open[0].HeldSince = time.UnixMilli(1) }, "[253402300799999 K.1] []"},
		"resolved": {false, func(c *recovery.Customer) { c.Open[0].State = recovery.Resolved }, "[] []"},
	} {
		after := c
		after.Open = slices.Clone(c.Open)
		tc.edit(&after)
		ch := change{}
		ch.list(Write{Key: key, Reindex: tc.reindex}, c.Open, after)
		got := strings.ReplaceAll(fmt.Sprint(ch.listed, ch.unlisted), string(key), "K")
		if got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}
