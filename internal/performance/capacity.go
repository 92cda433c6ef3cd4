package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/makeamends/amends/internal/bench"
	"github.com/makeamends/amends/internal/ledger"
)

// What is assumed of a business, and of how it runs the service. Whoever knows
// better puts in other numbers: the page shows the arithmetic.
const (
	ordersAMonth   = 2.0    // of a customer, each a good experience unless it fails
	failedShare    = 0.04   // of the orders
	stepsOfCase    = 4.0    // acknowledge, contact, resolve, follow up; each counted as a report
	years          = 3.0    // for which a customer has come back
	peak           = 10.0   // busiest second, compared with the average one
	busy           = 0.5    // of a processor at the peak
	memoryOfShard  = 16.0   // GiB
	fragments      = 1.25   // memory of a Redis process, compared with what it holds
	secondsOfMonth = 2.63e6 // 30.4 days
	walk           = 0.25   // of a processor, for the walk that mends the indexes
	walkOfMillion  = 5.0    // minutes of that walk for a million customers with an open case
	leastMasters   = 3.0    // of a Redis Cluster
)

// capacity is what a number of customers needs.
type capacity struct {
	Date    string
	Inputs  bench.Table
	Assumed bench.Table
	Lines   bench.Table
}

// cases are the figures of what a customer with an open case takes: with other
// histories, of which the one that takes most counts.
var cases = []string{"size.case", "size.friend", "customer"}

// What plan works out before the lines.
const (
	memoryOfCase   = "case"    // what the largest of cases takes, in bytes
	clusterService = "service" // the work of the service with a cluster, and of Redis,
	clusterRedis   = "redis"   // compared with one Redis
)

// measured are the figures that count beside memoryOfCase.
var measured = []string{"service.cpu", "service.redis.cpu", "batches.cpu", "batches.redis.cpu", durable, memoryOfClosed}

const (
	durable        = "size.file.always" // what the append-only file of deploy/redis adds to the work of Redis
	memoryOfClosed = "size.closed"
)

// plan works out what is needed from what was measured.
func plan(report bench.Report) (capacity, error) {
	found := map[string]bench.Figure{}
	for _, s := range report.Sections {
		for _, f := range s.Figures {
			found[f.Name] = f
		}
		for _, r := range s.Ratios {
			found[r.Name] = r.Figure
		}
	}
	found[memoryOfCase] = found[slices.MaxFunc(cases, func(a, b string) int { return cmp.Compare(found[a].Value, found[b].Value) })]
	for _, of := range []struct{ name, about, figure string }{
		{clusterService, "processor time of the server a call, three masters with replicas and --redis-wait=1 : one Redis", "cpu"},
		{clusterRedis, "processor time of the masters a call, likewise", "redis.cpu"},
	} {
		found[of.name] = bench.NewRatio(of.name, of.about, found["cluster.wait."+of.figure], found["cluster.single."+of.figure], bench.Aim{}).Figure
	}
	c := capacity{Date: report.Began.Format("2006-01-02"), Inputs: bench.Table{Columns: []string{"measured", "value"}}}
	value := map[string]float64{}
	for _, name := range slices.Concat(measured, []string{clusterService, clusterRedis, memoryOfCase}) {
		f := found[name]
		if f.Value <= 0 {
			return c, fmt.Errorf("nothing is known of %s", name)
		}
		value[name] = f.Value
		c.Inputs.Rows = append(c.Inputs.Rows, []string{f.About, bench.With(f.Value, f.Unit)})
	}
	c.Assumed = assumed()
	c.Lines = lines(value)
	return c, nil
}

func assumed() bench.Table {
	t := bench.Table{Columns: []string{"assumed", "value"}}
	for _, row := range []struct {
		what string
		is   float64
		unit string
	}{
		{"orders of a customer in a month, each recorded as a good experience", ordersAMonth, ""},
		{"of 100 orders, how many fail and are reported", 100 * failedShare, ""},
		{"steps of a case until it is closed, each counted as a report", stepsOfCase, ""},
		{"years for which each customer has come back", years, ""},
		{"the busiest second, compared with the average one", peak, "×"},
		{"how busy a processor may be then", 100 * busy, "%"},
		{"the walk that mends the indexes, in each process, at most", 100 * walk, "% of a processor"},
		{"the same walk among a million customers with an open case", walkOfMillion, "min"},
		{"memory of a Redis process, compared with what it holds", fragments, "×"},
		{"memory of a shard", memoryOfShard, "GiB"},
		{"seconds of a month", secondsOfMonth, ""},
	} {
		t.Rows = append(t.Rows, []string{row.what, bench.With(row.is, row.unit)})
	}
	return t
}

