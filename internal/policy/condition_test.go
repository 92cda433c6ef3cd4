package policy

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/makeamends/amends/internal/recovery"
)

// conditionsInGo are turned into Go functions; they cover every form that is.
var conditionsInGo = []string{
	`true`, `!false`, `failure.recurring`, `!customer.loyalty_member || assessment.double_deviation`,
	`assessment.band == "CRITICAL" && failure.reach >= 100000`, `"STEADY" != customer.relationship`,
	`failure.voice == failure.acceptance`, `failure.on_premises && failure.locus != "CUSTOMER"`,
	`failure.lost in ["ATTENTION", "TIME"]`, `failure.channel in []`, `"LATE" in failure.kinds`, `!("UNSAFE" in failure.kinds)`,
	`assessment.severity >= 0.5`, `0.5 > assessment.severity`, `assessment.ignored != 0.25`, `failure.value > 20`,
	`20 <= failure.value`, `customer.orders == 6`, `6 != customer.orders`, `assessment.positives_owed < 3`,
	`failure.kinds.exists(k, k == "LATE")`, `failure.kinds.all(k, k in ["LATE", "RUDE"])`,
	`failure.kinds.exists(k, k != "QUALITY" && (customer.repeat_mass > 1.0 || k == failure.motive))`,
	`failure.kinds.all(k, "RUDE" in failure.kinds)`, `customer.positive_mass <= 1.5`, `failure.delay_minutes < 40.0`,
	`failure.motive == "GREED"`, `failure.corroboration != "CLAIM_ONLY"`, `assessment.on_time < 0.1`, `assessment.late > 0.2`,
	`assessment.baseline >= 0.05`, `assessment.escalation <= 0.5`,
}

// conditionsInCEL are left to CEL.
var conditionsInCEL = []string{
	`size(failure.kinds) > 1`, `failure.kinds.exists_one(k, k == "LATE")`, `failure.value * 2.0 > 30.0`,
	`failure.reach > customer.orders`, `customer.orders > 0.5`, `failure.channel.startsWith("S")`,
	`failure.recurring ? failure.value > 1.0 : true`, `failure.kinds.exists(k, failure.kinds.all(j, j == k))`,
	`failure.lost in failure.kinds`, `failure.kinds == ["LATE"]`, `[1, 2].exists(n, n == 2)`,
}

func facts(t *rapid.T) *recovery.Facts {
	one := func(most int) uint8 { return uint8(rapid.IntRange(0, most).Draw(t, "word")) }
	number := rapid.SampledFrom([]float64{0, .05, .1, .25, .5, 1, 1.5, 20, 40})
	return &recovery.Facts{
		Failure: &recovery.Failure{
			Kinds: recovery.KindSet(rapid.Uint32Range(0, 1<<19-1).Draw(t, "kinds") << 1), Delay: time.Duration(number.Draw(t, "delay")) * time.Minute,
			Voice: recovery.Voice(one(3)), Channel: recovery.Channel(one(11)), Acceptance: recovery.Acceptance(one(2)),
			Reach: rapid.SampledFrom([]int64{0, 5, 99_999, 100_000}).Draw(t, "reach"), Evidence: recovery.Corroboration(one(3)),
			Attribution: recovery.Attribution{Locus: recovery.Locus(one(4)), Motive: recovery.Motive(one(4)), Recurring: rapid.Bool().Draw(t, "recurring")},
		},
		Severity: number.Draw(t, "severity"), ValueUnits: number.Draw(t, "value"), Lost: recovery.Resource(one(5)),
		Profile:    recovery.Profile{Relationship: recovery.Relationship(one(3)), Loyalty: rapid.Bool().Draw(t, "loyalty")},
		OnPremises: rapid.Bool().Draw(t, "on premises"),
		Orders:     rapid.Int64Range(0, 8).Draw(t, "orders"), Positives: number.Draw(t, "positives"), Repeat: number.Draw(t, "repeat"),
		Assessment: &recovery.Assessment{
			Risk: recovery.Risk{Band: recovery.Band(one(4)), Ignored: number.Draw(t, "ignored"), OnTime: number.Draw(t, "on time"), Late: number.Draw(t, "late")},
			Owed: rapid.Int64Range(0, 5).Draw(t, "owed"), Double: rapid.Bool().Draw(t, "double"), Baseline: number.Draw(t, "baseline"), Escalation: number.Draw(t, "escalation"),
		},
	}
}

