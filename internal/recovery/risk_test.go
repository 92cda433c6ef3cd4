package recovery_test

import (
	"math"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/recovery"
)

// failed is a customer who was failed before: so often, so badly, so long ago,
// each time rudely unless changed.
func failed(times int, severity float64, ago time.Duration, changes ...func(*recovery.Past)) recovery.Customer {
	c := recovery.Customer{Cases: 90}
	for i := range times {
		f := recovery.Past{Case: int64(i + 1), At: noon.Add(-ago), Kinds: recovery.Kinds(recovery.Rude), Severity: severity}
		for _, change := range changes {
			change(&f)
		}
		c.Failures = append(c.Failures, f)
	}
	return c
}

func recovered(f *recovery.Past) { f.Recovered = true }
func wrongItem(f *recovery.Past) { f.Kinds = recovery.Kinds(recovery.WrongItem) }

func loyal(e *recovery.Event)     { e.Profile.Loyalty = true }
func greedy(e *recovery.Event)    { e.Attribution.Motive = recovery.Greed }
func recurring(e *recovery.Event) { e.Attribution.Recurring = true }
func aloud(e *recovery.Event)     { e.Voice, e.Channel = recovery.Public, recovery.Social }

// Each row is one term of the score, in units of its weight; 0: it is no reason.
func TestTermsOfTheScore(t *testing.T) {
	refused := kinds(recovery.Refused)
	for _, row := range []struct {
		name string
		c    recovery.Customer
		e    recovery.Event
		term recovery.Code
		want float64
	}{
		{"a failure weighs half after 90 days", failed(1, 0.8, 90*day), complaint(), recovery.ReasonRepeat, 0.4},
		{"a recovered one half of that", failed(1, 0.8, 90*day, recovered), complaint(), recovery.ReasonRepeat, 0.2},
		{"many failures weigh no more than three", failed(5, 1, 0, wrongItem), complaint(at(noon.Add(time.Second))), recovery.ReasonRepeat, 3},
		{"the same kind within 180 days", failed(1, 0.5, 180*day), complaint(), recovery.ReasonSimilar, 1},
		{"the same kind longer ago", failed(1, 0.5, 180*day+time.Second), complaint(), recovery.ReasonSimilar, 0},
		{"another kind", failed(1, 0.5, day, wrongItem), complaint(), recovery.ReasonSimilar, 0},
		{"a cause that recurs", recovery.Customer{}, complaint(recurring), recovery.ReasonStable, 1},
		{"a cause that recurs, of another kind than before", failed(1, 0.5, day, wrongItem), complaint(recurring), recovery.ReasonStable, 1},
		{"a cause that has recurred counts as similar alone", failed(1, 0.5, day), complaint(recurring), recovery.ReasonStable, 0},
		{"the third failure of a kind", failed(2, 0.5, 180*day), complaint(), recovery.ReasonDoubleDeviation, 1},
		{"the third, two of them longer ago", failed(2, 0.5, 180*day+time.Second), complaint(), recovery.ReasonDoubleDeviation, 0},
		{"the third, two of them recovered", failed(2, 0.5, day, recovered), complaint(), recovery.ReasonDoubleDeviation, 0},
		{"the third, two of them of another kind", failed(2, 0.5, day, wrongItem), complaint(), recovery.ReasonDoubleDeviation, 0},
		{"a loyal customer is exploited", recovery.Customer{}, complaint(loyal, greedy), recovery.ReasonBetrayal, 1},
		{"a loyal customer is refused", recovery.Customer{}, complaint(loyal, refused), recovery.ReasonBetrayal, 1},
		{"a loyal customer is failed", recovery.Customer{}, complaint(loyal), recovery.ReasonBetrayal, 0},
		{"a stranger is exploited and refused", recovery.Customer{}, complaint(greedy, refused), recovery.ReasonBetrayal, 0},
		{"silent for a day", recovery.Customer{}, complaint(unvoiced, at(noon.Add(-day))), recovery.ReasonSilent, 1},
		{"silent for less", recovery.Customer{}, complaint(unvoiced, at(noon.Add(time.Second-day))), recovery.ReasonSilent, 0},
		{"not silent", recovery.Customer{}, complaint(at(noon.Add(-day))), recovery.ReasonSilent, 0},
	} {
		now := noon
		if row.e.OccurredAt.After(now) {
			now = row.e.OccurredAt
		}
		_, k := report(t, row.c, row.e, now)
		got := 0.0
		for _, r := range k.Assessment.Reasons {
			if r.Code == row.term {
				got = r.Contribution / rules.Active.Risk.Terms[row.term].Weight
			}
		}
		if math.Abs(got-row.want) > 1e-5 {
			t.Errorf("%s: %v of the weight, want %v", row.name, got, row.want)
		}
	}
}

