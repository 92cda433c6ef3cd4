package recovery_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/makeamends/amends/internal/calendar"
	"github.com/makeamends/amends/internal/policy"
	"github.com/makeamends/amends/internal/recovery"
)

// inOffice is the default policy with business hours, and limits.
func inOffice(t interface{ Fatal(...any) }, limits ...recovery.Limit) recovery.Rules {
	built, err := calendar.New(office("UTC", nineToFive))
	if err != nil {
		t.Fatal(err)
	}
	rules := under(limits...)
	rules.Active.Deadlines.Calendar = built
	return rules
}

// A hold puts off what we promised by ourselves. What law, contract, the public
// or a departure demands comes in its place meanwhile, and bounds it afterwards;
// so does patience.
func TestHoldKeepsEveryBound(t *testing.T) {
	limit := func(m recovery.Milestone, within time.Duration, by recovery.Bound) recovery.Limit {
		return recovery.Limit{Milestone: m, Within: within, BoundBy: by}
	}
	public := func(e *recovery.Event) { e.Voice, e.Channel = recovery.Public, recovery.Social }
	departs := func(after time.Duration) func(*recovery.Event) {
		return func(e *recovery.Event) { e.DepartsAt = noon.Add(after) }
	}
	law14d := under(limit(recovery.Resolve, 14*day, recovery.ByStatute))
	law14h := under(limit(recovery.FirstResponse, 14*hour, recovery.ByContract))
	none := under()
	monday := noon.Truncate(24 * hour).Add(9 * hour) // in the office
	for _, tt := range []struct {
		name           string
		rules          recovery.Rules
		e              recovery.Event
		opened         time.Time
		of             recovery.Milestone
		held, released time.Duration
		meanwhile      time.Duration // when it is due while it is held; 0: it stands still
		by             recovery.Bound
		due            time.Duration // and afterwards
		dueBy          recovery.Bound
	}{
		{"the law comes later", law14d, complaint(), noon, recovery.Resolve, hour, 7*day + hour,
			14 * day, recovery.ByStatute, 12 * day, recovery.ByPolicy},
		{"the law comes first afterwards", law14d, complaint(), noon, recovery.Resolve, hour, 12 * day,
			14 * day, recovery.ByStatute, 14 * day, recovery.ByStatute},
		{"as many business hours as the law has hours", law14h, complaint(rejected(120_00)), noon, recovery.FirstResponse, hour, 10 * hour,
			14 * hour, recovery.ByContract, 14 * hour, recovery.ByContract},
		{"the law has as long as we", under(limit(recovery.Resolve, 5*day, recovery.ByStatute)), complaint(), noon, recovery.Resolve, hour, 2 * day,
			5 * day, recovery.ByStatute, 5 * day, recovery.ByStatute},
		{"two laws", under(limit(recovery.Resolve, 9*day, recovery.ByContract), limit(recovery.Resolve, 8*day, recovery.ByStatute)), complaint(), noon, recovery.Resolve, hour, 7 * day,
			8 * day, recovery.ByStatute, 8 * day, recovery.ByStatute},
		{"the house has a rule", under(limit(recovery.Resolve, 9*day, recovery.ByPolicy)), complaint(), noon, recovery.Resolve, hour, 6*day + hour,
			0, recovery.ByPolicy, 11 * day, recovery.ByPolicy},
		{"a guest who complains in public", none, complaint(public, departs(2*day)), noon, recovery.FirstResponse, time.Minute, 50 * time.Minute,
			hour, recovery.ByPublic, hour, recovery.ByPublic},
		{"a guest who leaves", none, complaint(departs(2 * hour)), noon, recovery.FirstResponse, time.Minute, hour + 55*time.Minute,
			2 * hour, recovery.ByOnPremises, 2 * hour, recovery.ByOnPremises},
		{"a guest who is still there", none, complaint(departs(2 * hour)), noon, recovery.FirstResponse, time.Minute, hour,
			2 * hour, recovery.ByOnPremises, hour + 14*time.Minute, recovery.ByOnPremises},
		{"a guest who leaves at once", none, complaint(departs(4 * time.Minute)), noon, recovery.FirstResponse, time.Minute, 2 * time.Minute,
			4 * time.Minute, recovery.ByOnPremises, 4 * time.Minute, recovery.ByOnPremises},
		// Twelve hours of business from Thursday on, held until Friday at four.
		{"patience over a weekend", inOffice(t), complaint(rejected(120_00)), monday.Add(3 * day), recovery.MakeOffer, hour, 31 * hour,
			0, recovery.ByBand, 102 * hour, recovery.ByPatienceCeiling},
		// Twelve hours of business from Friday at four on would be more than patience allows; from Monday on they are less.
		{"no weekend is left", inOffice(t), complaint(rejected(120_00)), monday.Add(4*day + 7*hour), recovery.MakeOffer, hour, 65 * hour,
			0, recovery.ByPatienceCeiling, 92 * hour, recovery.ByBand},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.e.OccurredAt = tt.opened
			c, _, err := recovery.Report(recovery.Customer{}, tt.e, tt.rules, tt.opened)
			if err != nil {
				t.Fatal(err)
			}
			step := func(s recovery.Step, after time.Duration) recovery.Deadline {
				if c, _, err = recovery.Advance(c, 1, do(s), tt.rules, tt.opened.Add(after)); err != nil {
					t.Fatal(err)
				}
				return newest(c.Open[0], tt.of)
			}
			step(recovery.StepAcknowledge, 0)
			if tt.of != recovery.FirstResponse {
				step(recovery.StepContactOutbound, 0)
			}
			d, next := step(recovery.StepHold, tt.held), c.Open[0].NextDeadline()
			if tt.meanwhile == 0 && !next.IsZero() || tt.meanwhile != 0 && !(next.Equal(tt.opened.Add(tt.meanwhile)) && d.DueAt.Equal(next)) || d.BoundBy != tt.by {
				t.Errorf("held, it is due after %v by %s, and next after %v", d.DueAt.Sub(tt.opened), d.BoundBy, next.Sub(tt.opened))
			}
			if tt.meanwhile != 0 {
				late := recovery.Tick(c, tt.rules, tt.opened.Add(tt.meanwhile)).Open[0]
				if !late.HeldSince.IsZero() || !slices.ContainsFunc(late.Deadlines, func(d recovery.Deadline) bool {
					return d.Milestone == tt.of && d.Verdict == recovery.Missed && d.BoundBy == tt.by && d.DueAt.Equal(next)
				}) {
					t.Errorf("nothing was done: %+v, held since %v", late.Deadlines, late.HeldSince)
				}
			}
			if d = step(recovery.StepRelease, tt.released); !d.DueAt.Equal(tt.opened.Add(tt.due)) || d.BoundBy != tt.dueBy || d.Verdict != recovery.Pending {
				t.Errorf("released, it is %s and due after %v by %s", d.Verdict, d.DueAt.Sub(tt.opened), d.BoundBy)
			}
		})
	}
}