// A condition in Go and the same in CEL always agree.
func TestNativeConditionsAgreeWithCEL(t *testing.T) {
	env, err := conditions()
	if err != nil {
		t.Fatal(err)
	}
	texts := append([]string(nil), conditionsInGo...)
	for _, item := range Default().Message.GetMenu() {
		texts = append(texts, item.GetWhen())
	}
	inGo, inCEL := map[string]predicate{}, map[string]func(*recovery.Facts) bool{}
	for _, text := range texts {
		checked, issues := env.Compile(text)
		if issues.Err() != nil {
			t.Fatal(issues.Err())
		}
		if inGo[text] = native(checked.NativeRep().Expr()); inGo[text] == nil {
			t.Fatalf("%s is left to CEL", text)
		}
		program, err := env.Program(checked)
		if err != nil {
			t.Fatal(err)
		}
		inCEL[text] = interpreted(program)
	}
	rapid.Check(t, func(t *rapid.T) {
		f := facts(t)
		for _, text := range texts {
			if got, want := inGo[text](f, 0), inCEL[text](f); got != want {
				t.Fatalf("%s is %v in Go, %v in CEL, for %+v", text, got, want, f)
			}
		}
	})
	if FailedConditions() != 0 {
		t.Errorf("%d conditions failed", FailedConditions())
	}
}

func compiled(t testing.TB, when string) func(*recovery.Facts) bool {
	t.Helper()
	c := compiler{source: &source{File: "p.yaml"}}
	holds := c.condition(path{"when"}, when)
	if holds == nil {
		t.Fatal(c.Findings)
	}
	return holds
}

// What Go does not cover is evaluated by CEL, and comes out the same as the
// equal condition that Go covers.
func TestConditionsLeftToCEL(t *testing.T) {
	env, err := conditions()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range conditionsInCEL {
		checked, issues := env.Compile(text)
		if issues.Err() != nil {
			t.Fatalf("%s: %v", text, issues.Err())
		}
		if native(checked.NativeRep().Expr()) != nil {
			t.Errorf("%s is turned into Go", text)
		}
	}
	pairs := map[string]string{
		`size(failure.kinds) > 0`:            `failure.kinds.exists(k, true)`,
		`failure.value + 0.0 > 20.0`:         `failure.value > 20.0`,
		`failure.recurring ? true : false`:   `failure.recurring`,
		`failure.channel.matches("^SOCIAL")`: `failure.channel == "SOCIAL"`,
	}
	for slow, quick := range pairs {
		a, b := compiled(t, slow), compiled(t, quick)
		both := map[bool]bool{}
		for i := range 100 {
			f := rapid.Custom(facts).Example(i)
			both[b(f)] = true
			if a(f) != b(f) {
				t.Fatalf("%s is %v, %s is %v, for %+v", slow, a(f), quick, b(f), f)
			}
		}
		if len(both) != 2 {
			t.Errorf("%s was always the same", quick)
		}
	}
}

// A condition that cannot be evaluated, or that costs too much, does not hold
// and is counted.
func TestFailingConditionsDoNotHold(t *testing.T) {
	f := &recovery.Facts{Assessment: &recovery.Assessment{}}
	expensive := `[0,1,2,3,4,5,6,7,8,9].all(a, [0,1,2,3,4,5,6,7,8,9].all(b, [0,1,2,3,4,5,6,7,8,9].all(c, [0,1,2,3,4,5,6,7,8,9].all(d, a + b + c + d >= 0))))`
	for _, when := range []string{`1 / customer.orders > 0`, expensive} {
		before := FailedConditions()
		if compiled(t, when)(f) {
			t.Errorf("%s holds", when)
		}
		if got := FailedConditions() - before; got != 1 {
			t.Errorf("%s: counted %d times, want once", when, got)
		}
	}
	failedConditions.Store(0)
}

// Whatever value a word has, a condition can name it.
func TestWordsAreThoseOfTheDecision(t *testing.T) {
	f := &recovery.Facts{Failure: &recovery.Failure{Kinds: recovery.Kinds(recovery.Unsafe), Channel: recovery.AntiBrandSite, Voice: recovery.Public},
		Lost: recovery.LostTime, Profile: recovery.Profile{Relationship: recovery.Steady}, Assessment: &recovery.Assessment{Risk: recovery.Risk{Band: recovery.Critical}}}
	for _, when := range []string{`failure.kinds == ["UNSAFE"]`, `failure.channel == "ANTI_BRAND_SITE"`, `failure.voice == "PUBLIC"`,
		`failure.lost == "TIME"`, `customer.relationship == "STEADY"`, `assessment.band == "CRITICAL"`, `failure.motive == "UNSPECIFIED"`} {
		if !compiled(t, when)(f) {
			t.Errorf("%s does not hold", when)
		}
	}
}

func BenchmarkMenu(b *testing.B) {
	f := recovery.Facts{
		Failure:  &recovery.Failure{Kinds: recovery.Kinds(recovery.Late, recovery.WrongItem), Voice: recovery.Private},
		Severity: .6, Repeat: 1, Lost: recovery.LostGood, Profile: recovery.Profile{Relationship: recovery.Steady},
		Assessment: &recovery.Assessment{Risk: recovery.Risk{Band: recovery.High, Ignored: .7}},
	}
	menu := Default().Rules.Menu
	b.Run("default", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for i := range menu {
				menu[i].When(&f)
			}
		}
	})
	slow := compiled(b, `size(failure.kinds) > 1 && assessment.severity > 0.5`)
	b.Run("one by CEL", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			slow(&f)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Parse("default.yaml", defaultYAML)
	}
}
