package recovery

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Action is one step that somebody takes with a case. Which fields count
// depends on the step.
type Action struct {
	Step     Step
	Revision int64 // that the case must have; 0: any

	Channel Channel // of a contact
	Public  bool    // others saw the contact
	Outcome Outcome // of a resolution

	Offer    int64  // number of the offer; of RequestOffer: of the new one, by itself
	Goodwill *Price // other than the recommended or the offered one
	Approver string
	Budget   Price  // automatic goodwill that the tenant's budget grants to a new offer; without a currency: of any
	Booking  string // by which the budget knows it
	Instead  int64  // number of the offer that is to give way to the new one, which Budget relies on; 0: on none
}

// Price is an amount in minor units of a currency.
type Price struct {
	Currency string
	Minor    int64
}

// Errors of [Advance]; on each of them nothing has changed.
var (
	// ErrNoCase says that the customer has no such case.
	ErrNoCase = errors.New("no such case")
	// ErrNoOffer says that the case has no such offer.
	ErrNoOffer = errors.New("no such offer")
	// ErrRevision says that the case has changed since the revision expected.
	ErrRevision = errors.New("the case has another revision")
	// ErrNothing says that nothing is left to offer.
	ErrNothing = errors.New("nothing is left to offer")
)

// StepError says that a step cannot be taken as the case stands.
type StepError struct {
	State   State
	Held    bool
	Allowed []Step
}

// Error names the state and what can be done.
func (e *StepError) Error() string {
	state := e.State.String()
	if e.Held {
		state += " and held"
	}
	return fmt.Sprintf("the case is %s; it allows %s", state, join(e.Allowed, ", "))
}

func join[S fmt.Stringer](list []S, between string) string {
	names := make([]string, len(list))
	for i, s := range list {
		names[i] = s.String()
	}
	return strings.Join(names, between)
}

// OfferError says that an offer is not in a state that allows the step.
type OfferError struct {
	State   OfferState
	Allowed []OfferState // states in which it could be taken
}

// Error names the state and those that would do.
func (e *OfferError) Error() string {
	return fmt.Sprintf("the offer is %s and would have to be %s", e.State, join(e.Allowed, " or "))
}

// CapError says that more goodwill was asked for than the policy allows.
type CapError struct {
	Most   Price
	Digits int // decimals of the currency
}

// Error names the most.
func (e *CapError) Error() string {
	return fmt.Sprintf("the policy allows a goodwill of at most %.*f %s for this case, approved or not",
		e.Digits, float64(e.Most.Minor)/math.Pow10(e.Digits), e.Most.Currency)
}

// Advance takes one step with one case of a customer. A case that is filed away
// must be in c.Closed. The case it returns is the last state of the one
// concerned.
func Advance(c Customer, number int64, a Action, rules Rules, now time.Time) (Customer, Case, error) {
	before := c
	c = Tick(c, rules, now)
	k, err := c.find(number, a.Step, rules, now)
	if err != nil {
		return before, Case{}, err
	}
	if a.Revision != 0 && a.Revision != k.Revision {
		return before, Case{}, ErrRevision
	}
	if !k.allows(a.Step) {
		return before, Case{}, &StepError{State: k.State, Held: k.held(), Allowed: k.allowed()}
	}
	t := turn{&c, k, rules.For(k.Policy), rules, now}
	if err := t.take(a); err != nil {
		return before, Case{}, err
	}
	done := *k
	if k.closed() {
		c.file(number)
	}
	c.forget(rules, now)
	return c, done, nil
}

// find gives a case of the customer's own. A filed one is taken out when it is
// to be opened again.
func (c *Customer) find(number int64, step Step, rules Rules, now time.Time) (*Case, error) {
	if k := Numbered(c.Open, number); k != nil {
		return k, nil
	}
	filed := Numbered(c.Closed, number)
	if filed == nil {
		return nil, ErrNoCase
	}
	k := *filed
	if step != StepReopen {
		return &k, nil
	}
	c.Closed = slices.DeleteFunc(slices.Clone(c.Closed), func(o Case) bool { return o.Number == number })
	c.makeRoom(rules, now)
	at, _ := slices.BinarySearchFunc(c.Open, number, func(o Case, n int64) int { return int(o.Number - n) })
	c.Open = slices.Insert(c.Open, at, k)
	return &c.Open[at], nil
}

