package recovery_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/recovery"
)

// complaint is a private complaint by phone about rudeness, our fault; with
// changes it stands for every other failure of these tests.
func complaint(changes ...func(*recovery.Event)) recovery.Event {
	e := recovery.Event{Failure: recovery.Failure{
		OccurredAt: noon, Kinds: recovery.Kinds(recovery.Rude), Voice: recovery.Private, Channel: recovery.Phone,
		Acceptance: recovery.Accepted, Evidence: recovery.Evidenced,
		Attribution: recovery.Attribution{Locus: recovery.Firm, Motive: recovery.Unintended},
	}}
	for _, change := range changes {
		change(&e)
	}
	return e
}

func kinds(ks ...recovery.Kind) func(*recovery.Event) {
	return func(e *recovery.Event) { e.Kinds = recovery.Kinds(ks...) }
}

func order(id string) func(*recovery.Event) { return func(e *recovery.Event) { e.Order = id } }

func at(t time.Time) func(*recovery.Event) { return func(e *recovery.Event) { e.OccurredAt = t } }

func unvoiced(e *recovery.Event) {
	e.Voice, e.Channel, e.Evidence = recovery.Unvoiced, 0, recovery.SystemObserved
}

func rejected(cents int64) func(*recovery.Event) {
	return func(e *recovery.Event) {
		e.Acceptance, e.Currency, e.Value, e.Loss = recovery.Rejected, "USD", cents, cents
	}
}

func report(t *testing.T, c recovery.Customer, e recovery.Event, now time.Time) (recovery.Customer, recovery.Case) {
	t.Helper()
	c, k, err := recovery.Report(c, e, rules, now)
	if err != nil {
		t.Fatal(err)
	}
	return c, k
}

// take takes one step that must succeed.
func take(t *testing.T, c recovery.Customer, number int64, a recovery.Action, now time.Time) (recovery.Customer, recovery.Case) {
	t.Helper()
	c, k, err := recovery.Advance(c, number, a, rules, now)
	if err != nil {
		t.Fatalf("%s: %v", a.Step, err)
	}
	return c, k
}

