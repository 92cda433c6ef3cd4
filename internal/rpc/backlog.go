package rpc

import (
	"context"
	"slices"
	"sync"

	"github.com/makeamends/amends/internal/ledger"
)

// MostFolded is how many items of one customer make one change at most, so that
// others are not held up by one of whom very much is told.
const MostFolded = 64

// backlog is the items of one stream that wait to be carried out, by customer. Of
// each customer one share is carried out at a time, and the rest in its order
// afterwards; customers go in the order in which they came, each with one share.
type backlog struct {
	mu    sync.Mutex
	of    map[ledger.Key]*pile
	ready []*pile       // that have items, of which none is under way
	some  chan struct{} // holds a token when somebody is ready
}

// pile is the items of one customer.
type pile struct {
	key   ledger.Key
	items []*item // beside those that are under way
}

// share is the items of one customer that are carried out in one change.
type share struct {
	pile  *pile
	items []*item
}

func newBacklog() *backlog {
	return &backlog{of: make(map[ledger.Key]*pile), some: make(chan struct{}, 1)}
}

// add puts an item behind those of its customer.
func (b *backlog) add(i *item) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, ok := b.of[i.at.key]
	if !ok {
		p = &pile{key: i.at.key}
		b.of[p.key] = p
		b.queue(p)
	}
	p.items = append(p.items, i)
}

// queue lets a customer wait for its turn.
func (b *backlog) queue(p *pile) {
	b.ready = append(b.ready, p)
	b.tell()
}

func (b *backlog) tell() {
	select {
	case b.some <- struct{}{}:
	default:
	}
}

// wait returns when there is something to do; false: the context ends.
func (b *backlog) wait(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-b.some:
		return true
	}
}

// take gives a share of each of the first customers, n at most, none if others have
// taken them all. Each must be done.
func (b *backlog) take(n int) []*share {
	b.mu.Lock()
	defer b.mu.Unlock()
	n = min(n, len(b.ready))
	shares := make([]*share, n)
	for i, p := range b.ready[:n] {
		most := p.most()
		shares[i] = &share{p, p.items[:most:most]}
		p.items = p.items[most:]
	}
	b.ready = slices.Delete(b.ready, 0, n)
	if len(b.ready) > 0 {
		b.tell()
	}
	return shares
}

// most is how many of the items may be carried out at once. An id that comes again
// is left for the next time: by then it is known whether the first was carried out.
func (p *pile) most() int {
	most := min(len(p.items), MostFolded)
	for n, i := range p.items[:most] {
		if slices.ContainsFunc(p.items[:n], func(o *item) bool { return o.request.ID == i.request.ID }) {
			return n
		}
	}
	return most
}

// done lets the next share of the customer wait for its turn.
func (b *backlog) done(s *share) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(s.pile.items) == 0 {
		delete(b.of, s.pile.key)
		return
	}
	b.queue(s.pile)
}
