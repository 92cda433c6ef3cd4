package rpc

import (
	"testing"
	"time"

	"github.com/makeamends/amends/internal/dictionary"
	"github.com/makeamends/amends/internal/policy"
	"github.com/makeamends/amends/internal/recovery"
)

// Whoever has a failure, and whatever went well before, the answer is packed to about
// a fifth: it is most of what an open case takes.
func TestSamples(t *testing.T) {
	rules := recovery.Rules{Active: policy.Default().Rules}
	text := samples(rules.Active)
	if len(text) < 4<<10 || len(text) > mostWords {
		t.Errorf("%d bytes", len(text))
	}
	words := dictionary.New(text)
	for _, orders := range []int{0, 1, 3, 10, 20, 50, 200} {
		e := recovery.Event{Order: "o", Failure: recovery.Failure{OccurredAt: noon, Kinds: recovery.Kinds(recovery.Late), Delay: 47 * time.Minute, Currency: "EUR", Value: 3217,
			Voice: recovery.Private, Channel: recovery.App}}
		_, k, err := recovery.Report(content(orders, noon, rules), e, rules, noon.Add(1234567*time.Nanosecond))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := written(fullOrigin, &k, rules)
		if short := words.Shorten(nil, answer); err != nil || len(short) > 400 {
			t.Errorf("after %d orders, %d bytes become %d: %q (%v)", orders, len(answer), len(short), short, err)
		}
	}
}
