package recovery_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/recovery"
)

func do(s recovery.Step) recovery.Action {
	return recovery.Action{Step: s, Channel: recovery.Email, Offer: 1, Budget: recovery.Price{Minor: recovery.NoBudget}, Booking: "b", Approver: "somebody"}
}

func outcome(o recovery.Outcome) recovery.Action {
	return recovery.Action{Step: recovery.StepResolve, Outcome: o}
}

// A step that the state does not allow is refused with the steps that it does.
func TestWrongStep(t *testing.T) {
	fresh, _ := report(t, recovery.Customer{}, complaint(rejected(20_00), order("o")), noon)
	resolved, _ := take(t, fresh, 1, outcome(recovery.Satisfied), noon)
	closed, _ := take(t, resolved, 1, do(recovery.StepFollowUp), noon)
	held, _ := take(t, fresh, 1, do(recovery.StepHold), noon)
	offered, _ := take(t, fresh, 1, do(recovery.StepRequestOffer), noon)
	made, _ := take(t, offered, 1, do(recovery.StepMakeOffer), noon)
	withdrawn, _ := take(t, fresh, 1, outcome(recovery.Withdrawn), noon)
	for _, tt := range []struct {
		name string
		c    recovery.Customer
		step recovery.Step
		want string
	}{
		{"follow up what is open", fresh, recovery.StepFollowUp, "the case is OPEN; it allows AcknowledgeCase, RecordContact(OUTBOUND), RecordContact(INBOUND), HoldCase, RequestOffer, ResolveCase"},
		{"release what is not held", fresh, recovery.StepRelease, "the case is OPEN; it allows"},
		{"hold what is held", held, recovery.StepHold, "the case is OPEN and held; it allows AcknowledgeCase, RecordContact(OUTBOUND), RecordContact(INBOUND), ReleaseCase,"},
		{"resolve twice", resolved, recovery.StepResolve, "the case is RESOLVED; it allows RecordContact(OUTBOUND), RecordContact(INBOUND), RecordFollowUp, ReopenCase"},
		{"contact when closed", closed, recovery.StepContactInbound, "the case is FOLLOWED_UP; it allows ReopenCase"},
		{"follow up what was withdrawn", withdrawn, recovery.StepFollowUp, "the case is RESOLVED; it allows ReopenCase"},
		{"answer what was not made", offered, recovery.StepAcceptOffer, "the case is OPEN; it allows"},
		{"another offer while one is made", made, recovery.StepRequestOffer, "the case is OFFERED; it allows"},
	} {
		after, _, err := recovery.Advance(tt.c, 1, do(tt.step), rules, noon)
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %v\nwant %s", tt.name, err, tt.want)
		}
		if snapshot(after) != snapshot(tt.c) {
			t.Errorf("%s changed something", tt.name)
		}
	}
	if _, _, err := recovery.Advance(fresh, 2, do(recovery.StepResolve), rules, noon); !errors.Is(err, recovery.ErrNoCase) {
		t.Errorf("unknown case: %v", err)
	}
	stale := do(recovery.StepAcknowledge)
	stale.Revision = 7
	if _, _, err := recovery.Advance(fresh, 1, stale, rules, noon); !errors.Is(err, recovery.ErrRevision) {
		t.Errorf("another revision: %v", err)
	}
}

