package sweep

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/makeamends/amends/internal/ledger"
)

// doubts holds bookings in doubt. Of those that are broken the case cannot be
// read, and slow ones take all the time that they are given.
type doubts struct {
	shelf
	mu    sync.Mutex
	look  map[string]time.Time // by case, when to look again
	looks map[string]int
	kept  map[string]int64 // what was held of a booking that was put off
}

func (d *doubts) DoubtfulBookings(_ context.Context, now time.Time, most int) (list []ledger.Booking, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, at := range d.look {
		if !now.Before(at) {
			list = append(list, ledger.Booking{CaseID: id})
		}
	}
	slices.SortFunc(list, func(a, b ledger.Booking) int { return d.look[a.CaseID].Compare(d.look[b.CaseID]) })
	return list[:min(len(list), most)], errors.New("foreign members")
}

func (d *doubts) Reconcile(ctx context.Context, b ledger.Booking) error {
	d.mu.Lock()
	d.looks[b.CaseID]++
	d.mu.Unlock()
	switch {
	case strings.HasPrefix(b.CaseID, "broken"):
		return errors.New("cannot be read")
	case strings.HasPrefix(b.CaseID, "slow"):
		<-ctx.Done()
		return ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.look, b.CaseID)
	return nil
}

func (d *doubts) SettleBooking(_ context.Context, b ledger.Booking, hold int64, check time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.look[b.CaseID], d.kept[b.CaseID] = check, hold
	return nil
}

func isGood(b ledger.Booking) bool { return b.CaseID == "good" }

// However many bookings cannot be compared with their case, the others are, and
// the former are tried again later, with what they hold unchanged.
func TestBrokenBookingsStopNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &doubts{look: map[string]time.Time{}, looks: map[string]int{}, kept: map[string]int64{}}
		for i := range mostDoubts {
			d.look["broken"+string(rune('A'+i))] = time.Now()
		}
		for i := range 20 {
			d.look["slow"+string(rune('A'+i))] = time.Now()
		}
		d.look["good"] = time.Now().Add(time.Second)
		var log bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		go Run(ctx, Config{Ledger: d, Rules: d, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		time.Sleep(2 * time.Minute)
		if good, _ := d.DoubtfulBookings(t.Context(), time.Now().Add(time.Hour), 1000); slices.ContainsFunc(good, isGood) {
			t.Error("after two minutes nobody has looked at the booking behind the broken ones")
		}
		time.Sleep(time.Hour)
		cancel()
		synctest.Wait()
		for id, n := range d.looks {
			if id != "good" && (n < 5 || n > 7 || d.kept[id] != ledger.MostBudget) {
				t.Errorf("%s: looked at %d times in an hour, held to %d", id, n, d.kept[id])
			}
		}
		if n := strings.Count(log.String(), "level=ERROR"); n < 30 || n > 70 || strings.Contains(log.String(), "works again") ||
			!strings.Contains(log.String(), "foreign members; case broken") {
			t.Errorf("the log is to tell about once a minute, and of whom; it did %d times:\n%s", n, &log)
		}
	})
}