// file puts a closed case away.
func (c *Customer) file(number int64) {
	i := slices.IndexFunc(c.Open, func(k Case) bool { return k.Number == number })
	c.Closed = append(c.Closed[:len(c.Closed):len(c.Closed)], c.Open[i])
	c.Open = slices.Delete(c.Open, i, i+1)
}

// turn is one step under way.
type turn struct {
	c     *Customer
	k     *Case
	p     *Policy // of the case
	rules Rules
	now   time.Time
}

// take does what the step is about and moves the case on.
func (t turn) take(a Action) error {
	var err error
	switch a.Step {
	case StepAcknowledge:
		t.k.meet(t.p, t.now, Acknowledge)
		t.note(ChangeAcknowledged)
	case StepContactOutbound:
		t.answer()
		t.note(ChangeContacted)
	case StepContactInbound:
		t.hear(a)
	case StepHold:
		t.k.hold(t.p, t.now)
	case StepRelease:
		t.k.release(t.p, t.now)
	case StepRequestOffer:
		err = t.requestOffer(a)
	case StepApproveOffer:
		err = t.approveOffer(a)
	case StepMakeOffer:
		err = t.makeOffer(a)
	case StepAcceptOffer:
		err = t.acceptOffer(a)
	case StepRefuseOffer:
		err = t.refuseOffer(a)
	case StepResolve:
		t.c.settle(t.p, t.k, a.Outcome, t.now)
		t.note(ChangeResolved)
	case StepFollowUp:
		t.k.meet(t.p, t.now, FollowUp)
		t.note(ChangeFollowedUp)
	case StepReopen:
		t.c.reopen(t.p, t.k, StepReopen, t.now)
		t.judge(everything)
	}
	if err == nil && a.Step != StepReopen {
		t.k.enter(a.Step)
	}
	return err
}

func (t turn) note(what Change) { t.k.note(Transition{At: t.now, Change: what}) }

// judge decides anew and promises the named milestones anew.
func (t turn) judge(anew milestones) { t.c.judge(t.p, t.k, anew, t.now) }

// answer takes note that a human spoke to the customer.
func (t turn) answer() {
	k := t.k
	if k.AnsweredAt.IsZero() {
		if controllability(t.p, k.Failure.Attribution) > 0 {
			t.c.Apologies = appendBounded(t.c.Apologies, Apologised{k.Number, t.now}, MostApologies)
		}
		t.c.Proactive = !k.voiced()
	}
	k.AnsweredAt = later(k.AnsweredAt, t.now)
	k.meet(t.p, t.now, Acknowledge, FirstResponse)
}

// spoke takes note that the customer spoke to us.
func (t turn) spoke(voice Voice, channel Channel) {
	k, was := t.k, *t.k
	t.c.heard(t.now)
	if voice > k.Failure.Voice {
		k.Failure.Voice, k.Failure.Channel, k.Failure.ChannelAt = voice, channel, t.now
	}
	if k.VoicedAt.IsZero() {
		k.VoicedAt = t.now
	}
	k.SpokenAt = later(k.SpokenAt, t.now)
	t.c.countClaim(&was, k)
	t.c.releaseAll(t.rules, t.now)
}

// heard takes note of when the customer spoke last.
func (c *Customer) heard(at time.Time) {
	c.LastContact, c.LastActivity = later(c.LastContact, at), later(c.LastActivity, at)
}

// hear takes in what the customer says: it ends all holds and asks for an
// answer. What is said after the resolution asks for none; whoever reads it may
// open the case again.
func (t turn) hear(a Action) {
	voice := Private
	if a.Public {
		voice = Public
	}
	t.note(ChangeContacted)
	if t.k.State >= Resolved {
		t.c.heard(t.now)
		t.c.releaseAll(t.rules, t.now)
		return
	}
	t.spoke(voice, a.Channel)
	if f := &t.k.Failure; a.Channel == InPerson && f.Channel == InPerson {
		f.ChannelAt = t.now // they are with us again
	}
	t.judge(only(FirstResponse))
}
