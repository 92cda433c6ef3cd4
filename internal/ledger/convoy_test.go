package ledger

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/redisproc"
	"github.com/makeamends/amends/internal/redistest"
)

// However many travel together in a process, they keep half of its processors busy at
// most while others ask for something, else all, and one by one what they have to do is
// done.
func TestConvoysLeaveProcessors(t *testing.T) {
	before := runtime.GOMAXPROCS(4)
	defer runtime.GOMAXPROCS(before)
	l := openAt(t, Embedded)
	mustUpdate(t, l, one(l, "another", "request"), count)
	if since := time.Now().UnixMilli() - l.bulk.otherAsked.Load(); since > time.Minute.Milliseconds() {
		t.Errorf("who does not travel was noticed %d ms ago", since)
	}
	for want, others := range map[int]int64{2: time.Now().Add(time.Hour).UnixMilli(), 4: 0} {
		l.bulk.otherAsked.Store(others)
		if most, done := convoys(t, l, 8, 10); most != want || done != 80 {
			t.Errorf("%d judged at a time with 4 processors, want %d, and %d of 80 were done", most, want, done)
		}
		if now := l.bulk.otherAsked.Load(); now != others {
			t.Errorf("those who travel were noticed as others: %d, was %d", now, others)
		}
	}
}

// convoys has so many of them on their way, and tells how many judged at a time.
func convoys(t *testing.T, l *Ledger, number, members int) (atOnce, finished int) {
	t.Helper()
	var busy, most, done atomic.Int32
	judge := func(c recovery.Customer, fresh []int) (Judgement, error) {
		now := busy.Add(1)
		for was := most.Load(); now > was && !most.CompareAndSwap(was, now); was = most.Load() {
		}
		time.Sleep(time.Millisecond)
		busy.Add(-1)
		return count(c, fresh)
	}
	var all sync.WaitGroup
	for n := range number {
		all.Go(func() {
			l.Together(t.Context(), members, func(ctx context.Context, i int) {
				if _, err := l.Update(ctx, one(l, fmt.Sprint(n, " ", i), fmt.Sprint("request ", l.bulk.otherAsked.Load())), judge); err != nil {
					t.Error(err)
				}
				done.Add(1)
			})
		})
	}
	all.Wait()
	return int(most.Load()), int(done.Load())
}

// Who reads something else on the way is not waited for, neither by those it travels
// with nor by any others.
func TestWhoReadsSomethingElseFallsBehind(t *testing.T) {
	l := openAt(t, Embedded)
	l.Together(t.Context(), 2, func(ctx context.Context, i int) {
		_, _ = l.Policy(ctx, "none")
		if m := ctx.Value(memberKey{}).(*member); !m.left {
			t.Error("the others wait for who reads a policy")
		}
		if _, err := l.Update(ctx, one(l, fmt.Sprint("behind ", i), "request"), count); err != nil {
			t.Error(err)
		}
	})
	if l.bulk.otherAsked.Load() != 0 {
		t.Error("who fell behind was noticed as somebody else")
	}
}

// Who travels and sets others on their way waits for them alone.
func TestConvoyWithinAConvoy(t *testing.T) {
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	l := openAt(t, Embedded)
	var done atomic.Int32
	l.Together(t.Context(), 2, func(ctx context.Context, n int) {
		l.Together(ctx, 2, func(ctx context.Context, i int) {
			if _, err := l.Update(ctx, one(l, fmt.Sprint("nested ", n, " ", i), "request"), count); err != nil {
				t.Error(err)
			}
			done.Add(1)
		})
	})
	if done.Load() != 4 {
		t.Errorf("%d of 4 were done", done.Load())
	}
}