// However often a case is held, each bound comes when it would come if it were
// the only one, and the earliest of them counts.
func TestHoldsKeepTheEarliestOfAllBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		law := time.Duration(rapid.IntRange(12, 20*24).Draw(t, "law")) * hour
		rules := inOffice(t, recovery.Limit{Milestone: recovery.MakeOffer, Within: law, BoundBy: recovery.ByStatute})
		r := &rules.Active.Deadlines
		if rapid.Bool().Draw(t, "open") {
			r.Calendar = policy.Default().Rules.Deadlines.Calendar
		}
		now := noon.Add(time.Duration(rapid.IntRange(0, 7*24).Draw(t, "opened")) * hour)
		c, k, err := recovery.Report(recovery.Customer{}, complaint(unvoiced, rejected(120_00), at(now)), rules, now)
		if err != nil {
			t.Fatal(err)
		}
		statute, patience, band := now.Add(law), now.Add(r.PatienceCeiling), r.Calendar.Add(now, r.Band[k.Assessment.Risk.Band])
		for range rapid.IntRange(1, 4).Draw(t, "holds") {
			step := func(s recovery.Step, after int) {
				now = now.Add(time.Duration(after) * hour)
				if now.Before(slices.MinFunc([]time.Time{statute, newest(c.Open[0], recovery.MakeOffer).DueAt}, time.Time.Compare)) {
					c, _, err = recovery.Advance(c, 1, do(s), rules, now)
				} else {
					t.Skip("missed")
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			step(recovery.StepHold, rapid.IntRange(0, 40).Draw(t, "runs"))
			since := now
			if d := newest(c.Open[0], recovery.MakeOffer); !d.DueAt.Equal(statute) {
				t.Fatalf("held, it is due %v by %s, want %v by law", d.DueAt, d.BoundBy, statute)
			}
			step(recovery.StepRelease, rapid.IntRange(0, 120).Draw(t, "stands"))
			patience, band = patience.Add(now.Sub(since)), r.Calendar.Add(now, r.Calendar.Between(since, band))
			want := slices.MinFunc([]time.Time{statute, patience, band}, time.Time.Compare)
			if d := newest(c.Open[0], recovery.MakeOffer); !d.DueAt.Equal(want) {
				t.Fatalf("due %v by %s; law %v, patience %v, band %v", d.DueAt, d.BoundBy, statute, patience, band)
			}
			if n := len(newest(c.Open[0], recovery.MakeOffer).Warnings); n > 2 {
				t.Fatalf("%d warnings", n)
			}
		}
	})
}

