package bench

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/makeamends/amends/internal/bench/turns"
	"github.com/makeamends/amends/internal/redisproc"
)

// Cluster is what a Redis Cluster costs beside one server.
var Cluster = Part{Name: "cluster", About: "a Redis Cluster beside one Redis: calls, spread, replicas, when nobody calls",
	Long: true, Own: true, Lasts: func(r *Run) time.Duration { return preparing + time.Duration(4*r.Rounds+8)*r.Slice }, Run: onCluster}

// aimCluster is less than 1, since three servers take more of the same processors than one.
var aimCluster = Aim{Least: 0.8}

const shards = 3

// topology is one of those that are compared.
type topology struct {
	*setup
	name   string
	first  int // number of the first of its customers
	all    samples
	shares []float64 // of the busiest shard, round by round, the mean is 1
	copies []float64 // processor time of the replicas, µs a call
}

func onCluster(ctx context.Context, r *Run) (s Section, err error) {
	s.Title = "A Redis Cluster beside one Redis"
	topologies, stop, err := r.topologies(ctx)
	defer stop()
	if err != nil {
		return s, err
	}
	single, masters, replicas, waiting := topologies[0], topologies[1], topologies[2], topologies[3]
	idle := Table{Title: "When nobody calls: the look for what is due (every second) and the watch (every 150 ms), 256 buckets",
		Columns: []string{"store", "watches", "commands/s", "round trips/s", "Redis, % of a processor", "service, % of a processor"}}
	for _, of := range []*topology{single, masters} {
		for _, watched := range []bool{false, true} {
			row, err := r.idle(ctx, of.setup, watched)
			if err != nil {
				return s, err
			}
			idle.Rows = append(idle.Rows, row)
		}
	}
	s.Tables = append(s.Tables, idle)
	for _, of := range topologies {
		if err := r.acquaint(ctx, of.service.target, of.first, r.Customers); err != nil {
			return s, err
		}
	}
	for round := range r.Rounds {
		for i := range turns.InRound(round, len(topologies)) {
			of := topologies[i]
			r.say("reports, "+of.about, round+1, r.Rounds)
			if err := r.turn(ctx, of); err != nil {
				r.clusterFigures(&s, topologies)
				return s, err
			}
		}
	}
	r.clusterFigures(&s, topologies)
	rate, p50 := map[*topology]Figure{}, map[*topology]Figure{}
	for _, of := range topologies {
		rate[of] = of.all.each("", "", "", sample.rate)
		p50[of] = of.all.each("", "", "", sample.p50)
	}
	s.Ratios = append(s.Ratios,
		NewRatio("cluster.throughput", "calls a second, three masters : one Redis", rate[masters], rate[single], aimCluster),
		NewRatio("cluster.replicated.throughput", "calls a second, three masters and three replicas : one Redis without any", rate[replicas], rate[single], aimCluster),
		NewRatio("cluster.wait.throughput", "calls a second, --redis-wait=1 : the same cluster without", rate[waiting], rate[replicas], Aim{}),
		NewRatio("cluster.wait.p50", "time of a call (p50), --redis-wait=1 : the same cluster without", p50[waiting], p50[replicas], Aim{}),
		Ratio{NewFigure("cluster.spread", "commits of the busiest of three shards, their mean is 1", "×", masters.shares...), Aim{Most: 1.15}},
	)
	s.Notes = append(s.Notes, fmt.Sprintf("Callers (%d), the service and every Redis share %d processors, so each further Redis takes from the same: "+
		"on machines of their own, shards and replicas would add to what can be done. No Redis of these writes to the disk. "+
		"The last two have one store, so two services look for what is due there; round trips count those of the replicas' confirmations.", r.Callers, ThisMachine("").Processors))
	return s, nil
}

