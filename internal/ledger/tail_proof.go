package ledger

import (
	"context"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// proof is what tells whether nothing is missing between a mark and the events
// read after it.
type proof struct {
	tail   *Tail
	bucket int
	mark   Mark
	before *redis.XMessageSliceCmd // the event before the mark
	erased *redis.StringSliceCmd   // the erased ones from there on
}

// proof asks for what is needed up to the last event that was read. An event
// that is erased is listed as erased in the same moment, so asking for it first
// and for the list then misses none.
func (t *Tail) proof(ctx context.Context, pipe redis.Pipeliner, bucket int, mark Mark, last uint64) proof {
	p := proof{tail: t, bucket: bucket, mark: mark}
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

// check gives ErrGap when something is missing, and else what kept it from
// finding out.
func (p proof) check(events []Event) error {
	if p.before != nil && p.before.Err() != nil {
		return naming(p.tail.buckets[p.bucket].events, p.before.Err())
	}
	members, err := p.erased.Result()
	if err != nil {
		return naming(p.tail.buckets[p.bucket].erased(), err)
	}
	erased := erasedNumbers(members)
	if !p.standsBefore(erased) {
		return ErrGap
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

// standsBefore looks for the event before the mark.
func (p proof) standsBefore(erased map[uint64]bool) bool {
	if p.mark.Next == 0 {
		return true
	}
	entries := p.before.Val()
	if len(entries) == 0 {
		return erased[p.mark.Next-1]
	}
	e, ours := p.tail.event(p.bucket, entries[0])
	return ours && e.sum == p.mark.Sum
}
