package bench

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/makeamends/amends/internal/bench/turns"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// Background is what a service does by itself.
var Background = Part{Name: "background", About: "what sweeper and watch cost, when nobody calls and under load",
	Long: true, Own: true, Lasts: func(r *Run) time.Duration { return preparing + time.Duration(6*r.Rounds)*(r.Slice+leadTime) }, Run: background}

const (
	backgroundRate = 500                    // reports a second of the load
	leadTime       = 500 * time.Millisecond // until a watch has begun
	// seldom is so rarely that what is due is not looked for while it is measured.
	seldom = 24 * time.Hour
)

// backgroundWays are how the services that are compared are run.
var backgroundWays = []struct {
	name, about string
	sweep       time.Duration
	watched     bool
}{
	{"neither", "neither", seldom, false},
	{"look", "the look for what is due", 0, false},
	{"watch", "the look, and one watch", 0, true},
}

func background(ctx context.Context, r *Run) (s Section, err error) {
	s.Title = "What goes on by itself"
	setups := make([]*setup, len(backgroundWays))
	for i, way := range backgroundWays {
		of, stop, err := r.alone(ctx, way.sweep)
		defer stop()
		if err != nil {
			return s, err
		}
		of.about = way.about
		setups[i] = of
	}
	idle, busy, events := make([]samples, len(setups)), make([]samples, len(setups)), make([][]float64, len(setups))
	for round := range r.Rounds {
		for n := range turns.InRound(round, len(setups)) {
			way := backgroundWays[n]
			r.say("what goes on by itself: "+way.about, round+1, r.Rounds)
			err := followed(ctx, setups[n].service, way.watched, func(heard *atomic.Int64) error {
				quiet, _, err := setups[n].spend(ctx, func() *outcome { return rest(ctx, max(time.Second, r.Slice)) })
				if err != nil {
					return err
				}
				before := heard.Load()
				loaded, _, err := setups[n].take(ctx, func() *outcome {
					return open(ctx, backgroundRate, r.Slice, r.reporting(setups[n].service.target))
				})
				idle[n], busy[n] = append(idle[n], quiet), append(busy[n], loaded)
				events[n] = append(events[n], float64(heard.Load()-before)/r.Slice.Seconds())
				return err
			})
			if err != nil {
				return s, err
			}
		}
	}
	backgroundFigures(&s, idle, busy, events)
	return s, nil
}

// followed does something, while one watch follows all cases if it is to be watched.
func followed(ctx context.Context, s *service, watched bool, do func(heard *atomic.Int64) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var heard atomic.Int64
	if watched {
		stream, err := recoveryv1.NewRecoveryServiceClient(s.conn()).WatchCases(ctx, recoveryv1.WatchCasesRequest_builder{}.Build())
		if err != nil {
			return err
		}
		go func() {
			for _, err := stream.Recv(); err == nil; _, err = stream.Recv() {
				heard.Add(1)
			}
		}()
	}
	rest(ctx, leadTime)
	return do(&heard)
}

func backgroundFigures(s *Section, idle, busy []samples, events [][]float64) {
	share := func(d time.Duration, s sample) float64 { return 100 * d.Seconds() / s.took.Seconds() }
	service, redis := func(s sample) float64 { return share(s.cpu, s) }, func(s sample) float64 { return share(s.redis.cpu, s) }
	for _, load := range []struct {
		name, title string
		all         []samples
	}{
		{"idle", "When nobody calls", idle},
		{"busy", fmt.Sprintf("With %d reports a second (open loop)", backgroundRate), busy},
	} {
		t := Table{Title: load.title + "; processors are shares of one", Columns: []string{"what goes on by itself", "service, %", "Redis, %", "commands/s", "round trips/s", "events to the watch/s", "p50 ms", "p99"}}
		server, store := make([]Figure, len(backgroundWays)), make([]Figure, len(backgroundWays))
		for i, way := range backgroundWays {
			all, name := load.all[i], "background."+load.name+"."+way.name
			server[i] = all.each(name+".cpu", "processor time of the service, "+way.about, "%", service)
			store[i] = all.each(name+".redis.cpu", "processor time of Redis, "+way.about, "%", redis)
			commands := all.each("", "", "", func(s sample) float64 { return s.redis.commands / s.took.Seconds() })
			trips := all.each("", "", "", func(s sample) float64 { return s.redis.reads / s.took.Seconds() })
			s.Figures = append(s.Figures, tabled(server[i], store[i])...)
			row := []string{way.about, server[i].String(), store[i].String(), Number(commands.Value), Number(trips.Value), "-", "-", "-"}
			if sum := all.together(); sum.done > 0 {
				row[6], row[7] = Number(sum.quantile(50)), Number(sum.quantile(99))
				if way.watched {
					row[5] = Number(Median(events[i]))
				}
			}
			t.Rows = append(t.Rows, row)
		}
		s.Tables = append(s.Tables, t)
		if load.name == "busy" {
			for i, way := range backgroundWays[1:] {
				s.Ratios = append(s.Ratios,
					NewRatio("background."+way.name+".cpu", fmt.Sprintf("processor time of the service at %d reports a second, %s : %s", backgroundRate, way.about, backgroundWays[i].about), server[i+1], server[i], Aim{}),
					NewRatio("background."+way.name+".redis", fmt.Sprintf("processor time of Redis at %d reports a second, %s : %s", backgroundRate, way.about, backgroundWays[i].about), store[i+1], store[i], Aim{}))
			}
		}
	}
	s.Notes = append(s.Notes, "Three services, each with a Redis of its own, take turns: one that looks for what is due once a day, one that does so every second, as is usual, in 256 buckets, and one that does, and whose events one watch follows, which are read every 150 ms. All of them write metrics and look after their store.")
}