// Which rule sets a deadline, and when.
func TestWhichBoundWins(t *testing.T) {
	saturday := noon.Add(5 * day)
	at := func(e recovery.Event) recovery.Event { e.OccurredAt = saturday; return e }
	guest := func(leaves time.Duration) recovery.Event {
		return at(complaint(func(e *recovery.Event) { e.DepartsAt = saturday.Add(leaves) }))
	}
	law := inOffice(t, recovery.Limit{Milestone: recovery.Resolve, Within: day, BoundBy: recovery.ByStatute, Kinds: recovery.Kinds(recovery.Overcharge, recovery.HiddenFee)})
	for _, tt := range []struct {
		name  string
		rules recovery.Rules
		e     recovery.Event
		of    recovery.Milestone
		due   time.Duration
		by    recovery.Bound
	}{
		{"a critical case waits for no business hours", inOffice(t), at(complaint(kinds(recovery.Unsafe))), recovery.FirstResponse, 2 * hour, recovery.ByBand},
		{"nor does its offer", inOffice(t), at(complaint(kinds(recovery.Unsafe))), recovery.MakeOffer, 2 * hour, recovery.ByBand},
		{"any other does", inOffice(t), at(complaint(rejected(120_00))), recovery.FirstResponse, 3 * day, recovery.ByPatienceCeiling},
		{"a guest who stays", inOffice(t), guest(day), recovery.FirstResponse, 15 * time.Minute, recovery.ByOnPremises},
		{"a guest who leaves soon", inOffice(t), guest(70 * time.Minute), recovery.FirstResponse, 10 * time.Minute, recovery.ByOnPremises},
		{"a guest whom hardly anybody can reach", inOffice(t), guest(30 * time.Minute), recovery.FirstResponse, 5 * time.Minute, recovery.ByOnPremises},
		{"a guest who is leaving", inOffice(t), guest(3 * time.Minute), recovery.FirstResponse, 3 * time.Minute, recovery.ByOnPremises},
		{"a law for such failures", law, at(complaint(kinds(recovery.Rude, recovery.HiddenFee))), recovery.Resolve, day, recovery.ByStatute},
		{"a law for others", law, at(complaint()), recovery.Resolve, 5 * day, recovery.ByPolicy},
	} {
		_, k, err := recovery.Report(recovery.Customer{}, tt.e, tt.rules, saturday)
		if d := newest(k, tt.of); err != nil || !d.DueAt.Equal(saturday.Add(tt.due)) || d.BoundBy != tt.by {
			t.Errorf("%s: due after %v by %s, want %v by %s, %v", tt.name, d.DueAt.Sub(saturday), d.BoundBy, tt.due, tt.by, err)
		}
	}
}

