package recovery

import (
	"iter"
	"math/bits"
	"slices"
	"strings"
)

// The enumerations below carry the same numbers and names as those of the
// public contract (proto/recovery/v1); a test in internal/rpc holds the two
// together. Zero means "not stated" everywhere.

// Kind is one way in which a service fails.
type Kind uint8

// The kinds of service failure. Their severities are the policy's.
const (
	Late Kind = iota + 1
	MissingItem
	Quality
	WrongItem
	Damaged
	Rude
	Overcharge
	HiddenFee
	PoorRating
	MediocreRating
	IgnoredComplaint
	Refused
	BrokenPromise
	Cancelled
	CustomerCircumstance
	ThirdParty
	Other
	DataBreach
	Unsafe
	kinds // one more than the last kind
)

var kindNames = [kinds]string{"", "LATE", "MISSING_ITEM", "QUALITY", "WRONG_ITEM", "DAMAGED", "RUDE", "OVERCHARGE",
	"HIDDEN_FEE", "POOR_RATING", "MEDIOCRE_RATING", "IGNORED_COMPLAINT", "REFUSED", "BROKEN_PROMISE", "CANCELLED",
	"CUSTOMER_CIRCUMSTANCE", "THIRD_PARTY", "OTHER", "DATA_BREACH", "UNSAFE"}

// String gives the contract's name without its prefix, such as "LATE".
func (k Kind) String() string { return name(kindNames[:], uint8(k)) }

// KindSet is a set of kinds.
type KindSet uint32

// Kinds makes a set.
func Kinds(ks ...Kind) KindSet {
	var s KindSet
	for _, k := range ks {
		s |= 1 << k
	}
	return s
}

// Has reports whether k is in the set.
func (s KindSet) Has(k Kind) bool { return s&(1<<k) != 0 }

// All gives the members in ascending order.
func (s KindSet) All() iter.Seq[Kind] {
	return func(yield func(Kind) bool) {
		for rest := s; rest != 0; rest &= rest - 1 {
			if !yield(Kind(bits.TrailingZeros32(uint32(rest)))) {
				return
			}
		}
	}
}

// List gives the members in ascending order.
func (s KindSet) List() []Kind { return slices.Collect(s.All()) }

// String joins the names of the members with commas.
func (s KindSet) String() string {
	names := make([]string, 0, 4)
	for k := range s.All() {
		names = append(names, k.String())
	}
	return strings.Join(names, ",")
}

// Voice says how far the complaint carries.
type Voice uint8

// The voices, from silent to loud: a joined case keeps the loudest.
const (
	Unvoiced Voice = iota + 1 // a system noticed; the customer has said nothing
	Private                   // said to us alone
	Public                    // said where others read it
)

// String gives the contract's name without its prefix.
func (v Voice) String() string { return name([]string{"", "UNVOICED", "PRIVATE", "PUBLIC"}, uint8(v)) }

// Channel is where the complaint reached us.
type Channel uint8

// The channels. The last four are public unless the caller says otherwise.
const (
	App Channel = iota + 1
	Phone
	Chat
	Email
	ContactForm
	Survey
	InPerson
	Social
	ComplaintSite
	ReviewSite
	AntiBrandSite
)

var channelNames = []string{"", "APP", "PHONE", "CHAT", "EMAIL", "CONTACT_FORM", "SURVEY", "IN_PERSON", "SOCIAL",
	"COMPLAINT_SITE", "REVIEW_SITE", "ANTI_BRAND_SITE"}

// String gives the contract's name without its prefix.
func (c Channel) String() string { return name(channelNames, uint8(c)) }

// Voice is the voice that a channel has when the caller states none.
func (c Channel) Voice() Voice {
	switch {
	case c == 0:
		return Unvoiced
	case c >= Social:
		return Public
	default:
		return Private
	}
}

// Acceptance says whether what was delivered is of use to the customer.
type Acceptance uint8

// The acceptances: a joined case is rejected once any of its failures is.
const (
	Accepted Acceptance = iota + 1
	Rejected
)

// String gives the contract's name without its prefix.
func (a Acceptance) String() string { return name([]string{"", "ACCEPTED", "REJECTED"}, uint8(a)) }

// Locus is who caused the failure.
type Locus uint8

// The loci of attribution.
const (
	Firm Locus = iota + 1
	Partner
	ByCustomer
	Nobody
	loci
)

// String gives the contract's name without its prefix.
func (l Locus) String() string {
	return name([]string{"", "FIRM", "PARTNER", "CUSTOMER", "NONE"}, uint8(l))
}