// Each deadline warns at 50 and at 80 % of its time and is missed at 100 %, each
// once, however often one looks.
func TestWarnings(t *testing.T) {
	c, k := report(t, recovery.Customer{}, complaint(order("o"), unvoiced), noon)
	due := newest(k, recovery.FirstResponse).DueAt.Sub(noon)
	for at := noon; at.Before(noon.Add(29 * day)); at = at.Add(7 * hour) {
		c = recovery.Tick(c, rules, at)
	}
	var got []string
	for _, h := range c.Open[0].History {
		if h.Milestone == recovery.FirstResponse {
			got = append(got, fmt.Sprintf("%d at %v", h.Change, h.At.Sub(noon)))
		}
	}
	want := []string{
		fmt.Sprintf("%d at %v", recovery.ChangeWarned, due/2), fmt.Sprintf("%d at %v", recovery.ChangeWarned, due*4/5),
		fmt.Sprintf("%d at %v", recovery.ChangeMissed, due),
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if rev := c.Open[0].Revision; rev != 1+3 { // opened, three deadlines missed
		t.Errorf("revision %d: warnings change nothing", rev)
	}
}

func TestMissedFollowUpOpensTheCaseAgain(t *testing.T) {
	c, _ := report(t, recovery.Customer{}, complaint(order("o")), noon)
	c, k := take(t, c, 1, outcome(recovery.Satisfied), noon.Add(time.Minute))
	if d := newest(k, recovery.FollowUp); !d.DueAt.Equal(noon.Add(7*day + time.Minute)) {
		t.Errorf("follow-up %+v", d)
	}
	if c.Positives != 1 || !c.Failures[0].Recovered {
		t.Errorf("a satisfied recovery: positives %v, %+v", c.Positives, c.Failures)
	}
	c = recovery.Tick(c, rules, noon.Add(8*day))
	k = c.Open[0]
	if k.State != recovery.Open || !k.Assessment.Double || !slices.Contains(k.Assessment.Causes, recovery.CauseFollowUpMissed) {
		t.Errorf("%s, double deviation for %v", k.State, k.Assessment.Causes)
	}
	if c.Positives > 1e-9 || c.Failures[0].Recovered {
		t.Errorf("still counted as recovered: positives %v, %+v", c.Positives, c.Failures)
	}
	if newest(k, recovery.FirstResponse).Verdict == recovery.Met {
		t.Error("no answer is promised anew")
	}
}

// What a case leaves over depends on how it ended.
func TestResidualByOutcome(t *testing.T) {
	open, _ := report(t, recovery.Customer{}, complaint(order("o"), rejected(50_00)), noon)
	answered, _ := take(t, open, 1, do(recovery.StepContactOutbound), noon)
	late := recovery.Tick(open, rules, noon.Add(13*hour))
	for _, tt := range []struct {
		name string
		c    recovery.Customer
		how  recovery.Outcome
		at   time.Time
		want func(recovery.Assessment) float64
	}{
		{"satisfied in time", open, recovery.Satisfied, noon, func(a recovery.Assessment) float64 { return a.Risk.OnTime }},
		{"satisfied late", late, recovery.Satisfied, noon.Add(13 * hour), func(a recovery.Assessment) float64 { return a.Risk.Late }},
		{"unsatisfied", open, recovery.Unsatisfied, noon, func(a recovery.Assessment) float64 { return a.Risk.Ignored }},
		{"no response to our answer", answered, recovery.NoResponse, noon, func(a recovery.Assessment) float64 { return a.Risk.OnTime }},
		{"no response to nothing", open, recovery.NoResponse, noon, func(a recovery.Assessment) float64 { return a.Risk.Ignored }},
		{"withdrawn", open, recovery.Withdrawn, noon, func(a recovery.Assessment) float64 { return a.Baseline }},
	} {
		c, k := take(t, tt.c, 1, outcome(tt.how), tt.at)
		if want := tt.want(k.Assessment) - k.Assessment.Baseline; c.Residual != want {
			t.Errorf("%s leaves %v, want %v", tt.name, c.Residual, want)
		}
	}
}

func TestRefusalIsASecondFailure(t *testing.T) {
	c, first := report(t, recovery.Customer{}, complaint(order("o"), rejected(20_00)), noon)
	c, _ = take(t, c, 1, do(recovery.StepRequestOffer), noon)
	c, made := take(t, c, 1, do(recovery.StepMakeOffer), noon)
	c, k := take(t, c, 1, do(recovery.StepRefuseOffer), noon.Add(hour))
	if made.State != recovery.Offered || k.State != recovery.Acknowledged || !k.Assessment.Double {
		t.Errorf("%s, then %s; double deviation %v", made.State, k.State, k.Assessment.Double)
	}
	if k.Assessment.Risk.Ignored <= first.Assessment.Risk.Ignored {
		t.Errorf("risk %v after %v", k.Assessment.Risk.Ignored, first.Assessment.Risk.Ignored)
	}
	if d := newest(k, recovery.MakeOffer); d.Verdict != recovery.Pending {
		t.Errorf("no better offer is promised: %+v", d)
	}
	_, _, err := recovery.Advance(c, 1, do(recovery.StepAcceptOffer), rules, noon)
	if err == nil || !strings.Contains(err.Error(), "ACKNOWLEDGED") {
		t.Errorf("an offer answered twice: %v", err)
	}
}

// Whoever says yes waits for no answer, although they asked something before.
func TestYesLeavesNobodyWaiting(t *testing.T) {
	c, _ := report(t, recovery.Customer{}, complaint(order("o"), rejected(20_00)), noon)
	for _, s := range []recovery.Step{recovery.StepRequestOffer, recovery.StepMakeOffer, recovery.StepContactInbound, recovery.StepAcceptOffer} {
		c, _ = take(t, c, 1, do(s), noon)
	}
	k := recovery.View(c, rules, noon.Add(4*day)).Open[0]
	if d := newest(k, recovery.FirstResponse); d.Verdict != recovery.Met || k.Assessment.Double {
		t.Errorf("first response %s, double deviation for %v", d.Verdict, k.Assessment.Causes)
	}
}

// A report that our system makes of a case that was ended opens it, and promises
// everything anew.
func TestReportOpensWhatWasEnded(t *testing.T) {
	c, _ := report(t, recovery.Customer{}, complaint(order("o"), rejected(20_00)), noon)
	c, _ = take(t, c, 1, outcome(recovery.Satisfied), noon.Add(time.Minute))
	_, k := report(t, c, complaint(order("o"), unvoiced), noon.Add(time.Hour))
	for _, m := range []recovery.Milestone{recovery.FirstResponse, recovery.MakeOffer, recovery.Resolve} {
		if d := newest(k, m); d.Verdict != recovery.Pending {
			t.Errorf("%s is %s", m, d.Verdict)
		}
	}
}

// What is met while the clocks stand still does not look late.
func TestAnsweredWhileHeld(t *testing.T) {
	c, _ := report(t, recovery.Customer{}, complaint(order("o")), noon)
	c, _ = take(t, c, 1, do(recovery.StepHold), noon.Add(time.Minute))
	_, k := take(t, c, 1, do(recovery.StepContactOutbound), noon.Add(20*day))
	for _, m := range []recovery.Milestone{recovery.Acknowledge, recovery.FirstResponse} {
		if d := newest(k, m); d.Verdict != recovery.Met || d.MetAt.After(d.DueAt) {
			t.Errorf("%s was due at %v and is %s at %v", m, d.DueAt, d.Verdict, d.MetAt)
		}
	}
}

// What an offer reserves is booked once, returns when it is refused, replaced
// or expires, and stays when it is accepted.
func TestReservation(t *testing.T) {
	booked := func(c recovery.Customer) (sum int64) {
		for _, g := range c.Grants {
			sum += g.Minor
		}
		return sum
	}
	c, _ := report(t, recovery.Customer{}, complaint(order("o"), rejected(20_00)), noon)
	c, k := take(t, c, 1, do(recovery.StepRequestOffer), noon)
	reserved := k.Offers[0].Reserved
	if reserved == 0 || booked(c) != reserved {
		t.Fatalf("%d reserved, %d booked", reserved, booked(c))
	}
	again, k := take(t, c, 1, do(recovery.StepRequestOffer), noon)
	if k.Offers[0].State != recovery.Expired || booked(again) != reserved {
		t.Errorf("replaced: %s, %d booked", k.Offers[0].State, booked(again))
	}
	held, _ := take(t, c, 1, do(recovery.StepHold), noon) // or a broken promise would be made anew, and recommend anew
	if gone := recovery.Tick(held, rules, noon.Add(8*day)); booked(gone) != 0 || gone.Open[0].Offers[0].State != recovery.Expired {
		t.Errorf("expired: %d booked", booked(gone))
	}
	made, _ := take(t, c, 1, do(recovery.StepMakeOffer), noon)
	no, k := take(t, made, 1, do(recovery.StepRefuseOffer), noon.Add(time.Second))
	if _, anew := k.Recommendation.Goodwill(); booked(no) != anew {
		t.Errorf("refused: %d booked, what is recommended now gives %d", booked(no), anew)
	}
	yes, _ := take(t, made, 1, do(recovery.StepAcceptOffer), noon)
	if booked(yes) != reserved {
		t.Errorf("accepted: %d booked, want %d", booked(yes), reserved)
	}
	if _, _, err := recovery.Advance(yes, 1, do(recovery.StepRequestOffer), rules, noon); !errors.Is(err, recovery.ErrNothing) {
		t.Errorf("a second offer of the same: %v", err)
	}
	poor := do(recovery.StepRequestOffer)
	poor.Budget = recovery.Price{Minor: 1_00}
	if _, k := take(t, c, 1, poor, noon); k.Offers[1].Reserved != 1_00 || k.Offers[1].State != recovery.ApprovalRequired {
		t.Errorf("an empty budget: %+v", k.Offers[1])
	}
}

// An offer that was to give way and was accepted meanwhile has spent what the
// budget grants to the next one.
func TestAcceptedInsteadOfGivingWay(t *testing.T) {
	c, _ := report(t, recovery.Customer{}, complaint(order("o"), rejected(200_00)), noon)
	ask := func(goodwill, budget, instead int64) recovery.Action {
		return recovery.Action{Step: recovery.StepRequestOffer, Goodwill: &recovery.Price{Currency: "USD", Minor: goodwill},
			Budget: recovery.Price{Currency: "USD", Minor: budget}, Instead: instead}
	}
	c, _ = take(t, c, 1, ask(5_00, 5_00, 0), noon)
	made, _ := take(t, c, 1, do(recovery.StepMakeOffer), noon)
	yes, _ := take(t, made, 1, do(recovery.StepAcceptOffer), noon)
	no, _ := take(t, made, 1, do(recovery.StepRefuseOffer), noon)
	for _, tt := range []struct {
		name                  string
		c                     recovery.Customer
		budget, instead, want int64
	}{
		{"it gives way", c, 9_00, 1, 9_00},
		{"it was refused", no, 9_00, 1, 9_00},
		{"it was accepted", yes, 9_00, 1, 4_00},
		{"it was accepted and held more", yes, 3_00, 1, 0},
		{"another was to give way", yes, 9_00, 2, 9_00},
		{"none was to give way", yes, 9_00, 0, 9_00},
	} {
		_, k := take(t, tt.c, 1, ask(9_00, tt.budget, tt.instead), noon)
		if got := k.Offers[1].Reserved; got != tt.want {
			t.Errorf("%s: %d reserved, want %d", tt.name, got, tt.want)
		}
	}
}

func TestAlteredGoodwill(t *testing.T) {
	c, _ := report(t, recovery.Customer{}, complaint(order("o"), rejected(200_00)), noon)
	ask := func(minor int64, currency string) (recovery.Offer, error) {
		a := do(recovery.StepRequestOffer)
		a.Goodwill = &recovery.Price{Currency: currency, Minor: minor}
		_, k, err := recovery.Advance(c, 1, a, rules, noon)
		if err != nil {
			return recovery.Offer{}, err
		}
		return k.Offers[0], nil
	}
	for _, tt := range []struct {
		minor, reserved int64
		state           recovery.OfferState
	}{
		{10_00, 10_00, recovery.Proposed}, {50_00, 50_00, recovery.Proposed},
		{50_01, 50_00, recovery.ApprovalRequired}, {100_00, 50_00, recovery.ApprovalRequired},
	} {
		o, err := ask(tt.minor, "USD")
		if err != nil || o.Reserved != tt.reserved || o.State != tt.state {
			t.Errorf("%d: %s with %d reserved, %v; want %s with %d", tt.minor, o.State, o.Reserved, err, tt.state, tt.reserved)
		}
	}
	// 1.50 of the value in all, of which restitution is 1.00.
	_, err := ask(100_01, "USD")
	if above := new(recovery.CapError); !errors.As(err, &above) || above.Most.Minor != 100_00 || !strings.Contains(err.Error(), "100.00 USD") {
		t.Errorf("above the ceiling: %v", err)
	}
	if _, err := ask(10_00, "EUR"); !errors.Is(err, recovery.ErrCurrency) {
		t.Errorf("another currency: %v", err)
	}
}

// How much of a goodwill that somebody names needs no approval, and what is the
// most that may be named, whatever the case was given before.
func TestNamedGoodwillHasItsBounds(t *testing.T) {
	ask := func(c recovery.Customer, minor int64) (recovery.Customer, recovery.Case, error) {
		a := do(recovery.StepRequestOffer)
		a.Goodwill = &recovery.Price{Currency: "USD", Minor: minor}
		return recovery.Advance(c, 1, a, rules, noon)
	}
	opened := func(c recovery.Customer, changes ...func(*recovery.Event)) recovery.Customer {
		c, _ = report(t, c, complaint(append([]func(*recovery.Event){order("o"), rejected(200_00)}, changes...)...), noon)
		return c
	}
	accepted, _, err := ask(opened(recovery.Customer{}), 30_00)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []recovery.Step{recovery.StepMakeOffer, recovery.StepAcceptOffer} {
		accepted, _ = take(t, accepted, 1, do(s), noon)
	}
	claims := func(e *recovery.Event) { e.Evidence = recovery.ClaimOnly }
	worth := func(e *recovery.Event) { e.Profile.LifetimeValue = 100_00 }
	gift := func(e *recovery.Event) { e.Currency, e.Value, e.Loss = "", 0, 0 }
	valued := opened(recovery.Customer{}, worth)
	saved := valued.Open[0].Assessment.Risk.Ignored - valued.Open[0].Assessment.Risk.OnTime
	spent := recovery.Customer{Grants: []recovery.Grant{{Case: 0, At: noon, Currency: "USD", Minor: 80_00, Units: 80}}}
	longAgo := recovery.Customer{Grants: slices.Clone(spent.Grants)}
	longAgo.Grants[0].At = noon.Add(-90 * day)
	for _, row := range []struct {
		name           string
		c              recovery.Customer
		reserved, most int64 // of 40 that are named; that may be named
	}{
		{"a first offer", opened(recovery.Customer{}), 40_00, 100_00},
		{"30 were accepted before", accepted, 20_00, 70_00},
		{"80 were given with other cases", opened(spent), 20_00, 100_00},
		{"80 were given 90 days ago", opened(longAgo), 40_00, 100_00},
		{"who claims too often", opened(recovery.Customer{Claims: 9, Orders: 12}, claims), 0, 100_00},
		{"a failure of long ago", opened(recovery.Customer{}, at(noon.Add(-8*day))), 0, 100_00},
		{"a customer who is worth 100", valued, 0, int64(saved / 2 * 100_00)},
		{"where no money is at stake", opened(recovery.Customer{}, gift), 0, 10_00},
	} {
		_, k, err := ask(row.c, min(40_00, row.most))
		if err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		if o := k.Offers[len(k.Offers)-1]; row.most >= 40_00 && o.Reserved != row.reserved {
			t.Errorf("%s: %d reserved, want %d", row.name, o.Reserved, row.reserved)
		}
		above := new(recovery.CapError)
		if _, _, err := ask(row.c, row.most+1); !errors.As(err, &above) || above.Most.Minor != row.most {
			t.Errorf("%s: %v, want at most %d", row.name, err, row.most)
		}
	}
}

func TestApproval(t *testing.T) {
	c, _ := report(t, recovery.Customer{}, complaint(order("o"), rejected(200_00)), noon)
	big := do(recovery.StepRequestOffer)
	big.Goodwill = &recovery.Price{Currency: "USD", Minor: 90_00}
	c, _ = take(t, c, 1, big, noon)
	if _, _, err := recovery.Advance(c, 1, do(recovery.StepMakeOffer), rules, noon); err == nil {
		t.Error("an offer was made that needed approval")
	}
	less := do(recovery.StepApproveOffer)
	less.Goodwill = &recovery.Price{Currency: "USD", Minor: 30_00}
	after, k := take(t, c, 1, less, noon)
	if o := k.Offers[0]; o.State != recovery.Approved || o.Approver != "somebody" || o.Reserved != 30_00 || after.Grants[0].Minor != 30_00 {
		t.Errorf("%+v, %+v", o, after.Grants)
	}
	more := do(recovery.StepApproveOffer)
	more.Goodwill = &recovery.Price{Currency: "USD", Minor: 100_01}
	if _, _, err := recovery.Advance(c, 1, more, rules, noon); err == nil {
		t.Error("approved above the ceiling")
	}
	other := do(recovery.StepApproveOffer)
	other.Offer = 2
	if _, _, err := recovery.Advance(c, 1, other, rules, noon); !errors.Is(err, recovery.ErrNoOffer) {
		t.Errorf("an offer that is not there: %v", err)
	}
}

// Entitlement is paid in full, outside every cap.
func TestEntitlementIsOutsideTheCaps(t *testing.T) {
	e := complaint(order("o"), func(e *recovery.Event) { e.Currency, e.Value, e.Loss, e.Entitlement = "USD", 600_00, 600_00, 600_00 })
	c, _ := report(t, recovery.Customer{}, e, noon)
	a := do(recovery.StepRequestOffer)
	a.Budget = recovery.Price{}
	_, k := take(t, c, 1, a, noon)
	for _, it := range k.Offers[0].Items {
		if it.Kind == recovery.Entitlement && (it.Amount != 600_00 || it.Approval != 0) {
			t.Errorf("%+v", it)
		}
	}
}

// Whom we reached first is not waiting for us to acknowledge what they say then.
func TestReachedFirstNeedsNoAcknowledgement(t *testing.T) {
	steps := func(list ...recovery.Step) recovery.Customer {
		c, _ := report(t, recovery.Customer{}, complaint(unvoiced, rejected(20_00), order("o")), noon)
		for _, s := range list {
			c, _ = take(t, c, 1, do(s), noon)
		}
		return c
	}
	const offer, made = recovery.StepRequestOffer, recovery.StepMakeOffer
	for _, tt := range []struct {
		name string
		c    recovery.Customer
		at   time.Duration
		want recovery.Verdict // of the acknowledgement; 0: none is promised
	}{
		{"nobody has answered", steps(recovery.StepContactInbound), 0, recovery.Pending},
		{"thanks for a call", steps(recovery.StepContactOutbound, recovery.StepContactInbound), hour, 0},
		{"thanks for a message", steps(recovery.StepAcknowledge, recovery.StepContactInbound), hour, 0},
		{"a refused offer", steps(offer, made, recovery.StepRefuseOffer), hour, 0},
		{"an accepted one, and no resolution", steps(offer, made, recovery.StepAcceptOffer), 6 * day, 0},
		{"another report", func() recovery.Customer {
			c, _ := report(t, steps(recovery.StepContactOutbound), complaint(order("o")), noon)
			return c
		}(), 0, recovery.Pending},
		{"opened again", steps(recovery.StepContactOutbound, recovery.StepResolve, recovery.StepReopen, recovery.StepContactInbound), 0, recovery.Pending},
	} {
		k := recovery.Tick(tt.c, rules, noon.Add(tt.at)).Open[0]
		if d := newest(k, recovery.Acknowledge); d.Verdict != tt.want {
			t.Errorf("%s: the acknowledgement is %s, want %s", tt.name, d.Verdict, tt.want)
		}
	}
}

func TestLapse(t *testing.T) {
	c, _ := report(t, recovery.Customer{}, complaint(unvoiced), noon)
	if gone := recovery.Tick(c, rules, noon.Add(30*day)); len(gone.Open) != 0 {
		t.Error("a case that nobody spoke about lapses after 30 days")
	}
	answered, _ := take(t, c, 1, do(recovery.StepContactOutbound), noon)
	if stays := recovery.Tick(answered, rules, noon.Add(31*day)); len(stays.Open) != 1 {
		t.Error("a case that was answered lapsed")
	}
	again, _ := take(t, c, 1, outcome(recovery.NoResponse), noon.Add(20*day))
	again, _ = take(t, again, 1, do(recovery.StepReopen), noon.Add(20*day))
	for after, want := range map[time.Duration]int{49 * day: 1, 50 * day: 0} {
		if left := recovery.Tick(again, rules, noon.Add(after)); len(left.Open) != want {
			t.Errorf("%d open cases %v after the report, opened again after 20 days", len(left.Open), after)
		}
	}
}

// What was missed before the customer spoke has failed nobody who had spoken.
func TestMissedBeforeTheFirstWord(t *testing.T) {
	c, _ := report(t, recovery.Customer{}, complaint(unvoiced, order("o")), noon)
	_, k := take(t, c, 1, do(recovery.StepContactInbound), noon.Add(6*day))
	if d := k.Deadlines[0]; d.Verdict != recovery.Missed || k.Assessment.Double {
		t.Errorf("%+v, double deviation for %v", d, k.Assessment.Causes)
	}
}

// Who has been silent for a day is, at that very moment.
func TestSilence(t *testing.T) {
	c, _ := report(t, recovery.Customer{}, complaint(unvoiced), noon)
	for after, want := range map[time.Duration]bool{day - 1: false, day: true} {
		k := recovery.View(c, rules, noon.Add(after)).Open[0]
		if got := slices.ContainsFunc(k.Assessment.Reasons, func(r recovery.Reason) bool {
			return r.Code == recovery.ReasonSilent && r.Contribution > 0
		}); got != want {
			t.Errorf("silent after %v: %v", after, got)
		}
	}
}

// Whoever waits for one answer is not well served because another was given.
func TestOneUnansweredCaseIsAFailure(t *testing.T) {
	c, _ := report(t, recovery.Customer{}, complaint(order("a")), noon)
	c, _ = report(t, c, complaint(order("b")), noon)
	c, _ = take(t, c, 2, do(recovery.StepContactOutbound), noon)
	if k := recovery.View(c, rules, noon.Add(30*hour)).Open[1]; k.Assessment.Level != recovery.LevelFailure {
		t.Errorf("level %s of a customer who waits for another answer", k.Assessment.Level)
	}
}
