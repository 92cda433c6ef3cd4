package recovery_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/makeamends/amends/internal/policy"
	"github.com/makeamends/amends/internal/recovery"
)

var (
	rules = recovery.Rules{Active: policy.Default().Rules}
	noon  = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
)

const day = 24 * time.Hour

// drawFailure draws any failure that the contract lets in.
func drawFailure(t *rapid.T) recovery.Failure {
	f := recovery.Failure{
		OccurredAt: noon.Add(-time.Duration(rapid.Int64Range(0, int64(40*day)).Draw(t, "ago"))),
		Kinds:      recovery.KindSet(rapid.Uint32Range(1, 1<<19-1).Draw(t, "kinds") << 1),
		Delay:      time.Duration(rapid.Int64Range(0, int64(3*time.Hour)).Draw(t, "delay")),
		Acceptance: recovery.Acceptance(rapid.Uint8Range(1, 2).Draw(t, "acceptance")),
		Voice:      recovery.Voice(rapid.Uint8Range(1, 3).Draw(t, "voice")),
		Channel:    recovery.Channel(rapid.Uint8Range(0, 11).Draw(t, "channel")),
		Reach:      rapid.Int64Range(0, 1_000_000).Draw(t, "reach"),
		Evidence:   recovery.Corroboration(rapid.Uint8Range(1, 3).Draw(t, "evidence")),
		Resource:   recovery.Resource(rapid.Uint8Range(0, 5).Draw(t, "resource")),
		Attribution: recovery.Attribution{
			Locus:     recovery.Locus(rapid.Uint8Range(0, 4).Draw(t, "locus")),
			Motive:    recovery.Motive(rapid.Uint8Range(0, 4).Draw(t, "motive")),
			Recurring: rapid.Bool().Draw(t, "recurring"),
		},
	}
	if rapid.Bool().Draw(t, "money") {
		f.Currency = rapid.SampledFrom([]string{"USD", "EUR", "JPY"}).Draw(t, "currency")
		f.Value = rapid.Int64Range(0, 1_000_000_00).Draw(t, "value")
		f.Loss = rapid.Int64Range(0, f.Value).Draw(t, "loss")
		f.Entitlement = rapid.Int64Range(0, 2*f.Value).Draw(t, "entitlement")
	}
	if rapid.Bool().Draw(t, "departs") {
		f.DepartsAt = noon.Add(time.Duration(rapid.Int64Range(-int64(time.Hour), int64(day)).Draw(t, "leaves")))
	}
	if rapid.Bool().Draw(t, "stated") {
		s := rapid.Float64Range(0, 1).Draw(t, "severity")
		f.Stated = &s
	}
	if rapid.Bool().Draw(t, "controlled") {
		c := rapid.Float64Range(0, 1).Draw(t, "controllability")
		f.Attribution.Controllability = &c
	}
	return f
}

// drawCustomer draws a customer with some history before noon.
func drawCustomer(t *rapid.T) recovery.Customer {
	c := recovery.Customer{
		Positives:    rapid.Float64Range(0, 60).Draw(t, "positives"),
		PositivesAt:  noon,
		Orders:       rapid.Int64Range(0, 40).Draw(t, "orders"),
		Claims:       rapid.Int64Range(0, 12).Draw(t, "claims"),
		LastActivity: noon.Add(-time.Duration(rapid.Int64Range(0, int64(100*day)).Draw(t, "idle"))),
	}
	for i := range rapid.IntRange(0, recovery.MostFailures).Draw(t, "failures") {
		c.Failures = append(c.Failures, recovery.Past{
			Case:      int64(i + 1),
			At:        noon.Add(-time.Duration(rapid.Int64Range(0, int64(400*day)).Draw(t, "failed ago"))),
			Kinds:     recovery.KindSet(rapid.Uint32Range(1, 1<<19-1).Draw(t, "failed kinds") << 1),
			Severity:  rapid.Float64Range(0, 1).Draw(t, "failed severity"),
			Recovered: rapid.Bool().Draw(t, "recovered"),
		})
	}
	if rapid.Bool().Draw(t, "granted") {
		minor := rapid.Int64Range(1, 100_00).Draw(t, "grant")
		at := noon.Add(-time.Duration(rapid.Int64Range(0, int64(100*day)).Draw(t, "granted ago")))
		c.Grants = []recovery.Grant{{Case: 1, At: at, Currency: "USD", Minor: minor, Units: float64(minor) / minorPerUnit("USD")}}
	}
	return c
}

func decide(c recovery.Customer, f recovery.Failure, pr recovery.Profile) recovery.Decision {
	k := recovery.Case{Number: 100, Failure: f, Profile: pr}
	return recovery.Decide(rules.Active, &c, &k, noon)
}

