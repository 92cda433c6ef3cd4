package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrGap says that events between a mark and now are no longer there, or that
// the store is not the one in which the mark was made.
var ErrGap = errors.New("events are missing")

const (
	// tailConnections is how many reads of streams go on at once. They have
	// connections of their own, so that they never take one from a call.
	tailConnections = 6
	// tailTime is how long one pipeline over all buckets may take.
	tailTime = 2 * time.Second
	// tailChunk is how many cases are asked for in one pipeline.
	tailChunk = 256
)

// Tail reads the streams of events. It may be used by many goroutines; close it
// before the ledger.
type Tail struct {
	client  redis.UniversalClient
	buckets buckets
}

// Tail connects for reading events; nothing is dialled yet.
func (l *Ledger) Tail() *Tail {
	t := &Tail{buckets: l.buckets}
	switch c := l.client.(type) {
	case *redis.ClusterClient:
		o := l.clusterOptions()
		o.PoolSize, o.ReadTimeout, o.WriteTimeout = tailConnections, tailTime, tailTime
		t.client = redis.NewClusterClient(o)
	case *redis.Client:
		if l.store.mode == sentinel {
			o := l.failoverOptions()
			o.PoolSize, o.ReadTimeout, o.WriteTimeout = tailConnections, tailTime, tailTime
			t.client = redis.NewFailoverClient(o)
			break
		}
		o := l.serverOptions(c.Options().Addr)
		o.PoolSize, o.ReadTimeout, o.WriteTimeout = tailConnections, tailTime, tailTime
		t.client = redis.NewClient(o)
	}
	return t
}

// Buckets is how many streams there are.
func (t *Tail) Buckets() int { return len(t.buckets) }

// Close ends the connections.
func (t *Tail) Close() error { return t.client.Close() }

// Ends gives the epoch of the store and, for each bucket, the mark behind the
// last event.
func (t *Tail) Ends(ctx context.Context) (epoch string, marks []Mark, err error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	if epoch, err = t.epoch(ctx); err != nil {
		return "", nil, failed(err, false)
	}
	pipe := t.client.Pipeline()
	last := make([]*redis.XMessageSliceCmd, len(t.buckets))
	erased := make([]*redis.StringSliceCmd, len(t.buckets))
	for i, n := range t.buckets {
		last[i] = pipe.XRevRangeN(ctx, n.events, "+", "-", 1)
		erased[i] = pipe.ZRangeArgs(ctx, redis.ZRangeArgs{Key: n.erased(), Start: 0, Stop: 0, Rev: true})
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return "", nil, failed(err, false)
	}
	marks = make([]Mark, len(t.buckets))
	for i := range marks {
		if marks[i], err = end(i, last[i].Val(), erased[i].Val()); err != nil {
			return "", nil, err
		}
	}
	return epoch, marks, nil
}

// end is the mark behind the last event of a bucket, which may be an erased one.
func end(bucket int, last []redis.XMessage, erased []string) (mark Mark, err error) {
	if len(last) > 0 {
		e, err := decodeEvent(bucket, last[0])
		if err != nil {
			return Mark{}, err
		}
		mark = e.After()
	}
	numbers, err := erasedNumbers(bucket, erased)
	for n := range numbers {
		if n >= mark.Next {
			mark = Mark{Next: n + 1}
		}
	}
	return mark, err
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

// epoch reads it, and writes it once for all where it is missing.
func (t *Tail) epoch(ctx context.Context) (string, error) {
	epoch, err := t.client.HGet(ctx, metaKey, epochField).Result()
	if !errors.Is(err, redis.Nil) {
		return epoch, err
	}
	if err := t.client.HSetNX(ctx, metaKey, epochField, newEpoch()).Err(); err != nil {
		return "", err
	}
	return t.client.HGet(ctx, metaKey, epochField).Result()
}

// erasedNumbers are the members of the record of erased events: each is the
// number of one, so that it is not taken for lost.
func erasedNumbers(bucket int, members []string) (map[uint64]bool, error) {
	if len(members) == 0 {
		return nil, nil
	}
	numbers := make(map[uint64]bool, len(members))
	for _, m := range members {
		n, err := strconv.ParseUint(m, 10, 64)
		if err != nil {
			return nil, &fault{kind: ErrBroken, cause: fmt.Errorf("erased event of bucket %d: %w", bucket, err)}
		}
		numbers[n] = true
	}
	return numbers, nil
}