// A convoy keeps a processor for some of its members, one after the other, and not for
// all of them while another one waits for it.
func TestConvoysTakeTurns(t *testing.T) {
	l := openAtTwo(t)
	l.bulk.spare <- struct{}{} // there is one processor for both,
	l.bulk.half <- struct{}{}  // which is given when both stand in line
	time.AfterFunc(100*time.Millisecond, func() { <-l.bulk.half })
	var mu sync.Mutex
	var judged []int // members of which convoy, one after the other
	judgeConvoys(t, l, 2*inARow, func(convoy int) {
		mu.Lock()
		defer mu.Unlock()
		judged = append(judged, convoy)
	})
	most, run := 0, 0
	for i, convoy := range judged {
		if i > 0 && convoy != judged[i-1] {
			run = 0
		}
		run++
		most = max(most, run)
	}
	if len(judged) != 4*inARow || most != inARow {
		t.Errorf("%d were judged, up to %d of one convoy in a row: %v", len(judged), most, judged)
	}
}

// A convoy that has a processor which is spare gives it up as soon as others ask for
// something.
func TestConvoysGiveWay(t *testing.T) {
	l := openAtTwo(t)
	var judged, busy, early, late atomic.Int32
	judgeConvoys(t, l, inARow, func(int) {
		defer busy.Add(-1)
		switch beside, n := busy.Add(1) > 1, judged.Add(1); {
		case n == inARow/2:
			l.bulk.otherAsked.Store(time.Now().Add(time.Hour).UnixMilli())
		case beside && n < inARow/2:
			early.Add(1)
		case beside:
			late.Add(1)
		}
		time.Sleep(time.Millisecond)
	})
	// Whoever is at it may be held up by the machine, while the other convoy goes on.
	if early.Load() == 0 || late.Load() > inARow/2 {
		t.Errorf("%d were judged beside others before somebody asked, and %d after it", early.Load(), late.Load())
	}
}

// openAtTwo opens a ledger that knows of two processors.
func openAtTwo(t *testing.T) *Ledger {
	t.Helper()
	before := runtime.GOMAXPROCS(2)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	return openAt(t, Embedded)
}

// judgeConvoys has two convoys on their way, and tells of each member when it is judged
// for the first time; on a busy machine some are judged again, when it is not their turn.
func judgeConvoys(t *testing.T, l *Ledger, members int, tell func(convoy int)) {
	t.Helper()
	var all sync.WaitGroup
	for convoy := range 2 {
		all.Go(func() {
			l.Together(t.Context(), members, func(ctx context.Context, i int) {
				first := true
				_, err := l.Update(ctx, one(l, fmt.Sprint(convoy, " ", i), "request"), func(c recovery.Customer, fresh []int) (Judgement, error) {
					if first {
						tell(convoy)
					}
					first = false
					return count(c, fresh)
				})
				if err != nil {
					t.Error(err)
				}
			})
		})
	}
	all.Wait()
}

// Who travels is confirmed by replicas all at once, and told when they did not.
func TestReplicasConfirmWhoTravels(t *testing.T) {
	const members = 64
	s := redistest.Sentinel(t)
	l := openAt(t, s.URL(), func(o *Options) { o.Wait = 1 })
	waits := func() (n int) {
		_, _ = fmt.Sscanf(redisproc.Fields(s.Master().Client().Info(t.Context(), "commandstats").Val())["cmdstat_wait"], "calls=%d", &n)
		return n
	}
	update := func(request string, each func(w Write, err error)) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		l.Together(ctx, members, func(ctx context.Context, i int) {
			w := one(l, fmt.Sprint("customer ", i), request)
			_, err := l.Update(ctx, w, count)
			each(w, err)
		})
	}
	mustUpdate(t, l, one(l, "known", "a"), count) // now the script is
	before := waits()
	update("first", func(w Write, err error) {
		if n := s.Replica().Client().Exists(context.Background(), mustNames(t, l, w.Key).customer).Val(); n != 1 || err != nil {
			t.Errorf("confirmed with %v, but not on the replica", err)
		}
	})
	update("first", func(_ Write, err error) { // what was answered before is confirmed once more
		if err != nil {
			t.Error(err)
		}
	})
	if n := waits() - before; n < 2 || n > members/4 {
		t.Errorf("twice %d changes were confirmed %d times, want together", members, n)
	}
	s.Replica().Pause()
	defer s.Replica().Resume()
	update("second", func(_ Write, err error) { unavailable(t, err, true) })
}
