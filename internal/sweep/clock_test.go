package sweep

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/makeamends/amends/internal/calendar"
	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/policy"
	"github.com/makeamends/amends/internal/recovery"
)

// shelf keeps one customer in memory, so that time in a bubble can be made up:
// nothing waits for a network there. What it commits it notes.
type shelf struct {
	mu       sync.Mutex
	rules    recovery.Rules
	customer recovery.Customer
	due      time.Time
	began    time.Time
	noted    []string // what has happened, and when it was committed
	settled  int
}

func (s *shelf) Now() time.Time { return time.Now() }

func (s *shelf) Due(_ context.Context, _ time.Time, _ int, aside map[ledger.Due]bool) ([]ledger.Due, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.due.IsZero() || time.Now().Before(s.due) {
		return nil, nil
	}
	d := ledger.Due{Key: "k", At: s.due}
	if aside[d] {
		return nil, nil
	}
	return []ledger.Due{d}, nil
}

func (s *shelf) Server(context.Context, ledger.Key) string { return "" }

func (s *shelf) Undue(context.Context, ledger.Key) error { return nil }

func (s *shelf) Update(_ context.Context, _ ledger.Write, judge ledger.Judge) ([]ledger.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := judge(s.customer, nil)
	if err != nil {
		return nil, err
	}
	for _, k := range slices.Concat(j.Customer.Open, j.Customer.Closed) {
		for _, t := range k.Fresh {
			s.noted = append(s.noted, fmt.Sprintf("%v %s %s", time.Since(s.began).Round(time.Second), what(t), k.State))
		}
	}
	s.customer, s.due = j.Customer, j.Due
	s.customer.Open = slices.Clone(s.customer.Open)
	for i := range s.customer.Open {
		s.customer.Open[i].Fresh = nil
	}
	s.customer.Closed = nil
	return []ledger.Result{{Tenant: "t"}}, nil
}

var names = map[recovery.Change]string{
	recovery.ChangeWarned: "warned", recovery.ChangeMissed: "missed", recovery.ChangeReassessed: "reassessed", recovery.ChangeReopened: "reopened",
	recovery.ChangeLapsed: "lapsed", recovery.ChangeOfferExpired: "offer expired", recovery.ChangeReleased: "released",
}

func what(t recovery.Transition) string {
	if t.Milestone == 0 {
		return names[t.Change]
	}
	return names[t.Change] + " " + t.Milestone.String()
}

func (s *shelf) SettleOffers(context.Context, string, ledger.Key, []recovery.Case) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settled++
	return nil
}

func (s *shelf) DoubtfulBookings(context.Context, time.Time, int) ([]ledger.Booking, error) {
	return nil, nil
}
func (s *shelf) Reconcile(context.Context, ledger.Booking) error { return nil }
func (s *shelf) SettleBooking(context.Context, ledger.Booking, int64, time.Time) error {
	return nil
}
func (s *shelf) Repair(context.Context, func(ledger.Snapshot) time.Time, func(ledger.Key)) (ledger.Repaired, error) {
	return ledger.Repaired{}, nil
}
func (s *shelf) Rules(context.Context, ...string) (recovery.Rules, error) { return s.rules, nil }

