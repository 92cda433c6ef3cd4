package recovery_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/policy"
	"github.com/makeamends/amends/internal/recovery"
)

// A customer who writes again and again cannot make an old promise slide, nor
// us forget that we broke one.
func TestLongTalkForgetsNothing(t *testing.T) {
	c, _ := report(t, recovery.Customer{}, complaint(order("o")), noon)
	c = recovery.Tick(c, rules, noon.Add(6*time.Minute)) // the acknowledgement is missed
	resolve := newest(c.Open[0], recovery.Resolve).DueAt
	talk := func(from, to time.Duration) recovery.Case {
		for now := noon.Add(from); now.Before(noon.Add(to)); now = now.Add(3 * hour) {
			c, _ = take(t, c, 1, do(recovery.StepContactInbound), now)
			c, _ = take(t, c, 1, do(recovery.StepContactOutbound), now.Add(hour))
		}
		return c.Open[0]
	}
	k := talk(hour, 5*day+3*hour)
	if !slices.ContainsFunc(k.Deadlines, func(d recovery.Deadline) bool {
		return d.Milestone == recovery.Resolve && d.DueAt.Equal(resolve) && d.Verdict == recovery.Missed
	}) {
		t.Errorf("the resolution that was due at %v is not missed: %+v", resolve, k.Deadlines)
	}
	if k = talk(6*day, 20*day); len(k.Deadlines) > recovery.MostDeadlines {
		t.Errorf("%d deadlines are kept", len(k.Deadlines))
	}
	if !k.Assessment.Double {
		t.Error("the double deviation is forgotten")
	}
}

func sum(c recovery.Customer) (minor int64) {
	for _, g := range c.Grants {
		minor += g.Minor
	}
	return minor
}

// The customer's cap counts what was given within 90 days of the gift, however
// long before it was recommended.
func TestCapCountsFromTheGift(t *testing.T) {
	var c recovery.Customer
	give := func(number int64, when time.Time) int64 {
		t.Helper()
		var k recovery.Case
		c, _ = take(t, c, number, do(recovery.StepRequestOffer), when)
		c, _ = take(t, c, number, do(recovery.StepApproveOffer), when)
		c, _ = take(t, c, number, do(recovery.StepMakeOffer), when)
		c, k = take(t, c, number, do(recovery.StepAcceptOffer), when)
		return k.Offers[0].Reserved
	}
	for i := range 2 {
		c, _ = report(t, c, complaint(order(fmt.Sprint(i)), rejected(400_00)), noon)
	}
	first := give(1, noon.Add(89*day)) + give(2, noon.Add(89*day))
	for i := range 2 {
		now := noon.Add(91 * day)
		c, _ = report(t, c, complaint(order(fmt.Sprint("late", i)), rejected(400_00), at(now)), now)
	}
	second := give(3, noon.Add(91*day)) + give(4, noon.Add(91*day))
	if first != 100_00 || second != 0 {
		t.Errorf("%d given on day 89 and %d on day 91, the cap is 100 in 90 days", first, second)
	}
	// What was given counts once: opening the case again does not count it anew.
	c, _ = take(t, c, 1, outcome(recovery.Satisfied), noon.Add(92*day))
	c = recovery.Tick(c, rules, noon.Add(98*day))
	c, _ = take(t, c, 1, do(recovery.StepReopen), noon.Add(98*day))
	if later := recovery.Tick(c, rules, noon.Add(180*day)); slices.ContainsFunc(later.Grants, func(g recovery.Grant) bool { return g.Case == 1 && g.Minor >= 50_00 }) {
		t.Errorf("the gift of day 89 still counts on day 180: %+v", later.Grants)
	}
}

