package ledger

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Due is a customer for whom something is due.
type Due struct {
	Key Key
	At  time.Time // to the millisecond, rounded up
}

// Due finds the customers for whom something is due at or before now, at most
// so many of each bucket, the longest overdue first. It asks every server once,
// all at the same time. When a server does not answer, the customers of the
// others are given together with the error; there is no second attempt, since
// whoever looks for what is due looks again soon.
//
// Errors: *Unavailable, ErrOverloaded, ErrBroken and context.Canceled.
func (l *Ledger) Due(ctx context.Context, now time.Time, most int) ([]Due, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	groups, err := l.byServer(ctx)
	if err != nil {
		return nil, l.failed(err, false)
	}
	var mu sync.Mutex
	var all []Due
	var errs []error
	var wg sync.WaitGroup
	for server, group := range groups {
		wg.Go(func() {
			found, err := l.dueAt(ctx, server, group, redis.ZRangeArgs{
				ByScore: true, Start: "-inf", Stop: strconv.FormatInt(now.UnixMilli(), 10), Count: int64(most),
			})
			mu.Lock()
			defer mu.Unlock()
			all = append(all, found...)
			if err != nil {
				errs = append(errs, l.failed(err, false))
			}
		})
	}
	wg.Wait()
	slices.SortFunc(all, func(a, b Due) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Key, b.Key)) })
	return all, errors.Join(errs...)
}

// byServer tells which server holds which buckets. The driver could find out
// by itself, but it would have all wait for its attempts at a lost one.
func (l *Ledger) byServer(ctx context.Context) (map[*redis.Client]buckets, error) {
	groups := map[*redis.Client]buckets{}
	for _, n := range l.buckets {
		server, err := l.owner(ctx, n.due)
		if err != nil {
			return nil, err
		}
		groups[server] = append(groups[server], n)
	}
	return groups, nil
}

// dueAt reads a range of some due indexes of one server.
func (l *Ledger) dueAt(ctx context.Context, server *redis.Client, group buckets, what redis.ZRangeArgs) (found []Due, err error) {
	pipe := server.Pipeline()
	answers := make([]*redis.ZSliceCmd, len(group))
	for i, n := range group {
		what.Key = n.due
		answers[i] = pipe.ZRangeArgsWithScores(ctx, what)
	}
	_, _ = pipe.Exec(ctx) // each command keeps its error
	for i, n := range group {
		entries, fault := answers[i].Result()
		if redis.HasErrorPrefix(fault, "MOVED") || redis.HasErrorPrefix(fault, "ASK") {
			l.reload(ctx)
			what.Key = n.due
			entries, fault = l.client.ZRangeArgsWithScores(ctx, what).Result() // follows the bucket to where it went
		}
		if fault != nil && err == nil {
			err = fault
			l.reload(ctx)
		}
		for _, e := range entries {
			found = append(found, Due{Key: Key(e.Member.(string)), At: time.UnixMilli(int64(e.Score)).UTC()})
		}
	}
	return found, err
}

// reload has a cluster client look, in the background, at who owns what.
func (l *Ledger) reload(ctx context.Context) {
	if c, ok := l.client.(*redis.ClusterClient); ok {
		c.ReloadState(ctx)
	}
}
