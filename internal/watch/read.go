package watch

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/panics"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// Event is one transition on its way to watchers. It is shared among them and
// never changed.
type Event struct {
	ledger.Event
	// ID is the same for an event in every process and after every reconnect.
	// It is empty, and Now is nil, while nobody wants the event.
	ID string
	// Now is the case as it stands; nil when it is gone.
	Now *recoveryv1.Case
}

// loop reads until nobody watches any more.
func (r *run) loop(ctx context.Context) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	checked := time.Now()
	var last time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		if time.Since(last) < pollEvery && r.isCrowded() {
			pause.Reset(restTime)
			continue
		}
		more, err := r.read(ctx)
		last = time.Now()
		if ending(err) == nil && time.Since(checked) >= r.hub.checkEvery {
			if _, missing := r.hub.config.Stream.Check(ctx, r.epoch, r.marks); missing != nil {
				err = missing
			}
			checked = time.Now()
		}
		if ctx.Err() != nil {
			return
		}
		if reason := ending(err); reason != nil {
			r.hub.mu.Lock()
			r.stop(reason)
			r.hub.mu.Unlock()
		}
		r.report(err)
		if more {
			pause.Reset(restTime)
		} else {
			pause.Reset(pollEvery)
		}
	}
}

// pace is how many events of one bucket are read at once. It grows while few
// buckets have many, so that a bucket alone is read fast, and stays small while
// many have: most of what is read at once should be given at once.
type pace int

const (
	leastPace = 8
	mostPace  = 128
	mostRead  = 1024 // in all, when the pace grows no further
)

func (p pace) most() int { return max(int(p), leastPace) }

func (p *pace) adapt(found int, more bool) {
	switch {
	case !more:
		*p = leastPace
	case found < mostRead:
		*p = pace(min(2*p.most(), mostPace))
	default:
		*p = pace(p.most() * mostRead / found)
	}
}

// after reads on at a pace. When many buckets suddenly have much, some of it is
// left for later: what is read at once must find room in every queue, beside as
// much that was not taken yet.
func (h *Hub) after(ctx context.Context, from []ledger.Mark, p *pace) (ledger.News, error) {
	news, err := h.config.Stream.After(ctx, from, p.most())
	p.adapt(len(news.Events), news.More)
	if most := h.config.Buffer / 2; len(news.Events) > most {
		news.Events, news.More = news.Events[:most], true
	}
	return news, err
}

// isCrowded reports whether some queue may have no room for what is read next.
// Its watcher gets as long to empty it as passes between two looks at streams
// that are still, so that nobody waits longer for another.
func (r *run) isCrowded() bool {
	r.hub.mu.Lock()
	defer r.hub.mu.Unlock()
	for w := range r.watchers {
		if w.isCrowded() {
			return true
		}
	}
	return false
}

// ending tells which errors end all watches: while a store is only away, those
// who watch hear nothing new, and nothing is lost.
func ending(err error) error {
	var away *ledger.Unavailable
	switch {
	case err == nil, errors.As(err, &away), errors.Is(err, ledger.ErrOverloaded):
		return nil
	default:
		return resync(err)
	}
}

// report writes one line when reading begins to fail, and one when it works again.
func (r *run) report(err error) {
	switch log := r.hub.config.Logger; {
	case err != nil && !r.failing:
		log.Warn("events cannot be read; those who watch will get them late", "error", ledger.WithCause(err))
	case err == nil && r.failing:
		log.Info("events can be read again")
	}
	r.failing = err != nil
}

// read gives new events to all watchers. What some buckets answered counts,
// although others did not. A panic ends all watches.
func (r *run) read(ctx context.Context) (more bool, err error) {
	defer panics.Catch(&err)
	news, err := r.hub.after(ctx, r.marks, &r.pace)
	if len(news.Events)+len(news.Begun) == 0 {
		return false, err
	}
	events, failed := r.hub.events(ctx, r.epoch, news.Events, r.anybody())
	if failed != nil {
		return false, failed // they are read again
	}
	r.give(ctx, events, news.Begun)
	return news.More, err
}

// anybody tells which events some watcher wants.
func (r *run) anybody() func(*ledger.Event) bool {
	r.hub.mu.Lock()
	defer r.hub.mu.Unlock()
	watchers := make([]*Watcher, 0, len(r.watchers))
	for w := range r.watchers {
		watchers = append(watchers, w)
	}
	return func(e *ledger.Event) bool {
		return slices.ContainsFunc(watchers, func(w *Watcher) bool { return w.wants(e) })
	}
}

// give queues the events for every watcher; whoever has no room is dropped.
func (r *run) give(ctx context.Context, events []*Event, begun map[int]ledger.Mark) {
	r.hub.mu.Lock()
	defer r.hub.mu.Unlock()
	if ctx.Err() != nil {
		return // somebody else reads now
	}
	for w := range r.watchers {
		if !w.push(events) {
			delete(r.watchers, w)
			w.end(ErrSlow)
			r.hub.config.Dropped()
		}
	}
	// A copy: the next reading looks at the marks without the lock.
	marks := slices.Clone(r.marks)
	for bucket, m := range begun {
		marks[bucket] = m
	}
	for _, e := range events {
		marks[e.Bucket] = e.After()
	}
	r.marks = marks
	if len(r.watchers) == 0 {
		r.stop(nil)
	}
}

// events adds to what was read the cases as they stand, of those events that
// are wanted.
func (h *Hub) events(ctx context.Context, epoch string, found []ledger.Event, want func(*ledger.Event) bool) ([]*Event, error) {
	events := make([]*Event, len(found))
	var wanted []ledger.Event
	var at []int
	for i := range found {
		events[i] = &Event{Event: found[i]}
		if want(&found[i]) {
			events[i].ID = h.eventID(epoch, &found[i])
			wanted, at = append(wanted, found[i]), append(at, i)
		}
	}
	if len(wanted) == 0 {
		return events, nil
	}
	cases, err := h.config.Cases(ctx, wanted)
	if err != nil {
		return nil, err
	}
	shown, err := h.config.Show(ctx, wanted, cases)
	if err != nil {
		return nil, err
	}
	for i, k := range shown {
		events[at[i]].Now = k
	}
	return events, nil
}
