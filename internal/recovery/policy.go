package recovery

import "time"

// Policy holds every number, list and rule of the decision. It is immutable
// once built; package policy builds and checks it from the policy file, whose
// schema (proto/recovery/policy/v1) documents each field with its unit, range,
// source and evidence grade.
type Policy struct {
	Version      string // content hash of the policy file
	Severity     SeverityRules
	Memory       MemoryRules
	Risk         RiskRules
	Escalation   EscalationRules
	Deadlines    DeadlineRules
	Compensation CompensationRules
	Menu         []MenuItem
	Options      OptionRules
	Apology      ApologyRules
	Guard        GuardRules
	Currencies   map[string]Currency
}

// Rules are the policies that one update may need: the active one for new
// cases, and the ones that open cases were opened with.
type Rules struct {
	Active *Policy
	Kept   map[string]*Policy // by version
}

// For gives the policy of that version, the active one when it is not kept.
func (r Rules) For(version string) *Policy {
	if p, ok := r.Kept[version]; ok {
		return p
	}
	return r.Active
}

// Currency finds a currency that any of the policies lists; whether the one
// that judges a case lists it, [Report] tells.
func (r Rules) Currency(code string) (Currency, bool) {
	if cur, ok := r.Active.Currencies[code]; ok {
		return cur, true
	}
	for _, p := range r.Kept {
		if cur, ok := p.Currencies[code]; ok {
			return cur, true
		}
	}
	return Currency{}, false
}

// Currency makes amounts of one ISO 4217 currency comparable.
type Currency struct {
	Digits  int     // decimals of the minor unit: 2 for USD, 0 for JPY
	Scale   float64 // units of the currency for one reference unit, above 0
	RoundTo int64   // minor units that a goodwill amount is rounded up to, at least 1
	// DailyBudget is how many minor units offers may give without approval to
	// the customers of one tenant in one UTC day; NoBudget: any number.
	DailyBudget int64
}

// NoBudget is a budget that bounds nothing.
const NoBudget = mostMinor

// SeverityRules grade a failure from 0 to 1.
type SeverityRules struct {
	Kinds         [kinds]float64  // severity of one kind; LATE is taken from the steps
	Late          []LateStep      // ascending; the last step has no limit
	Resources     [kinds]Resource // what a kind usually takes from the customer
	MoneyFrom     float64         // loss, in reference units, at which money begins to weigh: 5
	MoneyTo       float64         // loss at which it weighs in full: 100
	MoneyWeight   float64         // share of the remaining gap that a full loss closes: 0.5
	HumanDecides  KindSet         // kinds that bypass the score
	CountsRefused KindSet         // kinds that mean refused or ignored
}

// LateStep is the severity of a delay up to a limit; zero means no limit.
type LateStep struct {
	UpTo     time.Duration
	Severity float64
}

// MemoryRules say how long and how much we remember.
type MemoryRules struct {
	PositiveHalfLife time.Duration // 180 d
	Positives        [positives]float64
	JoinWithin       time.Duration // failures of one order or incident join one case: 30 d
	StaleAfter       time.Duration // older events are recorded but never pay by themselves: 7 d
	RollingWindow    time.Duration // apologies and goodwill are counted over this: 90 d
	ServiceWindow    time.Duration // kept deadlines are looked at over this: 180 d
	ResidualHalfLife time.Duration // 30 d
	ResidualFactor   float64       // what a later positive leaves of the residual: 0.5
	LapseUnvoiced    time.Duration // an unvoiced case without contact lapses: 30 d
	OpenCases        int           // at most this many open cases a customer: 100
	SteadyOrders     int64         // orders that make a STEADY customer: 6
	NewOrders        int64         // orders up to which a customer is NEW: 1
}

// Term is one addend of the log-odds, with the evidence behind its weight.
type Term struct {
	Weight float64
	Grade  Grade
	Source string
}

// RiskRules score the risk of churn.
type RiskRules struct {
	Terms            [Terms]Term // by Code; Terms[ReasonGoodwill].Weight is g, per positive
	Controllability  [loci]float64
	Motives          [motives]float64
	RepeatHalfLife   time.Duration // 90 d
	RepeatCap        float64       // 3
	RecoveredFactor  float64       // what a recovered failure still weighs: 0.5
	SimilarWithin    time.Duration // 180 d
	ThirdSameKind    int           // unrecovered failures of one kind that make a double deviation: 3
	SilentAfter      time.Duration // 24 h
	GoodwillCap      float64       // positives that count: 24
	BaseRate         float64       // churn without any failure, the operator's: 0.05
	PositivesWeight  float64       // of ln(1+P) in the baseline: 1
	IdleWeight       float64       // of ln(1+idle/IdleUnit): 0.3
	IdleUnit         time.Duration // 30 d
	PatienceHalfLife time.Duration // 7 d
	Ceiling          float64       // no risk is reported above this: 0.99
	OnTimeEffect     float64       // log-odds taken off by a good recovery on time: 3.04
	LateEffect       float64       // and by a late one: 1.31
	Attenuation      Attenuation
	Bands            [bands]float64 // Bands[b]: lowest risk if ignored of band b; 0 for LOW
}

// Attenuation weakens a recovery that follows earlier failures.
type Attenuation struct {
	PublicDouble float64 // double deviation in public: 0.60
	Double       float64 // double deviation: 0.75
	Repeat       float64 // any earlier failure remembered: 0.85
}

