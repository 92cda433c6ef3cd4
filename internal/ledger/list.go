package ledger

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/recovery"
)

// Query asks for cases of one tenant that are not closed: open ones and those
// that await their follow-up.
type Query struct {
	Tenant string
	Before time.Time // only cases whose next deadline comes before; zero: any
	After  Cursor    // where the page begins; zero: at the first case
	Most   int       // index entries to look at, 1 or more: no more cases than that are given
}

// Page is a part of a list, in order: by next deadline, cases without one last.
// Cases with the same deadline are in an order that is always the same.
type Page struct {
	Cases []Listed
	Next  Cursor // where the next page begins
	More  bool   // there is a next page; it may be empty
}

// Listed is a case with the customer around it and the place after it.
type Listed struct {
	Case     recovery.Case
	Snapshot Snapshot
	Cursor   Cursor
}

// Cursor is a place in a list, after one case, whether or not that case is
// still there: other cases that come and go do not move it. The zero value is
// the beginning.
type Cursor struct {
	score  int64
	bucket int
	member string // of the index of open cases; empty at the beginning
}

// String writes a cursor as [Ledger.ParseCursor] reads it, in letters, digits,
// dots, hyphens and underscores; empty for the beginning.
func (c Cursor) String() string {
	if c.member == "" {
		return ""
	}
	return strconv.FormatInt(c.score, 10) + "." + c.member
}

// ErrCursor says that a string is no cursor.
var ErrCursor = errors.New("malformed cursor")

// ParseCursor reads a cursor. It accepts only what [Cursor.String] writes;
// every other string gives ErrCursor.
func (l *Ledger) ParseCursor(text string) (Cursor, error) {
	if text == "" {
		return Cursor{}, nil
	}
	digits, member, _ := strings.Cut(text, ".")
	score, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || strconv.FormatInt(score, 10) != digits {
		return Cursor{}, ErrCursor
	}
	key, _, err := parseOpenMember(member)
	if err != nil {
		return Cursor{}, ErrCursor
	}
	bucket, err := l.buckets.index(key)
	return Cursor{score, bucket, member}, err
}

// compare orders the entries of all indexes: by score, then by bucket, then by
// member. With the bucket before the member no more than one index has to be
// searched for the place of a cursor among many entries of the same score.
func (c Cursor) compare(d Cursor) int {
	return cmp.Or(cmp.Compare(c.score, d.score), cmp.Compare(c.bucket, d.bucket), cmp.Compare(c.member, d.member))
}

// List gives one page of a tenant's cases. It reads the indexes of all buckets
// and the customers of the page, each once; its work grows with Query.Most, not
// with the number of cases. An entry whose case is gone is passed over,
// and so is a customer who cannot be read, of whom the log tells.
//
// A case stands where its last change put it: what time alone has changed since
// is not considered.
//
// Errors: *Unavailable, ErrOverloaded, ErrBroken and context.Canceled. Unlike
// Due it gives nothing when a server is lost: a list with holes looks whole.
func (l *Ledger) List(ctx context.Context, q Query) (Page, error) {
	places, more, err := l.places(ctx, q)
	if err != nil || len(places) == 0 {
		return Page{}, err
	}
	wanted := make([]Key, len(places))
	for i, p := range places {
		wanted[i], _, _ = parseOpenMember(p.member)
	}
	customers, err := l.loadMany(ctx, wanted, whole)
	if err != nil {
		return Page{}, err
	}
	page := Page{Next: places[len(places)-1], More: more}
	for i, p := range places {
		at := customers[wanted[i]]
		if at.fault != nil {
			l.opts.Logger.Error("a case is left out of a list: its customer cannot be read", "error", Cause(at.fault))
			continue
		}
		k, ok := at.listed(q.Tenant, p.member)
		if !ok || !q.Before.IsZero() && !due(k, q.Before) {
			continue
		}
		page.Cases = append(page.Cases, Listed{Case: *k, Snapshot: at.snapshot(wanted[i]), Cursor: p})
	}
	return page, nil
}

// listed gives the case that an index entry of that tenant speaks of, if it is
// rightly there.
func (at *loaded) listed(tenant, member string) (*recovery.Case, bool) {
	_, number, err := parseOpenMember(member)
	if err != nil || at.token == "" || at.state.tenant != tenant {
		return nil, false
	}
	k := recovery.Numbered(at.state.customer.Open, number)
	return k, k != nil
}

func due(k *recovery.Case, before time.Time) bool {
	at := k.NextDeadline()
	return !at.IsZero() && at.Before(before)
}

// mostLoaded is how many customers one round trip reads: what fits through a
// connection in the time that an answer may take.
const mostLoaded = 200

// extent is how much of a customer is read, of several at a time.
type extent struct {
	fields []string                                  // "v" first
	decode func(at *loaded, name, body string) error // of the field "s"
}

var (
	// whole is all that there is.
	whole = extent{[]string{"v", "s"}, (*loaded).decode}
	// outlined is only whose customer it is, and the numbers of the open cases:
	// most of a state is passed over.
	outlined = extent{[]string{"v", "s"}, (*loaded).outline}
	// present is only whether there is one.
	present = extent{[]string{"v"}, func(*loaded, string, string) error { return nil }}
)

// loadMany reads customers, each once. A stranger has no token, and one who
// cannot be read has a fault, which keeps no other from being read.
func (l *Ledger) loadMany(ctx context.Context, wanted []Key, r extent) (map[Key]*loaded, error) {
	all := make(map[Key]*loaded, len(wanted))
	var batch []Key
	for i, key := range wanted {
		if _, ok := all[key]; !ok {
			all[key] = &loaded{}
			batch = append(batch, key)
		}
		if len(batch) < mostLoaded && i < len(wanted)-1 || len(batch) == 0 {
			continue
		}
		err := l.persist(ctx, func(ctx context.Context) error { return l.loadBatch(ctx, batch, r, all) })
		if err != nil {
			return nil, err
		}
		batch = batch[:0]
	}
	return all, nil
}

// loadBatch reads customers in one round trip.
func (l *Ledger) loadBatch(ctx context.Context, batch []Key, r extent, into map[Key]*loaded) (err error) {
	done := l.opts.Observe(ctx, "list", "")
	defer func() { done(err) }()
	pipe := l.client.Pipeline()
	answers := make([]*redis.SliceCmd, len(batch))
	for i, key := range batch {
		n, err := l.home(key)
		if err != nil {
			return err
		}
		answers[i] = pipe.HMGet(ctx, n.customer, r.fields...)
	}
	_, _ = pipe.Exec(ctx) // the commands keep their errors
	for i, key := range batch {
		n, _ := l.buckets.of(key)
		if err := l.take(into[key], n.customer, answers[i], r); err != nil {
			return err
		}
	}
	return nil
}

// take takes in the answer that speaks of one customer.
func (l *Ledger) take(at *loaded, name string, answer *redis.SliceCmd, r extent) error {
	values, err := answer.Result()
	if redis.HasErrorPrefix(err, "WRONGTYPE") { // of this key alone
		at.fault = l.failed(naming(name, err), false)
		return nil
	}
	if err != nil {
		return err
	}
	if token, ok := values[0].(string); ok {
		body, _ := values[len(values)-1].(string) // what is only present has none, and needs none
		at.token = token
		at.fault = r.decode(at, name, body)
	}
	return nil
}
