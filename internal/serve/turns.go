package serve

import (
	"context"
	"errors"
	"sync"

	"github.com/makeamends/amends/internal/ledger"
)

// turns lets the changes of one customer go one after the other. The ledger
// needs no lock to be right: of two changes at once it commits one and has the
// other judged again. But of many at once, all but one would be judged in vain,
// time and again; so those that meet in this process wait for each other.
type turns struct {
	mu    sync.Mutex
	lines map[ledger.Key]line
}

// line is the calls that want to change one customer.
type line struct {
	in   int           // how many have the turn or wait for it
	turn chan struct{} // holds a token while nobody has the turn; nil until somebody has to wait
}

// mostInLine is how many changes of one customer may wait for each other. A
// customer with more is no customer, and must not fill the server.
const mostInLine = 128

// take waits for the turn, which is to be ended. When the context ends first, or too
// many wait already, nothing was changed.
func (t *turns) take(ctx context.Context, key ledger.Key) error {
	l, ok := t.enter(key)
	switch {
	case !ok:
		return ledger.ErrConflict
	case l.in == 1: // and nobody before
		return nil
	}
	ledger.FallBehind(ctx)
	defer stepAside(ctx)()
	select {
	case <-l.turn:
		return nil
	case <-ctx.Done():
		t.leave(key)
		if errors.Is(ctx.Err(), context.Canceled) {
			return context.Canceled
		}
		return ledger.ErrConflict
	}
}

// end gives the turn to the next in line.
func (t *turns) end(key ledger.Key) {
	if l := t.leave(key); l.in > 0 {
		l.turn <- struct{}{} // has room: there is one turn
	}
}

func (t *turns) enter(key ledger.Key) (l line, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l = t.lines[key]; l.in > mostInLine {
		return l, false
	}
	l.in++
	if l.in > 1 && l.turn == nil {
		l.turn = make(chan struct{}, 1)
	}
	t.lines[key] = l
	return l, true
}

// leave gives the line without the one who leaves it.
func (t *turns) leave(key ledger.Key) line {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.lines[key]
	l.in--
	if l.in == 0 {
		delete(t.lines, key)
	} else {
		t.lines[key] = l
	}
	return l
}
