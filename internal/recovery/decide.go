package recovery

import (
	"cmp"
	"errors"
	"time"
)

// Decision is the judgement of one case: how likely the customer is to leave,
// what to give, and by when somebody must answer.
type Decision struct {
	Assessment     Assessment
	Promise        []Deadline
	Recommendation Recommendation
}

// Decide judges one case of a customer at one moment. It changes nothing.
func Decide(p *Policy, c *Customer, k *Case, now time.Time) Decision {
	s := situate(p, c, k, now)                    // what we know, reduced to the model's variables
	risk := assess(p, &s)                         // how likely they leave, and why
	promise := promise(p, k, risk.Risk.Band, now) // by when somebody must answer
	offer := recommend(p, &s, &risk)              // what to give and what to say
	if len(k.Offers) > 0 && len(k.outstanding(offer.Items)) == 0 {
		promise = without(promise, MakeOffer) // all of it was accepted
	}
	return Decision{risk, promise, offer}
}

// ErrCurrency reports a failure in another currency than that of its case.
var ErrCurrency = errors.New("a case has one currency")

// ErrUnlisted reports a currency that the policy does not list.
var ErrUnlisted = errors.New("the policy does not list the currency")

// Report takes in one service failure: it joins the case of its order or
// incident or opens a new one, remembers the failure, and decides. The case
// it returns is the last state of the one concerned. On [ErrCurrency] or
// [ErrUnlisted] nothing has changed.
func Report(c Customer, e Event, rules Rules, now time.Time) (Customer, Case, error) {
	before := c
	c = Tick(c, rules, now)
	k := c.join(e, rules)
	if k == nil {
		k = c.begin(e, rules, now)
	}
	p := rules.For(k.Policy)
	if err := k.admit(p, e.Failure); err != nil {
		return before, Case{}, err
	}
	if !e.Kinds.Has(Late) {
		e.Delay = 0 // read of what was late alone
	}
	e.Failure.Stale = now.Sub(e.OccurredAt) > p.Memory.StaleAfter
	was := *k
	k.take(p, e, now)
	if was.State == Resolved {
		c.reopen(p, k, StepReport, now)
	}
	c.rememberFailure(p, &was, k, e, now)
	anew := k.missedMilestones()
	if e.Voice >= Private || was.State == Resolved {
		anew = everything
	}
	if e.Voice >= Private {
		c.releaseAll(rules, now)
	}
	c.judge(p, k, anew, now)
	c.forget(rules, now) // what was given long ago is not booked anew
	return c, *k, nil
}

// judge decides on a case and makes the decision its own.
func (c *Customer) judge(p *Policy, k *Case, anew milestones, now time.Time) {
	k.Renewals = 0
	k.adopt(p, Decide(p, c, k, now), anew)
	c.book(p, k, now)
}

// Remember takes in one positive interaction.
func Remember(c Customer, in Interaction, rules Rules, now time.Time) Customer {
	c = Tick(c, rules, now)
	p := rules.Active
	c.addPositive(p, in.Kind, in.OccurredAt)
	c.LastActivity = later(c.LastActivity, ours(in.OccurredAt, now))
	if in.Kind == OrderFulfilled {
		c.Orders++
	}
	if in.OccurredAt.After(c.ResidualAt) {
		c.Residual *= p.Memory.ResidualFactor
	}
	return c
}

// View is the customer as of now, every open case judged afresh. It is what a
// reader sees; nothing of it needs to be stored.
func View(c Customer, rules Rules, now time.Time) Customer {
	c = Tick(c, rules, now)
	for i := range c.Open {
		k := &c.Open[i]
		if k.State >= Resolved {
			continue // as it was ended
		}
		p := rules.For(k.Policy)
		s := situate(p, &c, k, now)
		k.Assessment = assess(p, &s)
	}
	return c
}

// join finds the open case that an event belongs to, nil when there is none.
func (c *Customer) join(e Event, rules Rules) *Case {
	for i := range c.Open {
		k := &c.Open[i]
		apart := e.OccurredAt.Sub(k.Failure.OccurredAt).Abs()
		if k.concerns(e) && apart <= rules.For(k.Policy).Memory.JoinWithin {
			return k
		}
	}
	return nil
}

