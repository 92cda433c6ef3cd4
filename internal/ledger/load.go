package ledger

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/recovery"
)

// Snapshot is a customer as it stood at one moment.
type Snapshot struct {
	Tenant   string // empty for a stranger
	Key      Key
	Customer recovery.Customer // of a stranger who was erased: what remained, see Erase
	Found    bool              // false: a stranger
	Version  int64             // changes made so far; 0 for a stranger
}

// loaded is a customer as it stands in Redis, with the records asked for.
type loaded struct {
	token string // field "v"; empty for a stranger
	tomb  string // field "t": what remains of an erased one; empty when there is none
	state state
	extra []any // the further fields asked for: string, or nil where there is none
	fault error // why it could not be read; of loadMany alone
}

// Load reads a customer; a stranger is no error.
func (l *Ledger) Load(ctx context.Context, key Key) (Snapshot, error) {
	at, err := l.load(ctx, key, nil)
	if err != nil {
		return Snapshot{}, err
	}
	return at.snapshot(key), nil
}

// Case reads one case, open or closed, and the customer around it. A case that
// never was or is no longer kept gives ErrNotFound; so does a malformed id,
// which is ErrCaseID as well.
func (l *Ledger) Case(ctx context.Context, caseID string) (Snapshot, recovery.Case, error) {
	key, number, err := ParseCaseID(caseID)
	if err != nil {
		return Snapshot{}, recovery.Case{}, &fault{kind: ErrNotFound, cause: err}
	}
	at, err := l.load(ctx, key, []string{caseField(number)})
	if err != nil {
		return Snapshot{}, recovery.Case{}, err
	}
	if k := recovery.Numbered(at.state.customer.Open, number); k != nil {
		return at.snapshot(key), *k, nil
	}
	body, ok := at.field(0)
	if !ok {
		return Snapshot{}, recovery.Case{}, ErrNotFound
	}
	k, err := decodeCase(body)
	if err != nil {
		return Snapshot{}, recovery.Case{}, l.failed(brokenCase(key, number, err), false)
	}
	return at.snapshot(key), k, nil
}

// Cases reads all cases that are kept, the newest first: every open one and the
// last 100 closed ones. It takes two round trips.
func (l *Ledger) Cases(ctx context.Context, key Key) (Snapshot, []recovery.Case, error) {
	at, err := l.load(ctx, key, nil)
	if err != nil {
		return Snapshot{}, nil, err
	}
	closed, err := l.closedCases(ctx, key, at.state.closed)
	if err != nil {
		return Snapshot{}, nil, err
	}
	cases := append(closed, at.state.customer.Open...)
	slices.SortFunc(cases, func(a, b recovery.Case) int { return cmp.Compare(b.Number, a.Number) })
	return at.snapshot(key), cases, nil
}

func (l *Ledger) closedCases(ctx context.Context, key Key, numbers []int64) ([]recovery.Case, error) {
	if len(numbers) == 0 {
		return nil, nil
	}
	at, err := l.load(ctx, key, convert(numbers, caseField))
	if err != nil {
		return nil, err
	}
	cases := make([]recovery.Case, 0, len(numbers))
	for i, number := range numbers {
		body, ok := at.field(i)
		if !ok {
			continue // gave way to a newer one between the two reads
		}
		k, err := decodeCase(body)
		if err != nil {
			return nil, l.failed(brokenCase(key, number, err), false)
		}
		cases = append(cases, k)
	}
	return cases, nil
}

// home gives the names of what is kept of a customer, unless the store is known to
// be that of another ledger.
func (l *Ledger) home(key Key) (names, error) {
	if err := l.familiar(); err != nil {
		return names{}, err
	}
	n, err := l.buckets.of(key)
	if err != nil {
		return names{}, &fault{kind: ErrNotFound, cause: err}
	}
	return n, nil
}

// load reads state and further fields in one round trip, again while the store
// is not available.
func (l *Ledger) load(ctx context.Context, key Key, fields []string) (loaded, error) {
	n, err := l.home(key)
	if err != nil {
		return loaded{}, err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	for p := (patience{}); ; {
		at, err := l.fetch(ctx, n, fields)
		if err == nil {
			return at, nil
		}
		if !l.again(ctx, &p, err) {
			return loaded{}, l.failed(err, false)
		}
	}
}

// fetch is one attempt at load.
func (l *Ledger) fetch(ctx context.Context, n names, fields []string) (at loaded, err error) {
	done := l.opts.Observe(ctx, "load", n.key)
	defer func() { done(err) }()
	args := make([]any, 0, len(fields)+5)
	args = append(args, "hmget", n.customer, "v", "s", tombField)
	for _, f := range fields {
		args = append(args, f)
	}
	cmd := redis.NewSliceCmd(ctx, args...)
	l.process(ctx, cmd)
	values, err := cmd.Result()
	if err != nil {
		return loaded{}, naming(n.customer, err)
	}
	return l.meet(n, values)
}

// meet makes a customer of the fields v, s and t and of further ones.
func (l *Ledger) meet(n names, values []any) (at loaded, err error) {
	at = loaded{extra: values[3:]}
	at.token, _ = values[0].(string)
	body, _ := values[1].(string)
	at.tomb, _ = values[2].(string)
	if err := at.decode(n.customer, body); err != nil || at.token == "" {
		l.cache.drop(n.key)
		return at, err
	}
	l.cache.put(n.key, at.token, body)
	return at, nil
}

// decode takes in the state or, of one who was erased, what remains.
func (at *loaded) decode(name, body string) (err error) {
	switch {
	case at.token != "":
		err = readInto(&at.state, body, stateFields)
	case at.tomb != "":
		err = readInto(&at.state, at.tomb, tombstoneFields)
	}
	if err != nil {
		return damaged(name, err)
	}
	return nil
}

// outline takes in as much of the state as tells which cases are open.
func (at *loaded) outline(name, body string) error {
	if err := readInto(&at.state, body, outlineFields); err != nil {
		return damaged(name, err)
	}
	return nil
}

// stands is what a commit must find for this to be what was judged: the version
// or, without one, the tombstone, so that nobody commits on top of an erasure
// that came between.
func (at loaded) stands() string { return cmp.Or(at.token, at.tomb) }

// field gives a further field as it was asked for.
func (at loaded) field(i int) (value string, ok bool) {
	if i < len(at.extra) {
		value, ok = at.extra[i].(string)
	}
	return value, ok
}

func (at loaded) snapshot(key Key) Snapshot {
	return Snapshot{
		Tenant:   at.state.tenant,
		Key:      key,
		Customer: at.state.customer,
		Found:    at.token != "",
		Version:  at.version(),
	}
}

// version is the number in front of the nonce; 0 for a stranger.
func (at loaded) version() int64 {
	digits, _, _ := strings.Cut(at.token, ".")
	n, _ := strconv.ParseInt(digits, 10, 64) // our own writing
	return n
}

// nonce is of the change that wrote this version.
func (at loaded) nonce() string {
	_, nonce, _ := strings.Cut(at.token, ".")
	nonce, _, _ = strings.Cut(nonce, ".")
	return nonce
}

func caseField(number int64) string { return "k:" + strconv.FormatInt(number, 10) }

func brokenCase(key Key, number int64, err error) error {
	return damaged("case "+CaseID(key, number), err)
}
