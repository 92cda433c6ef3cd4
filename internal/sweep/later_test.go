package sweep

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/policy"
	"github.com/makeamends/amends/internal/recovery"
)

func TestPausesGrow(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	for _, tt := range []struct {
		name  string
		put   func(l *later, d ledger.Due, now time.Time)
		want  []time.Duration // the pauses, one after the other
		fails bool
	}{
		{"nothing is due", func(l *later, d ledger.Due, now time.Time) { l.nothing(d, now) }, []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600}, false},
		{"cannot be read", func(l *later, d ledger.Due, now time.Time) { l.failed(d, now, false) }, []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600}, true},
		{"the store is away", func(l *later, d ledger.Due, now time.Time) { l.failed(d, now, true) }, []time.Duration{1, 1, 1, 1, 1, 1}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := later{entries: map[ledger.Due]putOff{}}
			d, now := ledger.Due{Key: "k", At: start}, start
			for i, want := range tt.want {
				tt.put(&l, d, now)
				if l.failing() != tt.fails {
					t.Errorf("failing: %t", l.failing())
				}
				if !l.aside(now.Add(want*time.Second-1), time.Second)[d] {
					t.Errorf("time %d: tried before %d s", i+1, want)
				}
				now = now.Add(want * time.Second)
				if l.aside(now, time.Second)[d] {
					t.Errorf("time %d: not tried after %d s", i+1, want)
				}
				if l.aside(now, time.Second)[ledger.Due{Key: "k", At: start.Add(1)}] {
					t.Error("what is due later for the same customer is put off")
				}
			}
			pause := tt.want[len(tt.want)-1] * time.Second
			l.aside(now.Add(pause+13*time.Second), time.Second)
			if len(l.entries) != 1 {
				t.Error("forgotten too soon")
			}
			l.aside(now.Add(pause+13*time.Second+1), time.Second)
			if len(l.entries) != 0 || l.failing() {
				t.Errorf("not forgotten: %v", l.entries)
			}
		})
	}
}

// sick keeps customers, tells slowly who is due, and cannot change them.
type sick struct {
	shelf
	fault func() error
	asked time.Time // who is due
}

func (s *sick) Due(ctx context.Context, now time.Time, most int, aside map[ledger.Due]bool) ([]ledger.Due, error) {
	s.asked = now
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(30 * time.Millisecond):
	}
	return s.shelf.Due(ctx, now, most, aside)
}

func (s *sick) Update(context.Context, ledger.Write, ledger.Judge) ([]ledger.Result, error) {
	return nil, s.fault()
}

// Who could not be dealt with counts as overdue while it is left alone, whether the
// store was away or the customer cannot be read; and the log has every reason.
func TestBehindWhileLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		s := &sick{shelf: shelf{rules: recovery.Rules{Active: policy.Default().Rules}, due: began}}
		s.fault = func() error {
			if time.Since(began) < 5*time.Minute {
				return fmt.Errorf("%w (OOM)", &ledger.Unavailable{})
			}
			return ledger.ErrDamaged
		}
		var log bytes.Buffer
		var behind []time.Duration
		ctx, cancel := context.WithCancel(t.Context())
		go Run(ctx, Config{
			Ledger: s, Rules: s, Every: 100 * time.Millisecond, RepairEvery: time.Hour, Logger: slog.New(slog.NewTextHandler(&log, nil)),
			Behind: func(d time.Duration) { behind = append(behind, d-s.asked.Sub(began)) },
		})
		time.Sleep(10 * time.Minute)
		cancel()
		synctest.Wait()
		for i, d := range behind {
			if d != 0 {
				t.Fatalf("look %d of %d is off by %s", i, len(behind), d)
			}
		}
		out, damaged := strings.Count(log.String(), "customer k: store unavailable"), strings.Count(log.String(), "customer k: customer damaged")
		if out < 4 || out > 6 || damaged < 3 || damaged > 7 || strings.Contains(log.String(), "works again") {
			t.Errorf("told %d times of the store, %d times of the customer:\n%s", out, damaged, &log)
		}
	})
}

// What was dealt with begins anew, and the memory has an end.
func TestLaterForgets(t *testing.T) {
	l := later{entries: map[ledger.Due]putOff{}}
	now := time.Unix(1_000_000, 0)
	d := ledger.Due{Key: "k", At: now}
	for range 3 {
		l.failed(d, now, false)
	}
	if n := l.nothing(d, now); n != 1 {
		t.Errorf("came to nothing %d times", n)
	}
	l.done(d)
	if n := l.nothing(d, now); n != 1 || l.entries[d].pause != firstPause {
		t.Errorf("after it was dealt with: %d times, %v", n, l.entries[d].pause)
	}
	for i := range mostLater + 100 {
		l.nothing(ledger.Due{Key: ledger.Key(fmt.Sprint(i)), At: now}, now)
	}
	if len(l.entries) != mostLater {
		t.Errorf("%d entries are remembered, want %d", len(l.entries), mostLater)
	}
}