// What one policy has forgotten another may still count: the one that a case was
// opened with, or the one that judges new cases.
func TestEachPolicyCountsItsWindow(t *testing.T) {
	judges := func(version string, window time.Duration) *recovery.Policy {
		p := *rules.Active
		p.Version, p.Memory.RollingWindow = version, window
		return &p
	}
	for _, row := range []struct {
		name     string
		old, new time.Duration // windows of the policy of the first case, and of the active one
	}{{"the active policy counts longer", 30 * day, 90 * day}, {"the policy of an open case counts longer", 90 * day, 30 * day}} {
		old, active := judges("old", row.old), judges("new", row.new)
		both := recovery.Rules{Active: old, Kept: map[string]*recovery.Policy{"old": old, "new": active}}
		c, _, err := recovery.Report(recovery.Customer{}, complaint(order("o"), rejected(100_00)), both, noon)
		if err != nil {
			t.Fatal(err)
		}
		if c, _, err = recovery.Advance(c, 1, do(recovery.StepContactOutbound), both, noon); err != nil {
			t.Fatal(err)
		}
		c.Grants = []recovery.Grant{{Case: 90, At: noon, Currency: "USD", Minor: 100_00, Units: 100}}
		both.Active = active
		now := noon.Add(40 * day)
		c, k, err := recovery.Advance(c, 1, do(recovery.StepRequestOffer), both, now)
		if err != nil {
			t.Fatal(err)
		}
		if reserved := k.Offers[0].Reserved; (reserved == 0) != (row.old > 40*day) {
			t.Errorf("%s: %d cents reserved for the old case", row.name, reserved)
		}
		spent := recovery.Recall(c, both, now).Grants
		_, k, err = recovery.Report(c, complaint(order("other"), rejected(100_00), at(now)), both, now)
		if err != nil {
			t.Fatal(err)
		}
		if _, automatic := k.Recommendation.Goodwill(); (automatic == 0) != (row.new > 40*day) || (automatic == 0) != (len(spent) > 0 && spent[0].Case == 90) {
			t.Errorf("%s: %d cents automatic for a new case, in the window %+v", row.name, automatic, spent)
		}
	}
}

// However many grants are kept, none of their money is forgotten within the window.
func TestFoldedGrantsAreKept(t *testing.T) {
	var c recovery.Customer
	for i := range recovery.MostGrants + 10 {
		c.Grants = append(c.Grants, recovery.Grant{Case: int64(1000 + i), At: noon, Currency: "USD", Minor: 1, Units: .01})
	}
	c.Grants[0].At = noon.Add(-89 * day)
	before := sum(c)
	c, _ = report(t, c, complaint(order("o"), rejected(20_00)), noon)
	k := c.Open[0]
	_, booked := k.Recommendation.Goodwill()
	c, _ = take(t, c, 1, do(recovery.StepRequestOffer), noon)
	if got := sum(c); got < before+booked || len(c.Grants) > recovery.MostGrants+10 {
		t.Errorf("%d booked in %d grants, want %d at least", got, len(c.Grants), before+booked)
	}
	units := 0.0
	for _, g := range recovery.Recall(c, rules, noon.Add(2*day)).Grants { // the oldest has been folded into one that still counts
		units += g.Units
	}
	if math.Abs(units-float64(before+booked)/100) > 1e-9 {
		t.Errorf("%v reference units two days later, want %v", units, float64(before+booked)/100)
	}
}

func TestOfferFixesTheCurrency(t *testing.T) {
	rude := complaint(kinds(recovery.Rude), order("o"))
	rude.Currency, rude.Value, rude.Loss = "", 0, 0
	c, _ := report(t, recovery.Customer{}, rude, noon)
	c, k := take(t, c, 1, do(recovery.StepRequestOffer), noon)
	if k.Offers[0].Currency != "USD" {
		t.Fatalf("%+v", k.Offers[0])
	}
	yen := complaint(order("o"))
	yen.Currency, yen.Value, yen.Loss = "JPY", 5000, 5000
	if _, _, err := recovery.Report(c, yen, rules, noon); !errors.Is(err, recovery.ErrCurrency) {
		t.Errorf("another currency after an offer: %v", err)
	}
	other := do(recovery.StepRequestOffer)
	other.Budget = recovery.Price{Currency: "EUR", Minor: 100_00}
	if _, k := take(t, c, 1, other, noon); k.Offers[1].Reserved != 0 {
		t.Errorf("%d cents are taken from a budget of another currency", k.Offers[1].Reserved)
	}
}

// Opening cases again does not go around the bound on open ones.
func TestReopeningIsBounded(t *testing.T) {
	var c recovery.Customer
	most := rules.Active.Memory.OpenCases
	for i := range most + 1 {
		c, _ = report(t, c, complaint(order(fmt.Sprint(i)), at(noon.Add(time.Duration(i)*time.Second))), noon.Add(time.Duration(i)*time.Second))
	}
	c, _ = take(t, c, 1, do(recovery.StepReopen), noon.Add(time.Hour))
	if len(c.Open) != most {
		t.Errorf("%d open cases, at most %d are allowed", len(c.Open), most)
	}
}

