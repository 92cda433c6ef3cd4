package ledger

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/recovery"
)

// Cases gives the cases that events are about as they stand now, each read once
// however many of the events are about it. One that is gone, or that cannot be
// read, is nil.
func (t *Tail) Cases(ctx context.Context, events []Event) ([]*recovery.Case, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	type name struct {
		key    Key
		number int64
	}
	known := make(map[name]*recovery.Case, len(events))
	asked := make([]name, 0, len(events))
	for i := range events {
		n := name{events[i].Key, events[i].Case}
		if _, twice := known[n]; !twice {
			known[n] = nil
			asked = append(asked, n)
		}
	}
	for chunk := range slices.Chunk(asked, tailChunk) {
		pipe := t.client.Pipeline()
		reads := make([]*redis.SliceCmd, len(chunk))
		for i, n := range chunk {
			if at, err := t.buckets.of(n.key); err == nil {
				reads[i] = pipe.HMGet(ctx, at.customer, "s", caseField(n.number))
			}
		}
		_, _ = pipe.Exec(ctx) // the commands keep their errors
		for i, n := range chunk {
			if reads[i] == nil {
				continue
			}
			if err := reads[i].Err(); err != nil && classify(err) != classBroken {
				return nil, failed(err, false)
			}
			known[n] = standing(reads[i].Val(), n.number)
		}
	}
	out := make([]*recovery.Case, len(events))
	for i := range events {
		out[i] = known[name{events[i].Key, events[i].Case}]
	}
	return out, nil
}

// standing takes the case out of the state and the closed case that were read.
func standing(fields []any, number int64) *recovery.Case {
	if len(fields) != 2 {
		return nil
	}
	if body, ok := fields[0].(string); ok {
		s, err := decodeState(body)
		if err != nil {
			return nil
		}
		if k := recovery.Numbered(s.customer.Open, number); k != nil {
			return k
		}
	}
	body, ok := fields[1].(string)
	if !ok {
		return nil
	}
	k, err := decodeCase(body)
	if err != nil {
		return nil
	}
	return &k
}
