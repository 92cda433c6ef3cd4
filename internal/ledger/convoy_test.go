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
)

// However many travel together in a process, they keep half of its processors busy at
// most, and one by one what they have to do is done.
func TestConvoysLeaveProcessors(t *testing.T) {
	before := runtime.GOMAXPROCS(4)
	defer runtime.GOMAXPROCS(before)
	l := openAt(t, Embedded)
	var busy, most, done atomic.Int32
	judge := func(c recovery.Customer, fresh []int) (Judgement, error) {
		now := busy.Add(1)
		for was := most.Load(); now > was && !most.CompareAndSwap(was, now); was = most.Load() {
		}
		time.Sleep(time.Millisecond)
		busy.Add(-1)
		return count(c, fresh)
	}
	var convoys sync.WaitGroup
	for n := range 8 {
		convoys.Go(func() {
			l.Together(t.Context(), 10, func(ctx context.Context, i int) {
				if _, err := l.Update(ctx, one(l, fmt.Sprint(n, " ", i), "request"), judge); err != nil {
					t.Error(err)
				}
				done.Add(1)
			})
		})
	}
	convoys.Wait()
	if most.Load() > 2 || done.Load() != 80 {
		t.Errorf("%d judged at a time with 4 processors, and %d of 80 were done", most.Load(), done.Load())
	}
}

// Who reads something else on the way is not waited for, neither by those it travels
// with nor by any others.
func TestWhoReadsSomethingElseFallsBehind(t *testing.T) {
	l := openAt(t, Embedded)
	l.Together(t.Context(), 2, func(ctx context.Context, _ int) {
		_, _ = l.Policy(ctx, "none")
		if m := ctx.Value(memberKey{}).(*member); !m.left {
			t.Error("the others wait for who reads a policy")
		}
	})
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