// A recovery keeps less of its effect when it was not the first failure.
func TestEffectOfARecovery(t *testing.T) {
	r := &rules.Active.Risk
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	grave := kinds(recovery.Damaged, recovery.WrongItem, recovery.Overcharge)
	for _, row := range []struct {
		name string
		c    recovery.Customer
		e    recovery.Event
		want float64 // of the effect
	}{
		{"the first failure", recovery.Customer{}, complaint(grave), 1},
		{"the first failure in public", recovery.Customer{}, complaint(grave, aloud), 1},
		{"a slight one was before", failed(1, 0.1, day, wrongItem), complaint(grave), 0.85},
		{"refused", recovery.Customer{}, complaint(grave, kinds(recovery.Refused, recovery.Damaged)), 0.75},
		{"refused, and it was not the first failure", failed(1, 0.1, day, wrongItem), complaint(grave, kinds(recovery.Refused, recovery.Damaged)), 0.75},
		{"refused, in public", recovery.Customer{}, complaint(grave, kinds(recovery.Refused, recovery.Damaged), aloud), 0.60},
	} {
		_, k := report(t, row.c, row.e, noon)
		a := k.Assessment
		late := max(sigmoid(a.LogOdds-r.LateEffect*row.want), a.Baseline)
		onTime := max(sigmoid(a.LogOdds-r.OnTimeEffect*row.want), a.Baseline)
		if math.Abs(a.Risk.Late-late) > 1e-9 || math.Abs(a.Risk.OnTime-onTime) > 1e-9 {
			t.Errorf("%s: on time %v, late %v, want %v and %v", row.name, a.Risk.OnTime, a.Risk.Late, onTime, late)
		}
	}
}

// A loyal customer who was exploited goes public no sooner than another, unless
// the recovery failed too.
func TestWhoGoesPublic(t *testing.T) {
	chance := func(changes ...func(*recovery.Event)) float64 {
		_, k := report(t, recovery.Customer{}, complaint(changes...), noon)
		return k.Assessment.Escalation
	}
	refused := kinds(recovery.Refused)
	if loyalty, none := chance(greedy, loyal), chance(greedy); loyalty != none {
		t.Errorf("%v, of a customer who is not loyal %v", loyalty, none)
	}
	if loyalty, none := chance(refused, loyal), chance(refused); loyalty <= none {
		t.Errorf("refused: %v, of a customer who is not loyal %v", loyalty, none)
	}
	if c := chance(aloud); c != 1 {
		t.Errorf("%v of a complaint that is public", c)
	}
}

func TestRelationship(t *testing.T) {
	for _, row := range []struct {
		name  string
		known int64 // orders
		pr    recovery.Profile
		want  recovery.Relationship
	}{
		{"a stranger", 0, recovery.Profile{}, recovery.New},
		{"one order", 1, recovery.Profile{}, recovery.New},
		{"two orders", 2, recovery.Profile{}, recovery.Casual},
		{"five orders", 5, recovery.Profile{}, recovery.Casual},
		{"six orders", 6, recovery.Profile{}, recovery.Steady},
		{"six orders as the caller knows", 2, recovery.Profile{Orders: 6}, recovery.Steady},
		{"six orders of which the caller knows two", 6, recovery.Profile{Orders: 2}, recovery.Steady},
		{"a member", 0, recovery.Profile{Loyalty: true}, recovery.Steady},
		{"as stated", 6, recovery.Profile{Relationship: recovery.Casual, Loyalty: true}, recovery.Casual},
	} {
		c, k := report(t, recovery.Customer{Orders: row.known}, complaint(func(e *recovery.Event) { e.Profile = row.pr }), noon)
		if got := k.Assessment.Relationship; got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
		if c.Orders != max(row.known, row.pr.Orders) {
			t.Errorf("%s: %d orders are remembered", row.name, c.Orders)
		}
	}
}

// The risk of a customer is the worst of the open cases and of what ended ones
// have left.
func TestRiskOfACustomer(t *testing.T) {
	grave, k := report(t, recovery.Customer{}, complaint(rejected(1000_00), kinds(recovery.Damaged, recovery.Refused)), noon)
	both, _ := report(t, grave, complaint(order("slight"), kinds(recovery.ThirdParty), at(noon.Add(-day))), noon)
	for _, row := range []struct {
		name string
		c    recovery.Customer
		risk float64 // 0: the baseline
		band recovery.Band
	}{
		{"nothing happened", recovery.Customer{}, 0, recovery.Low},
		{"an open case", grave, k.Assessment.Risk.Ignored, recovery.Critical},
		{"and a slighter one", both, recovery.View(both, rules, noon).Open[0].Assessment.Risk.Ignored, recovery.Critical},
		{"an ended case", recovery.Customer{Residual: 0.6, ResidualAt: noon}, 0.6 + 0.05, recovery.High},
		{"no risk is above the ceiling", recovery.Customer{Residual: 0.98, ResidualAt: noon}, 0.99, recovery.Critical},
	} {
		m := recovery.Recall(recovery.View(row.c, rules, noon), rules, noon)
		if want := max(row.risk, m.Baseline); math.Abs(m.Risk-want) > 1e-9 || m.Band != row.band {
			t.Errorf("%s: %v, %s; want %v, %s", row.name, m.Risk, m.Band, want, row.band)
		}
	}
}