func TestSeverity(t *testing.T) {
	stated := 0.9
	usd := func(dollars int64) func(*recovery.Event) {
		return func(e *recovery.Event) { e.Currency, e.Loss = "USD", dollars*100 }
	}
	delay := func(d time.Duration) func(*recovery.Event) { return func(e *recovery.Event) { e.Delay = d } }
	for _, row := range []struct {
		name string
		e    recovery.Event
		want float64
	}{
		{"one kind has its own severity", complaint(kinds(recovery.Damaged)), 0.5},
		{"two kinds combine as a noisy-or", complaint(kinds(recovery.Rude, recovery.Refused)), 0.8},
		{"a quarter of an hour late", complaint(kinds(recovery.Late), delay(15*time.Minute)), 0.15},
		{"a second more", complaint(kinds(recovery.Late), delay(15*time.Minute+time.Second)), 0.25},
		{"half an hour late", complaint(kinds(recovery.Late), delay(30*time.Minute)), 0.25},
		{"an hour late", complaint(kinds(recovery.Late), delay(time.Hour)), 0.40},
		{"later still", complaint(kinds(recovery.Late), delay(2*time.Hour)), 0.55},
		{"five units lost weigh nothing", complaint(usd(5)), 0.5},
		{"a hundred units lost close half of the gap", complaint(usd(100)), 0.75},
		{"a million lost weigh no more", complaint(usd(1_000_000)), 0.75},
		{"a stated severity replaces all", complaint(usd(100), func(e *recovery.Event) { e.Stated = &stated }), 0.9},
		{"a mediocre rating is a failure", complaint(kinds(recovery.MediocreRating)), 0.35},
	} {
		_, k := report(t, recovery.Customer{}, row.e, noon)
		if got := k.Assessment.Severity; math.Abs(got-row.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}

func TestDoubleDeviation(t *testing.T) {
	third := func(t *testing.T) recovery.Case {
		var c recovery.Customer
		for i := range 2 {
			c, _ = report(t, c, complaint(unvoiced, order(fmt.Sprint(i)), at(noon.Add(-20*day))), noon.Add(-20*day))
		}
		_, k := report(t, c, complaint(unvoiced), noon)
		return k
	}
	missed := func(t *testing.T) recovery.Case {
		c, _ := report(t, recovery.Customer{}, complaint(), noon)
		return recovery.View(c, rules, noon.Add(6*time.Minute)).Open[0]
	}
	refused := func(t *testing.T) recovery.Case {
		_, k := report(t, recovery.Customer{}, complaint(kinds(recovery.Refused)), noon)
		return k
	}
	clean := func(t *testing.T) recovery.Case {
		c, _ := report(t, recovery.Customer{}, complaint(unvoiced), noon)
		return recovery.View(c, rules, noon.Add(3*day)).Open[0]
	}
	for _, row := range []struct {
		name string
		k    func(*testing.T) recovery.Case
		want string
	}{
		{"a deadline of a voiced case was missed", missed, "[DEADLINE_MISSED]"},
		{"the customer was refused", refused, "[REFUSED_OR_IGNORED]"},
		{"the third failure of a kind", third, "[THIRD_SAME_KIND]"},
		{"a missed deadline that nobody waits for is none", clean, "[]"},
	} {
		k := row.k(t)
		if got := fmt.Sprint(k.Assessment.Causes); got != row.want || k.Assessment.Double != (row.want != "[]") {
			t.Errorf("%s: causes %s, want %s", row.name, got, row.want)
		}
	}
}

func TestMissedPromiseIsMadeAnewOnce(t *testing.T) {
	c, first := report(t, recovery.Customer{}, complaint(), noon)
	c = recovery.Tick(c, rules, noon.Add(6*time.Minute))
	k := c.Open[0]
	if !k.Assessment.Double || !k.RespondBy().After(noon) || k.RespondBy().After(first.RespondBy()) {
		t.Fatalf("after the miss: double %v, respond by %v, before %v", k.Assessment.Double, k.RespondBy(), first.RespondBy())
	}
	c = recovery.Tick(c, rules, noon.Add(48*time.Hour))
	made := map[recovery.Milestone]int{}
	for _, d := range c.Open[0].Deadlines {
		if made[d.Milestone]++; d.Verdict != recovery.Missed && d.Milestone != recovery.Resolve {
			t.Errorf("%v is %v", d.Milestone, d.Verdict)
		}
	}
	if made[recovery.Acknowledge] != 2 || made[recovery.FirstResponse] != 2 || made[recovery.MakeOffer] != 2 || made[recovery.Resolve] != 1 {
		t.Errorf("promised so often: %v", made)
	}
	first12, second6 := c.Open[0].Deadlines[1], newest(c.Open[0], recovery.FirstResponse)
	if second6.DueAt.Sub(first12.DueAt)*2 != first12.DueAt.Sub(noon) {
		t.Errorf("due %v, then %v: the promise that is made anew has half the time", first12.DueAt, second6.DueAt)
	}
	_, again := report(t, c, complaint(order(""), at(noon.Add(49*time.Hour))), noon.Add(49*time.Hour))
	if again.Number == k.Number {
		t.Fatal("a failure without an order joined another case")
	}
}

func TestUnvoicedCaseLapses(t *testing.T) {
	c, _ := report(t, recovery.Customer{}, complaint(unvoiced), noon)
	answered, _ := take(t, c, 1, do(recovery.StepContactOutbound), noon)
	if answered = recovery.Tick(answered, rules, noon.Add(60*day)); len(answered.Open) != 1 {
		t.Error("lapsed although somebody answered")
	}
	again, _ := take(t, recovery.Tick(c, rules, noon.Add(30*day)), 1, do(recovery.StepReopen), noon.Add(31*day))
	if again = recovery.Tick(again, rules, noon.Add(61*day-time.Second)); len(again.Open) != 1 {
		t.Error("lapsed less than 30 days after it was opened again")
	}
	if c = recovery.Tick(c, rules, noon.Add(30*day-time.Second)); len(c.Open) != 1 {
		t.Fatal("lapsed early")
	}
	c = recovery.Tick(c, rules, noon.Add(30*day))
	if len(c.Open) != 0 || len(c.Closed) != 1 || c.Closed[0].Outcome != recovery.Lapsed {
		t.Fatalf("open %d, closed %+v", len(c.Open), c.Closed)
	}
	then, later := recovery.Recall(c, rules, noon.Add(30*day)), recovery.Recall(c, rules, noon.Add(60*day))
	if then.Risk <= then.Baseline || math.Abs(later.Residual-then.Residual/2) > 1e-12 {
		t.Errorf("%+v on the day, %+v a month later: the residual must be there and fade", then, later)
	}
	praised := recovery.Remember(c, recovery.Interaction{OccurredAt: noon.Add(31 * day), Kind: recovery.Praise}, rules, noon.Add(31*day))
	if praised.Residual != c.Residual/2 {
		t.Errorf("a later positive leaves %v of %v", praised.Residual, c.Residual)
	}
	before := recovery.Remember(c, recovery.Interaction{OccurredAt: noon.Add(29 * day), Kind: recovery.Praise}, rules, noon.Add(31*day))
	if before.Residual != c.Residual {
		t.Errorf("a positive from before leaves %v of %v", before.Residual, c.Residual)
	}
}

func TestJoin(t *testing.T) {
	c, first := report(t, recovery.Customer{}, complaint(order("7")), noon)
	for _, row := range []struct {
		name  string
		e     recovery.Event
		joins bool
	}{
		{"the same order joins", complaint(order("7"), kinds(recovery.Refused), at(noon.Add(time.Minute))), true},
		{"another order does not", complaint(order("8")), false},
		{"no order does not", complaint(), false},
		{"the same order a month later does not", complaint(order("7"), at(noon.Add(31*day))), false},
	} {
		_, k := report(t, c, row.e, row.e.OccurredAt)
		if joined := k.Number == first.Number; joined != row.joins {
			t.Errorf("%s: case %d", row.name, k.Number)
		}
		if row.joins && k.Failure.Kinds != recovery.Kinds(recovery.Rude, recovery.Refused) {
			t.Errorf("kinds %v", k.Failure.Kinds)
		}
	}
	euro := complaint(order("7"), rejected(100), func(e *recovery.Event) { e.Currency = "EUR" })
	c, _ = report(t, c, complaint(order("7"), rejected(100)), noon)
	if after, _, err := recovery.Report(c, euro, rules, noon); !errors.Is(err, recovery.ErrCurrency) || after.Open[0].Revision != c.Open[0].Revision {
		t.Errorf("a second currency: %v", err)
	}
	if _, _, err := recovery.Report(c, complaint(rejected(5), func(e *recovery.Event) { e.Currency = "XTS" }), rules, noon); !errors.Is(err, recovery.ErrUnlisted) {
		t.Errorf("an unlisted currency: %v", err)
	}
}

// An incident may spoil several orders of one customer: each is made good, and
// what names the incident alone belongs to the first.
func TestOrdersOfOneIncidentAreEachMadeGood(t *testing.T) {
	storm := func(e *recovery.Event) { e.Incident = "storm" }
	owed := func(cents int64) func(*recovery.Event) { return func(e *recovery.Event) { e.Entitlement = cents } }
	var c recovery.Customer
	for _, e := range []recovery.Event{
		complaint(storm, rejected(5_00), owed(1_00)),
		complaint(storm, order("1"), rejected(18_00), owed(10_00)),
		complaint(storm, order("2"), rejected(40_00), owed(15_00)),
		complaint(storm),
		complaint(order("2")),
	} {
		c, _ = report(t, c, e, noon)
	}
	paid := map[string]int64{}
	for _, k := range c.Open {
		for _, it := range k.Recommendation.Items {
			if it.Kind == recovery.Entitlement || it.Kind == recovery.Restitution {
				paid[k.Order] += it.Amount
			}
		}
	}
	if len(c.Open) != 2 || paid["1"] != 18_00 || paid["2"] != 40_00 {
		t.Errorf("%d cases, which give back %v", len(c.Open), paid)
	}
}

// What a case has taken in counts the same in whatever order it came.
func TestJoinedCaseKeepsTheGravestWord(t *testing.T) {
	tenth := 0.1
	stated := func(e *recovery.Event) { e.Stated = &tenth }
	incident := func(e *recovery.Event) { e.Incident = "storm" }
	grave, slight := complaint(order("1"), kinds(recovery.Damaged)), complaint(order("1"), stated, incident)
	for name, pair := range map[string][2]recovery.Event{"grave first": {grave, slight}, "slight first": {slight, grave}} {
		c, _ := report(t, recovery.Customer{}, pair[0], noon)
		c, k := report(t, c, pair[1], noon)
		if k.Assessment.Severity != 0.75 { // damaged and rude, both: the kinds of all accounts
			t.Errorf("%s: severity %v", name, k.Assessment.Severity)
		}
		graver := 0.9
		if _, k := report(t, c, complaint(order("1"), func(e *recovery.Event) { e.Stated = &graver }), noon); k.Assessment.Severity != graver {
			t.Errorf("%s: severity %v, want the stated %v", name, k.Assessment.Severity, graver)
		}
		c, k = report(t, c, complaint(incident), noon)
		if len(c.Open) != 1 || k.Incident != "storm" || k.Order != "1" {
			t.Errorf("%s: %d cases, order %q, incident %q", name, len(c.Open), k.Order, k.Incident)
		}
	}
}

// Two accounts of one failure make one, with the fuller word of each fact.
func TestAccountsMakeOneFailure(t *testing.T) {
	plain := complaint(order("1"), kinds(recovery.Late))
	for _, row := range []struct {
		name string
		says func(*recovery.Event)
		took func(*recovery.Case) bool
	}{
		{"of no use", rejected(20_00), func(k *recovery.Case) bool {
			it := k.Recommendation.Items[0]
			return it.Kind == recovery.Restitution && it.Amount == 20_00
		}},
		{"later", func(e *recovery.Event) { e.Delay = 2 * hour }, func(k *recovery.Case) bool { return k.Failure.Delay == 2*hour && k.Assessment.Severity == 0.55 }},
		{"owed more", func(e *recovery.Event) { e.Currency, e.Entitlement = "USD", 7_00 }, func(k *recovery.Case) bool { return k.Failure.Entitlement == 7_00 }},
		{"read by more", func(e *recovery.Event) { e.Reach = 9 }, func(k *recovery.Case) bool { return k.Failure.Reach == 9 }},
		{"here for longer", func(e *recovery.Event) { e.DepartsAt = noon.Add(hour) }, func(k *recovery.Case) bool { return k.Failure.DepartsAt.Equal(noon.Add(hour)) }},
		{"of a member", loyal, func(k *recovery.Case) bool { return k.Profile.Loyalty && k.Assessment.Relationship == recovery.Steady }},
		{"of a good customer", func(e *recovery.Event) { e.Profile.LifetimeValue = 5 }, func(k *recovery.Case) bool { return k.Profile.LifetimeValue == 5 }},
		{"of who orders often", func(e *recovery.Event) { e.Profile.Orders = 7 }, func(k *recovery.Case) bool { return k.Profile.Orders == 7 }},
		{"of a stated relationship", func(e *recovery.Event) { e.Profile.Relationship = recovery.Casual }, func(k *recovery.Case) bool { return k.Assessment.Relationship == recovery.Casual }},
	} {
		fuller := complaint(order("1"), kinds(recovery.Late), row.says)
		for name, pair := range map[string][2]recovery.Event{"first": {fuller, plain}, "last": {plain, fuller}} {
			c, _ := report(t, recovery.Customer{}, pair[0], noon)
			if _, k := report(t, c, pair[1], noon); !row.took(&k) {
				t.Errorf("%s, said %s: %+v, %+v", row.name, name, k.Failure, k.Profile)
			}
		}
	}
}

// How late something was is read of an account of the kind LATE alone.
func TestDelayBelongsToWhatWasLate(t *testing.T) {
	late := complaint(order("1"), kinds(recovery.Late), func(e *recovery.Event) { e.Delay = 10 * time.Minute })
	rude := complaint(order("1"), func(e *recovery.Event) { e.Delay = 3 * time.Hour })
	want := 1 - (1-0.15)*(1-0.5)
	for name, pair := range map[string][2]recovery.Event{"late first": {late, rude}, "rude first": {rude, late}} {
		c, _ := report(t, recovery.Customer{}, pair[0], noon)
		if _, k := report(t, c, pair[1], noon); math.Abs(k.Assessment.Severity-want) > 1e-12 {
			t.Errorf("%s: severity %v, want %v", name, k.Assessment.Severity, want)
		}
	}
}

// Three accounts of one failure make the same case in any order.
func TestThreeAccountsInAnyOrder(t *testing.T) {
	on := func(ch recovery.Channel, r recovery.Resource, ago time.Duration) recovery.Event {
		return complaint(order("1"), at(noon.Add(-ago)), func(e *recovery.Event) {
			e.Channel, e.Voice, e.Resource = ch, ch.Voice(), r
		})
	}
	accounts := []recovery.Event{
		on(recovery.AntiBrandSite, 0, 5*time.Hour), on(0, recovery.LostTime, 0), on(recovery.Social, recovery.LostGood, 2*time.Hour),
	}
	want := ""
	for _, p := range [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		var c recovery.Customer
		for _, i := range p {
			c, _ = report(t, c, accounts[i], noon)
		}
		got := fmt.Sprintf("%+v", c.Open[0].Failure)
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("in the order %v:\n%s\nwant\n%s", p, got, want)
		}
	}
}

// Of two accounts the one counts that says we could have prevented more. How far
// we could belongs to whom it is said of, in any order.
func TestBlameIsTakenFromOneAccount(t *testing.T) {
	none, some, half, full := 0.0, 0.2, 0.5, 1.0
	on := func(l recovery.Locus, stated *float64) recovery.Event {
		return complaint(order("1"), func(e *recovery.Event) {
			e.Attribution.Locus, e.Attribution.Controllability = l, stated
		})
	}
	for _, row := range []struct {
		name  string
		a, b  recovery.Event
		locus recovery.Locus
		want  float64 // controllability
	}{
		{"the business by default, a partner without blame", on(recovery.Firm, nil), on(recovery.Partner, &none), recovery.Firm, 1},
		{"the business a little, a partner by default", on(recovery.Firm, &some), on(recovery.Partner, nil), recovery.Partner, 0.7},
		{"the customer by default, the business by half", on(recovery.ByCustomer, nil), on(recovery.Firm, &half), recovery.Firm, 0.5},
		{"the business by default and by half", on(recovery.Firm, nil), on(recovery.Firm, &half), recovery.Firm, 1},
		{"both fully", on(recovery.Partner, &full), on(recovery.Firm, nil), recovery.Firm, 1},
	} {
		for _, pair := range [][2]recovery.Event{{row.a, row.b}, {row.b, row.a}} {
			c, _ := report(t, recovery.Customer{}, pair[0], noon)
			_, k := report(t, c, pair[1], noon)
			got := 1.0
			for _, r := range k.Assessment.Reasons {
				if r.Code == recovery.ReasonControllability {
					got += r.Contribution / rules.Active.Risk.Terms[recovery.ReasonControllability].Weight
				}
			}
			if locus := k.Failure.Attribution.Locus; locus != row.locus || math.Abs(got-row.want) > 1e-12 {
				t.Errorf("%s: %v with %v, want %v with %v", row.name, locus, got, row.locus, row.want)
			}
		}
	}
}

// Of many failures the newest are remembered, in whatever order they are reported.
func TestNewestFailuresAreRemembered(t *testing.T) {
	for name, step := range map[string]int{"oldest first": 1, "newest first": -1} {
		var c recovery.Customer
		for i := range 20 {
			ago := time.Duration(20-i) * hour
			if step < 0 {
				ago = time.Duration(i+1) * hour
			}
			c, _ = report(t, c, complaint(unvoiced, order(fmt.Sprint(i)), at(noon.Add(-ago))), noon)
		}
		first, last := c.Failures[0].At, c.Failures[len(c.Failures)-1].At
		if len(c.Failures) != recovery.MostFailures || !first.Equal(noon.Add(-16*hour)) || !last.Equal(noon.Add(-hour)) {
			t.Errorf("%s: %d failures from %v to %v ago", name, len(c.Failures), noon.Sub(first), noon.Sub(last))
		}
	}
}

// A failure that came later is no earlier failure, however often the first
// case is looked at again.
func TestLaterFailuresDoNotCountBackwards(t *testing.T) {
	c, first := report(t, recovery.Customer{}, complaint(unvoiced, order("1")), noon)
	for i := range 3 {
		c, _ = report(t, c, complaint(unvoiced, order(fmt.Sprint("later", i)), at(noon.Add(time.Duration(i)*time.Hour))), noon.Add(3*time.Hour))
	}
	again := recovery.View(c, rules, noon.Add(3*time.Hour)).Open[0].Assessment
	if again.Repeat != 0 || again.Double || again.LogOdds != first.Assessment.LogOdds {
		t.Errorf("repeat mass %v, double %v, log-odds %v instead of %v", again.Repeat, again.Double, again.LogOdds, first.Assessment.LogOdds)
	}
}

// It makes no difference when, and how often, time is let pass.
func TestTimePassesAlikeHoweverItIsLookedAt(t *testing.T) {
	c := recovery.Customer{
		Grants:    []recovery.Grant{{Case: 90, At: noon.Add(-60 * day), Units: 50}, {Case: 91, At: noon.Add(-60 * day), Units: 1}},
		Apologies: []recovery.Apologised{{Case: 90, At: noon.Add(-60 * day)}, {Case: 91, At: noon.Add(-60 * day)}},
		Cases:     91,
	}
	c, _ = report(t, c, complaint(rejected(120_00), unvoiced, order("2")), noon)
	c, _ = report(t, c, complaint(rejected(120_00)), noon)
	c, _ = report(t, c, complaint(rejected(120_00), order("2"), at(noon.Add(2*time.Minute))), noon.Add(2*time.Minute))
	c, _ = report(t, c, complaint(unvoiced, order("1")), noon.Add(2*time.Minute))
	end := noon.Add(40 * day)
	often := c
	for now := noon; !now.After(end); now = now.Add(17 * time.Minute) {
		often = recovery.Tick(often, rules, now)
	}
	often, once := recovery.Tick(often, rules, end), recovery.Tick(c, rules, end)
	if a, b := fmt.Sprintf("%+v", often), fmt.Sprintf("%+v", once); a != b {
		t.Errorf("looked at often:\n%s\nand once:\n%s", a, b)
	}
}

func TestTooManyOpenCasesLetTheOldestLapse(t *testing.T) {
	var c recovery.Customer
	most := rules.Active.Memory.OpenCases
	for i := range most + 3 {
		c.Closed = nil
		c, _ = report(t, c, complaint(order(fmt.Sprint(i)), at(noon.Add(time.Duration(i)*time.Second))), noon.Add(time.Duration(i)*time.Second))
	}
	if len(c.Open) != most || c.Open[0].Number != 4 || len(c.Closed) != 1 {
		t.Fatalf("%d open, first %d, %d closed by the last", len(c.Open), c.Open[0].Number, len(c.Closed))
	}
}

func TestGoodwill(t *testing.T) {
	pay := func(c recovery.Customer, e recovery.Event) (recovery.Case, int64, int64) {
		_, k := report(t, c, e, noon)
		amount, automatic := k.Recommendation.Goodwill()
		return k, amount, automatic
	}
	t.Run("entitlement is paid in full outside every cap", func(t *testing.T) {
		k, _, _ := pay(recovery.Customer{}, complaint(rejected(10_000_00), func(e *recovery.Event) { e.Entitlement = 12_000_00 }))
		if it := k.Recommendation.Items[0]; it.Kind != recovery.Entitlement || it.Amount != 12_000_00 || it.Approval != 0 {
			t.Errorf("first item %+v", it)
		}
	})
	t.Run("restitution is the value less the entitlement", func(t *testing.T) {
		k, _, _ := pay(recovery.Customer{}, complaint(rejected(100_00), func(e *recovery.Event) { e.Entitlement = 30_00 }))
		if it := k.Recommendation.Items[1]; it.Kind != recovery.Restitution || it.Amount != 70_00 {
			t.Errorf("second item %+v", it)
		}
	})
	t.Run("a customer is granted no more than the cap in the window", func(t *testing.T) {
		var c recovery.Customer
		var total int64
		for i := range 10 {
			var k recovery.Case
			c, k = report(t, c, complaint(rejected(1000_00), order(fmt.Sprint(i))), noon)
			_, automatic := k.Recommendation.Goodwill()
			total += automatic
		}
		if total != 100_00 {
			t.Errorf("%d cents without approval, want 10000", total)
		}
		for after, want := range map[time.Duration]int64{89 * day: 0, 91 * day: 50_00} {
			_, k := report(t, c, complaint(rejected(1000_00), order("new"), at(noon.Add(after))), noon.Add(after))
			if _, automatic := k.Recommendation.Goodwill(); automatic != want {
				t.Errorf("%d cents without approval after %v, want %d", automatic, after, want)
			}
		}
	})
	t.Run("the same case is granted its amount once", func(t *testing.T) {
		c, _ := report(t, recovery.Customer{}, complaint(rejected(1000_00), order("1")), noon)
		for range 5 {
			c, _ = report(t, c, complaint(rejected(1000_00), order("1")), noon)
		}
		if len(c.Grants) != 1 || c.Grants[0].Minor != 50_00 {
			t.Errorf("grants %+v", c.Grants)
		}
	})
	t.Run("lifetime value bounds it", func(t *testing.T) {
		k, amount, _ := pay(recovery.Customer{}, complaint(rejected(100_00), func(e *recovery.Event) { e.Profile.LifetimeValue = 20_00 }))
		r := k.Assessment.Risk
		if want := int64((r.Ignored - r.OnTime) / 2 * 20_00); amount != want {
			t.Errorf("%d cents, want %d", amount, want)
		}
	})
	t.Run("who is worth nothing is given nothing", func(t *testing.T) {
		worth := func(e *recovery.Event) { e.Profile.LifetimeValue = 1 }
		if _, amount, _ := pay(recovery.Customer{}, complaint(rejected(100_00), worth)); amount != 0 {
			t.Errorf("%d cents for who brings in a cent", amount)
		}
	})
	t.Run("an old event never pays by itself", func(t *testing.T) {
		k, amount, automatic := pay(recovery.Customer{}, complaint(rejected(100_00), at(noon.Add(-7*day-time.Second))))
		if amount == 0 || automatic != 0 || len(k.Recommendation.ReviewReasons) == 0 {
			t.Errorf("%d cents, %d of them automatic, review %v", amount, automatic, k.Recommendation.ReviewReasons)
		}
	})
	t.Run("an old event pays nothing at all by itself", func(t *testing.T) {
		old := complaint(rejected(200_00), at(noon.Add(-8*day)), func(e *recovery.Event) { e.Entitlement = 50_00 })
		k, _, _ := pay(recovery.Customer{}, old)
		for _, it := range k.Recommendation.Items {
			if it.Approval != it.Amount {
				t.Errorf("%v: %d of %d cents need approval", it.Kind, it.Approval, it.Amount)
			}
		}
	})
	t.Run("an amount that grows later counts from then", func(t *testing.T) {
		c, _ := report(t, recovery.Customer{}, complaint(rejected(1_00), order("1")), noon)
		then := noon.Add(29 * day)
		c, _ = report(t, c, complaint(rejected(1000_00), order("1"), at(then)), then)
		if g := c.Grants[0]; len(c.Grants) != 1 || !g.At.Equal(then) || g.Minor != 50_00 {
			t.Errorf("booked %+v", c.Grants)
		}
	})
	t.Run("an old event never pays through a fresh one", func(t *testing.T) {
		old := complaint(rejected(200_00), order("1"), at(noon.Add(-8*day)))
		c, _ := report(t, recovery.Customer{}, old, noon)
		k, amount, automatic := pay(c, complaint(rejected(1_00), order("1")))
		alone, _, fresh := pay(recovery.Customer{}, complaint(rejected(1_00), order("1")))
		if automatic != fresh || automatic >= amount || len(k.Recommendation.ReviewReasons) == 0 {
			t.Errorf("%d of %d cents automatic, the fresh event alone %d (%v)", automatic, amount, fresh, alone.Recommendation.Items)
		}
	})
	t.Run("a case that finds its currency later is booked by its worth", func(t *testing.T) {
		c, _ := report(t, recovery.Customer{}, complaint(order("1"), kinds(recovery.Unsafe-1, recovery.Refused), unvoiced), noon)
		c.Grants = []recovery.Grant{{Case: 1, At: noon, Currency: "USD", Minor: 10_00}}
		c, _ = report(t, c, complaint(order("1"), rejected(9_000), func(e *recovery.Event) { e.Currency = "JPY" }), noon)
		if g := c.Grants[0]; len(c.Grants) != 1 || g.Currency == "USD" && g.Minor != 10_00 {
			t.Errorf("booked %+v", c.Grants)
		}
	})
	t.Run("danger is for a human to decide", func(t *testing.T) {
		for _, kind := range []recovery.Kind{recovery.Unsafe, recovery.DataBreach} {
			k, _, automatic := pay(recovery.Customer{}, complaint(rejected(10_00), kinds(kind)))
			if k.Assessment.Risk.Band != recovery.Critical || automatic != 0 || len(k.Recommendation.ReviewReasons) != 1 {
				t.Errorf("%v: band %v, automatic %d, review %v", kind, k.Assessment.Risk.Band, automatic, k.Recommendation.ReviewReasons)
			}
		}
	})
	t.Run("who was not at fault gives a token", func(t *testing.T) {
		for _, row := range []struct {
			currency    string
			value, want int64
		}{{"USD", 30_00, 3_00}, {"USD", 50_00, 5_00}, {"USD", 900_00, 5_00}, {"JPY", 90_000, 600}} {
			k, amount, _ := pay(recovery.Customer{}, complaint(rejected(row.value), func(e *recovery.Event) {
				e.Currency, e.Attribution.Locus = row.currency, recovery.Nobody
			}))
			items := k.Recommendation.Items
			i := slices.IndexFunc(items, func(it recovery.Item) bool { return it.Kind == recovery.Goodwill })
			if amount != row.want || items[i].Medium != recovery.InKind || k.Recommendation.Ratio != 0 {
				t.Errorf("%d of %d %s, %v, ratio %v; want %d", amount, row.value, row.currency, items[i].Medium, k.Recommendation.Ratio, row.want)
			}
		}
	})
	t.Run("yen have no decimals", func(t *testing.T) {
		_, amount, _ := pay(recovery.Customer{}, complaint(rejected(3000), func(e *recovery.Event) { e.Currency = "JPY" }))
		if step := rules.Active.Currencies["JPY"].RoundTo; amount == 0 || amount%step != 0 {
			t.Errorf("%d yen", amount)
		}
	})
}

func TestRatioCeiling(t *testing.T) {
	ratio := func(c recovery.Customer, changes ...func(*recovery.Event)) float64 {
		_, k := report(t, c, complaint(append(changes, rejected(100_00), kinds(recovery.Damaged))...), noon)
		return k.Recommendation.Ratio
	}
	slipped, _ := report(t, recovery.Customer{}, complaint(unvoiced), noon)
	severity := 0.75
	for _, row := range []struct {
		name      string
		got, want float64
	}{
		{"a first clean failure stops at 1.20", ratio(recovery.Customer{}), 1.20},
		{"many repeats count as two", ratio(failed(5, 1, 0, wrongItem), at(noon.Add(time.Second))), 1 + 0.2*severity + 0.1*2 + 0.1},
		{"a repeat goes on", ratio(slipped), 1 + 0.2*severity + 0.1*0.5 + 0.1},
		{"and so does greed", ratio(recovery.Customer{}, func(e *recovery.Event) { e.Attribution.Motive = recovery.Greed }), 1 + 0.2*severity + 0.1 + 0.1},
		{"a steady customer forgives a first slip", ratio(recovery.Customer{}, func(e *recovery.Event) { e.Profile.Loyalty = true }), 1 + 0.2*severity - 0.1},
	} {
		if math.Abs(row.got-row.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", row.name, row.got, row.want)
		}
	}
}

// However much less a steady customer is given, nothing is taken from them.
func TestRatioIsNotNegative(t *testing.T) {
	p := *rules.Active
	p.Compensation.Steady = -1
	steady := func(e *recovery.Event) { e.Profile.Loyalty, e.Acceptance = true, recovery.Accepted }
	incident := func(e *recovery.Event) { e.Incident = "storm" }
	for name, e := range map[string]recovery.Event{
		"alone": complaint(rejected(100_00), steady), "of an incident": complaint(rejected(100_00), steady, incident),
	} {
		_, k, err := recovery.Report(recovery.Customer{}, e, recovery.Rules{Active: &p}, noon)
		if err != nil || k.Recommendation.Ratio != 0 {
			t.Errorf("%s: %v, %v; want 0", name, k.Recommendation.Ratio, err)
		}
	}
}

func TestOptions(t *testing.T) {
	_, k := report(t, recovery.Customer{}, complaint(rejected(100_00), kinds(recovery.Damaged)), noon)
	picks := k.Recommendation.Options
	if picks.Len() < 2 || picks.Len() > 3 {
		t.Fatalf("%d options after a severe failure", picks.Len())
	}
	amount, _ := k.Recommendation.Goodwill()
	seen := map[string]string{}
	for i := range picks.All() {
		choice := rules.Active.Options.Choices[i]
		var sum int64
		paid := choice.Pay(k.Recommendation.Items)
		for _, it := range paid {
			sum += it.Amount
		}
		if sum != 100_00+amount {
			t.Errorf("option %q comes to %d", choice.Title, sum)
		}
		if twin := seen[fmt.Sprint(paid)]; twin != "" {
			t.Errorf("%q and %q are the same", choice.Title, twin)
		}
		seen[fmt.Sprint(paid)] = choice.Title
	}
	if _, k = report(t, recovery.Customer{}, complaint(rejected(5_00)), noon); k.Recommendation.Options != 0 {
		t.Errorf("options after a slight failure: %v", k.Recommendation.Options)
	}
}

func TestIncidentIsFair(t *testing.T) {
	ratio := func(c recovery.Customer, changes ...func(*recovery.Event)) float64 {
		e := complaint(append(changes, func(e *recovery.Event) { e.Incident = "storm"; e.Profile.Relationship = recovery.Casual })...)
		_, k := report(t, c, e, noon)
		return k.Recommendation.Ratio
	}
	before, _ := report(t, recovery.Customer{}, complaint(), noon.Add(-day))
	plain := ratio(recovery.Customer{}, rejected(10_00))
	for name, other := range map[string]float64{
		"dearer": ratio(recovery.Customer{}, rejected(900_00)),
		"graver": ratio(recovery.Customer{}, rejected(10_00), kinds(recovery.Damaged, recovery.WrongItem)),
		"repeat": ratio(before, rejected(10_00)),
	} {
		if other != plain {
			t.Errorf("%s: ratio %v, another customer of the incident %v", name, other, plain)
		}
	}
}

func TestAbuseGuard(t *testing.T) {
	for _, row := range []struct {
		claims, orders int64
		want           float64
		fires          bool
	}{{3, 12, .41, false}, {5, 12, .79, false}, {8, 12, .98, true}, {6, 60, .26, false}} {
		g := rules.Active.Guard
		got := g.Above(g.Alpha+float64(row.claims), g.Beta+float64(row.orders-row.claims), g.Multiple*g.MeanRate)
		if math.Abs(got-row.want) > 0.006 {
			t.Errorf("%d claims of %d orders: %.3f, want %.2f", row.claims, row.orders, got, row.want)
		}
		c := recovery.Customer{Claims: row.claims - 1, Orders: row.orders}
		e := complaint(rejected(20_00), func(e *recovery.Event) { e.Evidence = recovery.ClaimOnly })
		_, k := report(t, c, e, noon)
		goodwill, _ := k.Recommendation.Goodwill()
		if fired := goodwill == 0; fired != row.fires || fired != (len(k.Recommendation.ReviewReasons) > 0) {
			t.Errorf("%d of %d: goodwill %d, review %v", row.claims, row.orders, goodwill, k.Recommendation.ReviewReasons)
		}
		if restitution := k.Recommendation.Items[0]; restitution.Kind != recovery.Restitution || restitution.Amount != 20_00 {
			t.Errorf("the guard touched the restitution: %+v", restitution)
		}
		if _, k = report(t, c, complaint(func(e *recovery.Event) { e.Evidence = recovery.ClaimOnly }), noon); k.Recommendation.Ratio != 0 {
			t.Errorf("%d of %d: ratio %v of no value", row.claims, row.orders, k.Recommendation.Ratio)
		}
	}
}

// Who has claimed too often is held back where their word is all there is, and
// where the orders that anybody knows of are too few.
func TestWhomTheGuardHoldsBack(t *testing.T) {
	for _, row := range []struct {
		name           string
		claims, orders int64
		says           func(*recovery.Event)
		held           bool
	}{
		{"a claim", 10, 12, func(e *recovery.Event) { e.Evidence = recovery.ClaimOnly }, true},
		{"what is evidenced", 10, 12, func(e *recovery.Event) { e.Evidence = recovery.Evidenced }, false},
		{"what we saw", 10, 12, func(e *recovery.Event) { e.Evidence = recovery.SystemObserved }, false},
		{"a claim of who orders often, as the caller knows", 7, 12, func(e *recovery.Event) { e.Evidence, e.Profile.Orders = recovery.ClaimOnly, 200 }, false},
		{"more claims than orders", 60, 1, func(e *recovery.Event) { e.Evidence = recovery.ClaimOnly }, true},
	} {
		c := recovery.Customer{Claims: row.claims, Orders: row.orders}
		_, k := report(t, c, complaint(rejected(20_00), row.says), noon)
		if goodwill, _ := k.Recommendation.Goodwill(); (goodwill == 0) != row.held {
			t.Errorf("%s: goodwill %d, review %v", row.name, goodwill, k.Recommendation.ReviewReasons)
		}
	}
}

// Somebody who reports an order did something, unless it is that we refused them.
func TestWhatCountsAsActivity(t *testing.T) {
	for _, row := range []struct {
		name string
		e    recovery.Event
		want time.Time
	}{
		{"a complaint", complaint(), noon},
		{"an order that our system saw fail", complaint(unvoiced, order("1")), noon},
		{"a failure without an order", complaint(unvoiced), time.Time{}},
		{"an order that we refused", complaint(unvoiced, order("1"), kinds(recovery.Refused)), time.Time{}},
	} {
		if c, _ := report(t, recovery.Customer{}, row.e, noon); !c.LastActivity.Equal(row.want) {
			t.Errorf("%s: active at %v, want %v", row.name, c.LastActivity, row.want)
		}
	}
}

func TestClaimsAreCountedOnceACase(t *testing.T) {
	claim := func(e *recovery.Event) { e.Evidence = recovery.ClaimOnly }
	c, _ := report(t, recovery.Customer{}, complaint(order("1"), claim), noon)
	c, _ = report(t, c, complaint(order("1"), claim), noon)
	if c.Claims != 1 {
		t.Fatalf("%d claims for one order", c.Claims)
	}
	c, _ = report(t, c, complaint(order("1"), unvoiced), noon)
	if c.Claims != 0 {
		t.Fatalf("%d claims although our own system saw it", c.Claims)
	}
	if c, _ = report(t, c, complaint(order("2"), unvoiced), noon); c.Claims != 0 {
		t.Fatalf("%d claims that nobody made", c.Claims)
	}
}

func TestApology(t *testing.T) {
	has := func(list []recovery.ApologyRule, picks recovery.Picks, code string) bool {
		return slices.ContainsFunc(list, func(r recovery.ApologyRule) bool { return r.Code == code && picks.Has(slices.Index(list, r)) })
	}
	include := func(k recovery.Case, code string) bool {
		return has(rules.Active.Apology.Include, k.Recommendation.Apology.Include, code)
	}
	avoid := func(k recovery.Case, code string) bool {
		return has(rules.Active.Apology.Avoid, k.Recommendation.Apology.Avoid, code)
	}
	fault := complaint()
	_, k := report(t, recovery.Customer{}, fault, noon)
	if a := k.Recommendation.Apology; !include(k, "ADMISSION") || avoid(k, "BARE_APOLOGY") || a.Speaker != recovery.Anyone {
		t.Errorf("our fault: %+v", a)
	}
	_, k = report(t, recovery.Customer{}, complaint(func(e *recovery.Event) { e.Attribution.Locus = recovery.Nobody }), noon)
	if include(k, "ADMISSION") {
		t.Error("admitted what was nobody's fault")
	}
	var c recovery.Customer
	for i := range 3 {
		c, k = report(t, c, complaint(order(fmt.Sprint(i)), kinds(recovery.Kind(i+1))), noon)
		if bare, spent := avoid(k, "BARE_APOLOGY"), avoid(k, "YET_ANOTHER_APOLOGY"); bare != (i >= 1) || spent != (i >= 2) {
			t.Errorf("failure %d: bare apology advised against %v, another one %v", i+1, bare, spent)
		}
		c, _ = take(t, c, k.Number, recovery.Action{Step: recovery.StepContactOutbound, Channel: recovery.Email}, noon)
		if i == 1 {
			_, k = take(t, c, k.Number, recovery.Action{Step: recovery.StepContactInbound, Channel: recovery.Email}, noon)
			if avoid(k, "YET_ANOTHER_APOLOGY") {
				t.Error("the apology of the case itself counts against it")
			}
		}
	}
	for _, row := range []struct {
		name    string
		e       recovery.Event
		speaker recovery.Speaker
	}{
		{"a first failure", complaint(), recovery.Anyone},
		{"refused, and no more", complaint(kinds(recovery.Refused), func(e *recovery.Event) { e.Stated = new(0.1) }), recovery.NamedPerson},
		{"refused, and all is lost", complaint(kinds(recovery.Refused), rejected(1000_00)), recovery.Manager},
		{"refused, and all the world reads it", complaint(kinds(recovery.Refused), func(e *recovery.Event) { e.Reach = 100_000 }), recovery.Executive},
	} {
		if _, k := report(t, recovery.Customer{}, row.e, noon); k.Recommendation.Apology.Speaker != row.speaker {
			t.Errorf("%s (%s): %s speaks, want %s", row.name, k.Assessment.Risk.Band, k.Recommendation.Apology.Speaker, row.speaker)
		}
	}
	for _, row := range []struct {
		channel recovery.Channel
		reach   int64
		form    recovery.Form
		speaker recovery.Speaker
		review  bool
	}{
		{recovery.Social, 10, recovery.PublicThenPrivate, recovery.Anyone, false},
		{recovery.ComplaintSite, 10, recovery.PublicOnRecord, recovery.Anyone, false},
		{recovery.ReviewSite, 10, recovery.PublicOnRecord, recovery.Anyone, false},
		{recovery.AntiBrandSite, 10, recovery.DirectOnly, recovery.Manager, true},
		{recovery.Social, 100_000, recovery.PublicThenPrivate, recovery.Executive, false},
	} {
		_, k := report(t, recovery.Customer{}, complaint(func(e *recovery.Event) {
			e.Channel, e.Voice, e.Reach = row.channel, recovery.Public, row.reach
		}), noon)
		a := k.Recommendation.Apology
		if a.Form != row.form || a.Speaker != row.speaker || (len(k.Recommendation.ReviewReasons) > 0) != row.review {
			t.Errorf("%v with reach %d: form %v, speaker %v, review %v", row.channel, row.reach, a.Form, a.Speaker, k.Recommendation.ReviewReasons)
		}
	}
}

func TestServiceLevel(t *testing.T) {
	type happening func(*testing.T, recovery.Customer) recovery.Customer
	step := func(a recovery.Action) happening {
		return func(t *testing.T, c recovery.Customer) recovery.Customer {
			c, _ = take(t, c, 1, a, noon.Add(time.Minute))
			return c
		}
	}
	reported := func(changes ...func(*recovery.Event)) happening {
		return func(t *testing.T, c recovery.Customer) recovery.Customer {
			c, _ = report(t, c, complaint(changes...), noon)
			return c
		}
	}
	lets := func(d time.Duration) happening {
		return func(_ *testing.T, c recovery.Customer) recovery.Customer { return recovery.Tick(c, rules, noon.Add(d)) }
	}
	spoken, silent := reported(order("o")), reported(order("o"), unvoiced, rejected(20_00))
	offered, made, accepted := step(do(recovery.StepRequestOffer)), step(do(recovery.StepMakeOffer)), step(do(recovery.StepAcceptOffer))
	answered, asked := step(do(recovery.StepContactOutbound)), step(do(recovery.StepContactInbound))
	satisfied := step(outcome(recovery.Satisfied))
	greedy := func(e *recovery.Event) { e.Attribution.Motive = recovery.Greed }
	for _, row := range []struct {
		name  string
		steps []happening
		after time.Duration
		want  recovery.ServiceLevel
	}{
		{"a stranger", nil, 0, recovery.LevelSuccess},
		{"they had to complain", []happening{spoken}, 0, recovery.LevelSurvival},
		{"they were answered in time", []happening{spoken, answered}, hour, recovery.LevelSuccess},
		{"nobody answers in time", []happening{spoken, lets(3 * day)}, 3 * day, recovery.LevelFailure},
		{"refused by greed", []happening{reported(kinds(recovery.Refused), greedy)}, 0, recovery.LevelFailure},
		{"nobody has spoken", []happening{silent}, 0, recovery.LevelSuccess},
		{"we reached out first", []happening{silent, answered}, 0, recovery.LevelTransformational},
		{"of two cases the worse", []happening{silent, answered, reported(order("2"))}, 0, recovery.LevelSurvival},
		{"in whatever order", []happening{reported(order("2"), unvoiced), answered, reported(order("3")), reported(order("4"), unvoiced)}, 0, recovery.LevelSurvival},
		{"they accepted what we offered first", []happening{silent, offered, made, accepted}, 0, recovery.LevelTransformational},
		{"and were satisfied", []happening{silent, offered, made, accepted, satisfied}, hour, recovery.LevelTransformational},
		{"thanked us and were satisfied", []happening{silent, answered, asked, answered, satisfied}, hour, recovery.LevelTransformational},
		{"they spoke first and were satisfied", []happening{spoken, answered, satisfied}, hour, recovery.LevelSuccess},
		{"nobody was spoken to", []happening{silent, satisfied}, hour, recovery.LevelSuccess},
		{"a promise was broken of late", []happening{silent}, 100 * day, recovery.LevelSurvival},
		{"a promise was broken long ago", []happening{silent}, 200 * day, recovery.LevelSuccess},
	} {
		t.Run(row.name, func(t *testing.T) {
			var c recovery.Customer
			for _, next := range row.steps {
				c = next(t, c)
			}
			now := noon.Add(row.after)
			if got := recovery.Recall(recovery.View(c, rules, now), rules, now).Level; got != row.want {
				t.Errorf("%s, want %s", got, row.want)
			}
		})
	}
}
