package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// repairBatch is about how many keys, or entries of an index, Repair looks at
	// at once.
	repairBatch = 200
	// repairRest is how many times as long as a batch took Repair rests after it, so
	// that it takes a quarter of the time of one connection and of one processor at
	// most. Among very many customers it goes on nearly all the time, and calls
	// should not feel it.
	repairRest = 3
)

// Repaired is what Repair found.
type Repaired struct {
	Customers int // with an open case, looked at
	Wrong     int // customers told of: an index entry was missing or out of place
	Orphans   int // index entries that spoke of nothing, removed
}

// Repair walks all customers and both indexes, and finds what they disagree on.
// The customer is the truth. Entries that speak of a customer or a case that is
// gone are removed here. A customer with an open case whose entries are missing
// or out of place is told to each, which is to make them right with
// [Ledger.Update] of a Write without requests and with Reindex set. Each is
// called between two batches, by this goroutine; it may be told of a customer
// that is right meanwhile, or twice, and should see to it that several
// processes do not do the same work for nothing.
//
// Due says what the due entry of a customer should be, as Judgement.Due does.
//
// It takes minutes where there are millions. Whatever cannot be read is passed
// over and told in the error, so the next walk may find more.
func (l *Ledger) Repair(ctx context.Context, due func(Snapshot) time.Time, each func(Key)) (Repaired, error) {
	masters, err := l.masters(ctx)
	if err != nil {
		return Repaired{}, l.failed(err, false)
	}
	r := &repair{ledger: l, due: due, each: each, byTag: map[string]names{}}
	for _, n := range l.buckets {
		r.byTag[n.tag] = n
	}
	for _, m := range masters {
		r.note(r.server(ctx, m))
	}
	return r.found, errors.Join(r.errs...)
}

// masters lists the servers that hold keys.
func (l *Ledger) masters(ctx context.Context) ([]*redis.Client, error) {
	c, ok := l.client.(*redis.ClusterClient)
	if !ok {
		owner, err := l.owner(ctx, "")
		return []*redis.Client{owner}, err
	}
	nodes, err := clusterNodes(ctx, c)
	var masters []*redis.Client
	for _, n := range nodes {
		if !n.replica {
			masters = append(masters, n.client)
		}
	}
	return masters, err
}

// repair is one call of Repair.
type repair struct {
	ledger *Ledger
	due    func(Snapshot) time.Time
	each   func(Key)
	byTag  map[string]names // buckets
	found  Repaired
	errs   []error
	over   time.Duration // batches and the rests after them
}

// mostErrs is how many errors are told of one walk.
const mostErrs = 10

// note keeps an error with its cause, which nobody could find among several.
func (r *repair) note(err error) {
	if err != nil && len(r.errs) < mostErrs {
		r.errs = append(r.errs, fmt.Errorf("%w (%w)", err, Cause(err)))
	}
}

// passedOver tells a fault of what lies in one place from one of the store,
// which would be the same with the next.
func passedOver(err error) bool { return err != nil && classify(err) == classBroken }

// walk calls step with the cursor of SCAN or ZSCAN until it comes back to 0.
func (r *repair) walk(ctx context.Context, step func(ctx context.Context, cursor uint64) (uint64, error)) error {
	for cursor := uint64(0); ; {
		begin, before := time.Now(), r.over
		var next uint64
		err := r.ledger.persist(ctx, func(ctx context.Context) (err error) {
			next, err = step(ctx, cursor)
			return err
		})
		if err != nil || next == 0 {
			return err
		}
		cursor = next
		busy := time.Since(begin) - (r.over - before) // a walk within this one has rested by itself
		if !pause(ctx, repairRest*busy) {
			return r.ledger.failed(cmp.Or(ctx.Err(), context.DeadlineExceeded), false)
		}
		r.over = before + time.Since(begin)
	}
}