func drawProfile(t *rapid.T) recovery.Profile {
	return recovery.Profile{
		Relationship:  recovery.Relationship(rapid.Uint8Range(0, 3).Draw(t, "relationship")),
		LifetimeValue: rapid.Int64Range(0, 100_000_00).Draw(t, "lifetime"),
		Loyalty:       rapid.Bool().Draw(t, "loyalty"),
	}
}

func TestDecisionAlwaysHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, f, pr := drawCustomer(t), drawFailure(t), drawProfile(t)
		d := decide(c, f, pr)
		checkDecision(t, f, d)
		_, minor := d.Recommendation.Goodwill()
		units := float64(minor) / minorPerUnit(d.Recommendation.Currency)
		for _, g := range c.Grants {
			if noon.Sub(g.At) < 90*day && units > 0 && units+g.Units > 100+1e-9 {
				t.Fatalf("%v reference units without approval beside %v", units, g.Units)
			}
		}
	})
}

type failer interface{ Fatalf(string, ...any) }

// checkDecision states what holds for every decision whatever went in.
func checkDecision(t failer, f recovery.Failure, d recovery.Decision) {
	a, r := d.Assessment, d.Assessment.Risk
	sum := 0.0
	for _, reason := range a.Reasons {
		sum += reason.Contribution
	}
	if math.Abs(sum-a.LogOdds) > 1e-12 {
		t.Fatalf("reasons sum to %v, not to the log-odds %v", sum, a.LogOdds)
	}
	for name, x := range map[string]float64{"severity": a.Severity, "ignored": r.Ignored, "on time": r.OnTime, "late": r.Late,
		"baseline": a.Baseline, "escalation": a.Escalation, "noticed": a.Noticed, "patience": a.Patience} {
		if !(x >= 0 && x <= 1) {
			t.Fatalf("%s is %v, not a share", name, x)
		}
	}
	if r.OnTime > r.Late || r.Late > r.Ignored {
		t.Fatalf("on time %v, late %v, ignored %v are out of order", r.OnTime, r.Late, r.Ignored)
	}
	if r.Ignored >= a.Baseline && r.OnTime < a.Baseline {
		t.Fatalf("on time %v falls below the baseline %v", r.OnTime, a.Baseline)
	}
	checkMoney(t, f, d.Recommendation)
	for _, due := range d.Promise {
		if !due.DueAt.After(noon) && due.BoundBy != recovery.ByOnPremises {
			t.Fatalf("%v is due at %v, before it was promised", due.Milestone, due.DueAt)
		}
	}
}

func checkMoney(t failer, f recovery.Failure, r recovery.Recommendation) {
	if !(r.Ratio >= 0 && r.Ratio <= 1.5) {
		t.Fatalf("ratio %v", r.Ratio)
	}
	var entitlement, restitution int64
	gestures := 0
	for _, it := range r.Items {
		if it.Amount < 0 || it.Approval < 0 || it.Approval > it.Amount {
			t.Fatalf("item %+v", it)
		}
		switch it.Kind {
		case recovery.Gesture:
			gestures++
		case recovery.Entitlement:
			entitlement += it.Amount
		case recovery.Restitution:
			restitution += it.Amount
		}
	}
	if most := rules.Active.Compensation.MaxGestures; gestures > most {
		t.Fatalf("%d gestures, want at most %d", gestures, most)
	}
	if entitlement != f.Entitlement {
		t.Fatalf("entitlement %d of %d", entitlement, f.Entitlement)
	}
	goodwill, automatic := r.Goodwill()
	if goodwill > 0 && f.Value > 0 && float64(entitlement+restitution+goodwill) > 1.5*float64(f.Value)+1e-6 {
		t.Fatalf("%d paid for a value of %d", entitlement+restitution+goodwill, f.Value)
	}
	if units := float64(automatic) / minorPerUnit(r.Currency); units > 50 {
		t.Fatalf("%v reference units without approval", units)
	}
}

func minorPerUnit(currency string) float64 {
	cur := rules.Active.Currencies[currency]
	return cur.Scale * math.Pow10(cur.Digits)
}

