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

// BenchmarkUpdate and BenchmarkTwoPings belong together: an Update is two round
// trips and the work around them.
func BenchmarkUpdate(b *testing.B) {
	l := openAt(b, redistest.Server(b).URL())
	answer := make([]byte, 2000)
	judge := func(c recovery.Customer, fresh []int) (Judgement, error) {
		c = typical()
		c.Open[0].Fresh = c.Open[0].History
		return Judgement{Customer: c, Answers: [][]byte{answer}, Due: time.Now()}, nil
	}
	var n atomic.Int64
	b.Run("one caller", func(b *testing.B) {
		for b.Loop() {
			i := n.Add(1)
			mustUpdate(b, l, one(l, fmt.Sprint("customer ", i%1000), fmt.Sprint("request ", i)), judge)
		}
	})
	b.Run("parallel", func(b *testing.B) {
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

func BenchmarkCodec(b *testing.B) {
	s := state{tenant: "shop", customer: typical()}
	body, err := s.encode()
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = s.encode()
		}
		b.ReportMetric(float64(len(body)), "bytes")
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = decodeState(string(body))
		}
	})
}

// BenchmarkGuess compares, by turns, changes that are guessed with changes that are
// read first: of customers who are known, of strangers, and of those whom another
// process has changed since, so that every guess is wrong.
func BenchmarkGuess(b *testing.B) {
	server := redistest.Server(b)
	reads, elsewhere := openAt(b, server.URL(), forgetful), openAt(b, server.URL(), forgetful)
	answer := make([]byte, 1500)
	judge := func(c recovery.Customer, fresh []int) (Judgement, error) {
		c = typical()
		c.Open[0].Fresh = c.Open[0].History
		return Judgement{Customer: c, Answers: [][]byte{answer}, Due: time.Now()}, nil
	}
	var n atomic.Int64
	for name, before := range map[string]func(l *Ledger, customer string){
		"known":    func(l *Ledger, customer string) { mustUpdate(b, l, one(l, customer, fmt.Sprint(n.Add(1))), judge) },
		"stranger": func(*Ledger, string) {},
		"known wrong": func(l *Ledger, customer string) {
			mustUpdate(b, l, one(l, customer, fmt.Sprint(n.Add(1))), judge)
			mustUpdate(b, elsewhere, one(l, customer, fmt.Sprint(n.Add(1))), judge)
		},
		"stranger wrong": func(l *Ledger, customer string) {
			mustUpdate(b, elsewhere, one(l, customer, fmt.Sprint(n.Add(1))), judge)
		},
	} {
		b.Run(name, func(b *testing.B) {
			guesses := openAt(b, server.URL())
			const batch, lanes = 320, 32
			costs := map[*Ledger][2][]float64{}
			for b.Loop() {
				for _, l := range []*Ledger{reads, guesses} {
					first := n.Add(1) * batch
					for i := range int64(batch) {
						before(l, fmt.Sprint("customer ", first+i))
					}
					own, redis := spent(), redisSpent(server)
					var next atomic.Int64
					var wg sync.WaitGroup
					for range lanes {
						wg.Go(func() {
							for i := next.Add(1) - 1; i < batch; i = next.Add(1) - 1 {
								l.guesses.known.wrong.Store(0)
								l.guesses.strangers.wrong.Store(0)
								mustUpdate(b, l, one(l, fmt.Sprint("customer ", first+i), fmt.Sprint("request ", first+i)), judge)
							}
						})
					}
					wg.Wait()
					c := costs[l]
					costs[l] = [2][]float64{append(c[0], (spent()-own).Seconds()*1e6/batch), append(c[1], (redisSpent(server)-redis).Seconds()*1e6/batch)}
				}
			}
			med := func(x []float64) float64 { slices.Sort(x); return x[len(x)/2] }
			b.ReportMetric(med(costs[reads][0]), "read-µs")
			b.ReportMetric(med(costs[guesses][0]), "guess-µs")
			b.ReportMetric(med(costs[reads][1]), "read-redis-µs")
			b.ReportMetric(med(costs[guesses][1]), "guess-redis-µs")
		})
	}
}

func spent() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func redisSpent(server *redistest.Instance) time.Duration {
	facts := parseInfo(server.Client().Info(context.Background(), "cpu").Val())
	user, _ := strconv.ParseFloat(facts["used_cpu_user"], 64)
	sys, _ := strconv.ParseFloat(facts["used_cpu_sys"], 64)
	return time.Duration((user + sys) * 1e9)
}
