package watch

import (
	"context"
	"sync"
	"time"

	"github.com/makeamends/amends/internal/ledger"
)

// Watcher is one who follows events. Next, Token and Close are for one
// goroutine alone.
type Watcher struct {
	hub    *Hub
	tenant string
	want   func(*ledger.Event) bool
	epoch  string
	wake   chan struct{} // something was queued
	ended  chan struct{} // closed when the watch is over before the watcher closes it

	marks   []ledger.Mark // behind the last event that Next has dealt with
	pending []*Event      // taken from the queue, or read, and not dealt with
	live    bool          // follows the common reading
	pace    pace          // until then
	held    bool          // until then: some buckets cannot be read just now
	proven  bool          // the marks are of this store
	told    time.Time     // when Next gave something last; zero: never

	mu     sync.Mutex
	queue  []*Event
	reason error // why it is over
}

// begin finds out where the watch stands, and whether it can go on from there.
func (w *Watcher) begin(ctx context.Context) (err error) {
	if w.marks == nil {
		epoch, standing := w.hub.standing()
		if w.epoch, w.marks, err = w.hub.config.Stream.Ends(ctx); err != nil {
			return err
		}
		// What cannot be seen now, the others know how far they had read before.
		for i := range w.marks {
			if epoch == w.epoch && w.marks[i].Unseen() {
				w.marks[i] = standing[i]
			}
		}
		w.proven = true
		return nil
	}
	if w.proven, err = w.hub.config.Stream.Check(ctx, w.epoch, w.marks); err != nil {
		return err
	}
	return w.readOn(ctx)
}

// Next waits for the next event that is wanted. It gives none, which is a
// heartbeat, at first and whenever there was nothing to tell for Config.Silence.
// It fails with ErrResync or ErrSlow, an error of the store, or that of the context.
func (w *Watcher) Next(ctx context.Context) (*Event, error) {
	if w.told.IsZero() { // the first message says only where the watch begins
		w.told = time.Now()
		return nil, w.over(ctx)
	}
	e, err := w.next(ctx)
	w.told = time.Now()
	return e, err
}

func (w *Watcher) next(ctx context.Context) (*Event, error) {
	silence := time.NewTimer(time.Until(w.told.Add(w.hub.config.Silence)))
	defer silence.Stop()
	for {
		if err := w.over(ctx); err != nil {
			return nil, err
		}
		if e := w.deal(); e != nil {
			return w.dealWith(ctx, e)
		}
		select {
		case <-silence.C:
			return nil, nil
		default:
		}
		if !w.live {
			if err := w.catchUp(ctx); err != nil {
				return nil, err
			}
			if len(w.pending) == 0 && !w.live && (w.held || !w.proven) {
				w.await(ctx)
			}
			continue
		}
		if w.pending = w.take(); len(w.pending) > 0 {
			continue
		}
		select {
		case <-w.wake:
		case <-w.ended:
		case <-ctx.Done():
		case <-silence.C:
			return nil, nil
		}
	}
}

// Token is where to resume after what Next has given.
func (w *Watcher) Token() string { return w.hub.token(w.tenant, w.epoch, w.marks) }

// Ended is closed when the watch is over for a reason that Next will tell.
func (w *Watcher) Ended() <-chan struct{} { return w.ended }

// Close ends the watch.
func (w *Watcher) Close() {
	w.hub.leave(w)
	w.hub.config.Watching(-1)
}

func (w *Watcher) wants(e *ledger.Event) bool { return e.Tenant == w.tenant && w.want(e) }

// over tells whether, and why, the watch is over.
func (w *Watcher) over(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reason != nil {
		return w.reason
	}
	return ctx.Err()
}

// deal works off what is pending up to the next event that is wanted.
func (w *Watcher) deal() *Event {
	for ; len(w.pending) > 0; w.pending = w.pending[1:] {
		e := w.pending[0]
		if !w.marks[e.Bucket].Before(&e.Event) {
			continue // this watcher was ahead of the common reading when it joined
		}
		if w.wants(&e.Event) {
			return e
		}
		w.marks[e.Bucket] = e.After()
	}
	return nil
}

// dealWith gives the first pending event. Only when that succeeds does the mark
// go on: a token must not say that an event was given that was not.
func (w *Watcher) dealWith(ctx context.Context, e *Event) (*Event, error) {
	e, err := w.shown(ctx, e)
	if err != nil {
		return nil, err
	}
	w.pending = w.pending[1:]
	w.marks[e.Bucket] = e.After()
	return e, nil
}

// shown is the event with its case, which the common reading has left out if
// this watcher joined while nobody else wanted the event.
func (w *Watcher) shown(ctx context.Context, e *Event) (*Event, error) {
	if e.ID != "" {
		return e, nil
	}
	own, err := w.hub.events(ctx, w.epoch, []ledger.Event{e.Event}, w.wants)
	if err != nil {
		return nil, err
	}
	return own[0], nil
}

// catchUp reads on for this watcher alone, and lets it join the others once
// there is nothing left to read, and the marks are known to be of this store:
// the others look at their own marks alone.
func (w *Watcher) catchUp(ctx context.Context) error {
	if !w.proven {
		whole, err := w.hub.config.Stream.Check(ctx, w.epoch, w.marks)
		if reason := ending(err); reason != nil {
			return reason
		}
		w.proven = whole
	}
	if w.proven && w.hub.join(w) {
		w.live = true
		return nil
	}
	return w.readOn(ctx)
}

// readOn reads what comes next in its turn: not everybody at once who comes
// back from a server that has ended.
func (w *Watcher) readOn(ctx context.Context) error {
	select {
	case w.hub.catchUps <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-w.hub.catchUps }()
	news, err := w.hub.after(ctx, w.marks, &w.pace)
	if reason := ending(err); reason != nil {
		return reason
	}
	w.held = err != nil
	events, err := w.hub.events(ctx, w.epoch, news.Events, w.wants)
	if err != nil {
		return err
	}
	for bucket, m := range news.Begun {
		w.marks[bucket] = m
	}
	w.pending = events
	return nil
}

// await waits a while for what cannot be read just now.
func (w *Watcher) await(ctx context.Context) {
	limit := time.NewTimer(min(awayTime, w.hub.config.Silence/2))
	defer limit.Stop()
	select {
	case <-limit.C:
	case <-ctx.Done():
	}
}

// push queues events, unless there is no room.
func (w *Watcher) push(events []*Event) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue)+len(events) > w.hub.config.Buffer {
		return false
	}
	w.queue = append(w.queue, events...)
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return true
}

// isCrowded reports whether more than half of the queue is taken.
func (w *Watcher) isCrowded() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue) > w.hub.config.Buffer/2
}

// take empties the queue.
func (w *Watcher) take() []*Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	events := w.queue
	w.queue = nil
	return events
}

// end says why the watch is over. A nil reason says nothing: nobody is left to hear it.
func (w *Watcher) end(reason error) {
	if reason == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reason == nil {
		w.reason = reason
		w.queue = nil
		close(w.ended)
	}
}