func TestHeldCaseIsNotOverdue(t *testing.T) {
	c, _ := report(t, recovery.Customer{}, complaint(order("o")), noon)
	c, _ = take(t, c, 1, do(recovery.StepAcknowledge), noon)
	held, _ := take(t, c, 1, do(recovery.StepHold), noon)
	if k := recovery.View(held, rules, noon.Add(10*day)).Open[0]; k.Assessment.Level == recovery.LevelFailure {
		t.Error("a case on hold counts as overdue")
	}
	if k := recovery.View(c, rules, noon.Add(10*day)).Open[0]; k.Assessment.Level != recovery.LevelFailure || !k.NextDeadline().Before(noon.Add(10*day)) {
		t.Errorf("level %s, next deadline %v of a case that nobody answered", k.Assessment.Level, k.NextDeadline())
	}
}

func TestReopeningTakesBackWhatWasLeft(t *testing.T) {
	c, _ := report(t, recovery.Customer{}, complaint(order("o"), rejected(50_00)), noon)
	c, _ = take(t, c, 1, outcome(recovery.Unsatisfied), noon)
	bad := c.Residual
	c, _ = take(t, c, 1, do(recovery.StepReopen), noon.Add(time.Minute))
	if c.Residual != 0 {
		t.Errorf("%v of %v is left after the case was opened again", c.Residual, bad)
	}
}

// Opening one case again takes back what it has left, and nothing of what others
// have.
func TestReopeningLeavesWhatOthersLeft(t *testing.T) {
	residual := func(c recovery.Customer) float64 { return recovery.Recall(c, rules, noon.Add(hour)).Residual }
	// ended has a grave case 1 and a slight case 2, of which those named were ended, and then
	// those named opened again.
	type end struct {
		number int64
		after  time.Duration
	}
	ended := func(ends []end, praised bool, reopened ...int64) float64 {
		c, _ := report(t, recovery.Customer{}, complaint(order("grave"), rejected(100_00), kinds(recovery.Damaged)), noon)
		c, _ = report(t, c, complaint(order("slight"), kinds(recovery.ThirdParty), at(noon.Add(-day))), noon)
		for _, e := range ends {
			c, _ = take(t, c, e.number, outcome(recovery.Unsatisfied), noon.Add(e.after))
		}
		if praised {
			c = recovery.Remember(c, recovery.Interaction{OccurredAt: noon.Add(hour), Kind: recovery.PositiveRating}, rules, noon.Add(hour))
		}
		for _, number := range reopened {
			c, _ = take(t, c, number, do(recovery.StepReopen), noon.Add(hour))
		}
		return residual(c)
	}
	grave, slight := end{1, time.Minute}, end{2, 2 * time.Minute}
	sameTime, before := end{2, time.Minute}, end{2, time.Second}
	for _, row := range []struct {
		name      string
		got, want float64
	}{
		{"a lower rest takes the place of none", ended([]end{grave, slight}, false), ended([]end{grave}, false)},
		{"the slight rest comes to light", ended([]end{grave, slight}, false, 1), ended([]end{slight}, false)},
		{"the grave rest stays", ended([]end{grave, slight}, false, 2), ended([]end{grave}, false)},
		{"at one moment, the slight one opened", ended([]end{sameTime, grave}, false, 2), ended([]end{grave}, false)},
		{"at one moment, the grave one opened", ended([]end{grave, sameTime}, false, 1), ended([]end{sameTime}, false)},
		{"the slight rest was there before", ended([]end{before, grave}, false, 1), ended([]end{before}, false)},
		{"both opened, the grave one first", ended([]end{grave, slight}, false, 1, 2), 0},
		{"both opened, the slight one first", ended([]end{grave, slight}, false, 2, 1), 0},
		{"both opened, in the order of their ends", ended([]end{before, grave}, false, 2, 1), 0},
	} {
		if math.Abs(row.got-row.want) > 1e-12 {
			t.Errorf("%s: %v is left, want %v", row.name, row.got, row.want)
		}
	}
	if most, all := ended([]end{grave, slight}, true, 1), ended([]end{grave, slight}, true); most <= 0 || most > all {
		t.Errorf("after a good experience %v is left of %v", most, all)
	}
}

