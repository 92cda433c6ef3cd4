package ledger

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// News is what one look at the streams has found.
type News struct {
	// Events are those of each bucket in order and without a gap. One that
	// nobody can read has no Key and no Tenant, only its place.
	Events []Event
	// Begun gives, for buckets whose mark was Unseen and that could be read, the
	// mark that the events begin behind.
	Begun map[int]Mark
	// More says that some bucket may have further ones.
	More bool
}

// After reads what came after the marks, one for each bucket: at most that many
// events of each.
//
// Before it gives the events of a bucket it makes sure that the one before the
// mark is still the one that was read. ErrGap, and nothing else: it is not, or
// events in between are gone and were not erased. *Unavailable: some buckets
// cannot be read just now; what the others have comes with it. When none can be
// read, the errors are those of Load.
func (t *Tail) After(ctx context.Context, from []Mark, most int) (News, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	a := &after{tail: t, marks: slices.Clone(from), most: int64(most), lists: make([][]Event, len(from))}
	_, err := t.each(ctx, a.look)
	if a.gap.Load() {
		return News{}, ErrGap
	}
	news := News{Begun: map[int]Mark{}}
	for b, list := range a.lists {
		if from[b].Unseen() && !a.marks[b].Unseen() {
			news.Begun[b] = a.marks[b]
		}
		news.Events = append(news.Events, list...)
		news.More = news.More || len(list) >= most
	}
	return news, err
}

// after is one call of After.
type after struct {
	tail  *Tail
	marks []Mark
	most  int64
	lists [][]Event // by bucket
	gap   atomic.Bool
}

func (a *after) look(r *reading) {
	known, gap := a.tail.begin(r, a.marks, true)
	if gap {
		a.gap.Store(true)
		return
	}
	a.prove(r, a.read(r, known))
}

// last is the id of the entry before a mark, whether or not there is one.
func (m Mark) last() string {
	if m.Next == 0 {
		return beforeFirst
	}
	return eventID(m.Next - 1)
}

// read asks for what is new, and gives the buckets that have something. One
// server is asked with one command; nothing new is answered without looking into
// a stream.
func (a *after) read(r *reading, list []int) (found []int) {
	if _, one := a.tail.client.(*redis.Client); one && len(list) > 0 {
		names, ids := make([]string, len(list)), make([]string, len(list))
		for i, b := range list {
			names[i], ids[i] = a.tail.buckets[b].events, a.marks[b].last()
		}
		streams, err := r.on.XRead(r.ctx, &redis.XReadArgs{Streams: append(names, ids...), Count: a.most, Block: -1}).Result()
		if !redis.HasErrorPrefix(err, "WRONGTYPE") { // else nobody knows which it is
			return a.take(r, list[0], streams, err)
		}
	}
	pipe := r.on.Pipeline()
	reads := make([]*redis.XStreamSliceCmd, len(list))
	for i, b := range list {
		reads[i] = pipe.XRead(r.ctx, &redis.XReadArgs{Streams: []string{a.tail.buckets[b].events, a.marks[b].last()}, Count: a.most, Block: -1})
	}
	_, _ = pipe.Exec(r.ctx) // the commands keep their errors
	for i, b := range list {
		streams, err := reads[i].Result()
		found = append(found, a.take(r, b, streams, err)...)
	}
	return found
}

// take takes in an answer; the bucket is one that was asked for.
func (a *after) take(r *reading, bucket int, streams []redis.XStream, err error) (found []int) {
	if err != nil && !errors.Is(err, redis.Nil) {
		r.fault(bucket, naming(a.tail.buckets[bucket].events, err))
		return nil
	}
	r.answered = true
	for _, s := range streams {
		b := a.tail.streams[s.Stream]
		for _, entry := range s.Messages {
			if e, ours := a.tail.event(b, entry); ours {
				a.lists[b] = append(a.lists[b], e)
			}
		}
		if len(a.lists[b]) > 0 {
			found = append(found, b)
		}
	}
	return found
}

// prove makes sure that nothing is missing before and between what was read;
// what cannot be proven is not given.
func (a *after) prove(r *reading, found []int) {
	if len(found) == 0 {
		return
	}
	pipe := r.on.Pipeline()
	proofs := make([]proof, len(found))
	for i, b := range found {
		proofs[i] = a.tail.proof(r.ctx, pipe, b, a.marks[b], a.lists[b][len(a.lists[b])-1].Number)
	}
	_, _ = pipe.Exec(r.ctx) // the commands keep their errors
	for i, b := range found {
		err := proofs[i].check(a.lists[b])
		if err == nil {
			continue
		}
		a.lists[b] = nil
		if errors.Is(err, ErrGap) {
			a.gap.Store(true)
		} else {
			r.fault(b, err)
		}
	}
}

// Check makes sure that events can be read from the marks on: the store is the
// one of that epoch, and of each bucket the event before the mark is still the
// one that was read. Else it is ErrGap. What cannot be read just now is not
// looked at, and whole is false; when nothing can, the errors are those of Load.
func (t *Tail) Check(ctx context.Context, epoch string, from []Mark) (whole bool, err error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	var gap, unknown atomic.Bool
	var wait sync.WaitGroup
	wait.Go(func() {
		stands, err := t.epoch(ctx, false)
		switch {
		case errors.Is(err, ErrGap) || err == nil && stands != epoch:
			gap.Store(true)
		case err != nil:
			unknown.Store(true)
		}
	})
	reached, err := t.each(ctx, func(r *reading) {
		if t.check(r, from) {
			gap.Store(true)
		}
	})
	wait.Wait()
	switch {
	case gap.Load():
		return false, ErrGap
	case reached:
		return err == nil && !unknown.Load(), nil
	default:
		return false, err
	}
}

// check reports whether something is missing at one server.
func (t *Tail) check(r *reading, from []Mark) (gap bool) {
	pipe := r.on.Pipeline()
	ping := pipe.Ping(r.ctx) // there may be nothing to prove
	var proofs []proof
	for _, b := range r.buckets {
		if m := from[b]; m.Next > 0 && !m.Unseen() {
			proofs = append(proofs, t.proof(r.ctx, pipe, b, m, m.Next-1))
		}
	}
	_, _ = pipe.Exec(r.ctx) // the commands keep their errors
	if err := ping.Err(); err != nil {
		r.fault(r.buckets[0], err)
		return false
	}
	r.answered = true
	for _, p := range proofs {
		err := p.check(nil)
		if errors.Is(err, ErrGap) {
			gap = true
		} else if err != nil {
			r.fault(p.bucket, err)
		}
	}
	return gap
}
