package ledger

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

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

// unreachable refuses every script.
type unreachable struct{ alone }

func (unreachable) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "evalsha" {
			err := &net.OpError{Op: "dial", Err: errors.New("refused")}
			cmd.SetErr(err)
			return err
		}
		return next(ctx, cmd)
	}
}

// A case with many offers waits for a budget that is out of reach as long as one with a
// single offer does.
func TestABudgetOutOfReachIsTriedOnce(t *testing.T) {
	t.Parallel()
	l := openAt(t, Embedded)
	w := one(l, "many offers", "a")
	mustUpdate(t, l, w, func(c recovery.Customer, fresh []int) (Judgement, error) {
		j, err := opens(c, fresh)
		for n := range int64(4) {
			o := recovery.Offer{Number: n + 1, State: recovery.Made, Currency: "USD", Booking: BookingName(time.Now(), "a")}
			j.Customer.Open[0].Offers = append(j.Customer.Open[0].Offers, o)
		}
		return j, err
	})
	l.client.AddHook(unreachable{})
	begin := time.Now()
	err := l.ReconcileOffers(t.Context(), CaseID(w.Key, 1))
	if took := time.Since(begin); err == nil || took > 2*outageTime {
		t.Errorf("it took %v: %v", took, err)
	}
}
