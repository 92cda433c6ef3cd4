package ledger

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/recovery"
)

//go:embed erase.lua
var eraseSource string

// Erased says what was removed of a customer.
type Erased struct {
	Found    bool // anything was stored
	Cases    int  // open and closed
	Failures int  // remembered ones
	Answers  int  // stored answers to requests
	Events   int  // transitions in the stream
	// Until is when the tombstone is over; zero when there is none.
	Until time.Time
}

// Erase removes a customer: the hash with memory, cases and stored answers, the
// index entries, the events in the stream, and the bookings of the offers in
// the tenant's budget. Bookings of offers that were accepted stay counted,
// without a name; those of others are returned. What is left is a tombstone
// under the customer's key, for as long as window (that in which the policy
// counts goodwill), from which a later life of the customer begins: the counts
// of cases, orders and claims, and the goodwill granted within the window.
// Nothing of this is personal. Beside it stand the hashes of the requests that
// were answered in the last days, so that none of them is carried out again:
// see [ErrErased]. When there is nothing of all this, there is no tombstone.
//
// A customer who cannot be read is deleted all the same, as far as is known what
// belongs to it, and leaves no tombstone, since nobody knows what to count.
//
// Erasing again finds nothing and does not prolong the tombstone; erasing after
// new events leaves a tombstone of both lives. Of two who erase at once both may
// be told the same. Errors are those of Update. After one that says that the
// outcome is unknown, erase again.
func (l *Ledger) Erase(ctx context.Context, tenant string, key Key, window time.Duration) (Erased, error) {
	n, err := l.home(key)
	if err != nil {
		return Erased{}, err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	defer l.cache.drop(key)
	e := &erasure{ledger: l, tenant: tenant, key: key, names: n, window: window}
	for p := (patience{}); ; {
		err := e.try(ctx)
		if err == nil {
			return e.done, nil
		}
		if !l.again(ctx, &p, err) {
			return Erased{}, l.ended(ctx, err, e.unknown, e.conflicted)
		}
	}
}

// erasure is one call of Erase.
type erasure struct {
	ledger *Ledger
	tenant string
	key    Key
	names  names
	window time.Duration

	done       Erased
	live       []Booking // of the offers removed, as far as they return
	cases      int64     // number of the last case, 0 if that is not known
	unknown    bool      // the script was sent, and the customer may be gone
	conflicted bool      // the script was refused because of a change in between
	told       bool      // that the customer cannot be read
}

// estate is what there is of a customer to be removed.
type estate struct {
	at     loaded
	cases  []recovery.Case // open and closed
	listed []string        // of the index of open cases, of a customer who cannot be read
	seen   []erasedDay     // requests that must not be carried out again
	count  Erased
	events []string // their numbers in the stream
	before uint64   // number below which nobody needs to know what was erased
}

// known reports whether there is a life, or the rest of one, in the hash.
func (f *estate) known() bool { return f.at.token != "" || f.at.fault != nil }

// try removes the customer, and then what lies in another slot. What accepted
// offers hold is forgotten first: they stay accepted whatever comes between, and
// once the cases are gone nobody could tell them from those that return.
func (e *erasure) try(ctx context.Context) error {
	at, err := e.ledger.fetch(ctx, e.names, nil)
	if errors.Is(err, ErrDamaged) {
		at, err = e.ruin(at, err), nil
	}
	if err != nil {
		return err
	}
	found, err := e.survey(ctx, at)
	if err != nil {
		return err
	}
	e.cases = found.at.state.customer.Cases
	spent, live := e.bookings(found)
	if err := each(ctx, spent, e.ledger.ForgetBooking); err != nil {
		return err
	}
	if found.count.Found {
		e.done, e.live = found.count, live
		err = e.remove(ctx, found)
	} else if !e.unknown {
		e.done = found.count
	}
	if err != nil {
		return err
	}
	if err := e.ledger.confirm(ctx, e.names); err != nil {
		return err
	}
	if err := each(ctx, e.live, e.ledger.ReturnBooking); err != nil {
		return err
	}
	return e.forgetStrays(ctx)
}

// survey finds what there is. Whatever changes after the version was read shows
// as another version when it is to be removed.
func (e *erasure) survey(ctx context.Context, at loaded) (estate, error) {
	found := estate{at: at}
	if err := e.findEvents(ctx, &found); err != nil {
		return estate{}, err
	}
	found.count.Found = found.known() || len(found.events) > 0
	found.count.Events = len(found.events)
	if !found.known() {
		return found, e.stillKept(ctx, &found)
	}
	if err := e.findFields(ctx, &found); err != nil {
		return estate{}, err
	}
	if err := e.findCases(ctx, &found); err != nil {
		return estate{}, err
	}
	if err := e.findListed(ctx, &found); err != nil {
		return estate{}, err
	}
	found.count.Cases = len(at.state.customer.Open) + len(found.at.state.closed) + len(found.listed)
	found.count.Failures = len(at.state.customer.Failures)
	return found, e.findSeen(ctx, &found)
}

// stillKept tells how long an earlier tombstone stands.
func (e *erasure) stillKept(ctx context.Context, found *estate) error {
	left, err := e.ledger.client.PTTL(ctx, e.names.customer).Result()
	if err == nil && left > 0 {
		found.count.Until = e.ledger.opts.Now().Add(left)
	}
	return err
}

// findFields counts the answers. The closed cases of one who cannot be read are
// those that have a field.
func (e *erasure) findFields(ctx context.Context, found *estate) error {
	fields, err := e.ledger.client.HKeys(ctx, e.names.customer).Result()
	for _, f := range fields {
		kind, rest, _ := strings.Cut(f, ":")
		number, bad := strconv.ParseInt(rest, 10, 64)
		switch {
		case kind == "r":
			found.count.Answers++
		case kind == "k" && bad == nil && found.at.fault != nil:
			found.at.state.closed = append(found.at.state.closed, number)
		}
	}
	return err
}

// findCases reads the closed cases as well, for their offers. One that cannot
// be read is no reason to keep the customer.
func (e *erasure) findCases(ctx context.Context, found *estate) error {
	found.cases = slices.Clone(found.at.state.customer.Open)
	if len(found.at.state.closed) == 0 {
		return nil
	}
	bodies, err := e.ledger.client.HMGet(ctx, e.names.customer, convert(found.at.state.closed, caseField)...).Result()
	for _, body := range bodies {
		text, _ := body.(string)
		if k, err := decodeCase(text); err == nil {
			found.cases = append(found.cases, k)
		}
	}
	return err
}

// streamPage is how many events are read at once.
const streamPage = 1000

// findEvents reads the stream of the bucket from end to end. What nobody can
// read speaks of nobody.
func (e *erasure) findEvents(ctx context.Context, found *estate) error {
	oldest := uint64(math.MaxUint64) // number of the oldest event, of whomever
	for from := "-"; ; {
		page, err := e.ledger.client.XRangeN(ctx, e.names.events, from, "+", streamPage).Result()
		if err != nil {
			return naming(e.names.events, err)
		}
		for _, entry := range page {
			if number, numbered := eventNumber(entry.ID); numbered {
				oldest = min(oldest, number)
			}
			if event, err := decodeEvent(0, entry); err == nil && event.Key == e.key {
				found.events = append(found.events, strconv.FormatUint(event.Number, 10))
			}
		}
		if len(page) < streamPage {
			break
		}
		from = "(" + page[len(page)-1].ID
	}
	if len(found.events) == 0 {
		return nil
	}
	return e.findTrimmed(ctx, found, oldest)
}

// findTrimmed finds the newest event that is neither in the stream nor erased. It
// was trimmed, so no mark before it is any good.
func (e *erasure) findTrimmed(ctx context.Context, found *estate, oldest uint64) error {
	members, err := e.ledger.client.ZRangeArgs(ctx, redis.ZRangeArgs{
		Key: e.names.erased(), ByScore: true, Start: "-inf", Stop: "(" + strconv.FormatUint(oldest, 10),
	}).Result()
	if err != nil {
		return naming(e.names.erased(), err)
	}
	erased := erasedNumbers(members)
	for oldest > 0 && erased[oldest-1] {
		oldest--
	}
	found.before = max(oldest, 1) - 1
	return nil
}

// remove runs the script.
func (e *erasure) remove(ctx context.Context, found estate) error {
	tomb, err := e.tombstone(found)
	if err != nil {
		return err
	}
	keys := []string{e.names.customer, e.names.due, e.names.events, e.names.erased(), e.names.open(cmp.Or(found.at.state.tenant, e.tenant))}
	before := strconv.FormatUint(found.before, 10)
	args := []any{found.at.stands(), tomb, e.lifetime(found).Milliseconds(), string(e.key), before, len(found.events)}
	for _, number := range found.events {
		args = append(args, number)
	}
	for _, k := range found.cases {
		args = append(args, openMember(e.key, k.Number))
	}
	for _, member := range found.listed {
		args = append(args, member)
	}
	done := e.ledger.opts.Observe(ctx, "erase", e.key)
	stands, err := e.ledger.run(ctx, e.ledger.erase, keys, args).Text()
	done(err)
	if err == nil && stands != tomb {
		e.conflicted = true
		return errConflict
	}
	e.unknown = e.unknown || err == nil || uncertain(err)
	return err
}

// tombstone is what will stand: as it is when there is no life to be removed.
func (e *erasure) tombstone(found estate) (string, error) {
	switch {
	case found.at.fault != nil:
		return "", nil
	case found.at.token == "":
		return found.at.tomb, nil
	}
	now := e.ledger.opts.Now()
	body, err := encodeTombstone(remains(found.at.state.customer, e.window, now), found.seen)
	if err == nil && len(body) > 0 {
		e.done.Until = now.Add(e.lifetime(found))
	}
	return string(body), err
}

// lifetime of the tombstone: as long as something in it counts.
func (e *erasure) lifetime(found estate) time.Duration {
	var least time.Duration
	if len(found.seen) > 0 {
		least = erasedTime
	}
	if bare(found.at.state.customer) {
		return least
	}
	return max(e.window, least)
}
