package ledger

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/redistest"
)

// typical is a customer with one open case and a short history.
func typical() recovery.Customer {
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	half := 0.5
	f := recovery.Failure{OccurredAt: at, ReceivedAt: at, Kinds: recovery.Kinds(recovery.Late, recovery.Quality), Delay: time.Hour,
		Currency: "USD", Value: 1800, Loss: 1800, Stated: &half, Voice: recovery.Private, Channel: recovery.Phone}
	k := recovery.Case{Number: 1, Order: "6yoATV_n3eO8Xse8dgDJbA", Policy: "6yoATV_n3eO8Xse8dgDJbA", State: recovery.Open, Revision: 1,
		OpenedAt: at, VoicedAt: at, Failure: f, Accounts: []recovery.Failure{f},
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
	k.Assessment = recovery.Assessment{At: at, Severity: .5, Risk: recovery.Risk{Ignored: .8, OnTime: .2, Late: .5, Band: recovery.High}}
	for code := recovery.ReasonSeverity; code <= recovery.ReasonGoodwill; code++ {
		k.Assessment.Reasons = append(k.Assessment.Reasons, recovery.Reason{Code: code, Contribution: .3})
	}
	k.Recommendation = recovery.Recommendation{Currency: "USD", Ratio: 1.2, Items: make([]recovery.Item, 4)}
	k.Recommendation.Apology.Include = 0b111111
	k.Recommendation.Apology.Avoid = 0b1111
	for m := recovery.Acknowledge; m <= recovery.FollowUp; m++ {
		k.Deadlines = append(k.Deadlines, recovery.Deadline{Milestone: m, DueAt: at, BoundBy: recovery.ByBand, Verdict: recovery.Pending})
	}
	k.History = []recovery.Transition{{At: at, Change: recovery.ChangeOpened}}
	return recovery.Customer{Cases: 4, Positives: 3, PositivesAt: at, Failures: make([]recovery.Past, 4), Orders: 9,
		Grants: []recovery.Grant{{Case: 1, At: at, Currency: "USD", Minor: 900}}, Open: []recovery.Case{k}}
}

// BenchmarkUpdate and BenchmarkTwoPings belong together: what an Update on a server
// costs beside two round trips is the work around them.
func BenchmarkUpdate(b *testing.B) {
	answer := make([]byte, 1500)
	judge := func(c recovery.Customer, fresh []int) (Judgement, error) {
		c = typical()
		c.Open[0].Fresh = c.Open[0].History
		return Judgement{Customer: c, Answers: [][]byte{answer}, Due: time.Now()}, nil
	}
	var n atomic.Int64
	caller := func(l *Ledger) func(*testing.B) {
		return func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				i := n.Add(1)
				mustUpdate(b, l, one(l, fmt.Sprint("customer ", i%1000), fmt.Sprint("request ", i)), judge)
			}
		}
	}
	b.Run("embedded/one caller", caller(openAt(b, Embedded)))
	l := openAt(b, redistest.Server(b).URL())
	b.Run("server/one caller", caller(l))
	b.Run("server/parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				i := n.Add(1)
				mustUpdate(b, l, one(l, fmt.Sprint("customer ", rand.N(100_000)), fmt.Sprint("request ", i)), judge)
			}
		})
	})
}

func BenchmarkTwoPings(b *testing.B) {
	l := openAt(b, redistest.Server(b).URL())
	pings := func() {
		_ = l.client.Ping(context.Background())
		_ = l.client.Ping(context.Background())
	}
	b.Run("one caller", func(b *testing.B) {
		for b.Loop() {
			pings()
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				pings()
			}
		})
	})
}

// BenchmarkCodec writes and reads customers with a history as long as said: open
// cases, and what is remembered and promised.
func BenchmarkCodec(b *testing.B) {
	for _, history := range []int{0, 1, 4} {
		s := state{tenant: "shop", customer: lasting(history)}
		body, err := s.encode()
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint("encode/cases=", history), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = s.encode()
			}
			b.ReportMetric(float64(len(body)), "bytes")
		})
		b.Run(fmt.Sprint("decode/cases=", history), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = decodeState(string(body))
			}
		})
	}
}

// lasting is a customer with that many open cases, each like the typical one.
func lasting(cases int) recovery.Customer {
	c := typical()
	one := c.Open[0]
	c.Failures, c.Open = nil, nil
	for range cases {
		c.Open = append(c.Open, one)
		c.Failures = append(c.Failures, recovery.Past{At: one.OpenedAt, Severity: .5}, recovery.Past{At: one.OpenedAt, Severity: .4})
	}
	return c
}

