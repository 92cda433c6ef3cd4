package rpc

import (
	"context"
	"strconv"
	"time"

	"github.com/makeamends/amends/internal/dictionary"
	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/panics"
	"github.com/makeamends/amends/internal/recovery"
)

// mostWords bounds the samples, which must fit into a dictionary.
const mostWords = 48 << 10

// newToUs is how long an answer is, packed with the samples before it, that has
// something to add to them.
const newToUs = 400

// Prepare learns what answers about cases of that policy have in common, which takes
// longer than a report: with it before the first one comes, no caller waits for it.
func (s *Service) Prepare(ctx context.Context, policy *recovery.Policy) {
	_ = panics.Caught(func() error { // a report meets the same, and tells it
		s.words(ctx, policy)
		return nil
	})
}

// words are what answers about cases of that policy have in common.
func (s *Service) words(ctx context.Context, policy *recovery.Policy) *ledger.Words {
	return s.ledger.Words(ctx, policy.Version, func() []byte { return samples(policy) })
}

// samples are answers to failures of every kind, to the first and to later ones of
// customers who had more and less to be content with before, as far as each says
// something that those before it do not.
func samples(policy *recovery.Policy) (text []byte) {
	rules := recovery.Rules{Active: policy}
	var known *dictionary.Dictionary
	for _, orders := range contentWith {
		friend := content(orders, someDay, rules)
		for _, event := range madeUp(policy) {
			for _, answer := range answers(friend, event, rules) {
				if len(text)+len(answer) <= mostWords && (known == nil || len(known.Shorten(nil, answer)) > newToUs) {
					text = append(text, answer...)
					known = dictionary.New(text)
				}
			}
		}
	}
	return text
}

// answers are those to a failure of a customer and to some like it, each of another
// order.
func answers(c recovery.Customer, event recovery.Event, rules recovery.Rules) (list [][]byte) {
	at := origin{DefaultTenant, "AAAAAAAAAAAAAAAAAAAAAA"}
	for order := range failuresEach {
		event.Order = strconv.Itoa(order)
		event.OccurredAt = event.OccurredAt.Add(time.Minute)
		var k recovery.Case
		var err error
		if c, k, err = recovery.Report(c, event, rules, event.OccurredAt); err != nil {
			break
		}
		if answer, err := written(at, &k, rules); err == nil {
			list = append(list, answer)
		}
	}
	return list
}

// failuresEach is how many failures a customer has who is made up: by the last of
// them, all that a policy says about repeated failures has been said.
const failuresEach = 3

// contentWith is how many orders of those who are made up went well before: none, so
// many that it counts, and so many that a policy has something of its own to offer.
var contentWith = []int{0, 10, 50}

// content is a customer with whom so many orders went well, one a day until then.
func content(orders int, until time.Time, rules recovery.Rules) (c recovery.Customer) {
	for n := range orders {
		at := until.AddDate(0, 0, n-orders)
		c = recovery.Remember(c, recovery.Interaction{OccurredAt: at, Kind: recovery.OrderFulfilled}, rules, at)
	}
	return c
}

// someDay is when those who are made up have their failures.
var someDay = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// madeUp are failures that nobody has met.
func madeUp(policy *recovery.Policy) (events []recovery.Event) {
	for kind := recovery.Late; kind <= recovery.Unsafe; kind++ {
		for _, voice := range []recovery.Voice{recovery.Private, recovery.Public, recovery.Unvoiced} {
			for _, acceptance := range []recovery.Acceptance{recovery.Accepted, recovery.Rejected} {
				events = append(events, recovery.Event{Failure: recovery.Failure{
					OccurredAt: someDay, Kinds: recovery.Kinds(kind), Delay: time.Hour, Currency: policy.Compensation.DefaultCurrency, Value: 2000, Loss: 2000,
					Acceptance: acceptance, Voice: voice, Channel: recovery.App, Evidence: recovery.SystemObserved,
				}})
			}
		}
	}
	return events
}
