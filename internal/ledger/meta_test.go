package ledger

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/makeamends/amends/internal/redistest"
)

// A store keeps the layout that it was born with, so that programs which know no other
// can go on with it, until an operator says that none of them is left.
func TestLayouts(t *testing.T) {
	t.Parallel()
	l := openAt(t, redistest.Server(t).URL())
	admin := asAdmin(t, l).client
	n := mustNames(t, l, l.Key("shop", "customer"))
	layout := func(to string) error {
		t.Helper()
		if err := admin.HSet(t.Context(), metaKey, "layout", to).Err(); err != nil {
			t.Fatal(err)
		}
		return l.Ready(t.Context())
	}
	stored := func(what, field string, brief bool) {
		t.Helper()
		if body := admin.HGet(t.Context(), n.customer, field).Val(); body == "" || strings.HasPrefix(body, briefMark) != brief {
			t.Errorf("%s: stored as %q", what, body)
		}
		want := typical().Open[0]
		if _, cases, err := l.Cases(t.Context(), n.key); err != nil || len(cases) == 0 || !cmp.Equal(cases[0].Failure, want.Failure) {
			t.Errorf("%s: cases %+v, %v", what, cases, err)
		}
	}
	open := func(id string) { mustUpdate(t, l, one(l, "customer", id), typically) }
	end := func(id string) { mustUpdate(t, l, one(l, "customer", id), closes) }

	open("1")
	stored("a new store", "s", true)
	if err := layout(layoutPlain); err != nil {
		t.Error(err)
	}
	open("2")
	stored("one of before", "s", false)
	end("3")
	stored("one of before, a closed case", caseField(1), false)
	if err := layout(layoutBrief); err != nil {
		t.Error(err)
	}
	open("4")
	stored("the same, later", "s", true)
	end("5")
	stored("the same, a closed case", caseField(1), true)
	if err := layout("3"); err == nil || !strings.Contains(err.Error(),
		"has layout 3, and this program knows layouts 1 and 2; run the version of the program that wrote it") {
		t.Errorf("one of later: %v", err)
	}
}

// What is written before the store says which layout it has, any program can read.
func TestWithoutALayout(t *testing.T) {
	t.Parallel()
	l := openAt(t, redistest.Server(t).URL())
	admin := asAdmin(t, l).client
	n := mustNames(t, l, l.Key("shop", "customer"))
	if err := admin.HSet(t.Context(), metaKey, "layout", layoutPlain).Err(); err != nil {
		t.Fatal(err)
	}
	if err := l.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(admin.FlushAll(t.Context()).Err(), admin.ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err()); err != nil {
		t.Fatal(err)
	}
	if err := l.Ready(t.Context()); err == nil {
		t.Fatal("an empty store that deletes customers is ready")
	}
	mustUpdate(t, l, one(l, "customer", "1"), typically)
	if body := admin.HGet(t.Context(), n.customer, "s").Val(); body == "" || strings.HasPrefix(body, briefMark) {
		t.Errorf("stored as %q", body)
	}
}

// In the store of another ledger nothing is read or changed, from the moment that this
// is seen until it is over.
func TestStoreOfAnotherLedger(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"layout", "secret", "buckets"} {
		l := openAt(t, redistest.Server(t).URL())
		admin := asAdmin(t, l).client
		key := l.Key("shop", "customer")
		mustUpdate(t, l, one(l, "customer", "1"), opens)
		was := admin.HGet(t.Context(), metaKey, field).Val()
		meta := func(value string) {
			t.Helper()
			if err := admin.HSet(t.Context(), metaKey, field, value).Err(); err != nil {
				t.Fatal(err)
			}
		}
		meta("77")
		if err := l.Ready(t.Context()); err == nil {
			t.Fatalf("%s: it is ready", field)
		}
		before := dump(t, l)
		_, updated := l.Update(t.Context(), one(l, "customer", "2"), opens)
		_, erased := l.Erase(t.Context(), "shop", key, time.Hour)
		_, loaded := l.Load(t.Context(), key)
		_, listed := l.List(t.Context(), Query{Tenant: "shop", Most: 1})
		_, booked := l.Book(t.Context(), Booking{Tenant: "shop", Currency: "USD", Day: time.Now(), CaseID: "c", Name: "n"}, "", 1, 1, time.Now().Add(time.Hour))
		for what, err := range map[string]error{"Update": updated, "Erase": erased, "Load": loaded, "List": listed, "Book": booked} {
			var away *Unavailable
			if !errors.As(err, &away) || away.Unknown || !strings.Contains(Cause(err).Error(), "this ledger") {
				t.Errorf("%s, another %s: %v (%v)", what, field, err, Cause(err))
			}
		}
		unchanged(t, l, before)
		meta(was)
		if err := l.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		mustUpdate(t, l, one(l, "customer", "2"), opens)
	}
}
