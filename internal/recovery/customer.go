package recovery

import "time"

// Customer is everything remembered of one person, bounded however long the
// history. The zero value is a stranger.
type Customer struct {
	Cases        int64 // opened so far; the number of the newest case
	Positives    float64
	PositivesAt  time.Time    // the moment that Positives is decayed to
	Failures     []Past       // newest by time of occurrence, at most [MostFailures], one a case
	Orders       int64        // fulfilled orders as counted here, or more when a caller knows of more
	Claims       int64        // failures that rest on the customer's word alone
	Apologies    []Apologised // given with the first answer to each case that was our fault, newest last
	Grants       []Grant
	LastContact  time.Time // the customer spoke
	LastActivity time.Time // the customer spoke, bought or praised
	LastMiss     time.Time // newest missed deadline
	Proactive    bool      // last time we reached out before the customer spoke
	Residual     float64   // risk left over from closed cases at ResidualAt
	ResidualAt   time.Time
	Open         []Case // in order of opening; resolved ones too while their follow-up is due
	Closed       []Case // closed by this very change, or brought back to be opened again; the store files them away
}

// What a customer keeps at most.
const (
	MostFailures  = 16
	MostApologies = 8
	MostGrants    = 64
)

// Past is a failure as remembered: one entry a case.
type Past struct {
	Case      int64
	At        time.Time
	Kinds     KindSet
	Severity  float64
	Recovered bool // the case closed with the customer satisfied
}

// How far back the store remembers. A policy that looked further would forget
// in silence, so a policy that does is refused.
const (
	// MostStale bounds MemoryRules.StaleAfter: a repeated request is recognised
	// for this long, so that what is older never pays by itself.
	MostStale = 7 * 24 * time.Hour
	// MostWindow bounds every window that something is counted over; a customer
	// without an open case is kept for twice as long.
	MostWindow = 200 * 24 * time.Hour
)

// Apologised is an apology that was given with one case.
type Apologised struct {
	Case int64
	At   time.Time
}

// Grant is goodwill that was granted without approval for one case.
type Grant struct {
	Case     int64
	At       time.Time
	Currency string
	Minor    int64
	Units    float64 // the same in reference units, by the policy that granted it
}

// Interaction is a positive event.
type Interaction struct {
	OccurredAt time.Time
	Kind       Positive
}

// Positive is a kind of positive interaction.
type Positive uint8

// The positives. A satisfied recovery counts as one too, but is not reported:
// it follows from the case.
const (
	OrderFulfilled Positive = iota + 1
	PositiveRating
	Praise
	Loyalty
	Referral
	SatisfiedRecovery
	positives
)

// String gives the contract's name without its prefix.
func (p Positive) String() string {
	return name([]string{"", "ORDER_FULFILLED", "POSITIVE_RATING", "PRAISE", "LOYALTY", "REFERRAL", "SATISFIED_RECOVERY"}, uint8(p))
}

// NextDue is the next moment at which time alone changes something for the
// customer; zero when nothing is due.
func (c Customer) NextDue(rules Rules) time.Time {
	_, at := c.next(rules)
	return at
}

// Policies gives the versions that judge the customer's cases.
func (c Customer) Policies() []string {
	if len(c.Open)+len(c.Closed) == 0 {
		return nil
	}
	versions := make([]string, 0, len(c.Open)+len(c.Closed))
	for _, list := range [][]Case{c.Open, c.Closed} {
		for i := range list {
			versions = append(versions, list[i].Policy)
		}
	}
	return versions
}
