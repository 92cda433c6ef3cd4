package ledger

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"github.com/makeamends/amends/internal/recovery"
)

// mostGuessed is how many requests one guess may carry out. More in one call
// make the read beforehand cheap, and a guess in vain dear.
const mostGuessed = 100

// guess commits what judge makes of the customer as this process remembers it,
// without a read: one round trip when that still stands and none of the requests
// was carried out before. Otherwise the script tells what stands, as a read would.
// Whatever is no plain commit, such as a refusal, is not answered from memory.
//
// It gives what stands; nil when that must be read, or the change was made.
func (u *update) guess(ctx context.Context) (stands *loaded, err error) {
	was, odds := u.remembered()
	if was == nil {
		return nil, nil
	}
	c, ok := u.foresee(ctx, was)
	if !ok {
		u.ledger.opts.Meter.Guessed(guessUnused)
		return nil, nil
	}
	c.guess = true
	stands, err = u.commit(ctx, c)
	switch {
	case err == nil:
		odds.learn(true)
		u.ledger.opts.Meter.Guessed(guessRight)
		return nil, nil
	case errors.Is(err, errConflict):
		odds.learn(false)
		u.ledger.opts.Meter.Guessed(guessWrong)
		return u.complete(stands), nil
	case unwritten(err):
		return nil, nil // a read tells what there is to tell
	default:
		return nil, err
	}
}

// remembered is the customer as it was when this process met it last; who is not
// known is taken for a stranger. It is nil when a guess is not worth while.
func (u *update) remembered() (was *loaded, o *odds) {
	if u.guessed || len(u.requests) > mostGuessed || u.ledger.opts.Cache < 0 {
		return nil, nil
	}
	u.guessed = true
	token, body := u.ledger.cache.get(u.write.Key)
	o = &u.ledger.guesses.known
	if token == "" {
		o = &u.ledger.guesses.strangers
	}
	if !o.good() || token == "" && len(u.requests) == 0 {
		return nil, nil
	}
	was = &loaded{token: token}
	if was.decode(u.names.customer, body) != nil {
		return nil, nil
	}
	return u.complete(was), o
}

// foresee judges on what is remembered. It is not ok when that is no plain commit
// of all requests, none of which is known to have been carried out before.
func (u *update) foresee(ctx context.Context, was *loaded) (*change, bool) {
	u.tenant = cmp.Or(u.write.Tenant, was.state.tenant)
	if u.write.Owned != nil && u.write.Owned(u.tenant) != nil {
		return nil, false
	}
	if u.replay(ctx, was) != nil || slices.ContainsFunc(u.requests, was.state.hasAnswered) {
		return nil, false
	}
	u.admit(was)
	if len(u.fresh) != len(u.requests) {
		return nil, false
	}
	j, err := u.decide(was)
	if err != nil || len(u.fresh) != len(u.requests) {
		return nil, false
	}
	c, err := u.change(was, j)
	return c, err == nil
}

// complete gives what there is of a customer; nil when the case asked for is not
// open, so that it must be looked for among those that are filed away.
func (u *update) complete(at *loaded) *loaded {
	if u.write.Case > 0 && recovery.Numbered(at.state.customer.Open, u.write.Case) == nil {
		return nil
	}
	return at
}

// unwritten reports whether Redis has answered that nothing was done.
func unwritten(err error) bool {
	return slices.Contains([]class{classBroken, classRefused, classFull}, classify(err))
}

// odds are how often guesses of one kind were right lately.
type odds struct{ wrong atomic.Int32 } // share of wrong ones, in 1/oddsOne

const (
	oddsOne   = 1 << 16
	oddsSteps = 32 // one guess counts as much as this part of all before
	// worthWhile is the share of wrong guesses from which on a read beforehand is
	// cheaper: a judgement in vain costs many times what a read does.
	worthWhile = oddsOne / 8
	// oddsProbe is one in how many guesses is made although it is not worth while,
	// to see whether that has changed.
	oddsProbe = 32
)

// good reports whether to guess.
func (o *odds) good() bool { return o.wrong.Load() <= worthWhile || rand.N(oddsProbe) == 0 }

// learn takes in whether a guess was right. Of two at once one may be lost, which
// makes no difference.
func (o *odds) learn(right bool) {
	wrong := o.wrong.Load()
	if right {
		o.wrong.Store(wrong - wrong/oddsSteps)
	} else {
		o.wrong.Store(wrong + (oddsOne-wrong)/oddsSteps)
	}
}