// concerns reports whether an event is about the order of the case or, where
// one of them names none, about its incident. Two orders are two failures, even
// in one incident: what is owed for each is owed.
func (k *Case) concerns(e Event) bool {
	if e.Order != "" && k.Order != "" {
		return e.Order == k.Order
	}
	return e.Incident != "" && e.Incident == k.Incident
}

// begin opens a case.
func (c *Customer) begin(e Event, rules Rules, now time.Time) *Case {
	c.makeRoom(rules, now)
	c.Cases++
	c.Open = append(c.Open, Case{
		Number: c.Cases, Order: e.Order, Incident: e.Incident, Policy: rules.Active.Version,
		State: Open, OpenedAt: now, TraceParent: e.TraceParent,
	})
	return &c.Open[len(c.Open)-1]
}

// makeRoom lets a case lapse when there are too many: the one whose failure is
// the oldest, of those that were resolved if there are any.
func (c *Customer) makeRoom(rules Rules, now time.Time) {
	if len(c.Open) < rules.Active.Memory.OpenCases {
		return
	}
	oldest := 0
	for i := range c.Open {
		if c.Open[i].before(&c.Open[oldest]) {
			oldest = i
		}
	}
	c.lapse(rules.For(c.Open[oldest].Policy), &c.Open[oldest], now)
}

// before orders the cases by how little is lost when they lapse.
func (k *Case) before(o *Case) bool {
	if done := k.State >= Resolved; done != (o.State >= Resolved) {
		return done
	}
	return k.Failure.OccurredAt.Before(o.Failure.OccurredAt)
}

// admit refuses a failure whose money the case cannot take, and any when the
// policy does not list the currency that the case has.
func (k *Case) admit(p *Policy, f Failure) error {
	own := cmp.Or(k.currency(), f.Currency)
	if _, listed := p.Currencies[own]; own != "" && !listed {
		return ErrUnlisted
	}
	if f.Currency != "" && f.Currency != own {
		return ErrCurrency
	}
	return nil
}

// currency is the one of the case: of the failure, or of what was offered when
// no money was at stake; empty while it may be any.
func (k *Case) currency() string {
	if k.Failure.Currency == "" && len(k.Offers) > 0 {
		return k.Offers[0].Currency
	}
	return k.Failure.Currency
}

// take adds one account of the failure to the case.
func (k *Case) take(p *Policy, e Event, now time.Time) {
	e.Failure.ReceivedAt = now
	if k.Revision == 0 {
		k.Failure = e.Failure
		k.Profile = e.Profile
		k.note(Transition{At: now, Change: ChangeOpened})
	} else {
		k.Order, k.Incident = cmp.Or(k.Order, e.Order), cmp.Or(k.Incident, e.Incident)
		k.Failure = combine(p, k.Failure, e.Failure)
		k.Profile = combineProfiles(k.Profile, e.Profile)
		k.note(Transition{At: now, Change: ChangeJoined})
		k.release(p, now) // there is more to answer than what we wait for
	}
	k.Accounts = appendBounded(k.Accounts, e.Failure, MostAccounts)
	k.Reported = append(k.Reported[:len(k.Reported):len(k.Reported)], e.Kinds)
	if k.voiced() && k.VoicedAt.IsZero() {
		k.VoicedAt = now
	}
	if e.Voice >= Private {
		k.SpokenAt = later(k.SpokenAt, ours(e.OccurredAt, now))
	}
}

// adopt makes a decision the case's own. The recommendation is replaced; a
// promise once given is only ever tightened, or made anew where it was broken
// or where the customer has spoken again. Whom we have reached waits for no first
// acknowledgement.
func (k *Case) adopt(p *Policy, d Decision, anew milestones) {
	k.Assessment = d.Assessment
	k.Recommendation = d.Recommendation
	if k.State != Open && anew&(1<<Acknowledge) == 0 {
		d.Promise = without(d.Promise, Acknowledge)
	}
	k.Deadlines = p.Deadlines.merge(k.Deadlines, d.Promise, anew)
}