// report opens a case now, and steps are taken with it at once.
func (s *shelf) report(t *testing.T, e recovery.Event, steps ...recovery.Action) {
	t.Helper()
	e.OccurredAt = time.Now()
	c, _, err := recovery.Report(recovery.Customer{}, e, s.rules, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range steps {
		if c, _, err = recovery.Advance(c, 1, a, s.rules, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	c.Open[0].Fresh = nil
	s.customer, s.due, s.began = c, c.NextDue(s.rules), time.Now()
}

func complaint(voice recovery.Voice) recovery.Event {
	return recovery.Event{Failure: recovery.Failure{
		Kinds: recovery.Kinds(recovery.Damaged), Voice: voice, Channel: recovery.Email, Currency: "USD", Value: 20_00, Loss: 20_00,
		Acceptance: recovery.Rejected, Evidence: recovery.SystemObserved,
	}, Order: "o"}
}

// Everything that time does, it does when the clock says so, once, and in
// order, by two replicas that look every second, or every minute over days.
func TestEveryClockRule(t *testing.T) {
	ack, contact := recovery.Action{Step: recovery.StepAcknowledge}, recovery.Action{Step: recovery.StepContactOutbound}
	offer := recovery.Action{Step: recovery.StepRequestOffer, Budget: recovery.Price{Minor: recovery.NoBudget}, Booking: "b"}
	made := recovery.Action{Step: recovery.StepMakeOffer, Offer: 1}
	resolve := recovery.Action{Step: recovery.StepResolve, Outcome: recovery.Satisfied}
	hold := recovery.Action{Step: recovery.StepHold}
	for _, tt := range []struct {
		name  string
		event recovery.Event
		steps []recovery.Action
		sleep time.Duration
		want  []string

		goesOn bool // more may happen before both replicas have ended
	}{
		{"acknowledgement", complaint(recovery.Private), nil, 6 * time.Minute, []string{
			"2m30s warned ACKNOWLEDGE OPEN", "4m0s warned ACKNOWLEDGE OPEN", "5m0s missed ACKNOWLEDGE OPEN", "5m0s reassessed OPEN"}, false},
		{"public answer", complaint(recovery.Public), []recovery.Action{ack}, 61 * time.Minute, []string{
			"30m0s warned FIRST_RESPONSE ACKNOWLEDGED", "48m0s warned FIRST_RESPONSE ACKNOWLEDGED",
			"1h0m0s missed FIRST_RESPONSE ACKNOWLEDGED", "1h0m0s reassessed ACKNOWLEDGED"}, false},
		{"offer, promised anew once", complaint(recovery.Private), []recovery.Action{contact}, 60 * time.Hour, []string{
			"6h0m0s warned OFFER ACKNOWLEDGED", "9h36m0s warned OFFER ACKNOWLEDGED",
			"12h0m0s missed OFFER ACKNOWLEDGED", "12h0m0s reassessed ACKNOWLEDGED",
			"15h0m0s warned OFFER ACKNOWLEDGED", "16h48m0s warned OFFER ACKNOWLEDGED",
			"18h0m0s missed OFFER ACKNOWLEDGED", "18h0m0s reassessed ACKNOWLEDGED",
			"60h0m0s warned RESOLVE ACKNOWLEDGED"}, false},
		{"resolution", complaint(recovery.Private), []recovery.Action{contact, offer, made}, 5*24*time.Hour + time.Minute, []string{
			"60h0m0s warned RESOLVE OFFERED", "96h0m0s warned RESOLVE OFFERED", "120h0m0s missed RESOLVE OFFERED", "120h0m0s reassessed OFFERED"}, false},
		{"follow-up", complaint(recovery.Private), []recovery.Action{resolve}, 7*24*time.Hour - 5*time.Minute, []string{
			"84h0m0s warned FOLLOW_UP RESOLVED", "134h24m0s warned FOLLOW_UP RESOLVED",
			"168h0m0s missed FOLLOW_UP OPEN", "168h0m0s reopened OPEN", "168h0m0s reassessed OPEN"}, true},
		{"an offer without an answer", complaint(recovery.Private), []recovery.Action{offer, hold}, 7*24*time.Hour + time.Minute, []string{
			"168h0m0s offer expired OPEN"}, false},
		{"a hold", complaint(recovery.Private), []recovery.Action{hold}, 20 * 24 * time.Hour, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &shelf{rules: recovery.Rules{Active: policy.Default().Rules}}
				s.report(t, tt.event, tt.steps...)
				every := time.Second
				if tt.sleep > 2*time.Hour {
					every = 5 * time.Minute
				}
				s.run(t, every, tt.sleep)
				for i := range tt.want {
					if i >= len(s.noted) || !onTime(s.noted[i], tt.want[i], every) {
						t.Fatalf("happened:\n%q\nwant:\n%q", s.noted, tt.want)
					}
				}
				if more := s.noted[len(tt.want):]; len(more) > 0 && !tt.goesOn {
					t.Errorf("more happened: %q", more)
				}
			})
		})
	}
}