// server walks the keys of one server.
func (r *repair) server(ctx context.Context, server *redis.Client) error {
	var keys []string
	return r.walk(ctx, func(one context.Context, cursor uint64) (next uint64, err error) {
		if keys, next, err = server.Scan(one, cursor, "{b*", repairBatch).Result(); err != nil {
			return 0, err
		}
		var customers []Key
		for _, name := range keys {
			tag, rest, _ := strings.Cut(name, ":")
			n, ours := r.byTag[tag+":"]
			kind, tenant, _ := strings.Cut(rest, ":")
			switch {
			case !ours:
			case rest == "due":
				r.note(r.dueIndex(ctx, n))
			case kind == "open":
				r.note(r.openIndex(ctx, n, tenant))
			case strings.HasPrefix(rest, customerPrefix):
				customers = append(customers, Key(rest[len(customerPrefix):]))
			}
		}
		r.note(r.customers(ctx, customers))
		return next, nil
	})
}

// customers compares customers who have an open case with the indexes. They are
// the ones whose hash has no end.
func (r *repair) customers(ctx context.Context, keys []Key) error {
	open, err := r.endless(ctx, keys)
	if err != nil || len(open) == 0 {
		return err
	}
	all, err := r.ledger.loadMany(ctx, open, whole)
	if err != nil {
		return err
	}
	var look []*placing
	for _, key := range open {
		at := all[key]
		if at.fault != nil {
			r.note(at.fault)
			continue
		}
		if at.token != "" && len(at.state.customer.Open) > 0 {
			n, _ := r.ledger.buckets.of(key) // whom loadMany has found
			look = append(look, &placing{key: key, names: n, at: at})
		}
	}
	r.found.Customers += len(look)
	if err := r.ledger.persist(ctx, func(ctx context.Context) error { return r.place(ctx, look) }); err != nil {
		return err
	}
	for _, p := range look {
		if err := ctx.Err(); err != nil {
			return r.ledger.failed(err, false)
		}
		right, err := p.right(r.due(p.at.snapshot(p.key)))
		if err != nil {
			r.note(r.ledger.failed(err, false))
		} else if !right {
			r.found.Wrong++
			r.each(p.key)
		}
	}
	return nil
}

// endless gives the customers whose hash has no end.
func (r *repair) endless(ctx context.Context, keys []Key) (open []Key, err error) {
	err = r.ledger.persist(ctx, func(ctx context.Context) error {
		open = open[:0]
		pipe := r.ledger.client.Pipeline()
		answers := map[Key]*redis.DurationCmd{}
		for _, key := range keys {
			if n, err := r.ledger.buckets.of(key); err == nil {
				answers[key] = pipe.PTTL(ctx, n.customer)
			}
		}
		_, err := pipe.Exec(ctx)
		for key, left := range answers {
			if left.Err() == nil && left.Val() == -1 {
				open = append(open, key)
			}
		}
		return err
	})
	return open, err
}

// placing is where a customer stands in the indexes.
type placing struct {
	key   Key
	names names
	at    *loaded
	due   *redis.FloatCmd
	open  []*redis.FloatCmd // of the open cases
}

// place looks customers up in the indexes, in one round trip. What is wrong with an
// index is left to those who stand in it.
func (r *repair) place(ctx context.Context, look []*placing) error {
	if len(look) == 0 {
		return nil
	}
	pipe := r.ledger.client.Pipeline()
	for _, p := range look {
		p.due, p.open = pipe.ZScore(ctx, p.names.due, string(p.key)), nil
		for i := range p.at.state.customer.Open {
			member := openMember(p.key, p.at.state.customer.Open[i].Number)
			p.open = append(p.open, pipe.ZScore(ctx, p.names.open(p.at.state.tenant), member))
		}
	}
	_, _ = pipe.Exec(ctx) // each command keeps its error
	for _, p := range look {
		if err := p.fault(); err != nil && !passedOver(err) {
			return err
		}
	}
	return nil
}

// fault is why it is not known where the customer stands.
func (p *placing) fault() error {
	for _, score := range append(p.open[:len(p.open):len(p.open)], p.due) {
		if err := score.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
	}
	return nil
}

// right reports whether all index entries of the customer are as they should be.
func (p *placing) right(due time.Time) (bool, error) {
	right := scoreText(p.due) == score(due)
	for i := range p.open {
		right = right && scoreText(p.open[i]) == strconv.FormatInt(openScore(&p.at.state.customer.Open[i]), 10)
	}
	return right, p.fault()
}

// scoreText gives a score as it was written; "" for none.
func scoreText(score *redis.FloatCmd) string {
	if score.Err() != nil {
		return ""
	}
	return strconv.FormatInt(int64(score.Val()), 10)
}
