package serve

import (
	"maps"
	"testing"

	"github.com/makeamends/amends/internal/policy"
	"github.com/makeamends/amends/internal/recovery"
)

// What stands in for a lost policy knows every currency of the default, at a
// scale that fits the active policy's own, which it leaves as they are.
func TestStandIn(t *testing.T) {
	active := *policy.Default().Rules
	active.Version = "active"
	active.Currencies = map[string]recovery.Currency{
		"GBP": {Digits: 2, Scale: 8, RoundTo: 7, DailyBudget: 9},
		"XTS": {Digits: 3, Scale: 2, RoundTo: 1},
	}
	before := maps.Clone(active.Currencies)
	standard := maps.Clone(policy.Default().Rules.Currencies)
	p := standIn(&active)
	for code, want := range standard {
		want.Scale *= 8 / standard["GBP"].Scale
		if listed, ok := before[code]; ok {
			want = listed
		}
		if got := p.Currencies[code]; got != want {
			t.Errorf("%s: %+v, want %+v", code, got, want)
		}
	}
	if p.Currencies["XTS"] != before["XTS"] || len(p.Currencies) != len(standard)+1 || p.Version != "active" {
		t.Errorf("%s, %+v", p.Version, p.Currencies)
	}
	if !maps.Equal(active.Currencies, before) || !maps.Equal(policy.Default().Rules.Currencies, standard) {
		t.Error("the policies that it is made of have changed")
	}

	active.Currencies = map[string]recovery.Currency{"XTS": {Digits: 3, Scale: 2, RoundTo: 1}}
	if p := standIn(&active); p.Currencies["EUR"] != standard["EUR"] {
		t.Errorf("without a currency in common: %+v", p.Currencies["EUR"])
	}
}
