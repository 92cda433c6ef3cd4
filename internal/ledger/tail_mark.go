package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// unseenBit in the number of a mark says that the rest of it is a moment.
const unseenBit = 1 << 63

// A commit takes its time from the clock before it is made, so an event may be a
// little older than the moment at which it could be seen. Watching from a moment
// on begins by so much earlier.
const lookBack = 10 * time.Second

// lastEvent is the highest id that the ledger could give, and beforeFirst the
// highest one before those that it gives.
const (
	lastEvent   = eventPrefix + "18446744073709551615"
	beforeFirst = "0-18446744073709551615"
)

// unseen is the mark of a bucket that could not be read when watching began. It
// stands before the first event that was recorded from then on.
func unseen(since time.Time) Mark { return Mark{Next: unseenBit | uint64(since.Unix())} }

// Unseen reports whether nobody knows yet which event comes next: the bucket
// could not be read when the mark was made.
func (m Mark) Unseen() bool { return m.Next&unseenBit != 0 }

// Before reports whether the event lies behind the mark, and so is still to come.
func (m Mark) Before(e *Event) bool {
	if m.Unseen() {
		return !e.RecordedAt.Before(m.since())
	}
	return e.Number >= m.Next
}

// Covers reports whether whoever reads on from m gets all that comes after n.
func (m Mark) Covers(n Mark) bool {
	if n.Unseen() && !m.Unseen() {
		return false
	}
	return m.Next <= n.Next
}

func (m Mark) since() time.Time {
	return time.Unix(int64(m.Next&^unseenBit), 0).Add(-lookBack)
}

// Ends gives the epoch of the store and, for each bucket, the mark behind the
// last event. The mark of a bucket that cannot be read is Unseen; the error says
// that none can, or that nobody knows the epoch.
func (t *Tail) Ends(ctx context.Context) (epoch string, marks []Mark, err error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	marks = make([]Mark, len(t.buckets))
	for i := range marks {
		marks[i] = unseen(t.ledger.Now())
	}
	if reached, err := t.each(ctx, func(r *reading) { t.begin(r, marks, false) }); !reached {
		return "", nil, err
	}
	epoch, err = t.epoch(ctx, true)
	if known := t.ledger.epoch.Load(); err != nil && known != nil {
		return *known, marks, nil // if it is not that any more, Check finds out
	}
	if err != nil {
		return "", nil, t.ledger.failed(err, false)
	}
	return epoch, marks, nil
}

// begin replaces the marks of buckets that had not been seen: by where they end
// or, if it is to look back, by where they stood at the moment of the mark. It
// gives those whose marks are numbers afterwards, and whether events are missing.
func (t *Tail) begin(r *reading, marks []Mark, back bool) (known []int, gap bool) {
	pipe := r.on.Pipeline()
	last := map[int]*redis.XMessageSliceCmd{}
	erased := map[int]*redis.StringSliceCmd{}
	for _, b := range r.buckets {
		if !marks[b].Unseen() {
			known = append(known, b)
			continue
		}
		last[b] = pipe.XRevRangeN(r.ctx, t.buckets[b].events, lastEvent, "-", 1)
		erased[b] = pipe.ZRangeArgs(r.ctx, redis.ZRangeArgs{Key: t.buckets[b].erased(), Start: 0, Stop: 0, Rev: true})
	}
	if len(last) == 0 {
		return known, false
	}
	_, _ = pipe.Exec(r.ctx) // the commands keep their errors
	for b := range last {
		mark, later, err := t.end(b, marks[b], last[b], erased[b])
		if back && later {
			mark, err = t.backTo(r, b, marks[b])
		}
		switch {
		case errors.Is(err, ErrGap):
			gap = true
		case err != nil:
			r.fault(b, err)
		default:
			r.answered = true
			marks[b] = mark
			known = append(known, b)
		}
	}
	return known, gap
}

// end is the mark behind the last event of a bucket, which may be an erased one.
// Later says that the last one that is there lies behind the mark from.
func (t *Tail) end(bucket int, from Mark, last *redis.XMessageSliceCmd, erased *redis.StringSliceCmd) (mark Mark, later bool, err error) {
	if err := last.Err(); err != nil {
		return Mark{}, false, naming(t.buckets[bucket].events, err)
	}
	if err := erased.Err(); err != nil {
		return Mark{}, false, naming(t.buckets[bucket].erased(), err)
	}
	for _, entry := range last.Val() {
		if e, ours := t.event(bucket, entry); ours {
			mark, later = e.After(), e.Key == "" || from.Before(&e)
		}
	}
	for n := range erasedNumbers(erased.Val()) {
		if n >= mark.Next {
			mark = Mark{Next: n + 1}
		}
	}
	return mark, later, nil
}

// backTo walks back to the first event that lies behind the mark.
func (t *Tail) backTo(r *reading, bucket int, from Mark) (Mark, error) {
	oldest := uint64(0)
	for end := lastEvent; ; {
		page, err := r.on.XRevRangeN(r.ctx, t.buckets[bucket].events, end, "-", streamPage).Result()
		if err != nil {
			return Mark{}, err
		}
		for _, entry := range page {
			e, ours := t.event(bucket, entry)
			if ours && e.Key != "" && !from.Before(&e) {
				return e.After(), nil
			}
			if ours {
				oldest = e.Number
			}
		}
		if len(page) < streamPage {
			break
		}
		end = "(" + page[len(page)-1].ID
	}
	if oldest > 0 {
		return Mark{}, ErrGap // what came before it may have been one of those
	}
	return Mark{}, nil
}

// epochField of the ledger's record is random: another store, or the same one
// emptied, has another.
const epochField = "epoch"

// newEpoch is 11 characters.
func newEpoch() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return printable.EncodeToString(b[:])
}

// epoch reads it and, if asked to, writes it once for all where it is missing;
// else that is ErrGap.
func (t *Tail) epoch(ctx context.Context, write bool) (epoch string, err error) {
	server, err := t.owner(ctx, metaKey)
	if err != nil {
		return "", err
	}
	if err := t.away.is(server); err != nil {
		return "", err
	}
	one, cancel := context.WithTimeout(ctx, tailTime)
	defer cancel()
	epoch, err = t.client.HGet(one, metaKey, epochField).Result()
	switch {
	case !errors.Is(err, redis.Nil):
	case !write:
		return "", ErrGap
	default:
		if err := t.client.HSetNX(one, metaKey, epochField, newEpoch()).Err(); err != nil {
			return "", err
		}
		epoch, err = t.client.HGet(one, metaKey, epochField).Result()
	}
	if ctx.Err() == nil {
		t.away.note(server, err)
	}
	return epoch, err
}

// erasedNumbers are the members of the record of erased events: each is the
// number of one, so that it is not taken for lost.
func erasedNumbers(members []string) map[uint64]bool {
	numbers := make(map[uint64]bool, len(members))
	for _, m := range members {
		if n, err := strconv.ParseUint(m, 10, 64); err == nil { // else nobody here wrote it
			numbers[n] = true
		}
	}
	return numbers
}
