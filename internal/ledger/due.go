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
// so many of each bucket, the longest overdue first. Those that are put aside
// are passed over and do not count, so they cannot hide the ones behind them. It
// asks every server once, all at the same time. When a server does not answer,
// the customers of the others are given together with the error; there is no
// second attempt, since whoever looks for what is due looks again soon.
//
// Errors: *Unavailable, ErrOverloaded, ErrBroken and context.Canceled.
func (l *Ledger) Due(ctx context.Context, now time.Time, most int, aside map[Due]bool) ([]Due, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	groups, err := l.byServer(ctx)
	if err != nil {
		return nil, l.failed(err, false)
	}
	s := l.search(now, most, aside)
	var mu sync.Mutex
	var all []Due
	var errs []error
	var wg sync.WaitGroup
	for server, group := range groups {
		wg.Go(func() {
			found, err := l.dueAt(ctx, server, group, s)
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

// Server names the server that holds a customer, for those who keep servers apart;
// empty when nobody knows.
func (l *Ledger) Server(ctx context.Context, key Key) string {
	n, err := l.buckets.of(key)
	if err != nil {
		return ""
	}
	server, err := l.owner(ctx, n.customer)
	if err != nil {
		return ""
	}
	return server.Options().Addr
}

// search is what one look for what is due asks of each index.
type search struct {
	until  string // the highest score
	most   int
	aside  map[Due]bool
	beside map[string]int // how many are put aside in each index
	astray int            // and how many that may be in any of them
}

func (l *Ledger) search(now time.Time, most int, aside map[Due]bool) search {
	s := search{until: strconv.FormatInt(now.UnixMilli(), 10), most: most, aside: aside, beside: map[string]int{}}
	for d := range aside {
		if n, err := l.buckets.of(d.Key); err == nil {
			s.beside[n.due]++
		} else { // an entry that nobody here wrote
			s.astray++
		}
	}
	return s
}

// of asks an index for as many more as may have to be passed over.
func (s search) of(index string) redis.ZRangeArgs {
	count := s.most + s.beside[index] + s.astray
	return redis.ZRangeArgs{Key: index, ByScore: true, Start: "-inf", Stop: s.until, Count: int64(count)}
}

// pick takes what is asked for from the entries of one index.
func (s search) pick(entries []redis.Z) (found []Due) {
	for _, e := range entries {
		d := Due{Key: Key(e.Member.(string)), At: time.UnixMilli(int64(e.Score)).UTC()}
		if len(found) < s.most && !s.aside[d] {
			found = append(found, d)
		}
	}
	return found
}

// dueAt reads the beginning of some due indexes of one server.
func (l *Ledger) dueAt(ctx context.Context, server *redis.Client, group buckets, s search) (found []Due, err error) {
	pipe := server.Pipeline()
	answers := make([]*redis.ZSliceCmd, len(group))
	for i, n := range group {
		answers[i] = pipe.ZRangeArgsWithScores(ctx, s.of(n.due))
	}
	_, _ = pipe.Exec(ctx) // each command keeps its error
	for i, n := range group {
		entries, fault := answers[i].Result()
		if redis.HasErrorPrefix(fault, "MOVED") || redis.HasErrorPrefix(fault, "ASK") {
			reload(ctx, l.client)
			entries, fault = l.client.ZRangeArgsWithScores(ctx, s.of(n.due)).Result() // follows the bucket to where it went
		}
		if fault != nil && err == nil {
			err = naming(n.due, fault)
			reload(ctx, l.client)
		}
		found = append(found, s.pick(entries)...)
	}
	return found, err
}

// Undue takes a customer off the due index who has no open case, or is gone:
// nothing can be due there. One who opens a case meanwhile is left alone, and so
// is one who has an open case; whose entry is mended by [Ledger.Update] of a
// Write with Reindex set. Errors are those of Load.
func (l *Ledger) Undue(ctx context.Context, key Key) error {
	n, err := l.home(key)
	if err != nil {
		return err
	}
	at, err := l.load(ctx, key, nil)
	if err != nil || len(at.state.customer.Open) > 0 {
		return err
	}
	return l.persist(ctx, func(ctx context.Context) error {
		return l.run(ctx, l.orphan, []string{n.customer, n.due}, []any{at.token, string(key)}).Err()
	})
}
