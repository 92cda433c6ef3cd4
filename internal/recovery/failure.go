package recovery

import (
	"cmp"
	"time"
)

// Event is one service failure as it was reported, with every default filled in.
type Event struct {
	Failure
	Profile     Profile
	Order       string // keyed hash of the order id; empty when none
	Incident    string // keyed hash of the incident id; empty when none
	TraceParent string // W3C traceparent of the call that reported it
}

// Failure is what went wrong, as stated by one event or combined from the
// events of a case. Amounts are minor units of Currency.
type Failure struct {
	OccurredAt  time.Time // of a case: of its first account
	ReceivedAt  time.Time
	Kinds       KindSet
	Delay       time.Duration
	Currency    string   // ISO 4217; empty when no money is named
	Value       int64    // of what failed (V)
	Loss        int64    // what the customer lost
	Entitlement int64    // owed by law or contract
	Stated      *float64 // severity stated by the caller, 0..1
	Attribution Attribution
	Acceptance  Acceptance
	Voice       Voice
	Channel     Channel
	Reach       int64     // people who may see the complaint
	DepartsAt   time.Time // when the customer leaves the premises; zero when not said
	Resource    Resource
	Evidence    Corroboration
	Stale       bool      // received too late to pay by itself; of a case: any of its accounts
	ChannelAt   time.Time // of a case: when the account occurred that names the channel
	Mixed       bool      // of a case: some accounts state a severity and others do not
}

// Attribution is whom the customer blames, and for what.
type Attribution struct {
	Locus           Locus
	Controllability *float64 // 0..1; nil: the policy's figure for the locus
	Recurring       bool
	Motive          Motive
}

// Profile is what the caller says of the customer.
type Profile struct {
	Relationship  Relationship // zero: derived from the orders
	LifetimeValue int64        // minor units; zero: not known
	Orders        int64
	Loyalty       bool
}

// KnownWorth is a lifetime value that was stated, as a profile has it. 0 there means
// not known; who is worth one minor unit is given no goodwill either.
func KnownWorth(value int64) int64 { return max(value, 1) }

// combine joins two accounts of one failure: the graver word counts, whichever
// came first, so that the order of arrival does not matter.
func combine(p *Policy, a, b Failure) Failure {
	if b.louder(a) {
		a, b = b, a // a is now the louder account; it names the channel
	}
	out := a
	out.OccurredAt, out.ChannelAt = a.OccurredAt, a.channelAt()
	if b.OccurredAt.Before(a.OccurredAt) {
		out.OccurredAt = b.OccurredAt
	}
	out.ReceivedAt = later(a.ReceivedAt, b.ReceivedAt)
	out.DepartsAt = later(a.DepartsAt, b.DepartsAt)
	out.Kinds = a.Kinds | b.Kinds
	out.Delay = max(a.Delay, b.Delay)
	out.Currency = cmp.Or(a.Currency, b.Currency)
	out.Value = max(a.Value, b.Value)
	out.Loss = max(a.Loss, b.Loss)
	out.Entitlement = max(a.Entitlement, b.Entitlement)
	out.Stated = higher(a.Stated, b.Stated)
	out.Mixed = a.Mixed || b.Mixed || (a.Stated == nil) != (b.Stated == nil)
	out.Attribution = blame(p, a.Attribution, b.Attribution)
	out.Acceptance = max(a.Acceptance, b.Acceptance)
	out.Reach = max(a.Reach, b.Reach)
	out.Resource = first(a.Resource, b.Resource)
	out.Evidence = first(a.Evidence, b.Evidence)
	out.Stale = a.Stale || b.Stale
	return out
}

// blame keeps the locus and the controllability of the account that says we
// could have prevented more; where they say the same, of the locus listed first.
func blame(p *Policy, a, b Attribution) Attribution {
	out := a
	more := cmp.Compare(controllability(p, b), controllability(p, a))
	if more > 0 || more == 0 && first(a.Locus, b.Locus) != a.Locus {
		out = b
	}
	out.Recurring = a.Recurring || b.Recurring
	out.Motive = max(a.Motive, b.Motive)
	return out
}

// louder orders two accounts totally: by voice, then by time, then by channel.
func (f Failure) louder(o Failure) bool {
	return cmp.Or(
		cmp.Compare(f.Voice, o.Voice),
		f.channelAt().Compare(o.channelAt()),
		cmp.Compare(f.Channel, o.Channel),
	) > 0
}

// channelAt is when the account occurred that names the channel.
func (f Failure) channelAt() time.Time {
	if f.ChannelAt.IsZero() {
		return f.OccurredAt
	}
	return f.ChannelAt
}

// first keeps the one that is listed first, of those that are stated: the firm's
// fault before a partner's, strong evidence before weak.
func first[T ~uint8](a, b T) T {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

func higher(a, b *float64) *float64 {
	if a == nil || b != nil && *b > *a {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// ours is a moment that a caller stated, no later than our own clock has it: the
// caller's may be ahead.
func ours(at, now time.Time) time.Time {
	if at.After(now) {
		return now
	}
	return at
}