// Whoever was answered does not wait because they buy or praise, or speak about
// something else.
func TestActivityBeginsNoWait(t *testing.T) {
	c, _ := report(t, recovery.Customer{}, complaint(order("o")), noon)
	c, _ = take(t, c, 1, do(recovery.StepContactOutbound), noon.Add(time.Minute))
	c = recovery.Remember(c, recovery.Interaction{OccurredAt: noon.Add(hour), Kind: recovery.Praise}, rules, noon.Add(hour))
	c, _ = report(t, c, complaint(order("other"), at(noon.Add(2*hour))), noon.Add(2*hour))
	if p := recovery.View(c, rules, noon.Add(4*day)).Open[0].Assessment.Patience; p != 1 {
		t.Errorf("patience %v of somebody who was answered", p)
	}
	c, _ = take(t, c, 1, do(recovery.StepContactInbound), noon.Add(3*hour))
	if p := recovery.View(c, rules, noon.Add(4*day)).Open[0].Assessment.Patience; p == 1 {
		t.Error("who has asked again waits")
	}
	c = recovery.Remember(c, recovery.Interaction{OccurredAt: noon.Add(2 * day), Kind: recovery.Praise}, rules, noon.Add(2*day))
	if p := recovery.View(c, rules, noon.Add(9*day)).Open[0].Assessment.Patience; p != 0.5 {
		t.Errorf("patience %v a week after they did something", p)
	}
	c, _ = take(t, c, 1, do(recovery.StepContactInbound), noon.Add(10*day))
	c, _ = take(t, c, 1, do(recovery.StepContactOutbound), noon.Add(10*day))
	if p := recovery.View(c, rules, noon.Add(14*day)).Open[0].Assessment.Patience; p != 1 {
		t.Errorf("patience %v of somebody who was answered at once", p)
	}
}

// A caller whose clock is ahead of ours says that the customer spoke after we
// answered; by our clock they spoke before.
func TestClockAheadHidesNoAnswer(t *testing.T) {
	ahead := noon.Add(4 * time.Minute)
	c, _ := report(t, recovery.Customer{}, complaint(order("o"), at(ahead)), noon)
	c = recovery.Remember(c, recovery.Interaction{OccurredAt: ahead, Kind: recovery.Praise}, rules, noon)
	if !c.LastContact.Equal(noon) || !c.LastActivity.Equal(noon) {
		t.Errorf("spoke at %v, last active at %v, it is %v", c.LastContact, c.LastActivity, noon)
	}
	c, k := take(t, c, 1, do(recovery.StepContactOutbound), noon.Add(3*time.Minute))
	if !k.Failure.OccurredAt.Equal(ahead) {
		t.Errorf("the failure occurred at %v, as the caller said at %v", k.Failure.OccurredAt, ahead)
	}
	if p := recovery.View(c, rules, noon.Add(4*day)).Open[0].Assessment.Patience; p != 1 {
		t.Errorf("patience %v of somebody who was answered", p)
	}
}

// Who spoke in person and did not say when they leave is with us for a while, and
// again when they come back.
func TestGuestsDoNotStayForEver(t *testing.T) {
	inPerson := func(e *recovery.Event) { e.Channel = recovery.InPerson }
	c, first := report(t, recovery.Customer{}, complaint(order("o"), inPerson), noon)
	c, _ = take(t, c, 1, do(recovery.StepContactOutbound), noon)
	asks := func(ch recovery.Channel, after time.Duration) recovery.Case {
		a := do(recovery.StepContactInbound)
		a.Channel = ch
		_, k := take(t, c, 1, a, noon.Add(after))
		return k
	}
	for _, row := range []struct {
		name string
		k    recovery.Case
		here bool
	}{
		{"at once", first, true},
		{"an e-mail within the hour", asks(recovery.Email, hour), true},
		{"an e-mail two days later", asks(recovery.Email, 40*hour), false},
		{"at the desk two days later", asks(recovery.InPerson, 40*hour), true},
	} {
		d := newest(row.k, recovery.FirstResponse)
		if here := d.BoundBy == recovery.ByOnPremises; here != row.here {
			t.Errorf("%s: due %v, bound by %v", row.name, d.DueAt.Sub(noon), d.BoundBy)
		}
		spot := slices.ContainsFunc(row.k.Recommendation.Items, func(it recovery.Item) bool { return it.Menu == "on-the-spot" })
		if spot != row.here {
			t.Errorf("%s: something is offered on the spot: %v", row.name, spot)
		}
	}
	_, late := report(t, recovery.Customer{}, complaint(inPerson), noon.Add(day))
	if d := newest(late, recovery.FirstResponse); d.BoundBy == recovery.ByOnPremises {
		t.Errorf("reported a day late: due %v after, bound by %v", d.DueAt.Sub(noon.Add(day)), d.BoundBy)
	}
}

