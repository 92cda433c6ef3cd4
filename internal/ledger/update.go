package ledger

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/makeamends/amends/internal/recovery"
)

// Write is one change of one customer.
type Write struct {
	Key      Key
	Tenant   string    // kept with the customer; empty: as it was
	Requests []Request // what asks for the change; none: time alone (a sweep)
	Reindex  bool      // write every index entry anew, not only those that change; see [Ledger.Repair]
	Case     int64     // number of the case that this is a step of: judge sees it even if it was filed away; 0: none
	// TraceParent (W3C) is kept with the promises and the events of this change;
	// empty: it is not traced.
	TraceParent string
	// Owned refuses a customer of another tenant than it should be; it is asked
	// before anything of the customer is answered, also what was answered before,
	// with the empty name for a stranger. Nil: everybody's is changed.
	Owned func(tenant string) error
}

// Request is what one caller asked for under an id of its choice. The same id
// with the same payload is carried out once; with another payload it is refused.
// Payload is only hashed, never stored.
type Request struct {
	ID      string
	Payload []byte
}

// Judgement is what a Judge decided.
type Judgement struct {
	Customer recovery.Customer // as it is to be kept; cases in Closed are filed away
	Answers  [][]byte          // one for each fresh request, in that order
	Refused  []error           // likewise: why one is not carried out, of which then nothing is kept; nil: all are
	Words    *Words            // of the answers; nil: they are kept whole
	Due      time.Time         // when time alone changes something next; zero: never
	// DueBefore is the same of the customer as judge was given it: where it stays, the
	// due index is left alone. Zero: whatever it was, it is written.
	DueBefore time.Time
}

// Judge decides on a customer as it stands; a case that was asked for by
// Write.Case and is filed away is in Closed. Fresh holds the indices of the
// requests that were not carried out before, ascending. It may be called again
// after a conflict, each time with a customer of its own, and first with the
// customer as this process remembers it, so it must have no effect but its answer:
// what counts is what it said last. On an error nothing is written.
type Judge func(c recovery.Customer, fresh []int) (Judgement, error)

// Result is the outcome of one request.
type Result struct {
	Answer   []byte
	Replayed bool  // carried out by an earlier call; the answer is that call's, byte for byte
	Err      error // ErrReused, ErrErased, ErrUnreadable, *LimitError or why judge refused it; the other requests are carried out all the same
	Tenant   string
}