// Motive is why the customer believes we failed, from innocent to greedy.
type Motive uint8

// The motives, in order of blame: a joined case keeps the worst.
const (
	Unintended Motive = iota + 1
	Negligent
	IntendedBenign
	Greed
	motives
)

// String gives the contract's name without its prefix.
func (m Motive) String() string {
	return name([]string{"", "UNINTENDED", "NEGLIGENT", "INTENDED_BENIGN", "GREED"}, uint8(m))
}

// Relationship is how close the customer stands to us.
type Relationship uint8

// The relationships, from new to steady.
const (
	New Relationship = iota + 1
	Casual
	Steady
)

// String gives the contract's name without its prefix.
func (r Relationship) String() string {
	return name([]string{"", "NEW", "CASUAL", "STEADY"}, uint8(r))
}

// Corroboration is what stands behind the report.
type Corroboration uint8

// The corroborations, from strong to weak: a joined case keeps the strongest.
const (
	SystemObserved Corroboration = iota + 1
	Evidenced
	ClaimOnly
)

// String gives the contract's name without its prefix.
func (c Corroboration) String() string {
	return name([]string{"", "SYSTEM_OBSERVED", "EVIDENCED", "CLAIM_ONLY"}, uint8(c))
}

// Resource is what the customer lost.
type Resource uint8

// The resources.
const (
	LostMoney Resource = iota + 1
	LostGood
	LostService
	LostAttention
	LostTime
	resources
)

// String gives the contract's name without its prefix.
func (r Resource) String() string {
	return name([]string{"", "MONEY", "GOOD", "SERVICE", "ATTENTION", "TIME"}, uint8(r))
}

// Band grades the risk if the customer is ignored.
type Band uint8

// The bands, from low to critical.
const (
	Low Band = iota + 1
	Moderate
	High
	Critical
	bands
)

// String gives the contract's name without its prefix.
func (b Band) String() string {
	return name([]string{"", "LOW", "MODERATE", "HIGH", "CRITICAL"}, uint8(b))
}

// Code names a term of the risk score or a cause of a double deviation.
type Code uint8

// The terms of the log-odds, then the causes of a double deviation.
const (
	ReasonSeverity Code = iota + 1
	ReasonControllability
	ReasonMotive
	ReasonRepeat
	ReasonSimilar
	ReasonStable
	ReasonDoubleDeviation
	ReasonPublic
	ReasonBetrayal
	ReasonSilent
	ReasonGoodwill
	CauseDeadlineMissed
	CauseRefusedOrIgnored
	CauseFollowUpMissed
	CauseThirdSameKind
	codes
)

// Terms is one more than the last code that is a term of the log-odds.
const Terms = CauseDeadlineMissed

var codeNames = [codes]string{"", "SEVERITY", "CONTROLLABILITY", "MOTIVE", "REPEAT", "SIMILAR", "STABLE",
	"DOUBLE_DEVIATION", "PUBLIC", "BETRAYAL", "SILENT", "GOODWILL",
	"DEADLINE_MISSED", "REFUSED_OR_IGNORED", "FOLLOW_UP_MISSED", "THIRD_SAME_KIND"}

// String gives the contract's name without its prefix.
func (c Code) String() string { return name(codeNames[:], uint8(c)) }

// Grade is the strength of the evidence behind a number.
type Grade uint8

// The grades: field experiment, behavioural panel or meta-analysis (A); lab
// experiment, academic survey or content analysis (B); industry survey of
// stated intentions (C); folklore (D); measured by us on public order
// histories (M); our judgement (O).
const (
	GradeA Grade = iota + 1
	GradeB
	GradeC
	GradeD
	GradeM
	GradeO
)

// String gives the letter.
func (g Grade) String() string { return name([]string{"", "A", "B", "C", "D", "M", "O"}, uint8(g)) }

// ServiceLevel reports how well the customer is served; it never enters the score.
type ServiceLevel uint8

// The levels, from failing to transforming.
const (
	LevelFailure ServiceLevel = iota + 1
	LevelSurvival
	LevelSuccess
	LevelTransformational
)

// String gives the contract's name without its prefix.
func (l ServiceLevel) String() string {
	return name([]string{"", "FAILURE", "SURVIVAL", "SUCCESS", "TRANSFORMATIONAL"}, uint8(l))
}

func name(names []string, i uint8) string {
	if int(i) >= len(names) || i == 0 {
		return "UNSPECIFIED"
	}
	return names[i]
}
