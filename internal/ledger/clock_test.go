package ledger

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/redistest"
)

// The clock is that of Redis, and never ahead of it.
func TestClockIsThatOfRedis(t *testing.T) {
	server := redistest.Shared(t)
	l := openAt(t, server.URL())
	for range 50 {
		if err := l.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		ours := l.Now()
		theirs, err := server.Client().Time(t.Context()).Result()
		if err != nil {
			t.Fatal(err)
		}
		if ours.After(theirs) || theirs.Sub(ours) > time.Second {
			t.Errorf("the clock is %s behind that of Redis", theirs.Sub(ours))
		}
	}
}

// A cluster is there as long as any server of it answers, also when the one that tells
// the time hangs.
func TestAClusterWhoseClockHangs(t *testing.T) {
	t.Parallel()
	c := redistest.Cluster(t, 3)
	l := openAt(t, c.URL())
	hung := c.Owner(metaKey)
	hung.Pause()
	defer hung.Resume()
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond) // as long as a server looks
		if err := l.Ping(ctx); err != nil {
			t.Error(err, Cause(err))
		}
		cancel()
	}
}

// What Redis says counts, whatever the wall clock of this machine says later.
func TestClockIsCarriedOn(t *testing.T) {
	var c storeClock
	if d := time.Since(c.Now()).Abs(); d > time.Second {
		t.Errorf("%s off before Redis was asked", d)
	}
	then := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	c.tell(then, then)
	first := c.Now()
	time.Sleep(2 * time.Millisecond)
	second := c.Now()
	if first.Before(then) || second.Sub(first) < 2*time.Millisecond || second.Sub(then) > time.Minute {
		t.Errorf("told %v, then %v and %v", then, first, second)
	}
}

// TestClockJumps: how far the clock is from the true time when Redis has told a
// time that is off for so long, once every half second, as seen from a machine
// whose own clock is off as well.
func TestClockJumps(t *testing.T) {
	const day = 24 * time.Hour
	for name, tt := range map[string]struct {
		redis, machine time.Duration // how far their clocks are off
		lasts          time.Duration
		first          bool // Redis was never asked before
		off            time.Duration
		doubted        bool
	}{
		"a drift":                                     {redis: 300 * time.Millisecond, lasts: time.Second, off: 300 * time.Millisecond},
		"a drift back":                                {redis: -300 * time.Millisecond, lasts: time.Second, off: -300 * time.Millisecond},
		"one answer a day ahead":                      {redis: day, lasts: 0, doubted: true},
		"three seconds a day ahead":                   {redis: day, lasts: 3 * time.Second, doubted: true},
		"an hour a day ahead":                         {redis: day, lasts: time.Hour, doubted: true},
		"an hour a day behind":                        {redis: -day, lasts: time.Hour, doubted: true},
		"three seconds ahead, not yet confirmed":      {redis: 3 * time.Second, lasts: 29 * time.Second, doubted: true},
		"three seconds ahead, confirmed":              {redis: 3 * time.Second, lasts: 31 * time.Second, off: 3 * time.Second},
		"a day ahead, and so is this machine":         {redis: day, machine: day, lasts: 31 * time.Second, off: day},
		"a day ahead and so is this machine, shortly": {redis: day, machine: day, lasts: 20 * time.Second, doubted: true},
		"a day ahead from the first answer on":        {redis: day, lasts: time.Minute, first: true, doubted: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var c storeClock
				say := func(redis, machine time.Duration) bool {
					return c.tell(time.Now().Add(redis), time.Now().Add(machine))
				}
				for i := 0; i < 10 && !tt.first; i++ {
					say(0, 0)
					time.Sleep(500 * time.Millisecond)
				}
				changes := 0
				for began := time.Now(); time.Since(began) <= tt.lasts; time.Sleep(500 * time.Millisecond) {
					if say(tt.redis, tt.machine) {
						changes++
					}
				}
				if off := time.Until(c.Now()); off != tt.off {
					t.Errorf("the clock is off by %s, want %s", off, tt.off)
				}
				if err := c.trouble(); err != nil != tt.doubted {
					t.Errorf("doubts: %v, want them: %t", err, tt.doubted)
				}
				if changes > 2 {
					t.Errorf("%d changes are told", changes)
				}
				if !tt.doubted {
					return
				}
				if !say(0, 0) || c.trouble() != nil || !c.Now().Equal(time.Now()) {
					t.Errorf("when Redis tells the true time again: %v, %s off", c.trouble(), time.Since(c.Now()))
				}
			})
		})
	}
}

// TestClockNeverGoesBack: an answer that comes late tells a time that has passed
// already. It is no reason to go back, nor to be ahead of Redis.
func TestClockNeverGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c storeClock
		var last time.Time
		look := func(late time.Duration) {
			t.Helper()
			now := c.Now()
			if now.Before(last) || now.After(time.Now()) || time.Since(now) > late {
				t.Errorf("after %v the clock is %s behind that of Redis, want %s at most", last, time.Since(now), late)
			}
			last = now
		}
		for _, late := range []time.Duration{0, 100, 300, 20, 1900, 0, 400} { // milliseconds
			late *= time.Millisecond
			c.tell(time.Now().Add(-late), time.Now())
			for range 25 {
				look(late)
				time.Sleep(10 * time.Millisecond)
			}
		}
	})
}

// An hour of answers that contradict each other, or that come too seldom, is no
// confirmation.
func TestClockThatIsNotSteady(t *testing.T) {
	for name, step := range map[string]struct{ redis, every time.Duration }{
		"runs away":    {4 * time.Second, time.Second},
		"comes seldom": {0, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var c storeClock
				c.tell(time.Now(), time.Now())
				for i := range 60 {
					told := time.Now().Add(time.Hour + time.Duration(i)*step.redis)
					c.tell(told, told)
					time.Sleep(step.every)
				}
				if !c.Now().Equal(time.Now()) || c.trouble() == nil {
					t.Errorf("the clock is off by %s, doubts: %v", time.Until(c.Now()), c.trouble())
				}
			})
		})
	}
}

// skewed makes TIME wrong on its way.
type skewed struct {
	alone
	by atomic.Int64
}

func (s *skewed) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if told, ok := cmd.(*redis.TimeCmd); ok && err == nil {
			told.SetVal(told.Val().Add(time.Duration(s.by.Load())))
		}
		return err
	}
}

// TestWrongTimeOfRedis: nothing is judged by one wrong answer; the service is
// not ready meanwhile and says why.
func TestWrongTimeOfRedis(t *testing.T) {
	var log bytes.Buffer
	l := openAt(t, redistest.Shared(t).URL(), func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	wrong := &skewed{}
	l.client.AddHook(wrong)
	wrong.by.Store(int64(24 * time.Hour))
	for range 3 {
		if err := l.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "the clock of Redis has jumped by 24h0m0") {
			t.Errorf("Ping: %v", err)
		}
	}
	if err := l.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "has jumped by 24h0m0") {
		t.Errorf("Ready: %v", err)
	}
	if off := time.Until(l.Now()).Abs(); off > 2*time.Second {
		t.Errorf("the clock of decisions is off by %s", off)
	}
	if n := strings.Count(log.String(), "the clock of Redis is doubted"); n != 1 {
		t.Errorf("told %d times in the log:\n%s", n, log.String())
	}
	wrong.by.Store(0)
	if err := l.Ping(t.Context()); err != nil || !strings.Contains(log.String(), "believed again") {
		t.Errorf("with the right time: %v, log:\n%s", err, log.String())
	}
	if err := l.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}
