package ledger

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/makeamends/amends/internal/redistest"
)

// bookingDeed is one change of one booking.
type bookingDeed struct {
	what          string
	name, instead string
	amount, limit int64
	check         time.Time
}

// till is what a tenant's day must come to.
type till struct {
	total int64
	held  map[string]int64
	check map[string]time.Time // when to look again
}

// do gives what the booking then holds.
func (m *till) do(d bookingDeed) int64 {
	held, there := m.held[d.name]
	amount := max(d.amount, 0)
	switch {
	case d.what == "book" && there:
		if at, waits := m.check[d.name]; waits && d.check.After(at) {
			m.check[d.name] = d.check
		}
	case d.what == "book":
		if held = max(min(amount, d.limit+m.held[d.instead]-m.total), 0); held > 0 {
			m.total += held
			m.held[d.name], m.check[d.name] = held, d.check
		}
	case d.what == "forget" || !there || amount == 0:
		if d.what != "forget" {
			m.total -= held
		}
		held = 0
		delete(m.held, d.name)
		delete(m.check, d.name)
	default:
		m.total -= held - min(amount, held)
		held = min(amount, held)
		m.held[d.name], m.check[d.name] = held, d.check
		if d.check.IsZero() {
			delete(m.check, d.name)
		}
	}
	return held
}

// TestBudgetsAddUp: whatever is booked, settled, returned and forgotten, in any order,
// and however late it is sent once more, the total of the day is what is held and what
// was spent, in the hash and among the tenants, and whatever may return is looked at.
func TestBudgetsAddUp(t *testing.T) {
	at := newClock()
	now := func(o *Options) { o.Now = at.Now }
	stores := []*Ledger{openAt(t, redistest.Shared(t).URL(), now), openAt(t, Embedded, now)}
	names := []string{"a", "b", "c", "d"}
	runs := 0
	rapid.Check(t, func(r *rapid.T) {
		runs++
		tenant := fmt.Sprint("adds up ", runs)
		want := till{held: map[string]int64{}, check: map[string]time.Time{}}
		var done []bookingDeed
		for range rapid.IntRange(1, 30).Draw(r, "deeds") {
			d := bookingDeed{
				what: rapid.SampledFrom([]string{"book", "book", "settle", "settle", "forget"}).Draw(r, "what"),
				name: rapid.SampledFrom(names).Draw(r, "name"), instead: rapid.SampledFrom(append(names, "")).Draw(r, "instead"),
				amount: rapid.Int64Range(-1, 60).Draw(r, "amount"), limit: rapid.Int64Range(50, 120).Draw(r, "limit"),
				check: at.Now().Add(rapid.SampledFrom([]time.Duration{time.Hour, 2 * time.Hour, 200 * time.Hour}).Draw(r, "check")),
			}
			if d.what == "settle" && rapid.Bool().Draw(r, "for good") {
				d.check = time.Time{}
			}
			if len(done) > 0 && rapid.IntRange(0, 2).Draw(r, "sent again") == 0 {
				d = rapid.SampledFrom(done).Draw(r, "late")
			}
			done = append(done, d)
			held := want.do(d)
			for _, l := range stores {
				if got := sendDeed(t, l, tenant, d); got != held && d.what == "book" {
					r.Fatalf("%+v: granted %d, want %d", d, got, held)
				}
				if diff := cmp.Diff(expected(l, tenant, want), standingBudget(t, l, tenant)); diff != "" {
					r.Fatalf("%+v (-want +got):\n%s", d, diff)
				}
			}
		}
	})
}

func namedBooking(l *Ledger, tenant, name string) Booking {
	return Booking{Tenant: tenant, Currency: "USD", Day: l.opts.Now(), CaseID: CaseID(l.Key(tenant, "c"), 1), Name: name}
}

func sendDeed(t *testing.T, l *Ledger, tenant string, d bookingDeed) (granted int64) {
	b, err := namedBooking(l, tenant, d.name), error(nil)
	switch d.what {
	case "book":
		granted, err = l.Book(t.Context(), b, d.instead, d.amount, d.limit, d.check)
	case "settle":
		err = l.SettleBooking(t.Context(), b, d.amount, d.check)
	case "forget":
		err = l.ForgetBooking(t.Context(), b)
	}
	if err != nil {
		t.Fatal(err, Cause(err))
	}
	return granted
}

// expected is what a store must hold of a day.
func expected(l *Ledger, tenant string, m till) map[string]string {
	all := map[string]string{}
	if m.total > 0 {
		all["total"], all["rank"] = fmt.Sprint(m.total), fmt.Sprint(m.total)
	}
	for name, held := range m.held {
		all[l.bookingField(namedBooking(l, tenant, name))] = fmt.Sprint(held)
	}
	for name, at := range m.check {
		all["look at "+name] = fmt.Sprint(at.UnixMilli())
	}
	return all
}

// standingBudget is what it holds; a total of 0 counts as none.
func standingBudget(t *testing.T, l *Ledger, tenant string) map[string]string {
	b, client := namedBooking(l, tenant, ""), asAdmin(t, l).client
	all := client.HGetAll(t.Context(), b.dayKey()).Val()
	rank := client.ZScore(t.Context(), ranksKey(b.Currency, b.Day), tenant).Val()
	for name, key := range map[string]string{"day": b.dayKey(), "rank": ranksKey(b.Currency, b.Day)} {
		if ends := client.PTTL(t.Context(), key).Val(); all[totalField("USD")] != "" && ends <= 0 {
			all["no end: "+name] = fmt.Sprint(ends)
		}
	}
	all["total"], all["rank"] = all[totalField("USD")], fmt.Sprint(rank)
	delete(all, totalField("USD"))
	for _, z := range client.ZRangeWithScores(t.Context(), budgetNames.customer, 0, -1).Val() {
		if name, ok := strings.CutPrefix(z.Member.(string), b.member()); ok {
			all["look at "+name] = fmt.Sprintf("%.0f", z.Score)
		}
	}
	maps.DeleteFunc(all, func(name, value string) bool {
		return (name == "total" || name == "rank") && (value == "0" || value == "")
	})
	return all
}
