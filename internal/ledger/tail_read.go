package ledger

import (
	"context"
	"errors"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// After reads what came after the marks, one for each bucket: the events of a
// bucket in order and without a gap, at most that many of each bucket. More
// says that some bucket may have further ones.
//
// Before it gives the events of a bucket it makes sure that the one before the
// mark is still the one that was read. ErrGap: it is not, or events in between
// are gone and were not erased. With *Unavailable, what other buckets answered
// is given all the same.
func (t *Tail) After(ctx context.Context, from []Mark, most int) (events []Event, more bool, err error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	news, err := t.news(ctx, from, int64(most))
	if len(news) == 0 {
		return nil, false, err
	}
	proofs := make([]proof, len(news))
	pipe := t.client.Pipeline()
	for i, list := range news {
		proofs[i] = t.proof(ctx, pipe, list[0].Bucket, from[list[0].Bucket], list[len(list)-1].Number)
	}
	_, _ = pipe.Exec(ctx) // the commands keep their errors
	for i, list := range news {
		missing := proofs[i].check(list)
		if errors.Is(missing, ErrGap) {
			return nil, false, missing
		}
		if missing != nil {
			err = missing
			continue
		}
		events = append(events, list...)
		more = more || len(list) >= most
	}
	return events, more, err
}

// news gives the new events of every bucket that has any.
func (t *Tail) news(ctx context.Context, from []Mark, most int64) (news [][]Event, err error) {
	pipe := t.client.Pipeline()
	reads := make([]*redis.XStreamSliceCmd, len(from))
	for i, m := range from {
		last := "0-0"
		if m.Next > 0 {
			last = eventID(m.Next - 1)
		}
		// Nothing new is answered without looking into the stream.
		reads[i] = pipe.XRead(ctx, &redis.XReadArgs{Streams: []string{t.buckets[i].events, last}, Count: most, Block: -1})
	}
	_, _ = pipe.Exec(ctx) // the commands keep their errors
	for i, read := range reads {
		streams, fault := read.Result()
		if errors.Is(fault, redis.Nil) {
			continue
		}
		if fault != nil {
			err = failed(fault, false)
			continue
		}
		list := make([]Event, len(streams[0].Messages))
		for j, entry := range streams[0].Messages {
			if list[j], fault = decodeEvent(i, entry); fault != nil {
				return nil, fault
			}
		}
		news = append(news, list)
	}
	return news, err
}

// Check makes sure that events can be read from the marks on: the store is the
// one of that epoch, and of each bucket the event before the mark is still the
// one that was read. Else it is ErrGap. It looks into every bucket that can be
// reached; *Unavailable says that not all could.
func (t *Tail) Check(ctx context.Context, epoch string, from []Mark) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	pipe := t.client.Pipeline()
	have := pipe.HGet(ctx, metaKey, epochField)
	proofs := make([]proof, 0, len(from))
	for i, m := range from {
		if m.Next > 0 {
			proofs = append(proofs, t.proof(ctx, pipe, i, m, m.Next-1))
		}
	}
	_, _ = pipe.Exec(ctx) // the commands keep their errors
	stands, err := have.Result()
	if errors.Is(err, redis.Nil) || err == nil && stands != epoch {
		return ErrGap
	}
	if err != nil {
		err = failed(err, false)
	}
	for _, p := range proofs {
		switch missing := p.check(nil); {
		case errors.Is(missing, ErrGap):
			return missing
		case missing != nil:
			err = missing
		}
	}
	return err
}

// proof is what tells whether nothing is missing between a mark and the events
// read after it.
type proof struct {
	bucket int
	mark   Mark
	before *redis.XMessageSliceCmd // the event before the mark
	erased *redis.StringSliceCmd   // the erased ones from there on
}

// proof asks for what is needed up to the last event that was read. An event
// that is erased is listed as erased in the same moment, so asking for it first
// and for the list then misses none.
func (t *Tail) proof(ctx context.Context, pipe redis.Pipeliner, bucket int, mark Mark, last uint64) proof {
	p := proof{bucket: bucket, mark: mark}
	first := mark.Next
	if mark.Next > 0 {
		first--
		p.before = pipe.XRange(ctx, t.buckets[bucket].events, eventID(first), eventID(first))
	}
	p.erased = pipe.ZRangeArgs(ctx, redis.ZRangeArgs{
		Key: t.buckets[bucket].erased(), ByScore: true,
		Start: strconv.FormatUint(first, 10), Stop: strconv.FormatUint(last, 10),
	})
	return p
}

func (p proof) check(events []Event) error {
	erased, err := p.answers()
	if err != nil {
		return err
	}
	if err := p.checkBefore(erased); err != nil {
		return err
	}
	next := p.mark.Next
	for i := range events {
		for ; next < events[i].Number; next++ {
			if !erased[next] {
				return ErrGap
			}
		}
		next++
	}
	return nil
}

// checkBefore looks for the event before the mark.
func (p proof) checkBefore(erased map[uint64]bool) error {
	if p.mark.Next == 0 {
		return nil
	}
	entries := p.before.Val()
	if len(entries) == 0 {
		if erased[p.mark.Next-1] {
			return nil
		}
		return ErrGap
	}
	e, err := decodeEvent(p.bucket, entries[0])
	if err != nil {
		return err
	}
	if e.sum != p.mark.Sum {
		return ErrGap
	}
	return nil
}

func (p proof) answers() (erased map[uint64]bool, err error) {
	if p.before != nil && p.before.Err() != nil {
		return nil, failed(p.before.Err(), false)
	}
	members, err := p.erased.Result()
	if err != nil {
		return nil, failed(err, false)
	}
	return erasedNumbers(p.bucket, members)
}
