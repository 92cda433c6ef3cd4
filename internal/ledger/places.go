package ledger

import (
	"context"
	"math"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// shelf is what has been read of one bucket's index.
type shelf struct {
	last  Cursor // the last entry read
	whole bool   // nothing follows it
}

// places gives the first q.Most entries after the cursor, over all buckets, and
// whether more follow. Of each bucket it reads a few; then more of those that
// turn out to have more than their share.
func (l *Ledger) places(ctx context.Context, q Query) (all []Cursor, more bool, err error) {
	shelves := make([]shelf, len(l.buckets))
	wanting := make([]int, len(shelves))
	for i := range shelves {
		wanting[i] = i
		shelves[i].last = q.After.within(i)
	}
	most := max(q.Most, 1)
	for count := 2*most/len(shelves) + 2; len(wanting) > 0; count = min(8*count, most+1) {
		found, err := l.read(ctx, q, shelves, wanting, count)
		if err != nil {
			return nil, false, err
		}
		all = append(all, found...)
		slices.SortFunc(all, Cursor.compare)
		// An entry beyond the last one read of some bucket may not be next.
		wanting = wanting[:0]
		for i, s := range shelves {
			if !s.whole && (len(all) <= most || s.last.compare(all[most]) < 0) {
				wanting = append(wanting, i)
			}
		}
	}
	return all[:min(most, len(all))], len(all) > most, nil
}

// within gives the place in one bucket's index that corresponds to a cursor.
func (c Cursor) within(bucket int) Cursor {
	switch {
	case c.member == "":
		return Cursor{math.MinInt64, bucket, ""}
	case bucket == c.bucket:
		return c
	case bucket < c.bucket: // all of that score have been seen
		return Cursor{c.score + 1, bucket, ""}
	default:
		return Cursor{c.score, bucket, ""}
	}
}

// read reads on in the indexes of some buckets, about so many entries of each.
// A range begins at a score, so it begins with what has been read already of
// the same score; where there is nothing else in it, a longer one is read.
func (l *Ledger) read(ctx context.Context, q Query, shelves []shelf, wanting []int, count int) (found []Cursor, err error) {
	for ; len(wanting) > 0; count *= 4 {
		ranges, err := l.ranges(ctx, q, shelves, wanting, count)
		if err != nil {
			return nil, err
		}
		again := wanting[:0:0]
		for n, i := range wanting {
			s, before := &shelves[i], len(found)
			for _, e := range ranges[n] {
				at := Cursor{int64(e.Score), i, e.Member.(string)}
				if s.last.compare(at) >= 0 {
					continue
				}
				s.last = at
				if l.ours(at) {
					found = append(found, at)
				}
			}
			s.whole = len(ranges[n]) < count
			if !s.whole && len(found) == before {
				again = append(again, i)
			}
		}
		wanting = again
	}
	return found, nil
}

// ranges reads one range of each of these buckets' indexes in one round trip.
func (l *Ledger) ranges(ctx context.Context, q Query, shelves []shelf, wanting []int, count int) (ranges [][]redis.Z, err error) {
	last := "+inf"
	if !q.Before.IsZero() {
		last = strconv.FormatInt(ceilMS(q.Before), 10)
	}
	err = l.persist(ctx, func(ctx context.Context) error {
		pipe := l.client.Pipeline()
		answers := make([]*redis.ZSliceCmd, len(wanting))
		for n, i := range wanting {
			answers[n] = pipe.ZRangeArgsWithScores(ctx, redis.ZRangeArgs{
				Key: l.buckets[i].open(q.Tenant), ByScore: true,
				Start: strconv.FormatInt(shelves[i].last.score, 10), Stop: last, Count: int64(count),
			})
		}
		if err := execute(ctx, pipe); err != nil {
			return err
		}
		ranges = make([][]redis.Z, len(wanting))
		for n := range answers {
			ranges[n] = answers[n].Val()
		}
		return nil
	})
	return ranges, err
}

// ours reports whether an entry can have been written by the ledger: one that
// was not must not stop a list.
func (l *Ledger) ours(at Cursor) bool {
	key, _, err := parseOpenMember(at.member)
	if err != nil {
		return false
	}
	bucket, err := l.buckets.index(key)
	return err == nil && bucket == at.bucket
}
