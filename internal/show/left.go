package show

import (
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/proto"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// left is the recommendation of a case without what the customer has accepted already, kind by kind, and the worth of what was accepted, nil
// if that is nothing. The case is only read.
func left(c *recoveryv1.Case) (rest *recoveryv1.Recommendation, accepted *money.Money) {
	given := takings{kinds: map[recoveryv1.ItemKind]*money.Money{}, gestures: map[string]bool{}}
	for _, o := range c.GetOffers() {
		if o.GetState() == recoveryv1.OfferState_OFFER_STATE_ACCEPTED {
			accepted = plus(accepted, o.GetTotal())
			given.add(o.GetItems())
		}
	}
	if rest = c.GetRecommendation(); accepted == nil || rest == nil {
		return rest, accepted
	}
	rest = proto.CloneOf(rest)
	rest.SetItems(given.takeFrom(rest.GetItems()))
	rest.SetOptions(nil) // they tell how all of it could be given
	total := &money.Money{CurrencyCode: accepted.GetCurrencyCode()}
	for _, item := range rest.GetItems() {
		total = plus(total, item.GetAmount())
	}
	rest.SetTotal(total)
	return rest, accepted
}

// takings are what a customer has accepted: an amount of each kind, and gestures by their place in the menu.
type takings struct {
	kinds    map[recoveryv1.ItemKind]*money.Money
	gestures map[string]bool
}

func (t *takings) add(items []*recoveryv1.RecommendationItem) {
	for _, item := range items {
		if item.GetKind() == recoveryv1.ItemKind_ITEM_KIND_GESTURE {
			t.gestures[item.GetMenuItem()] = true
		} else {
			t.kinds[item.GetKind()] = plus(t.kinds[item.GetKind()], item.GetAmount())
		}
	}
}

// takeFrom is what remains of the items, which are changed.
func (t *takings) takeFrom(items []*recoveryv1.RecommendationItem) (rest []*recoveryv1.RecommendationItem) {
	for _, item := range items {
		kind := item.GetKind()
		if kind == recoveryv1.ItemKind_ITEM_KIND_GESTURE {
			if !t.gestures[item.GetMenuItem()] {
				rest = append(rest, item)
			}
			continue
		}
		amount := minus(item.GetAmount(), t.kinds[kind])
		t.kinds[kind] = minus(t.kinds[kind], item.GetAmount())
		if isZero(amount) {
			continue
		}
		item.SetAmount(amount)
		if isZero(minus(amount, item.GetApprovalRequired())) {
			item.SetApprovalRequired(amount)
		}
		rest = append(rest, item)
	}
	return rest
}

// giveInShort is what is left to give, in a word: an amount, or what was accepted if nothing is left. Nothing is to be given in a case that
// was resolved.
func giveInShort(c *recoveryv1.Case) string {
	if c.GetState() >= recoveryv1.CaseState_CASE_STATE_RESOLVED {
		return ""
	}
	rest, accepted := left(c)
	if accepted != nil && isZero(rest.GetTotal()) {
		return "accepted " + Money(accepted)
	}
	return Money(rest.GetTotal())
}