// BenchmarkGuess compares, by turns, changes that are guessed with changes that are
// read first, in processor time of this process and of Redis: of customers who are
// known, of strangers, and of those whom another process has changed, so that every
// guess is wrong.
func BenchmarkGuess(b *testing.B) {
	server := redistest.Server(b)
	var n atomic.Int64
	change := func(l *Ledger, customer string) {
		mustUpdate(b, l, one(l, customer, fmt.Sprint("request ", n.Add(1))), typically)
	}
	elsewhere := openAt(b, server.URL(), forgetful)
	for name, before := range map[string]func(l *Ledger, customer string){
		"known":           change,
		"stranger":        func(*Ledger, string) {},
		"known, wrong":    func(l *Ledger, customer string) { change(l, customer); change(elsewhere, customer) },
		"stranger, wrong": func(_ *Ledger, customer string) { change(elsewhere, customer) },
	} {
		b.Run(name, func(b *testing.B) {
			sides := []side{{ledger: openAt(b, server.URL(), forgetful)}, {ledger: openAt(b, server.URL())}}
			for b.Loop() {
				for i := range sides {
					l, first := sides[i].ledger, n.Add(1)*batch
					customer := func(i int64) string { return fmt.Sprint("customer ", first+i) }
					for i := range int64(batch) {
						before(l, customer(i))
					}
					sides[i].measure(server, 32, func(i int64) {
						l.guesses.known.wrong.Store(0) // so that it goes on guessing
						l.guesses.strangers.wrong.Store(0)
						change(l, customer(i))
					})
				}
			}
			for i, name := range []string{"read", "guess"} {
				b.ReportMetric(median(sides[i].own), name+"-µs")
				b.ReportMetric(median(sides[i].redis), name+"-redis-µs")
			}
		})
	}
}

// BenchmarkSharedConnections compares, by turns, commits on connections of the pool
// with commits that share connections by what the driver has for that.
func BenchmarkSharedConnections(b *testing.B) {
	server := redistest.Server(b)
	l := openAt(b, server.URL())
	shared := func(fullDuplex bool) processor {
		client := redis.NewClient(l.serverOptions(server.Addr()))
		b.Cleanup(func() { _ = client.Close() })
		options := redis.DefaultBlockingAutoPipelineOptions()
		options.FullDuplex = fullDuplex
		pipe, err := client.AutoPipelineWithOptions(options)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = pipe.Close() })
		return pipe
	}
	half, full := shared(false), shared(true)
	var n atomic.Int64
	for _, lanes := range []int{1, 8, 16, 32, 64, 256} {
		b.Run(fmt.Sprint(lanes), func(b *testing.B) {
			sides := make([]side, 3)
			for b.Loop() {
				for i, on := range []processor{l.client, half, full} {
					sides[i].measure(server, lanes, func(int64) { commitStranger(b, l, on, fmt.Sprint("stranger ", n.Add(1))) })
				}
			}
			for i, name := range []string{"half", "full"} {
				b.ReportMetric(100*median(sides[i+1].own)/median(sides[0].own), name+"-%")
				b.ReportMetric(100*median(sides[i+1].redis)/median(sides[0].redis), name+"-redis-%")
			}
		})
	}
}

// processor is whatever sends a command and returns when it is answered.
type processor interface {
	Process(ctx context.Context, command redis.Cmder) error
}

// commitStranger sends a commit.
func commitStranger(b *testing.B, l *Ledger, on processor, customer string) {
	w := one(l, customer, "request")
	u := &update{ledger: l, write: w, names: mustNames(b, l, w.Key), requests: l.requests(w.Requests), fresh: []int{0}}
	j, _ := typically(recovery.Customer{}, nil)
	c, err := u.change(&loaded{}, j)
	if err != nil {
		b.Fatal(err)
	}
	send := func(command redis.Cmder) { _ = on.Process(b.Context(), command) } // the command keeps the error
	keys := []string{u.names.customer, u.names.due, u.names.events, c.open}
	if err := l.commit.run(b.Context(), send, keys, c.head(), c.pairs, c.drops, c.lists, c.listed, c.unlisted, c.events).Err(); err != nil {
		b.Error(err)
	}
}

// typically is a judge that opens a typical case.
func typically(recovery.Customer, []int) (Judgement, error) {
	c := typical()
	c.Open[0].Fresh = c.Open[0].History
	return Judgement{Customer: c, Answers: [][]byte{make([]byte, 1500)}, Due: time.Now()}, nil
}

// side is one of those that are compared, and what a change has cost each time.
type side struct {
	ledger     *Ledger
	own, redis []float64 // µs
}

const batch = 320 // what is done between two looks at the clocks

// measure has something done for each number of a batch, lanes at a time.
func (s *side) measure(server *redistest.Instance, lanes int, do func(int64)) {
	own, redis := spent(), redisSpent(server)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range lanes {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < batch; i = next.Add(1) - 1 {
				do(i)
			}
		})
	}
	wg.Wait()
	s.own = append(s.own, (spent()-own).Seconds()*1e6/batch)
	s.redis = append(s.redis, (redisSpent(server)-redis).Seconds()*1e6/batch)
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// spent is the processor time of this process.
func spent() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// redisSpent is that of a Redis.
func redisSpent(server *redistest.Instance) time.Duration {
	facts := parseInfo(server.Client().Info(context.Background(), "cpu").Val())
	user, _ := strconv.ParseFloat(facts["used_cpu_user"], 64)
	sys, _ := strconv.ParseFloat(facts["used_cpu_sys"], 64)
	return time.Duration((user + sys) * 1e9)
}
