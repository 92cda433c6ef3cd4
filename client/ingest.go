package client

import (
	"cmp"
	"context"
	"iter"
	"math"
	"sync"
	"time"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// Ingested is what became of one item of a load.
type Ingested struct {
	// Item is the one that was given.
	Item *recoveryv1.IngestRequest
	// Answer is the service's, its sequence counted from 0 over the whole load.
	Answer *recoveryv1.IngestResponse
	// Replayed is whether the item was recorded before, with the same content.
	Replayed bool
	// Err is why the item was refused; nil: it is recorded.
	Err *Error
}

// IngestAll sends items in bulk through the Ingest call, over any number of lost
// connections and restarted servers, and gives what became of each, in order.
//
// What was not answered when a connection is lost is sent again, which is safe
// because of its id. So is an item that the service could not deal with just
// then (OVERLOADED, CONFLICT, STORE_UNAVAILABLE): four times and for
// [Config.Patience] at least while others are dealt with, and as long as ctx
// lasts while none is. Up to 512 items are under way at once; behind one that is sent
// again, up to about 1024 are taken before it has its answer.
//
// It ends with items, with ctx, when the client is closed, or with the first error
// that does not pass by itself, which is the last that is given; a faulty item is
// no such error. Each of lost is told of every error that passes, before the load
// goes on. Items are taken in a goroutine of their own, one ahead, which has ended
// when IngestAll ends: a sequence that may have none for long should end with ctx.
func (c *Client) IngestAll(ctx context.Context, items iter.Seq[*recoveryv1.IngestRequest], lost ...func(*Error)) iter.Seq2[Ingested, error] {
	return func(yield func(Ingested, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var feeding sync.WaitGroup
		defer feeding.Wait()
		defer cancel()
		feed := make(chan *recoveryv1.IngestRequest)
		feeding.Go(func() {
			defer close(feed)
			for item := range items {
				select {
				case feed <- item:
				case <-ctx.Done():
					return
				}
			}
		})
		l := &load{client: c, feed: feed, yield: yield}
		if err := l.run(ctx, lost); err != nil {
			yield(Ingested{}, err)
		}
	}
}

// load is one run of IngestAll, over all its streams.
type load struct {
	client *Client
	feed   <-chan *recoveryv1.IngestRequest
	yield  func(Ingested, error) bool

	waiting  []*underWay // taken in and not handed out yet, in order
	handed   int64       // out
	settled  int64       // answered for good
	isEnough bool        // nobody wants more

	isHopeless bool // an item was given up, and none was taken since that had been refused
}

// underWay is one item on its way.
type underWay struct {
	item    *recoveryv1.IngestRequest
	answer  *recoveryv1.IngestResponse // for good; nil: not yet
	err     *Error                     // that the answer has
	tries   int                        // that failed while others were dealt with
	since   time.Time                  // of the first of them
	settled int64                      // by the load at the last of them
	isTaken bool                       // it stands in load.waiting
}

// run makes streams until all is answered. Each begins with what those before it
// have left without an answer.
func (l *load) run(ctx context.Context, lost []func(*Error)) error {
	pause := firstPause
	for {
		before := l.settled
		done, err := l.stream(ctx)
		switch {
		case done || l.isEnough:
			return nil
		case ctx.Err() != nil:
			return toError(ctx.Err())
		case err == nil:
			continue
		case !err.Temporary():
			return err
		}
		for _, tell := range lost {
			tell(err)
		}
		if l.settled > before {
			pause = firstPause
		}
		if !l.client.calls.wait(ctx, max(pause, err.RetryAfter)) {
			return toError(cmp.Or(ctx.Err(), context.DeadlineExceeded))
		}
		pause = min(2*pause, longestPause)
	}
}

// take puts an item in line, if it does not stand there already.
func (l *load) take(e *underWay) {
	if !e.isTaken {
		e.isTaken = true
		l.waiting = append(l.waiting, e)
	}
}

// room is how many new items the next stream may take. Answers pile up behind an
// item that was refused for the moment, so that no more than mostHeld are held. Of
// what is left a part is for each stream, to show whether others are dealt with:
// without that, tries do not count.
func (l *load) room() int {
	if len(l.waiting) == 0 || l.waiting[0].tries == 0 { // all that was answered is handed out
		return math.MaxInt
	}
	return max(mostHeld-len(l.waiting)+3, 0) / 4
}

// unanswered is what must be sent again.
func (l *load) unanswered() (open []*underWay) {
	for _, e := range l.waiting {
		if e.answer == nil {
			open = append(open, e)
		}
	}
	return open
}

// settle gives an item its answer, and hands out what has one up to the first
// that has none.
func (l *load) settle(e *underWay, answer *recoveryv1.IngestResponse, err *Error) {
	e.answer, e.err = answer, err
	l.settled++
	for len(l.waiting) > 0 && l.waiting[0].answer != nil && !l.isEnough {
		first := l.waiting[0]
		l.waiting = l.waiting[1:]
		first.answer.SetSequence(l.handed)
		l.handed++
		l.isEnough = !l.yield(Ingested{Item: first.item, Answer: first.answer, Replayed: isReplayed(first.answer), Err: first.err}, nil)
	}
}

func isReplayed(answer *recoveryv1.IngestResponse) bool {
	return answer.GetFailure().GetReplayed() ||
		answer.GetInteraction().GetStatus() == recoveryv1.InteractionStatus_INTERACTION_STATUS_REPLAYED
}