// Each row raises or lowers one variable of the model and leaves the rest.
func TestRiskIsMonotone(t *testing.T) {
	type state struct {
		c  recovery.Customer
		f  recovery.Failure
		pr recovery.Profile
	}
	rows := map[string]func(t *rapid.T, s *state){
		"severity": func(t *rapid.T, s *state) {
			low := decide(s.c, s.f, s.pr).Assessment.Severity
			high := rapid.Float64Range(low, 1).Draw(t, "graver")
			s.f.Stated = &high
		},
		"an earlier failure": func(t *rapid.T, s *state) {
			s.c.Failures = append(s.c.Failures, recovery.Past{Case: 50, At: noon.Add(-day), Kinds: 1 << 30, Severity: rapid.Float64Range(0, 1).Draw(t, "more")})
		},
		"a double deviation": func(_ *rapid.T, s *state) {
			stated := decide(s.c, s.f, s.pr).Assessment.Severity
			s.f.Stated = &stated
			s.f.Kinds |= recovery.Kinds(recovery.Refused)
		},
		"a longer wait": func(t *rapid.T, s *state) {
			s.c.LastActivity = s.c.LastActivity.Add(-time.Duration(rapid.Int64Range(0, int64(30*day)).Draw(t, "longer")))
		},
		"a worse motive": func(t *rapid.T, s *state) {
			s.f.Attribution.Motive = recovery.Motive(rapid.Uint8Range(uint8(s.f.Attribution.Motive), 4).Draw(t, "worse"))
		},
		"fewer positives": func(t *rapid.T, s *state) {
			s.c.Positives = rapid.Float64Range(0, s.c.Positives).Draw(t, "fewer")
		},
	}
	for name, worsen := range rows {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				s := state{drawCustomer(t), drawFailure(t), drawProfile(t)}
				if s.f.Attribution.Motive == 0 {
					s.f.Attribution.Motive = recovery.Unintended
				}
				before := decide(s.c, s.f, s.pr)
				worsen(t, &s)
				after := decide(s.c, s.f, s.pr)
				was, is := before.Assessment.Risk, after.Assessment.Risk
				for what, fell := range map[string]float64{
					"ignored": was.Ignored - is.Ignored, "on time": was.OnTime - is.OnTime, "late": was.Late - is.Late,
				} {
					if fell > 1e-12 {
						t.Fatalf("the risk %s fell by %v: %+v, %+v", what, fell, was, is)
					}
				}
			})
		})
	}
}

func TestTwelvePositivesCancelOneFailure(t *testing.T) {
	half := 0.5
	f := recovery.Failure{OccurredAt: noon, Kinds: recovery.Kinds(recovery.Rude), Voice: recovery.Private, Stated: &half,
		Attribution: recovery.Attribution{Locus: recovery.Firm, Motive: recovery.Unintended}}
	var c recovery.Customer
	for range 12 {
		c = recovery.Remember(c, recovery.Interaction{OccurredAt: noon, Kind: recovery.Praise}, rules, noon)
	}
	if a := decide(c, f, recovery.Profile{Relationship: recovery.Casual}).Assessment; math.Abs(a.LogOdds) > 1e-12 {
		t.Fatalf("log-odds %v, want 0", a.LogOdds)
	}
}

func TestDeadlinesNeverGetLaterWithTheBandOrTheVoice(t *testing.T) {
	due := func(d recovery.Decision, m recovery.Milestone) time.Time {
		for _, dl := range d.Promise {
			if dl.Milestone == m {
				return dl.DueAt
			}
		}
		return time.Time{}
	}
	rapid.Check(t, func(t *rapid.T) {
		c, f, pr := drawCustomer(t), drawFailure(t), drawProfile(t)
		f.Voice = recovery.Private
		private := decide(c, f, pr)
		f.Voice = recovery.Public
		public := decide(c, f, pr)
		if due(public, recovery.FirstResponse).After(due(private, recovery.FirstResponse)) {
			t.Fatalf("public %v is later than private %v", due(public, recovery.FirstResponse), due(private, recovery.FirstResponse))
		}
		c.Positives = rapid.Float64Range(0, c.Positives).Draw(t, "fewer")
		worse := decide(c, f, pr)
		if worse.Assessment.Risk.Band < public.Assessment.Risk.Band {
			t.Fatalf("band fell")
		}
		for _, m := range []recovery.Milestone{recovery.FirstResponse, recovery.MakeOffer} {
			if due(worse, m).After(due(public, m)) {
				t.Fatalf("%v got later as the band rose", m)
			}
		}
	})
}

