package recovery

import (
	"slices"
	"time"
)

// Case is one effort to win a failed customer back.
type Case struct {
	Number      int64 // unique within the customer, from 1
	Order       string
	Incident    string
	Policy      string // version that it was opened with, and is judged by
	State       State
	Outcome     Outcome // set once RESOLVED
	Revision    int64   // grows with every change
	OpenedAt    time.Time
	ClosedAt    time.Time
	Failure     Failure   // all accounts combined
	Accounts    []Failure // as reported, newest last, at most [MostAccounts]
	Profile     Profile   // relationship resolved
	VoicedAt    time.Time // when we first heard the customer; zero while unvoiced
	AnsweredAt  time.Time // last human answer; zero while none
	Refused     bool      // the case was answered with a refusal
	SpokenAt    time.Time // when the customer last spoke about it; zero while unvoiced
	Renewals    Renewals  // promises made anew by time since the last event
	HeldSince   time.Time // since when its clocks stand still; zero while they run
	ReopenedAt  time.Time // last time; zero if never
	Before      float64   // residual risk of the customer before the case was ended
	TraceParent string    // of the call that opened it

	Offers         []Offer // oldest first, at most [MostOffers]
	Assessment     Assessment
	Recommendation Recommendation
	Deadlines      []Deadline
	History        []Transition // newest last, at most [MostHistory]
	Fresh          []Transition // those of this very change, for the event stream; not kept
	Reported       []KindSet    // kinds of the failures that this very change has reported, in order; not kept
}

// What a case keeps at most; older entries give way.
const (
	MostAccounts  = 16
	MostHistory   = 50
	MostDeadlines = 24
	MostOffers    = 16
)

// State is where a case stands.
type State uint8

// The states of a case.
const (
	Open State = iota + 1
	Acknowledged
	Offered
	Resolved
	FollowedUp
)

// String gives the contract's name without its prefix.
func (s State) String() string {
	return name([]string{"", "OPEN", "ACKNOWLEDGED", "OFFERED", "RESOLVED", "FOLLOWED_UP"}, uint8(s))
}

// Outcome is how a case ended.
type Outcome uint8

// The outcomes of a case.
const (
	Satisfied Outcome = iota + 1
	Unsatisfied
	NoResponse
	Withdrawn
	Lapsed
)

// String gives the contract's name without its prefix.
func (o Outcome) String() string {
	return name([]string{"", "SATISFIED", "UNSATISFIED", "NO_RESPONSE", "WITHDRAWN", "LAPSED"}, uint8(o))
}

// Milestone is a step that a customer waits for.
type Milestone uint8

// The milestones, in the order in which they fall due.
const (
	Acknowledge Milestone = iota + 1
	FirstResponse
	MakeOffer
	Resolve
	FollowUp
)

// String gives the contract's name without its prefix.
func (m Milestone) String() string {
	return name([]string{"", "ACKNOWLEDGE", "FIRST_RESPONSE", "OFFER", "RESOLVE", "FOLLOW_UP"}, uint8(m))
}

// Bound is the rule that set a deadline.
type Bound uint8

// The bounds.
const (
	ByBand Bound = iota + 1
	ByPublic
	ByOnPremises
	ByPatienceCeiling
	ByStatute
	ByContract
	ByPolicy
)

// firm reports whether no hold puts off what such a bound demands.
func (b Bound) firm() bool { return b == ByPublic || b == ByStatute || b == ByContract }

// String gives the contract's name without its prefix.
func (b Bound) String() string {
	return name([]string{"", "BAND", "PUBLIC", "ON_PREMISES", "PATIENCE_CEILING", "STATUTORY", "CONTRACT", "POLICY"}, uint8(b))
}

// Verdict says whether a deadline was kept; MET and MISSED are final.
type Verdict uint8

// The verdicts.
const (
	Pending Verdict = iota + 1
	Met
	Missed
)

// String gives the contract's name without its prefix.
func (v Verdict) String() string { return name([]string{"", "PENDING", "MET", "MISSED"}, uint8(v)) }