// Update changes a customer: it loads, judges and commits until nobody came in
// between, in two round trips when nobody does, and in one when the customer is
// still as this process remembers it. The results are those of the requests, in
// order; without requests there is one, which only names the tenant. When every
// request was carried out before, what judge says is not heeded.
//
// Errors: those of judge as they are; ErrConflict, ErrOverloaded, ErrBroken,
// *Unavailable and context.Canceled, after which nothing was changed unless
// Unavailable says that this is unknown or the context was cancelled. So it is, too,
// when judge refuses what was sent before and not answered. Without a deadline in
// ctx it tries for 5 seconds.
func (l *Ledger) Update(ctx context.Context, w Write, judge Judge) ([]Result, error) {
	n, err := l.home(w.Key)
	if err != nil {
		return nil, err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	u := &update{ledger: l, write: w, names: n, requests: l.requests(w.Requests), judge: judge}
	_, _ = rand.Read(u.nonce[:]) // never fails
	for p := (patience{}); ; {
		err = u.try(ctx)
		if err == nil {
			if len(u.requests) == 0 {
				u.results = make([]Result, 1)
			}
			for i := range u.results {
				u.results[i].Tenant = u.tenant
			}
			return u.results, nil
		}
		var judged *judgeError
		if errors.As(err, &judged) {
			if u.unknown {
				return nil, l.failed(errRefusedLate, true)
			}
			return nil, judged.error
		}
		if !l.again(ctx, &p, err) {
			return nil, l.ended(ctx, err, u.unknown, u.conflicted)
		}
	}
}

// update is one call of Update.
type update struct {
	ledger   *Ledger
	write    Write
	names    names
	requests []request
	judge    Judge
	nonce    [6]byte // of this call: tells our own commit from another's

	attempts   int    // changes made so far, committed or not
	guessed    bool   // what is remembered was tried, or is not worth it
	tenant     string // of the customer
	results    []Result
	fresh      []int // indices of requests without a record
	done       bool  // the change was made
	unknown    bool  // a commit was sent and not answered
	unanswered []int // indices of the requests of such commits
	conflicted bool  // a commit was refused because of another
}

// judgeError keeps what judge said apart from what the store said.
type judgeError struct{ error }

// try is one round of judge and commit, on what is remembered or on what is read.
func (u *update) try(ctx context.Context) error {
	at, err := u.guess(ctx)
	if err != nil || u.done {
		return err
	}
	if at == nil {
		read, err := u.ledger.fetch(ctx, u.names, u.fields())
		if err != nil {
			return err
		}
		at = &read
	}
	return u.carryOut(ctx, at)
}

// carryOut answers from the records what was carried out before, and judges and
// commits the rest.
func (u *update) carryOut(ctx context.Context, at *loaded) error {
	u.tenant = cmp.Or(u.write.Tenant, at.state.tenant)
	if u.write.Owned != nil {
		if err := u.write.Owned(u.tenant); err != nil {
			return &judgeError{err}
		}
	}
	if err := u.replay(ctx, at); err != nil {
		return err
	}
	u.admit(at)
	var j Judgement
	if !u.settled(at) {
		var err error
		if j, err = u.decide(at); err != nil {
			return err
		}
	}
	for _, n := range u.unanswered {
		if !carriedOut(u.results[n].Err) { // it is refused now, and may be carried out still
			return &judgeError{u.results[n].Err}
		}
	}
	if u.settled(at) { // or judge has refused the rest
		u.twins()
		return u.ledger.confirm(ctx, u.names)
	}
	c, err := u.change(at, j)
	if err != nil {
		return &judgeError{fmt.Errorf("encode customer: %w", err)}
	}
	_, err = u.commit(ctx, c)
	u.conflicted = u.conflicted || errors.Is(err, errConflict)
	return err
}

// decide has judge decide on the customer. What judge refused is fresh no more.
func (u *update) decide(at *loaded) (Judgement, error) {
	customer, err := u.recall(at)
	if err != nil {
		return Judgement{}, err
	}
	j, err := u.judge(customer, u.fresh)
	if err != nil {
		return Judgement{}, &judgeError{err}
	}
	if len(j.Answers) != len(u.fresh) {
		return Judgement{}, &judgeError{fmt.Errorf("judge gave %d answers to %d requests", len(j.Answers), len(u.fresh))}
	}
	if j, err = u.refuse(j); err != nil {
		return Judgement{}, &judgeError{err}
	}
	return j, nil
}

// fields names the records of the requests and the filed case asked for.
func (u *update) fields() []string {
	fields := make([]string, len(u.requests), len(u.requests)+1)
	for i, r := range u.requests {
		fields[i] = r.field
	}
	if u.write.Case > 0 {
		fields = append(fields, caseField(u.write.Case))
	}
	return fields
}

// recall is the customer as it was loaded, with the filed case asked for.
func (u *update) recall(at *loaded) (recovery.Customer, error) {
	c := at.state.customer
	if u.write.Case == 0 {
		return c, nil
	}
	body, ok := at.field(len(u.requests))
	if !ok {
		return c, nil
	}
	k, err := decodeCase(body)
	if err != nil {
		return c, brokenCase(u.write.Key, u.write.Case, err)
	}
	c.Closed = []recovery.Case{k}
	return c, nil
}

// replay answers what was carried out before and notes what was not.
func (u *update) replay(ctx context.Context, at *loaded) error {
	u.results = make([]Result, len(u.requests))
	u.fresh = make([]int, 0, len(u.requests))
	today := day(u.ledger.opts.Now())
	for i, r := range u.requests {
		record, ok := at.field(i)
		switch {
		case ok:
			var err error
			if u.results[i], err = u.ledger.replay(ctx, r, record, u.nonce[:]); err != nil {
				return err
			}
		case at.state.hasErased(r, today):
			u.results[i] = Result{Err: ErrErased}
		case r.twin < 0:
			u.fresh = append(u.fresh, i)
		}
	}
	return nil
}

// settled reports whether nothing is left to do: all requests were carried out
// or, without requests, our own commit stands and only its reply was lost.
func (u *update) settled(at *loaded) bool {
	if len(u.requests) > 0 {
		return len(u.fresh) == 0
	}
	return at.token != "" && at.nonce() == nonceText(u.nonce[:])
}

// twins answers requests that came twice in the same call: by the time of the
// second, the first was carried out or refused.
func (u *update) twins() {
	for i, r := range u.requests {
		if r.twin < 0 {
			continue
		}
		first := u.results[r.twin]
		switch {
		case u.requests[r.twin].fingerprint != r.fingerprint && carriedOut(first.Err):
			// Unless the record says otherwise, the first one's payload is the
			// one that counts.
			if !u.results[i].Replayed {
				u.results[i] = Result{Err: cmp.Or(u.results[i].Err, ErrReused)}
			}
		default:
			u.results[i] = first
			u.results[i].Replayed = first.Err == nil
		}
	}
}

// carriedOut reports whether a request with that outcome was carried out, by this
// call or by an earlier one.
func carriedOut(err error) bool {
	return err == nil || errors.Is(err, ErrReused) || errors.Is(err, ErrErased) || errors.Is(err, ErrUnreadable)
}

// commit sends the change, and notes when it was made or its fate is unknown. With
// errConflict after a guess it gives what stands.
func (u *update) commit(ctx context.Context, c *change) (stands *loaded, err error) {
	done := u.ledger.opts.Observe(ctx, "commit", u.write.Key)
	defer func() { done(err) }()
	if err := ctx.Err(); err != nil {
		return nil, err // nothing was sent
	}
	stands, err = u.ledger.send(ctx, u.names, c)
	if err != nil {
		u.ledger.cache.drop(u.write.Key)
		if uncertain(err) {
			u.unknown, u.unanswered = true, append(u.unanswered, u.fresh...)
		}
		return nil, err
	}
	if stands != nil {
		return stands, errConflict
	}
	u.ledger.cache.put(u.write.Key, c.to, c.body)
	u.done = true
	for i, r := range u.fresh {
		u.results[r] = Result{Answer: c.answers[i]}
	}
	u.twins()
	return nil, nil
}