// The same history in any order gives the same memory.
func TestOrderOfEventsIsIrrelevant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type entry struct {
			in    *recovery.Interaction
			event *recovery.Event
		}
		list := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) entry {
			at := noon.Add(-time.Duration(rapid.Int64Range(0, int64(20*day)).Draw(t, "at")))
			if rapid.Bool().Draw(t, "positive") {
				return entry{in: &recovery.Interaction{OccurredAt: at, Kind: recovery.Positive(rapid.Uint8Range(1, 5).Draw(t, "kind"))}}
			}
			f := drawFailure(t)
			f.OccurredAt, f.Currency = at, ""
			f.Value, f.Loss, f.Entitlement = 0, 0, 0
			return entry{event: &recovery.Event{Failure: f, Order: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "order")}}
		}), 1, 12).Draw(t, "history")
		run := func(list []entry) (c recovery.Customer) {
			for _, e := range list {
				if e.in != nil {
					c = recovery.Remember(c, *e.in, rules, noon)
					continue
				}
				var err error
				if c, _, err = recovery.Report(c, *e.event, rules, noon); err != nil {
					t.Fatal(err)
				}
			}
			return c
		}
		a, b := run(list), run(rapid.Permutation(list).Draw(t, "shuffled"))
		sameMemory(t, a, b)
	})
}

// Any accounts of one failure make the same case in any order, whomever they blame.
func TestBlameInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) recovery.Event {
			return complaint(order("1"), func(e *recovery.Event) {
				f := drawFailure(t)
				e.Attribution = f.Attribution
				e.Attribution.Locus = max(e.Attribution.Locus, recovery.Firm)
			})
		}), 2, 5).Draw(t, "accounts")
		run := func(list []recovery.Event) recovery.Case {
			var c recovery.Customer
			for _, e := range list {
				c, _, _ = recovery.Report(c, e, rules, noon)
			}
			return c.Open[0]
		}
		a, b := run(list), run(rapid.Permutation(list).Draw(t, "shuffled"))
		if a.Failure.Attribution.Locus != b.Failure.Attribution.Locus || a.Assessment.LogOdds != b.Assessment.LogOdds {
			t.Fatalf("%+v, %v\n%+v, %v", a.Failure.Attribution, a.Assessment.LogOdds, b.Failure.Attribution, b.Assessment.LogOdds)
		}
	})
}

func sameMemory(t *rapid.T, a, b recovery.Customer) {
	near := func(what string, x, y float64) {
		if math.Abs(x-y) > 1e-9 {
			t.Fatalf("%s: %v and %v", what, x, y)
		}
	}
	mass := func(c recovery.Customer) (sum float64) {
		for _, f := range c.Failures {
			sum += f.Severity * math.Exp2(-noon.Sub(f.At).Hours()/24/90)
		}
		return sum
	}
	half := rules.Active.Memory.PositiveHalfLife
	now := func(c recovery.Customer) float64 {
		return c.Positives * math.Exp2(-float64(noon.Sub(c.PositivesAt))/float64(half))
	}
	near("positives", now(a), now(b))
	near("failures", mass(a), mass(b))
	near("orders", float64(a.Orders), float64(b.Orders))
	near("claims", float64(a.Claims), float64(b.Claims))
	if len(a.Failures) != len(b.Failures) || !a.LastActivity.Equal(b.LastActivity) || !a.LastContact.Equal(b.LastContact) {
		t.Fatalf("memories differ:\n%+v\n%+v", a, b)
	}
}

// Every function leaves the customer that it was given as it was, so that a
// judgement can be made again after a conflict.
func TestInputIsLeftAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := recovery.Event{Failure: drawFailure(t), Order: "a"}
		c, _, err := recovery.Report(drawCustomer(t), e, rules, noon)
		if err != nil {
			t.Skip(err)
		}
		before := fmt.Sprintf("%+v", c)
		later := noon.Add(time.Duration(rapid.Int64Range(0, int64(60*day)).Draw(t, "later")))
		recovery.Tick(c, rules, later)
		recovery.View(c, rules, later)
		recovery.Remember(c, recovery.Interaction{OccurredAt: later, Kind: recovery.Praise}, rules, later)
		if _, _, err := recovery.Report(c, e, rules, later); err != nil {
			t.Fatal(err)
		}
		if after := fmt.Sprintf("%+v", c); after != before {
			t.Fatalf("changed:\n%s\n%s", before, after)
		}
	})
}

func TestTickTwiceChangesNothingMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, _, err := recovery.Report(drawCustomer(t), recovery.Event{Failure: drawFailure(t)}, rules, noon)
		if err != nil {
			t.Skip(err)
		}
		later := noon.Add(time.Duration(rapid.Int64Range(0, int64(60*day)).Draw(t, "later")))
		once := recovery.Tick(c, rules, later)
		if next := once.NextDue(rules); !next.IsZero() && !next.After(later) {
			t.Fatalf("still due at %v, now %v", next, later)
		}
		if twice := recovery.Tick(once, rules, later); len(twice.Open) != len(once.Open) || len(twice.Open) > 0 && twice.Open[0].Revision != once.Open[0].Revision {
			t.Fatalf("a second tick changed the customer")
		}
	})
}