// EscalationRules score the chance that a private complaint goes public.
type EscalationRules struct {
	Intercept, DoubleDeviation, Motive, Betrayal, Severity float64
}

// Calendar counts business time.
type Calendar interface {
	// Add gives the moment at which d of open time has passed since t.
	Add(t time.Time, d time.Duration) time.Time
	// Between gives the open time from one moment to another.
	Between(from, to time.Time) time.Duration
	// AlwaysOpen reports whether all time is open.
	AlwaysOpen() bool
}

// DeadlineRules say by when we answer.
type DeadlineRules struct {
	Band            [bands]time.Duration // CRITICAL 2 h, HIGH 12 h, MODERATE 24 h, LOW 48 h
	Calendar        Calendar             // of business time
	Acknowledge     time.Duration        // 5 min, voiced only
	Public          time.Duration        // 60 min
	PublicWide      time.Duration        // when the reach is wide: 15 min
	WideReach       int64                // people: 100,000
	OnPremises      time.Duration        // 15 min
	Stay            time.Duration        // how long somebody stays who spoke in person and did not say: 2 h
	BeforeDeparture time.Duration        // 60 min
	NeverBefore     time.Duration        // 5 min from now
	PatienceCeiling time.Duration        // 72 h on the calendar
	Resolve         time.Duration        // 5 d
	FollowUp        time.Duration        // 7 d after the resolution
	Warnings        []float64            // shares of the time to a deadline, ascending: 0.5, 0.8
	RenewedShare    float64              // of the band's time that a promise has that is made anew after it was missed: 0.5
	Renewals        int                  // times that a missed promise is made anew without a new event: 1
	Limits          []Limit              // of law, contract or house rule
}

// Limit is an upper bound that law, a contract or the house sets on a deadline.
type Limit struct {
	Milestone Milestone
	Within    time.Duration // on the calendar
	BoundBy   Bound         // STATUTORY, CONTRACT or POLICY
	Kinds     KindSet       // empty: every failure
}

// CompensationRules say what to give.
type CompensationRules struct {
	Rejected, Accepted float64           // share of the value: 1.00, 0.20
	Severity           float64           // 0.20 a point of severity
	Repeat, RepeatCap  float64           // 0.10 a point of repeat mass, up to 2
	DoubleDeviation    float64           // 0.20
	Greed              float64           // 0.10
	Steady, NotSteady  float64           // -0.10 for a steady customer not failed twice, else +0.10
	FirstCeiling       float64           // of the ratio, first clean failure: 1.20
	Ceiling            float64           // otherwise, and of everything paid: 1.50
	LifetimeShare      float64           // share of the lifetime value saved that goodwill may cost: 0.5
	AutomaticCase      float64           // reference units without approval, a case: 50
	AutomaticCustomer  float64           // and a customer in the rolling window: 100
	Gifts              [bands]float64    // reference units when no money is at stake
	Token              float64           // reference units when not at fault: 5
	TokenShare         float64           // and share of the value: 0.10
	IncidentSeverity   float64           // severity that an incident's ratio is computed with: 0.5
	ValidFor           time.Duration     // a recommendation stands this long
	DefaultCurrency    string            // of gifts when the event names none
	Mediums            [resources]Medium // of restitution, by what was lost
	GoodwillCasual     Medium            // of goodwill for new and casual customers
	GoodwillSteady     Medium            // and for steady ones
	Texts              [itemKinds]string // description of each kind of item
	MaxGestures        int               // gestures in one recommendation
}

// MenuItem is a gesture that may be offered.
type MenuItem struct {
	ID, Text string
	Medium   Medium
	// When decides whether the item fits. A condition that cannot be evaluated
	// does not hold; package policy counts it.
	When func(*Facts) bool
}

// Facts are what a menu condition may look at.
type Facts struct {
	Failure    *Failure
	Severity   float64
	ValueUnits float64 // value of what failed, in reference units
	Profile    Profile // with the relationship resolved
	Orders     int64
	Positives  float64
	Repeat     float64
	Lost       Resource // as stated, else what the gravest kind usually takes
	OnPremises bool
	Assessment *Assessment
}

// OptionRules give the customer a choice after severe failures.
type OptionRules struct {
	FromSeverity float64  // 0.7
	Most         int      // 3
	Choices      []Choice // in order of preference
}

// Choice pays the same amounts by other means.
type Choice struct {
	Title                 string
	Restitution, Goodwill Medium
}

// ApologyRules say what an answer must contain and must avoid.
type ApologyRules struct {
	Include, Avoid []ApologyRule
	Spent          int // apologies in the rolling window after which a bare one is refused: 2
	Forms          map[Channel]FormRule
	Private        FormRule // for every channel that Forms does not name
}

// ApologyRule is one line that holds under one circumstance.
type ApologyRule struct {
	Code, Text string
	When       Circumstance
}

// FormRule says in which form a channel is answered.
type FormRule struct {
	Form    Form
	Text    string
	Review  bool    // a human looks before anybody answers
	Speaker Speaker // at least this rank speaks; zero: anyone
}

// GuardRules notice customers who claim far too often.
type GuardRules struct {
	Alpha, Beta float64 // of the prior: 1, 33
	Multiple    float64 // of the mean rate: 3
	MeanRate    float64 // 0.03
	Certainty   float64 // 0.95
	// Above gives P(rate > x) for a Beta(a, b) rate.
	Above func(a, b, x float64) float64
}