// Deadline is one promise with a time.
type Deadline struct {
	Milestone Milestone
	DueAt     time.Time
	BoundBy   Bound
	Verdict   Verdict
	MetAt     time.Time
	Business  bool        // its clock runs in business hours only
	Warnings  []time.Time // still to be given, ascending
	Beside    []Due       // other times that count once a hold has put this one off, or for as long as it does; see [Case.hold]

	TraceParent string // of the call that made the promise; the store fills it in
	Fresh       bool   // promised by this very change; not kept
}

// Due is a time at which a promise falls due by one bound.
type Due struct {
	At       time.Time
	BoundBy  Bound
	Business bool // its clock runs in business hours only
}

// Change is a kind of transition in the life of a case.
type Change uint8

// The changes.
const (
	ChangeOpened Change = iota + 1
	ChangeJoined
	ChangeReassessed
	ChangeWarned
	ChangeMissed
	ChangeAcknowledged
	ChangeContacted
	ChangeHeld
	ChangeReleased
	ChangeOfferRequested
	ChangeOfferApproved
	ChangeOfferMade
	ChangeOfferAnswered
	ChangeResolved
	ChangeFollowedUp
	ChangeReopened
	ChangeLapsed
	ChangeOfferExpired
)

// Transition is one entry of a case's history.
type Transition struct {
	At        time.Time
	Change    Change
	Milestone Milestone // of MISSED and WARNED
	Offer     int64     // number of the offer that it is about; 0: none
}

// Numbered finds a case by its number; nil when it is not there.
func Numbered(cases []Case, number int64) *Case {
	for i := range cases { // cases are too large to hand around
		if cases[i].Number == number {
			return &cases[i]
		}
	}
	return nil
}

// note appends to the history, the oldest entry giving way.
func (k *Case) note(t Transition) {
	k.History = appendBounded(k.History, t, MostHistory)
	k.Fresh = append(k.Fresh[:len(k.Fresh):len(k.Fresh)], t)
	if t.Change != ChangeWarned {
		k.Revision++
	}
}

// Newest is the newest promise of a milestone, the zero Deadline when there is none.
func (k *Case) Newest(m Milestone) (found Deadline) {
	for i := range k.Deadlines {
		if k.Deadlines[i].Milestone == m {
			found = k.Deadlines[i] // the newest promise stands last
		}
	}
	return found
}

// RespondBy is when the first human answer is due by the newest promise.
func (k *Case) RespondBy() time.Time { return k.Newest(FirstResponse).DueAt }

// NextDeadline is when the next deadline is due whose clock runs, or was due
// when it was missed and nobody has made up for it; zero when there is none.
func (k *Case) NextDeadline() (at time.Time) {
	for i := range k.Deadlines {
		d := &k.Deadlines[i]
		if (d.Verdict == Pending && !k.stopped(d) || k.Overdue(d)) && (at.IsZero() || d.DueAt.Before(at)) {
			at = d.DueAt
		}
	}
	return at
}

// Overdue reports whether a deadline was missed and nobody has done since what
// it was about.
func (k *Case) Overdue(d *Deadline) bool {
	if d.Verdict != Missed || k.State >= Resolved {
		return false
	}
	switch d.Milestone {
	case Acknowledge:
		return k.State == Open && k.AnsweredAt.Before(d.DueAt)
	case FirstResponse:
		return k.AnsweredAt.Before(d.DueAt)
	case MakeOffer:
		return !slices.ContainsFunc(k.Offers, func(o Offer) bool { return o.MadeAt.After(d.DueAt) })
	default:
		return d.DueAt.After(k.ReopenedAt)
	}
}

// voiced reports whether the customer has spoken.
func (k *Case) voiced() bool { return k.Failure.Voice >= Private }

func appendBounded[T any](list []T, item T, most int) []T {
	if len(list) >= most {
		list = list[len(list)-most+1:]
	}
	return append(list[:len(list):len(list)], item)
}
