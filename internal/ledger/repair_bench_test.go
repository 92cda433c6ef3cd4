package ledger

import (
	"fmt"
	"testing"

	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/redistest"
)

// BenchmarkRepair tells what a walk costs for one customer, in processor time of this
// process and of Redis: of customers with an open case, and of those without.
func BenchmarkRepair(b *testing.B) {
	const customers = 4000
	for name, judge := range map[string]Judge{
		"open": typically,
		"closed": func(recovery.Customer, []int) (Judgement, error) {
			return Judgement{Customer: recovery.Customer{Orders: 1}, Answers: [][]byte{nil}}, nil
		},
	} {
		b.Run(name, func(b *testing.B) {
			server := redistest.Server(b)
			l := openAt(b, server.URL())
			for i := range customers {
				mustUpdate(b, l, one(l, fmt.Sprint("customer ", i), "request"), judge)
			}
			var own, redis []float64
			for b.Loop() {
				before, beforeRedis := spent(), redisSpent(server)
				if _, err := l.Repair(b.Context(), soon, func(Key) {}); err != nil {
					b.Fatal(err)
				}
				own = append(own, (spent()-before).Seconds()*1e6/customers)
				redis = append(redis, (redisSpent(server)-beforeRedis).Seconds()*1e6/customers)
			}
			b.ReportMetric(median(own), "µs/customer")
			b.ReportMetric(median(redis), "redis-µs/customer")
		})
	}
}
