package recovery

import (
	"iter"
	"math/bits"
	"time"
)

// Assessment is the judgement of one case at one moment.
type Assessment struct {
	At           time.Time
	Severity     float64 // 0..1
	Risk         Risk
	Baseline     float64 // risk without any failure
	Escalation   float64 // chance that it goes public; 1 when it has
	Double       bool    // the recovery itself failed
	Causes       []Code  // of the double deviation
	Repeat       float64 // earlier failures, decayed (R)
	Positives    float64 // positive mass (P)
	Owed         int64   // positives that would cancel the score
	Level        ServiceLevel
	Reasons      []Reason // sum to LogOdds
	LogOdds      float64
	Noticed      float64 // chance that the customer noticed
	Patience     float64 // share of customers still waiting
	Relationship Relationship
}

// Risk is the chance that the customer leaves, by what we do, 0..1.
type Risk struct {
	Ignored float64 // nobody answers
	OnTime  float64 // a good recovery within the deadlines
	Late    float64 // a good recovery after them
	Band    Band    // of Ignored
}

// Reason is one addend of the log-odds. Its grade and source are those of the
// policy's term: Risk.Terms[Code].
type Reason struct {
	Code         Code
	Contribution float64
}

// Picks is a set of positions, below 64, in a list of the policy. A decision
// holds what it picked, and the policy that made it holds the words.
type Picks uint64

// Has reports whether position i was picked.
func (p Picks) Has(i int) bool { return p&(1<<i) != 0 }

// All gives the positions in ascending order.
func (p Picks) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for rest := p; rest != 0; rest &= rest - 1 {
			if !yield(bits.TrailingZeros64(uint64(rest))) {
				return
			}
		}
	}
}

// Len is the number of positions.
func (p Picks) Len() int { return bits.OnesCount64(uint64(p)) }

// Recommendation is what to give and what to say. Amounts are totals of the
// case in minor units of Currency, not additions to earlier answers.
type Recommendation struct {
	Items         []Item
	Currency      string
	Ratio         float64 // share of the value that is returned in all (r)
	Apology       Apology
	Options       Picks    // of the policy's choices; see [Choice.Pay]
	ReviewReasons []string // a human must look; empty: none
	ExpiresAt     time.Time
}

// Item is one thing to give.
type Item struct {
	Kind     ItemKind
	Medium   Medium
	Amount   int64  // minor units; 0 for a gesture without a price
	Approval int64  // part of Amount that needs an approver
	Menu     string // id of the menu item of a gesture
}

// Total is the sum of all amounts, in minor units.
func (r Recommendation) Total() (sum int64) {
	for _, it := range r.Items {
		sum += it.Amount
	}
	return sum
}

// Goodwill is the amount given beyond what is owed, and the part of it that
// needs no approval; minor units.
func (r Recommendation) Goodwill() (amount, automatic int64) {
	for _, it := range r.Items {
		if it.Kind == Goodwill {
			amount += it.Amount
			automatic += it.Amount - it.Approval
		}
	}
	return amount, automatic
}

// ItemKind is why something is given.
type ItemKind uint8

// The kinds of item.
const (
	Entitlement ItemKind = iota + 1
	Restitution
	Goodwill
	Gesture
	itemKinds
)

// String gives the contract's name without its prefix.
func (k ItemKind) String() string {
	return name([]string{"", "ENTITLEMENT", "RESTITUTION", "GOODWILL", "GESTURE"}, uint8(k))
}

// Medium is how something is given.
type Medium uint8

// The mediums.
const (
	Refund Medium = iota + 1 // to the original tender
	Replacement
	Redo
	Credit
	Cash
	Gift
	InKind
	Call
	Admission
)

// String gives the contract's name without its prefix.
func (m Medium) String() string {
	return name([]string{"", "REFUND", "REPLACEMENT", "REDO", "CREDIT", "CASH", "GIFT", "IN_KIND", "CALL", "ADMISSION"}, uint8(m))
}

// Apology is the plan of the answer.
type Apology struct {
	Include, Avoid Picks // of the policy's lists
	Speaker        Speaker
	Form           Form
}

// Speaker is who answers.
type Speaker uint8

// The speakers, by rank.
const (
	Anyone Speaker = iota + 1
	NamedPerson
	Manager
	Executive
)

// String gives the contract's name without its prefix.
func (s Speaker) String() string {
	return name([]string{"", "ANYONE", "NAMED_PERSON", "MANAGER", "EXECUTIVE"}, uint8(s))
}

// Form is where the answer is given.
type Form uint8

// The forms.
const (
	PublicThenPrivate Form = iota + 1
	PublicOnRecord
	DirectOnly
	SameChannel
)

// String gives the contract's name without its prefix.
func (f Form) String() string {
	return name([]string{"", "PUBLIC_REPLY_THEN_PRIVATE", "PUBLIC_REPLY_ON_RECORD", "DIRECT_ONLY", "SAME_CHANNEL"}, uint8(f))
}

// Circumstance is a fact of a case that a rule of the apology depends on.
type Circumstance uint8

// The circumstances.
const (
	Always        Circumstance = iota + 1
	AtFault                    // controllability above 0
	NotAtFault                 // controllability 0
	WhenSteady                 // STEADY relationship
	WhenRepeated               // an earlier failure is remembered
	WhenSpent                  // too many apologies already
	WhenPublic                 // the complaint is public
	WhenReviewed               // on a review or complaint site
	WhenDouble                 // double deviation
	WhenUnvoiced               // the customer has not spoken
	WhenOfferMade              // something is given
	circumstances
)

// String gives the policy file's name without its prefix.
func (c Circumstance) String() string {
	return name([]string{"", "ALWAYS", "AT_FAULT", "NOT_AT_FAULT", "STEADY", "REPEATED", "APOLOGIES_SPENT", "PUBLIC",
		"REVIEW_SITE", "DOUBLE_DEVIATION", "UNVOICED", "COMPENSATED"}, uint8(c))
}