// topologies starts the stores and services; stop ends what was started.
func (r *Run) topologies(ctx context.Context) (all []*topology, stop func(), err error) {
	var ends []func()
	stop = func() {
		for _, end := range ends {
			defer end()
		}
	}
	r.say("starting the stores", 0, 0)
	one, err := redisproc.Start(ctx, redisproc.Config{Settings: redisproc.InMemory()})
	if err != nil {
		return nil, stop, err
	}
	ends = append(ends, one.Stop)
	var clusters []*redisproc.Cluster
	for replicas := range 2 {
		c, err := redisproc.StartCluster(ctx, redisproc.ClusterConfig{Masters: shards, Replicas: replicas, Settings: redisproc.InMemory()})
		if err != nil {
			return nil, stop, err
		}
		ends = append(ends, c.Stop)
		clusters = append(clusters, c)
	}
	bare, full := clusters[0], clusters[1]
	copies := full.Servers()[shards:]
	for _, of := range []struct {
		name, url, wait string
		setup           setup
	}{
		{"single", one.URL(), "0", setup{about: "one Redis", masters: []*redisproc.Server{one}}},
		{"masters", bare.URL(), "0", setup{about: "three masters", masters: bare.Masters()}},
		{"replicas", full.URL(), "0", setup{about: "three masters, three replicas", masters: full.Masters(), replicas: copies}},
		{"wait", full.URL(), "1", setup{about: "the same with --redis-wait=1", masters: full.Masters(), replicas: copies}},
	} {
		if of.setup.service, err = r.startService(ctx, of.url, "--redis-wait="+of.wait); err != nil {
			return nil, stop, err
		}
		ends = append(ends, of.setup.service.end)
		all = append(all, &topology{name: of.name, first: len(all) * r.Customers, setup: &of.setup}) // of which two have one store
	}
	return all, stop, nil
}

// turn measures one turn of one of them.
func (r *Run) turn(ctx context.Context, of *topology) error {
	s, did, err := of.take(ctx, func() *outcome {
		return closed(ctx, r.Callers, r.Slice, func(ctx context.Context) (int, error) {
			return of.service.call(ctx, r.work.report(r.work.knownFrom(of.first)))
		})
	})
	if err != nil {
		return err
	}
	most, sum := 0.0, 0.0
	for _, master := range did.masters {
		commits := master.byName["evalsha"]
		most, sum = max(most, commits), sum+commits
	}
	of.all = append(of.all, s)
	of.shares = append(of.shares, most*float64(len(of.masters))/sum)
	of.copies = append(of.copies, micros(did.replicas)/float64(s.done))
	return nil
}

// idle measures what goes on while nobody calls.
func (r *Run) idle(ctx context.Context, of *setup, watched bool) (row []string, err error) {
	r.say("nobody calls, "+of.about, 0, 0)
	err = followed(ctx, of.service, watched, func(*atomic.Int64) error {
		s, _, err := of.spend(ctx, func() *outcome { return rest(ctx, max(time.Second, 2*r.Slice)) })
		if err != nil {
			return err
		}
		watches := "0"
		if watched {
			watches = "1"
		}
		seconds := s.took.Seconds()
		percent := func(d time.Duration) string { return fmt.Sprintf("%.2f", 100*d.Seconds()/seconds) }
		row = []string{of.about, watches, Number(s.redis.commands / seconds), Number(s.redis.reads / seconds), percent(s.redis.cpu), percent(s.cpu)}
		return ctx.Err()
	})
	return row, err
}

// clusterFigures tells of the rounds.
func (r *Run) clusterFigures(s *Section, topologies []*topology) {
	t := Table{Columns: []string{fmt.Sprintf("closed loop of %d callers", r.Callers), "calls/s", "server µs/call", "masters µs/call", "replicas µs/call", "trips/call",
		"looks for what is due/s", "p50 ms", "p90", "p99", "p99.9", "max", "refused"}}
	for _, of := range topologies {
		if len(of.all) == 0 {
			continue
		}
		rate := of.all.each("cluster."+of.name+".rate", "calls a second, "+of.about, "/s", sample.rate)
		cpu := of.all.perCall("cluster."+of.name+".cpu", "processor time of the service, "+of.about, "µs/call", sample.serverCPU)
		redis := of.all.perCall("cluster."+of.name+".redis.cpu", "processor time of the masters, "+of.about, "µs/call", sample.redisCPU)
		trips := of.all.perCall("cluster."+of.name+".trips", "round trips to Redis, "+of.about, "/call", sample.trips)
		looks := of.all.each("", "", "", func(s sample) float64 { return s.redis.byName["zrange"] / s.took.Seconds() })
		s.Figures = append(s.Figures, rate, cpu, redis, trips)
		t.Rows = append(t.Rows, append([]string{of.about, Number(rate.Value), Number(cpu.Value), Number(redis.Value), Number(Median(of.copies)), Number(trips.Value), Number(looks.Value)},
			percentiles(of.all.together())...))
	}
	s.Tables = append(s.Tables, t)
}