// onTime allows that the sweep is late by its interval, and never early.
func onTime(got, want string, every time.Duration) bool {
	gotAt, gotWhat, _ := strings.Cut(got, " ")
	wantAt, wantWhat, _ := strings.Cut(want, " ")
	a, _ := time.ParseDuration(gotAt)
	b, _ := time.ParseDuration(wantAt)
	return gotWhat == wantWhat && a >= b && a <= b+2*every
}

// run lets two replicas sweep for so long.
func (s *shelf) run(t *testing.T, every, sleep time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var replicas sync.WaitGroup
	for range 2 {
		replicas.Go(func() {
			Run(ctx, Config{Ledger: s, Rules: s, Every: every, Logger: slog.New(slog.DiscardHandler)})
		})
	}
	time.Sleep(sleep + 2*every)
	cancel()
	replicas.Wait()
}

// A case that nobody ever spoke about lapses after 30 days and not before.
func TestUnvoicedLapses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{rules: recovery.Rules{Active: policy.Default().Rules}}
		s.report(t, complaint(recovery.Unvoiced))
		s.run(t, time.Minute, 30*24*time.Hour)
		last := s.noted[len(s.noted)-1]
		if !onTime(last, "720h0m0s lapsed RESOLVED", time.Minute) || len(s.customer.Open) != 0 {
			t.Errorf("the last that happened was %q", last)
		}
		if strings.Contains(strings.Join(s.noted, ";"), "reassessed") {
			t.Errorf("a promise to nobody was made anew: %q", s.noted)
		}
	})
}

// An offer that expires gives back what it held.
func TestExpiredOfferIsSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{rules: recovery.Rules{Active: policy.Default().Rules}}
		s.report(t, complaint(recovery.Private), recovery.Action{Step: recovery.StepRequestOffer, Budget: recovery.Price{Minor: recovery.NoBudget}, Booking: "b"},
			recovery.Action{Step: recovery.StepHold})
		s.run(t, time.Minute, 7*24*time.Hour)
		if s.settled != 1 || len(s.customer.Grants) != 0 || s.customer.Open[0].Offers[0].State != recovery.Expired {
			t.Errorf("settled %d times, grants %v", s.settled, s.customer.Grants)
		}
	})
}

// Business time sleeps over the weekend; patience does not.
func TestPatienceRunsOverTheWeekend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office, err := calendar.New(calendar.Spec{Hours: map[time.Weekday][]calendar.Interval{time.Wednesday: {{From: 0, To: time.Hour}}}})
		if err != nil {
			t.Fatal(err)
		}
		p := *policy.Default().Rules
		p.Deadlines.Calendar = office
		s := &shelf{rules: recovery.Rules{Active: &p}}
		s.report(t, complaint(recovery.Private), recovery.Action{Step: recovery.StepAcknowledge})
		s.run(t, time.Minute, 72*time.Hour)
		if missed := s.noted[len(s.noted)-2]; !onTime(missed, "72h0m0s missed OFFER ACKNOWLEDGED", time.Minute) {
			t.Errorf("%q", s.noted)
		}
		before := recovery.View(s.customer, s.rules, time.Now()).Open[0].Assessment.Patience
		if before > 0.75 || before < 0.70 {
			t.Errorf("%v of the patience is left after three days, want 2^(-3/7)", before)
		}
		after := recovery.Remember(s.customer, recovery.Interaction{OccurredAt: time.Now(), Kind: recovery.OrderFulfilled}, s.rules, time.Now())
		if left := recovery.View(after, s.rules, time.Now()).Open[0].Assessment.Patience; left != 1 {
			t.Errorf("%v of the patience after the customer came back", left)
		}
	})
}
