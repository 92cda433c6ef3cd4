package policy

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/makeamends/amends/internal/calendar"
	"github.com/makeamends/amends/internal/recovery"
)

const day = 24 * time.Hour

// The default policy is the published model, number by number.
func TestDefaultIsTheModel(t *testing.T) {
	got := Default().Rules
	for _, section := range []struct {
		name      string
		want, got any
	}{
		{"severity", modelSeverity(), got.Severity},
		{"memory", modelMemory(), got.Memory},
		{"risk", modelRisk(), withoutSources(got.Risk)},
		{"escalation", recovery.EscalationRules{Intercept: -4.6, DoubleDeviation: 3.18, Motive: .8, Betrayal: .5, Severity: .7}, got.Escalation},
		{"deadlines", modelDeadlines(), got.Deadlines},
		{"compensation", modelCompensation(), got.Compensation},
		{"guard", recovery.GuardRules{Alpha: 1, Beta: 33, Multiple: 3, MeanRate: .03, Certainty: .95}, got.Guard},
		{"dollar", recovery.Currency{Digits: 2, Scale: 1, RoundTo: 50, DailyBudget: 1_000_000}, got.Currencies["USD"]},
		{"options from", .7, got.Options.FromSeverity},
		{"options most", 3, got.Options.Most},
		{"apologies spent", 2, got.Apology.Spent},
	} {
		ignore := cmpopts.IgnoreFields(recovery.CompensationRules{}, "Texts", "MaxGestures")
		if diff := cmp.Diff(section.want, section.got, ignore, cmpopts.IgnoreFields(recovery.GuardRules{}, "Above"),
			cmpopts.IgnoreFields(recovery.DeadlineRules{}, "Calendar")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", section.name, diff)
		}
	}
}

func modelSeverity() (s recovery.SeverityRules) {
	for kind, severity := range map[recovery.Kind]float64{
		recovery.Late: .55, recovery.MissingItem: .35, recovery.Quality: .35, recovery.WrongItem: .40, recovery.Damaged: .50,
		recovery.Rude: .50, recovery.Overcharge: .50, recovery.HiddenFee: .50, recovery.PoorRating: .45, recovery.MediocreRating: .35,
		recovery.IgnoredComplaint: .60, recovery.Refused: .60, recovery.BrokenPromise: .60, recovery.Cancelled: .60,
		recovery.CustomerCircumstance: .15, recovery.ThirdParty: .20, recovery.Other: .30, recovery.DataBreach: .90, recovery.Unsafe: 1,
	} {
		s.Kinds[kind] = severity
	}
	for resource, kinds := range map[recovery.Resource][]recovery.Kind{
		recovery.LostTime:    {recovery.Late, recovery.ThirdParty},
		recovery.LostGood:    {recovery.MissingItem, recovery.Quality, recovery.WrongItem, recovery.Damaged},
		recovery.LostMoney:   {recovery.Overcharge, recovery.HiddenFee, recovery.Refused},
		recovery.LostService: {recovery.Cancelled, recovery.Other, recovery.Unsafe},
		recovery.LostAttention: {recovery.Rude, recovery.PoorRating, recovery.MediocreRating, recovery.IgnoredComplaint,
			recovery.BrokenPromise, recovery.CustomerCircumstance, recovery.DataBreach},
	} {
		for _, kind := range kinds {
			s.Resources[kind] = resource
		}
	}
	s.Late = []recovery.LateStep{
		{UpTo: 15 * time.Minute, Severity: .15}, {UpTo: 30 * time.Minute, Severity: .25}, {UpTo: 60 * time.Minute, Severity: .40}, {Severity: .55},
	}
	s.MoneyFrom, s.MoneyTo, s.MoneyWeight = 5, 100, .5
	s.HumanDecides = recovery.Kinds(recovery.DataBreach, recovery.Unsafe)
	s.CountsRefused = recovery.Kinds(recovery.IgnoredComplaint, recovery.Refused, recovery.BrokenPromise)
	return s
}

func modelMemory() recovery.MemoryRules {
	m := recovery.MemoryRules{
		PositiveHalfLife: 180 * day, JoinWithin: 30 * day, StaleAfter: 7 * day, RollingWindow: 90 * day, ServiceWindow: 180 * day,
		ResidualHalfLife: 30 * day, ResidualFactor: .5, LapseUnvoiced: 30 * day, OpenCases: 100, SteadyOrders: 6, NewOrders: 1,
	}
	m.Positives[recovery.OrderFulfilled], m.Positives[recovery.PositiveRating] = .25, .5
	m.Positives[recovery.Praise], m.Positives[recovery.Loyalty], m.Positives[recovery.Referral] = 1, 1, 1
	m.Positives[recovery.SatisfiedRecovery] = 1
	return m
}

