package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/redistest"
)

// reopens is a judge that opens again the closed case that it is given.
func reopens(c recovery.Customer, fresh []int) (Judgement, error) {
	for _, k := range c.Closed {
		k.State = recovery.Open
		k.Revision++
		k.Fresh = []recovery.Transition{{Change: recovery.ChangeReopened}}
		c.Open = append(c.Open, k)
	}
	c.Closed = nil
	return Judgement{Customer: c, Answers: make([][]byte, len(fresh)), Due: time.UnixMilli(1_800_000_000_000)}, nil
}

// withLifetimes is dump with what ends by itself.
func withLifetimes(t *testing.T, l *Ledger) map[string]string {
	t.Helper()
	all := dump(t, l)
	ends := map[string]bool{}
	for name := range all {
		key, _, _ := strings.Cut(name, " ")
		if _, known := ends[key]; !known {
			ends[key] = asAdmin(t, l).client.PTTL(t.Context(), key).Val() > 0
		}
	}
	for key, yes := range ends {
		if yes {
			all[key+" ends"] = "yes"
		}
	}
	return all
}

// same compares what was dumped before and after.
func same(t *testing.T, before, after map[string]string) {
	t.Helper()
	for _, all := range []map[string]string{before, after} {
		for name := range all {
			if before[name] != after[name] {
				t.Errorf("%q is changed", name)
			}
		}
	}
}

// withoutRight runs do while the service may not use a command of Redis.
func withoutRight(t *testing.T, server *redistest.Instance, command string, do func()) {
	t.Helper()
	for _, rule := range []string{"-", "+"} {
		if err := server.Client().ACLSetUser(t.Context(), "amends", rule+command).Err(); err != nil {
			t.Fatal(err)
		}
		if rule == "-" {
			do()
		}
	}
}

// A permission is lost while the service runs: what needs it changes nothing of a
// customer, and is done as a whole when it is asked for again with the permission
// given back.
func TestALostRightChangesNothing(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t, redistest.WithRefusals())
	for how, l := range map[string]*Ledger{"guessed": openAt(t, server.URL()), "read": openAt(t, server.URL(), forgetful)} {
		for _, step := range []struct {
			name   string
			before []Judge
			judge  Judge
			needs  string
		}{
			{"the first report", nil, opens, "hset xadd zadd persist"},
			{"a first praise", nil, count, "hset pexpire"},
			{"a report after a praise", []Judge{count}, opens, "hset xadd zadd persist"},
			{"a second report", []Judge{opens}, opens, "hset xadd zadd"},
			{"the end of a case", []Judge{opens}, closes, "hset xadd zrem pexpire"},
			{"a case that is opened again", []Judge{opens, closes}, reopens, "hset xadd zadd hdel persist"},
		} {
			for command := range strings.FieldsSeq(step.needs) {
				t.Run(how+"/"+step.name+"/"+command, func(t *testing.T) {
					name := strings.ReplaceAll(t.Name(), "/", " ")
					for i, judge := range step.before {
						mustUpdate(t, l, one(l, name, fmt.Sprint("before ", i)), judge)
					}
					w := one(l, name, "a")
					w.Case = 1
					before := withLifetimes(t, l)
					withoutRight(t, server, command, func() {
						if _, err := l.Update(context.Background(), w, step.judge); !errors.Is(err, ErrBroken) {
							t.Errorf("got %v", err)
						}
					})
					after, n := withLifetimes(t, l), mustNames(t, l, w.Key)
					for _, all := range []map[string]string{before, after} {
						maps.DeleteFunc(all, func(name, _ string) bool { // what is written before the customer
							return command == "hset" && strings.HasPrefix(name, n.events)
						})
					}
					same(t, before, after)
					if r := mustUpdate(t, l, w, step.judge); r.Replayed {
						t.Error("the refused request counts as carried out")
					}
					whole := withLifetimes(t, l)
					again := one(l, name+" again", "a")
					for i, judge := range step.before {
						mustUpdate(t, l, one(l, name+" again", fmt.Sprint("before ", i)), judge)
					}
					again.Case = 1
					mustUpdate(t, l, again, step.judge)
					if got, want := of(whole, w.Key), of(withLifetimes(t, l), again.Key); !maps.Equal(got, want) {
						t.Errorf("it was done in part:\n%v\n%v", got, want)
					}
				})
			}
		}
	}
}