// lines is the arithmetic, one line a row, for each number of customers.
func lines(m map[string]float64) bench.Table {
	t := bench.Table{Columns: []string{"line", "how", "1 million", "10 million", "100 million", "1 billion"}}
	sizes := []float64{1e6, 1e7, 1e8, 1e9}
	all := make([]map[string]float64, len(sizes))
	for i, n := range sizes {
		all[i] = map[string]float64{"customers": n}
	}
	for _, line := range []struct {
		name, how string
		is        func(v map[string]float64) float64
	}{
		{"reports a second", fmt.Sprintf("customers × %g × %g ÷ %s × %g", ordersAMonth, failedShare, bench.Number(secondsOfMonth), peak),
			func(v map[string]float64) float64 {
				return v["customers"] * ordersAMonth * failedShare / secondsOfMonth * peak
			}},
		{"steps a second", fmt.Sprintf("reports × %g", stepsOfCase),
			func(v map[string]float64) float64 { return v["reports a second"] * stepsOfCase }},
		{"good experiences a second", fmt.Sprintf("customers × %g ÷ %s × %g", ordersAMonth, bench.Number(secondsOfMonth), peak),
			func(v map[string]float64) float64 { return v["customers"] * ordersAMonth / secondsOfMonth * peak }},
		{"calls a second at the peak", "reports + steps + good experiences",
			func(v map[string]float64) float64 {
				return v["reports a second"] + v["steps a second"] + v["good experiences a second"]
			}},
		{"processors of the service", fmt.Sprintf("(((reports + steps) × %s µs + good experiences × %s µs) × %s + %g) ÷ %g, rounded up", bench.Number(m["service.cpu"]), bench.Number(m["batches.cpu"]), bench.Number(m[clusterService]), walk, busy),
			func(v map[string]float64) float64 {
				return math.Ceil((((v["reports a second"]+v["steps a second"])*m["service.cpu"]+v["good experiences a second"]*m["batches.cpu"])/1e6*m[clusterService] + walk) / busy)
			}},
		{"processors of the service, if good experiences come one by one", fmt.Sprintf("((reports + steps + good experiences) × %s µs × %s + %g) ÷ %g at most, rounded up", bench.Number(m["service.cpu"]), bench.Number(m[clusterService]), walk, busy),
			func(v map[string]float64) float64 {
				return math.Ceil((v["calls a second at the peak"]*m["service.cpu"]/1e6*m[clusterService] + walk) / busy)
			}},
		{"hours of a walk over all customers", fmt.Sprintf("customers × %g min ÷ 1,000,000 ÷ 60, if all have an open case", walkOfMillion),
			func(v map[string]float64) float64 { return v["customers"] * walkOfMillion / 1e6 / 60 }},
		{"processors of Redis", fmt.Sprintf("((reports + steps) × %s µs + good experiences × %s µs) × %s × %s ÷ %g, rounded up", bench.Number(m["service.redis.cpu"]), bench.Number(m["batches.redis.cpu"]), bench.Number(m[durable]), bench.Number(m[clusterRedis]), busy),
			func(v map[string]float64) float64 {
				return math.Ceil(((v["reports a second"]+v["steps a second"])*m["service.redis.cpu"] + v["good experiences a second"]*m["batches.redis.cpu"]) / 1e6 * m[durable] * m[clusterRedis] / busy)
			}},
		{"processors of Redis, if good experiences come one by one", fmt.Sprintf("(reports + steps + good experiences) × %s µs × %s × %s ÷ %g at most, rounded up", bench.Number(m["service.redis.cpu"]), bench.Number(m[durable]), bench.Number(m[clusterRedis]), busy),
			func(v map[string]float64) float64 {
				return math.Ceil(v["calls a second at the peak"] * m["service.redis.cpu"] / 1e6 * m[durable] * m[clusterRedis] / busy)
			}},
		{"closed cases of a customer", fmt.Sprintf("%g years × 12 × %g × %g", years, ordersAMonth, failedShare),
			func(map[string]float64) float64 { return years * 12 * ordersAMonth * failedShare }},
		{"memory of a customer, B", fmt.Sprintf("%s B + closed cases × %s B", bench.Number(m[memoryOfCase]), bench.Number(m[memoryOfClosed])),
			func(v map[string]float64) float64 {
				return m[memoryOfCase] + v["closed cases of a customer"]*m[memoryOfClosed]
			}},
		{"memory of Redis, GiB", fmt.Sprintf("customers × memory of a customer × %g ÷ 2³⁰", fragments),
			func(v map[string]float64) float64 {
				return v["customers"] * v["memory of a customer, B"] * fragments / (1 << 30)
			}},
		{"buckets of a shard", fmt.Sprintf("%d × %g GiB ÷ memory of Redis, rounded down, %[1]d at most", ledger.DefaultBuckets, memoryOfShard),
			func(v map[string]float64) float64 {
				// One at least: a larger bucket needs a larger shard.
				return max(1, min(ledger.DefaultBuckets, math.Floor(ledger.DefaultBuckets*memoryOfShard/v["memory of Redis, GiB"])))
			}},
		{"shards", fmt.Sprintf("%d ÷ buckets of a shard, or processors of Redis, whichever is more, rounded up; %g where that is 2", ledger.DefaultBuckets, leastMasters),
			func(v map[string]float64) float64 {
				n := max(math.Ceil(ledger.DefaultBuckets/v["buckets of a shard"]), v["processors of Redis"])
				if n > 1 {
					n = max(n, leastMasters)
				}
				return n
			}},
		{"memory of the largest shard, GiB", fmt.Sprintf("memory of Redis ÷ %d × buckets of that shard, which are %[1]d ÷ shards, rounded up", ledger.DefaultBuckets),
			func(v map[string]float64) float64 {
				return v["memory of Redis, GiB"] / ledger.DefaultBuckets * math.Ceil(ledger.DefaultBuckets/min(v["shards"], ledger.DefaultBuckets))
			}},
		{"replicas", "one a shard", func(v map[string]float64) float64 { return v["shards"] }},
	} {
		row := []string{line.name, line.how}
		for _, v := range all {
			v[line.name] = line.is(v)
			row = append(row, bench.Number(v[line.name]))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
