package rpc

import (
	"context"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/recovery"
)

// mostWords bounds the samples: a dictionary is 64 KiB at most.
const mostWords = 48 << 10

// newToUs is how long an answer is, packed with the samples before it, that has
// something to add to them.
const newToUs = 400

// words are what answers about cases of that policy have in common.
func (s *Service) words(ctx context.Context, policy *recovery.Policy) *ledger.Words {
	return s.ledger.Words(ctx, policy.Version, func() []byte { return samples(policy) })
}

// samples are answers to failures of every kind, as far as each says something
// that those before it do not.
func samples(policy *recovery.Policy) (text []byte) {
	rules := recovery.Rules{Active: policy}
	at := origin{DefaultTenant, "AAAAAAAAAAAAAAAAAAAAAA"}
	for _, event := range madeUp(policy) {
		_, k, err := recovery.Report(recovery.Customer{}, event, rules, event.OccurredAt)
		if err != nil {
			continue
		}
		answer, err := written(at, &k, rules)
		if err != nil || len(text)+len(answer) > mostWords {
			continue
		}
		known := s2.MakeDict(text, nil)
		if known == nil || len(known.Encode(nil, answer)) > newToUs {
			text = append(text, answer...)
		}
	}
	return text
}

// madeUp are failures that nobody has met.
func madeUp(policy *recovery.Policy) (events []recovery.Event) {
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for kind := recovery.Late; kind <= recovery.Unsafe; kind++ {
		for _, voice := range []recovery.Voice{recovery.Private, recovery.Public, recovery.Unvoiced} {
			for _, acceptance := range []recovery.Acceptance{recovery.Accepted, recovery.Rejected} {
				events = append(events, recovery.Event{Failure: recovery.Failure{
					OccurredAt: at, Kinds: recovery.Kinds(kind), Delay: time.Hour, Currency: policy.Compensation.DefaultCurrency, Value: 2000, Loss: 2000,
					Acceptance: acceptance, Voice: voice, Channel: recovery.App, Evidence: recovery.SystemObserved,
				}})
			}
		}
	}
	return events
}