// of gives the names of what there is of one customer, but for the key.
func of(all map[string]string, key Key) map[string]bool {
	out := map[string]bool{}
	for name := range all {
		place, rest, _ := strings.Cut(name, string(key))
		_, kind, _ := strings.Cut(place, "}:")
		if strings.Contains(name, string(key)) && !strings.HasPrefix(rest, " r:") {
			out[kind+rest] = true
		}
	}
	return out
}

// The same of a budget: what is booked and the total of the day are right together.
func TestALostRightBooksNothing(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t, redistest.WithRefusals())
	l := openAt(t, server.URL())
	day := time.Now()
	for _, command := range []string{"hset", "hincrby", "zadd", "pexpire", "zrem", "hdel"} {
		t.Run(command, func(t *testing.T) {
			b := Booking{Tenant: command, Currency: "USD", Day: day, CaseID: CaseID(l.Key(command, "c"), 1), Name: BookingName(day, "a")}
			check := func(what string, want int64) {
				t.Helper()
				total := l.client.HGet(t.Context(), b.dayKey(), totalField(b.Currency)).Val()
				if total != fmt.Sprint(want) && (total != "" || want != 0) {
					t.Errorf("%s: the total is %q, want %d", what, total, want)
				}
				_, waits := dump(t, l)[budgetNames.customer+" "+b.member()]
				if waits != (want > 0) {
					t.Errorf("%s: is to be looked at again: %t", what, waits)
				}
			}
			withoutRight(t, server, command, func() {
				if _, err := l.Book(t.Context(), b, "", 500, 10_000, day.Add(time.Hour)); err != nil {
					check("refused", 0)
				}
			})
			for range 2 {
				if granted, err := l.Book(t.Context(), b, "", 500, 10_000, day.Add(time.Hour)); err != nil || granted != 500 {
					t.Fatal(granted, err)
				}
			}
			check("booked", 500)
			withoutRight(t, server, command, func() { _ = l.SettleBooking(t.Context(), b, 300, day.Add(time.Hour)) })
			if err := l.SettleBooking(t.Context(), b, 300, day.Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			check("settled", 300)
			withoutRight(t, server, command, func() { _ = l.ReturnBooking(t.Context(), b) })
			if err := l.ReturnBooking(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			check("returned", 0)
		})
	}
}

// The same of an erasure.
func TestALostRightErasesNothing(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t, redistest.WithRefusals())
	l := openAt(t, server.URL())
	for _, command := range []string{"unlink", "hset", "pexpire", "zrem", "xdel", "zadd", "zremrangebyscore", "zremrangebyrank"} {
		t.Run(command, func(t *testing.T) {
			w := one(l, command, "a")
			mustUpdate(t, l, w, opens)
			before := withLifetimes(t, l)
			withoutRight(t, server, command, func() {
				if _, err := l.Erase(t.Context(), "shop", w.Key, time.Hour); !errors.Is(err, ErrBroken) {
					t.Errorf("got %v", err)
				}
			})
			same(t, before, withLifetimes(t, l))
			erased, err := l.Erase(t.Context(), "shop", w.Key, time.Hour)
			if err != nil || erased.Cases != 1 || erased.Events != 1 || erased.Until.IsZero() {
				t.Errorf("erased: %+v, %v", erased, err)
			}
			if left := of(withLifetimes(t, l), w.Key); len(left) != 2 { // the tombstone, and that it ends
				t.Errorf("left: %v", left)
			}
		})
	}
}