func TestFollowUpHasLimits(t *testing.T) {
	rules := under(recovery.Limit{Milestone: recovery.FollowUp, Within: day, BoundBy: recovery.ByContract})
	c, _, err := recovery.Report(recovery.Customer{}, complaint(), rules, noon)
	if err != nil {
		t.Fatal(err)
	}
	_, k, err := recovery.Advance(c, 1, outcome(recovery.Satisfied), rules, noon)
	if d := newest(k, recovery.FollowUp); err != nil || !d.DueAt.Equal(noon.Add(day)) || d.BoundBy != recovery.ByContract {
		t.Errorf("%+v, %v", d, err)
	}
}

// What a failure that joined brings along counts from then on, behind an earlier
// promise too.
func TestJoinedLawOutlastsAHold(t *testing.T) {
	rules := under(recovery.Limit{Milestone: recovery.Resolve, Within: 10 * day, BoundBy: recovery.ByStatute, Kinds: recovery.Kinds(recovery.Overcharge)})
	c, _, err := recovery.Report(recovery.Customer{}, complaint(order("o")), rules, noon)
	if err != nil {
		t.Fatal(err)
	}
	if c, _, err = recovery.Report(c, complaint(kinds(recovery.Overcharge), order("o"), at(noon.Add(time.Minute))), rules, noon.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if due := newest(c.Open[0], recovery.Resolve).DueAt; !due.Equal(noon.Add(5 * day)) {
		t.Errorf("due %v", due)
	}
	if c, _, err = recovery.Advance(c, 1, do(recovery.StepHold), rules, noon.Add(2*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if due := c.Open[0].NextDeadline(); !due.Equal(noon.Add(10*day + time.Minute)) {
		t.Errorf("held, next due %v", due)
	}
}

// A time that no hold can bring forward takes no room in the store.
func TestOrdinaryDeadlinesKeepNothingBeside(t *testing.T) {
	public := func(e *recovery.Event) { e.Voice, e.Channel = recovery.Public, recovery.Social }
	c, _ := report(t, recovery.Customer{}, complaint(order("o")), noon)
	c, _ = report(t, c, complaint(kinds(recovery.Damaged), rejected(900_00), order("o")), noon.Add(time.Minute))
	c, _ = report(t, c, complaint(public, order("o")), noon.Add(2*time.Minute))
	c = recovery.Tick(c, rules, noon.Add(day))
	c, _ = report(t, c, complaint(order("guest"), func(e *recovery.Event) { e.DepartsAt = noon.Add(2 * day) }), noon.Add(day))
	_, loud, err := recovery.Report(recovery.Customer{}, complaint(public), inOffice(t), noon)
	if err != nil {
		t.Fatal(err)
	}
	loud.Deadlines = slices.DeleteFunc(loud.Deadlines, func(d recovery.Deadline) bool { return d.Milestone == recovery.MakeOffer })
	for _, k := range append(c.Open, loud) {
		for _, d := range k.Deadlines {
			if len(d.Beside) > 0 {
				t.Errorf("%s by %s, and beside it %+v", d.Milestone, d.BoundBy, d.Beside)
			}
		}
	}
}

// Each deadline is warned of twice, whatever becomes of its time.
func TestWarningsFollowTheTimeThatCounts(t *testing.T) {
	rules := under(recovery.Limit{Milestone: recovery.Resolve, Within: 14 * day, BoundBy: recovery.ByStatute, Kinds: recovery.Kinds(recovery.Rude)})
	left := func(c recovery.Customer, m recovery.Milestone) (out []time.Duration) {
		for _, at := range newest(c.Open[0], m).Warnings {
			out = append(out, at.Sub(noon))
		}
		return out
	}
	check := func(name string, got []time.Duration, want ...time.Duration) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	after := func(c recovery.Customer, s recovery.Step, after time.Duration) recovery.Customer {
		t.Helper()
		c, _, err := recovery.Advance(c, 1, do(s), rules, noon.Add(after))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	begin := func(kind recovery.Kind) recovery.Customer {
		c, _, err := recovery.Report(recovery.Customer{}, complaint(kinds(kind), order("o")), rules, noon)
		if err != nil {
			t.Fatal(err)
		}
		return after(after(c, recovery.StepContactOutbound, 0), recovery.StepHold, 4*hour)
	}
	ours := begin(recovery.Damaged)
	check("held", left(ours, recovery.Resolve), 60*hour, 96*hour)
	check("released", left(after(ours, recovery.StepRelease, 28*hour), recovery.Resolve), 84*hour, 120*hour)

	law := begin(recovery.Rude) // 332 hours are left of it
	check("held by law", left(law, recovery.Resolve), 170*hour, 4*hour+332*hour*4/5)
	check("released, ours first", left(after(law, recovery.StepRelease, 24*hour), recovery.Resolve), 82*hour, 24*hour+116*hour*4/5)
	check("released, ours first, one given", left(after(law, recovery.StepRelease, 180*hour), recovery.Resolve), 180*hour+116*hour*4/5)
	check("released, law first", left(after(law, recovery.StepRelease, 240*hour), recovery.Resolve), 4*hour+332*hour*4/5)

	// What was warned of is not warned of again because it was tightened.
	c, _ := report(t, recovery.Customer{}, complaint(order("o")), noon)
	c, _ = take(t, c, 1, do(recovery.StepAcknowledge), noon)
	c = recovery.Tick(c, rules, noon.Add(7*hour)) // of 12
	c, _ = report(t, c, complaint(order("o"), func(e *recovery.Event) { e.Voice, e.Channel = recovery.Public, recovery.Social }), noon.Add(7*hour))
	check("tightened", left(c, recovery.FirstResponse), 7*hour+48*time.Minute)
}

// What was missed has half of its time when it is promised anew, if that was the
// band's or that of patience.
func TestWhatIsHastened(t *testing.T) {
	public := complaint(func(e *recovery.Event) { e.Voice, e.Channel = recovery.Public, recovery.Social })
	slow := inOffice(t)
	slow.Active.Deadlines.Band[recovery.High] = 48 * hour
	for _, tt := range []struct {
		name  string
		rules recovery.Rules
		e     recovery.Event
		of    recovery.Milestone
		first time.Duration
		again time.Duration
		by    recovery.Bound
	}{
		{"in public", rules, public, recovery.FirstResponse, hour, 2 * hour, recovery.ByPublic},
		{"patience", slow, complaint(), recovery.MakeOffer, 72 * hour, 108 * hour, recovery.ByPatienceCeiling},
		{"the band", rules, complaint(), recovery.MakeOffer, 12 * hour, 18 * hour, recovery.ByBand},
	} {
		c, k, err := recovery.Report(recovery.Customer{}, tt.e, tt.rules, noon)
		if err != nil || !newest(k, tt.of).DueAt.Equal(noon.Add(tt.first)) {
			t.Fatalf("%s: %+v, %v", tt.name, newest(k, tt.of), err)
		}
		if tt.of != recovery.FirstResponse {
			if c, _, err = recovery.Advance(c, 1, do(recovery.StepContactOutbound), tt.rules, noon); err != nil {
				t.Fatal(err)
			}
		}
		k = recovery.Tick(c, tt.rules, noon.Add(tt.first)).Open[0]
		if d := newest(k, tt.of); !d.DueAt.Equal(noon.Add(tt.again)) || d.BoundBy != tt.by {
			t.Errorf("%s: due after %v by %s, want %v by %s", tt.name, d.DueAt.Sub(noon), d.BoundBy, tt.again, tt.by)
		}
	}
}