// Offers that came to nothing make room for new ones.
func TestManyOffers(t *testing.T) {
	c, _ := report(t, recovery.Customer{}, complaint(order("o"), rejected(20_00)), noon)
	var k recovery.Case
	for range 3 * recovery.MostOffers {
		c, k = take(t, c, 1, do(recovery.StepRequestOffer), noon)
	}
	if last := k.Offers[len(k.Offers)-1]; len(k.Offers) != recovery.MostOffers || last.Number != 3*recovery.MostOffers {
		t.Errorf("%d offers, the last is number %d", len(k.Offers), last.Number)
	}
}

// A customer who speaks about anything ends every hold.
func TestAnyContactEndsHolds(t *testing.T) {
	c, _ := report(t, recovery.Customer{}, complaint(order("o")), noon)
	c, _ = take(t, c, 1, do(recovery.StepHold), noon)
	c, _ = report(t, c, complaint(order("other")), noon.Add(time.Minute))
	if !c.Open[0].HeldSince.IsZero() {
		t.Error("the hold goes on although the customer wrote about another order")
	}
}

// Where everything was accepted no further offer is promised.
func TestNothingLeftIsNotPromised(t *testing.T) {
	c, _ := report(t, recovery.Customer{}, complaint(order("o"), rejected(20_00)), noon)
	for _, s := range []recovery.Step{recovery.StepRequestOffer, recovery.StepMakeOffer, recovery.StepAcceptOffer} {
		c, _ = take(t, c, 1, do(s), noon)
	}
	c, _ = take(t, c, 1, outcome(recovery.Satisfied), noon)
	_, k := take(t, c, 1, do(recovery.StepReopen), noon)
	if d := newest(k, recovery.MakeOffer); d.Verdict == recovery.Pending {
		t.Errorf("promised: %+v", d)
	}
	if d := newest(k, recovery.FirstResponse); d.Verdict != recovery.Pending {
		t.Errorf("not promised: %+v", d)
	}
}

// Promises may be made anew so often that not all verdicts can be kept. What a
// judgement rests on is.
func TestVerdictsThatCountAreKept(t *testing.T) {
	p := *policy.Default().Rules
	p.Deadlines.Renewals = 10
	rules := recovery.Rules{Active: &p}
	c, _, err := recovery.Report(recovery.Customer{}, complaint(order("o")), rules, noon)
	if err != nil {
		t.Fatal(err)
	}
	if c, _, err = recovery.Advance(c, 1, outcome(recovery.Satisfied), rules, noon); err != nil {
		t.Fatal(err)
	}
	c = recovery.Tick(c, rules, noon.Add(80*day)) // the follow-up is missed, and then all else, ever again
	k := c.Open[0]
	if len(k.Deadlines) > recovery.MostDeadlines {
		t.Errorf("%d deadlines are kept", len(k.Deadlines))
	}
	for m := recovery.Acknowledge; m <= recovery.FollowUp; m++ {
		if newest(k, m).Verdict != recovery.Missed {
			t.Errorf("%s is not missed: %+v", m, newest(k, m))
		}
	}
	if want := []recovery.Code{recovery.CauseDeadlineMissed, recovery.CauseFollowUpMissed}; !slices.Equal(k.Assessment.Causes, want) {
		t.Errorf("a double deviation for %v, want %v", k.Assessment.Causes, want)
	}
}

// A kept promise that gives way does not look as if it had never been made.
func TestKeptPromisesAreNotMadeAgain(t *testing.T) {
	c, _ := report(t, recovery.Customer{}, complaint(order("o"), rejected(20_00)), noon)
	for _, s := range []recovery.Step{recovery.StepRequestOffer, recovery.StepMakeOffer} {
		c, _ = take(t, c, 1, do(s), noon)
	}
	for i := range 30 {
		now := noon.Add(time.Duration(i) * time.Hour)
		c, _ = take(t, c, 1, do(recovery.StepContactInbound), now)
		c, _ = take(t, c, 1, do(recovery.StepContactOutbound), now)
	}
	for _, m := range []recovery.Milestone{recovery.Acknowledge, recovery.MakeOffer} {
		if d := newest(c.Open[0], m); d.Verdict != recovery.Met || !d.MetAt.Equal(noon) {
			t.Errorf("%s: %+v", m, d)
		}
	}
}
