package sweep

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/policy"
	"github.com/makeamends/amends/internal/recovery"
)

// shards is a store of two servers. The sick one gives each change up after a
// while, as the ledger does, until it is well again. For somebody of the other one
// something is due every 700 ms.
type shards struct {
	shelf
	well   time.Time
	mu     sync.Mutex
	sick   map[ledger.Key]bool // customers of the sick server, with whom nobody has dealt
	last   time.Time           // when the last of them was dealt with
	tries  int                 // that came to nothing
	looks  int
	next   time.Time     // due at the healthy server
	late   time.Duration // the most that anybody there had to wait
	served int
}

const (
	takes = 1300 * time.Millisecond // a change that the sick server does not confirm
	apart = 700 * time.Millisecond
)

func (s *shards) Server(_ context.Context, key ledger.Key) string {
	server, _, _ := strings.Cut(string(key), " ")
	return server
}

func (s *shards) Due(_ context.Context, now time.Time, _ int, aside map[ledger.Due]bool) (list []ledger.Due, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looks++
	for key := range s.sick {
		if d := (ledger.Due{Key: key, At: s.began}); !aside[d] {
			list = append(list, d)
		}
	}
	if d := (ledger.Due{Key: "healthy", At: s.next}); !now.Before(d.At) {
		list = append(list, d)
	}
	return list, nil
}

func (s *shards) Update(_ context.Context, w ledger.Write, _ ledger.Judge) ([]ledger.Result, error) {
	sick := strings.HasPrefix(string(w.Key), "sick")
	if now := time.Now(); sick && now.Before(s.well) {
		time.Sleep(min(takes, s.well.Sub(now)))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch now := time.Now(); {
	case sick && now.Before(s.well):
		s.tries++
		return nil, &ledger.Unavailable{Unknown: true}
	case sick:
		delete(s.sick, w.Key)
		s.last = now
	default:
		s.late = max(s.late, now.Sub(s.next))
		s.next = s.next.Add(apart)
		s.served++
	}
	return make([]ledger.Result, 1), nil
}

// A server that cannot take changes delays nobody but its own customers, and them
// not for long after it can. It is not asked all the time, and the log has two lines.
func TestASickShardHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := &shards{shelf: shelf{began: start}, well: start.Add(time.Minute), sick: map[ledger.Key]bool{}, next: start.Add(1500 * time.Millisecond)}
		for i := range 1000 {
			s.sick[ledger.Key(fmt.Sprint("sick ", i))] = true
		}
		var log bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		go Run(ctx, Config{Ledger: s, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		time.Sleep(70 * time.Second)
		cancel()
		synctest.Wait()
		if most := DefaultEvery + 2*time.Second; s.late > most || s.served < 80 {
			t.Errorf("%d customers of the healthy shard were dealt with, up to %v late, want at most %v", s.served, s.late, most)
		}
		if took := s.last.Sub(s.well); len(s.sick) > 0 || took > 3*time.Second {
			t.Errorf("%d customers of the sick shard are left; it took %v", len(s.sick), took)
		}
		if s.tries < 30 || s.tries > 60*workers || s.looks > 300 {
			t.Errorf("%d attempts at the sick shard in a minute, %d looks", s.tries, s.looks)
		}
		if n := strings.Count(log.String(), "level="); n != 2 || !strings.Contains(log.String(), "works again") {
			t.Errorf("the log is to tell when it begins and when it ends:\n%s", &log)
		}
	})
}

// poor is a store whose budget is on a server that cannot take changes, and whose
// customers, all with an offer that expires at one moment, are on another.
type poor struct {
	shelf
	left    map[ledger.Key]bool // with whom nobody has dealt
	last    time.Time           // when the last of them was dealt with
	settled int
}

func (p *poor) Due(_ context.Context, now time.Time, _ int, aside map[ledger.Due]bool) (list []ledger.Due, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key := range p.left {
		if d := (ledger.Due{Key: key, At: p.due}); !now.Before(d.At) && !aside[d] {
			list = append(list, d)
		}
	}
	return list, nil
}

func (p *poor) Update(_ context.Context, w ledger.Write, judge ledger.Judge) ([]ledger.Result, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := judge(p.customer, nil); err != nil {
		return nil, err
	}
	delete(p.left, w.Key)
	p.last = time.Now()
	return make([]ledger.Result, 1), nil
}

func (p *poor) SettleOffers(context.Context, string, ledger.Key, []recovery.Case) error {
	time.Sleep(takes)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settled++
	return &ledger.Unavailable{Unknown: true}
}

// Nobody waits for what others have to give back to a budget that is out of reach.
func TestABudgetOutOfReachHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &poor{shelf: shelf{rules: recovery.Rules{Active: policy.Default().Rules}}, left: map[ledger.Key]bool{}}
		p.report(t, complaint(recovery.Private), recovery.Action{Step: recovery.StepRequestOffer, Budget: recovery.Price{Minor: recovery.NoBudget}, Booking: "b"},
			recovery.Action{Step: recovery.StepHold})
		for i := range 500 {
			p.left[ledger.Key(fmt.Sprint(i))] = true
		}
		time.Sleep(time.Until(p.due))
		ctx, cancel := context.WithCancel(t.Context())
		go Run(ctx, Config{Ledger: p, Rules: p, Logger: slog.New(slog.DiscardHandler)})
		time.Sleep(2 * time.Minute)
		cancel()
		synctest.Wait()
		if late := p.last.Sub(p.due); len(p.left) > 0 || late > DefaultEvery+2*time.Second {
			t.Errorf("%d customers are left, the last was dealt with %v late", len(p.left), late)
		}
		if p.settled == 0 {
			t.Error("nobody tried to give anything back")
		}
	})
}

// torn is a store that has lost the index of both its servers, of which the sick one
// cannot be given it back.
type torn struct {
	shards
	walks []time.Duration
}

func (o *torn) Repair(_ context.Context, _ func(ledger.Snapshot) time.Time, each func(ledger.Key)) (ledger.Repaired, error) {
	begin := time.Now()
	for i := range 100 {
		each(ledger.Key(fmt.Sprint("sick ", i)))
	}
	each("healthy")
	o.walks = append(o.walks, time.Since(begin))
	return ledger.Repaired{}, nil
}

// The walk over the index passes over a server that cannot take changes, and the next
// one tries again.
func TestTheWalkPassesOverASickShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		o := &torn{shards: shards{shelf: shelf{began: start}, well: start.Add(90 * time.Second), next: start.Add(time.Hour)}}
		ctx, cancel := context.WithCancel(t.Context())
		go Run(ctx, Config{Ledger: o, RepairEvery: time.Minute, Logger: slog.New(slog.DiscardHandler)})
		time.Sleep(150 * time.Second)
		cancel()
		synctest.Wait()
		if len(o.walks) != 2 || o.walks[0] > 2*time.Second || o.tries != 1 || o.served != 2 || o.last.IsZero() {
			t.Errorf("the walks took %v; %d attempts came to nothing, %d customers of the healthy shard were mended, the last of the sick one at %v",
				o.walks, o.tries, o.served, o.last)
		}
	})
}