func modelRisk() recovery.RiskRules {
	r := recovery.RiskRules{
		RepeatHalfLife: 90 * day, RepeatCap: 3, RecoveredFactor: .5, SimilarWithin: 180 * day, ThirdSameKind: 3, SilentAfter: day,
		GoodwillCap: 24, BaseRate: .05, PositivesWeight: 1, IdleWeight: .3, IdleUnit: 30 * day, PatienceHalfLife: 7 * day,
		Ceiling: .99, OnTimeEffect: 3.04, LateEffect: 1.31,
		Attenuation: recovery.Attenuation{PublicDouble: .60, Double: .75, Repeat: .85},
	}
	for code, term := range map[recovery.Code]recovery.Term{
		recovery.ReasonSeverity:        {Weight: 1.45, Grade: recovery.GradeC},
		recovery.ReasonControllability: {Weight: .40, Grade: recovery.GradeO},
		recovery.ReasonMotive:          {Weight: .60, Grade: recovery.GradeO},
		recovery.ReasonRepeat:          {Weight: .35, Grade: recovery.GradeA},
		recovery.ReasonSimilar:         {Weight: .25, Grade: recovery.GradeB},
		recovery.ReasonStable:          {Weight: .20, Grade: recovery.GradeO},
		recovery.ReasonDoubleDeviation: {Weight: .60, Grade: recovery.GradeB},
		recovery.ReasonPublic:          {Weight: .30, Grade: recovery.GradeB},
		recovery.ReasonBetrayal:        {Weight: .30, Grade: recovery.GradeB},
		recovery.ReasonSilent:          {Weight: .62, Grade: recovery.GradeC},
		recovery.ReasonGoodwill:        {Weight: 1.45 * .5 / 12, Grade: recovery.GradeD},
	} {
		r.Terms[code] = term
	}
	r.Controllability[recovery.Firm], r.Controllability[recovery.Partner] = 1, .7
	r.Motives[recovery.Negligent], r.Motives[recovery.IntendedBenign], r.Motives[recovery.Greed] = .33, .66, 1
	r.Bands[recovery.Moderate], r.Bands[recovery.High], r.Bands[recovery.Critical] = .30, .60, .85
	return r
}

func withoutSources(r recovery.RiskRules) recovery.RiskRules {
	for i := range r.Terms {
		r.Terms[i].Source = ""
	}
	return r
}

func modelDeadlines() recovery.DeadlineRules {
	d := recovery.DeadlineRules{
		Acknowledge: 5 * time.Minute, Public: time.Hour, PublicWide: 15 * time.Minute, WideReach: 100_000,
		OnPremises: 15 * time.Minute, Stay: 2 * time.Hour, BeforeDeparture: time.Hour, NeverBefore: 5 * time.Minute, PatienceCeiling: 72 * time.Hour,
		Resolve: 5 * day, FollowUp: 7 * day, Renewals: 1, RenewedShare: .5, Warnings: []float64{.5, .8},
	}
	d.Band[recovery.Critical], d.Band[recovery.High], d.Band[recovery.Moderate], d.Band[recovery.Low] = 2*time.Hour, 12*time.Hour, 24*time.Hour, 48*time.Hour
	return d
}

func modelCompensation() recovery.CompensationRules {
	c := recovery.CompensationRules{
		Rejected: 1, Accepted: .2, Severity: .2, Repeat: .1, RepeatCap: 2, DoubleDeviation: .2, Greed: .1, Steady: -.1, NotSteady: .1,
		FirstCeiling: 1.2, Ceiling: 1.5, LifetimeShare: .5, AutomaticCase: 50, AutomaticCustomer: 100, Token: 5, TokenShare: .1,
		IncidentSeverity: .5, ValidFor: 7 * day, DefaultCurrency: "USD", GoodwillCasual: recovery.Cash, GoodwillSteady: recovery.Credit,
	}
	c.Gifts[recovery.High], c.Gifts[recovery.Critical] = 5, 10
	c.Mediums[recovery.LostMoney], c.Mediums[recovery.LostGood], c.Mediums[recovery.LostService] = recovery.Refund, recovery.Replacement, recovery.Redo
	c.Mediums[recovery.LostAttention], c.Mediums[recovery.LostTime] = recovery.Call, recovery.Call
	return c
}

func TestDefaultCalendarIsAlwaysOpen(t *testing.T) {
	saturday := time.Date(2026, 1, 3, 23, 0, 0, 0, time.UTC)
	if got := Default().Rules.Deadlines.Calendar.Add(saturday, 2*time.Hour); !got.Equal(saturday.Add(2 * time.Hour)) {
		t.Errorf("two hours after %v is %v", saturday, got)
	}
	if _, ok := Default().Rules.Deadlines.Calendar.(*calendar.Calendar); !ok {
		t.Error("the default calendar is of package calendar")
	}
}

// The published figures of the abuse guard: claims of orders, and how certain
// it is that the rate is above three times the usual.
func TestGuardCertainties(t *testing.T) {
	g := Default().Rules.Guard
	for _, tt := range []struct{ claims, orders, want float64 }{{3, 12, .41}, {5, 12, .79}, {8, 12, .98}, {6, 60, .26}} {
		got := g.Above(g.Alpha+tt.claims, g.Beta+tt.orders-tt.claims, g.Multiple*g.MeanRate)
		if math.Abs(got-tt.want) > .01 {
			t.Errorf("%v claims of %v orders: %.3f, want %.2f", tt.claims, tt.orders, got, tt.want)
		}
	}
}

func TestEveryTermHasASource(t *testing.T) {
	for code := recovery.ReasonSeverity; code < recovery.Terms; code++ {
		term := Default().Rules.Risk.Terms[code]
		if term.Grade == 0 || term.Grade != recovery.GradeO && term.Source == "" {
			t.Errorf("%s: grade %s, source %q", code, term.Grade, term.Source)
		}
	}
}

func TestDefaultForms(t *testing.T) {
	a := Default().Rules.Apology
	for channel, want := range map[recovery.Channel]recovery.FormRule{
		recovery.Social:        {Form: recovery.PublicThenPrivate},
		recovery.ComplaintSite: {Form: recovery.PublicOnRecord},
		recovery.ReviewSite:    {Form: recovery.PublicOnRecord},
		recovery.AntiBrandSite: {Form: recovery.DirectOnly, Review: true, Speaker: recovery.Manager},
	} {
		got := a.Forms[channel]
		if got.Text == "" {
			t.Errorf("%s says nothing", channel)
		}
		got.Text = ""
		if got != want {
			t.Errorf("%s: %+v, want %+v", channel, got, want)
		}
	}
	if a.Private.Form != recovery.SameChannel {
		t.Errorf("other channels: %v", a.Private.Form)
	}
}
