package recovery_test

import (
	"fmt"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/recovery"
)

// BenchmarkDecide judges a third failure of a steady customer with the whole
// default policy: what the hot path does once a call.
func BenchmarkDecide(b *testing.B) {
	c := recovery.Customer{Positives: 6, PositivesAt: noon, Orders: 24, LastActivity: noon}
	for i := range 3 {
		c.Failures = append(c.Failures, recovery.Past{
			Case: int64(i + 1), At: noon.Add(-time.Duration(i+1) * 14 * day), Kinds: recovery.Kinds(recovery.Late), Severity: 0.6,
		})
	}
	e := complaint(kinds(recovery.Late, recovery.Quality), rejected(18_00))
	k := recovery.Case{Number: 4, Failure: e.Failure}
	b.ReportAllocs()
	for b.Loop() {
		recovery.Decide(rules.Active, &c, &k, noon)
	}
}

// BenchmarkReport takes a failure in from start to end, of customers who have
// reported as many before.
func BenchmarkReport(b *testing.B) {
	for _, before := range []int{0, 1, 4, 16} {
		var c recovery.Customer
		for i := range before {
			e := complaint(kinds(recovery.Quality), rejected(18_00), order(strconv.Itoa(i)), at(noon.Add(time.Duration(i-before)*time.Hour)))
			var err error
			if c, _, err = recovery.Report(c, e, rules, noon); err != nil {
				b.Fatal(err)
			}
		}
		e := complaint(kinds(recovery.Late, recovery.Quality), rejected(18_00), order("new"))
		b.Run(fmt.Sprint("before=", before), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := recovery.Report(c, e, rules, noon); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// FuzzDecide tries any numbers that the contract lets in, and times of any age.
func FuzzDecide(f *testing.F) {
	f.Add(uint32(2), int64(0), int64(1800), int64(1800), int64(0), uint8(1), uint8(1), 1.5, 0.5, int64(0))
	f.Add(uint32(1<<19), int64(1e15), int64(1<<40), int64(0), int64(1<<40), uint8(3), uint8(4), 1e9, 1.0, int64(1e17))
	f.Fuzz(func(t *testing.T, ks uint32, delay, value, loss, entitlement int64, voice, motive uint8, positives, stated float64, ago int64) {
		const most = 1_000_000_000_000_00
		inRange := func(x int64) int64 { return max(0, min(x, most)) }
		e := complaint(at(noon.Add(-time.Duration(max(ago, 0)))))
		e.Kinds = recovery.KindSet(ks<<1) & (1<<20 - 2)
		if e.Kinds == 0 || math.IsNaN(positives) || math.IsNaN(stated) {
			t.Skip()
		}
		e.Delay = time.Duration(max(delay, 0))
		e.Currency, e.Value, e.Loss, e.Entitlement = "USD", inRange(value), inRange(loss), inRange(entitlement)
		e.Voice = recovery.Voice(voice%3 + 1)
		e.Attribution.Motive = recovery.Motive(motive % 5)
		if stated >= 0 && stated <= 1 {
			e.Stated = &stated
		}
		c := recovery.Customer{Positives: max(0, min(positives, 1e12)), PositivesAt: noon}
		c, k, err := recovery.Report(c, e, rules, noon)
		if err != nil {
			t.Fatal(err)
		}
		checkDecision(t, k.Failure, recovery.Decide(rules.Active, &c, &k, noon))
	})
}
