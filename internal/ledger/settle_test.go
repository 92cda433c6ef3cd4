package ledger

import (
	"testing"

	"github.com/makeamends/amends/internal/recovery"
)

// A change of no offer, which is nearly every one, takes no memory to see that it is.
func TestChangedOffersTakeNoMemoryWhenThereAreNone(t *testing.T) {
	opened := recovery.Transition{Change: recovery.ChangeOpened}
	c := recovery.Customer{
		Open:   []recovery.Case{{Number: 1, Fresh: []recovery.Transition{opened}, Offers: []recovery.Offer{{Number: 1}}}},
		Closed: []recovery.Case{{Number: 2}},
	}
	if n := testing.AllocsPerRun(100, func() {
		if len(ChangedOffers(c)) > 0 {
			t.Error("an offer has changed")
		}
	}); n > 0 {
		t.Errorf("it takes memory %v times", n)
	}
}
