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
	lines map[ledger.Key]*line
}

// line is the calls that want to change one customer.
type line struct {
	turn chan struct{} // holds one token while somebody has the turn
	in   int           // how many have the turn or wait for it
}

// mostInLine is how many changes of one customer may wait for each other. A
// customer with more is no customer, and must not fill the server.
const mostInLine = 128

// take waits for the turn; done must be called when it is over. When the
// context ends first, or too many wait already, nothing was changed.
func (t *turns) take(ctx context.Context, key ledger.Key) (done func(), err error) {
	l, ok := t.enter(key)
	if !ok {
		return nil, ledger.ErrConflict
	}
	done = func() {
		<-l.turn
		t.leave(key, l)
	}
	select {
	case l.turn <- struct{}{}:
		return done, nil
	default:
	}
	ledger.FallBehind(ctx)
	defer stepAside(ctx)()
	select {
	case l.turn <- struct{}{}:
		return done, nil
	case <-ctx.Done():
		t.leave(key, l)
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil, context.Canceled
		}
		return nil, ledger.ErrConflict
	}
}

func (t *turns) enter(key ledger.Key) (l *line, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l, ok = t.lines[key]; !ok {
		l = &line{turn: make(chan struct{}, 1)}
		t.lines[key] = l
	}
	if l.in > mostInLine {
		return nil, false
	}
	l.in++
	return l, true
}

func (t *turns) leave(key ledger.Key, l *line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l.in--; l.in == 0 {
		delete(t.lines, key)
	}
}
