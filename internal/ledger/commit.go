package ledger

import (
	"context"
	_ "embed"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/makeamends/amends/internal/recovery"
)

//go:embed commit.lua
var commitSource string

const (
	// lifetime of a customer without an open case: twice the longest window that
	// a policy may have, so that nothing counted is ever lost. It begins anew once a
	// day.
	lifetime = 2 * recovery.MostWindow
	// mostClosed is how many closed cases of a customer are kept.
	mostClosed = 100
)

var lifetimeMS = strconv.FormatInt(lifetime.Milliseconds(), 10)

// asBefore leaves something as it is.
const asBefore = "-"

// change is what one commit writes.
type change struct {
	from, to string
	lifetime string // in ms from now; "": no end, [asBefore]
	member   string
	score    string // "": nothing is due, [asBefore]
	pairs    []any  // field, value, ...; version and state first, then the answers
	drops    []any  // fields
	lists    []any  // fields that list requests to be forgotten
	open     string // name of the index of the tenant's open cases; "": nothing in it changes
	listed   []any  // score, member, ...
	unlisted []any  // members
	events   []any
	guess    bool // made on what is remembered: have Redis look for records, and tell what stands

	body    string   // the state
	answers [][]byte // one for each fresh request
}

// change turns a judgement on what was loaded into what is to be written. What was
// loaded is used up.
func (u *update) change(at *loaded, j Judgement) (*change, error) {
	now := u.ledger.opts.Now()
	today := day(now)
	next, was := &at.state, at.state.customer.Open
	next.erased, next.customer = stillErased(next.erased, today), j.Customer
	u.sign(next.customer.Open)
	u.sign(next.customer.Closed)
	if u.write.Tenant != "" {
		next.tenant = u.write.Tenant
	}
	c := &change{
		from:   at.stands(),
		to:     u.version(at.version() + 1),
		member: string(u.write.Key),
		score:  score(j.Due),

		answers: j.Answers,
	}
	hadCases := len(was) > 0
	switch hasCases := len(j.Customer.Open) > 0; {
	case hasCases == hadCases && !u.write.Reindex && (hasCases || seenOn(next.seen, today)):
		c.lifetime = asBefore // none, or one that began today
	case !hasCases:
		c.lifetime = lifetimeMS
	}
	nothing := !hadCases && j.Due.IsZero() // only cases make anything due
	stays := !j.DueBefore.IsZero() && j.DueBefore.Equal(j.Due)
	if (nothing || stays) && !u.write.Reindex {
		c.score = asBefore
	}
	if at.tomb != "" {
		c.drops = append(c.drops, tombField)
	}
	c.pairs = append(make([]any, 0, 2*len(u.fresh)+8), "v", &c.to, "s", &c.body)
	if err := u.answers(c, j); err != nil {
		return nil, err
	}
	brief := u.ledger.brief.Load()
	if err := c.file(next, brief); err != nil {
		return nil, err
	}
	next.seen = c.remember(next.seen, today, u.hashes())
	var err error
	if c.body, err = writtenText(next, stateFields, brief && len(next.customer.Open) > 0); err != nil {
		return nil, err
	}
	c.list(u.write, was, j.Customer)
	if len(c.listed)+len(c.unlisted) > 0 {
		c.open = u.names.open(next.tenant)
	}
	return c, c.stream(origin{u.write.Key, next.tenant, now, u.write.TraceParent}, next)
}

// version names what one attempt writes. No two have the same name, not even of one
// call: the first may be carried out after all, long after its answer was given up.
func (u *update) version(number int64) string {
	u.attempts++
	token := strconv.FormatInt(number, 10) + "." + nonceText(u.nonce[:])
	if u.attempts > 1 {
		token += "." + strconv.Itoa(u.attempts)
	}
	return token
}

// sign writes on every promise that this change has made who made it.
func (u *update) sign(cases []recovery.Case) {
	for i := range cases {
		for n := range cases[i].Deadlines {
			if d := &cases[i].Deadlines[n]; d.Fresh {
				d.TraceParent = u.write.TraceParent
			}
		}
	}
}

// answers records what the fresh requests are answered.
func (u *update) answers(c *change, j Judgement) error {
	for i, n := range u.fresh {
		r := &u.requests[n]
		record, err := r.record(u.nonce[:], j.Answers[i], j.Words)
		if err != nil {
			return err
		}
		c.pairs = append(c.pairs, &r.field, record)
	}
	return nil
}

// hashes of the fresh requests, one after the other.
func (u *update) hashes() []byte {
	out := make([]byte, 0, requestSize*len(u.fresh))
	for _, n := range u.fresh {
		out = append(out, u.requests[n].hash()...)
	}
	return out
}

// file puts the cases closed by this change away, each in a field of its own,
// lets the oldest go, and takes out those that were opened again.
func (c *change) file(next *state, brief bool) error {
	for _, k := range next.customer.Closed {
		body, err := encodeCase(k, brief)
		if err != nil {
			return err
		}
		c.pairs = append(c.pairs, caseField(k.Number), body)
		if !slices.Contains(next.closed, k.Number) {
			next.closed = append(next.closed, k.Number)
		}
	}
	for _, k := range next.customer.Open {
		if i := slices.Index(next.closed, k.Number); i >= 0 {
			next.closed = slices.Delete(next.closed, i, i+1)
			c.drops = append(c.drops, caseField(k.Number))
		}
	}
	for len(next.closed) > mostClosed {
		c.drops = append(c.drops, caseField(next.closed[0]))
		next.closed = next.closed[1:]
	}
	return nil
}

// stream adds one event for each transition of this change, case by case.
func (c *change) stream(at origin, next *state) error {
	for _, list := range [][]recovery.Case{next.customer.Open, next.customer.Closed} {
		for i := range list {
			for _, t := range list[i].Fresh {
				body, err := encodeEvent(at, &list[i], t)
				if err != nil {
					return err
				}
				c.events = append(c.events, body)
			}
		}
	}
	return nil
}

// head are the arguments of commit.lua before the lists.
func (c *change) head() []any {
	guess := ""
	if c.guess {
		guess = "1"
	}
	return []any{&c.from, &c.to, &c.lifetime, &c.member, &c.score, len(c.answers),
		len(c.pairs) / 2, len(c.drops), len(c.lists), len(c.listed) / 2, len(c.unlisted), guess}
}

// send runs the script. It gives what stands instead of the change: the version and,
// when a guess was wrong, the customer; nil when the change was made.
func (l *Ledger) send(ctx context.Context, n names, c *change) (*loaded, error) {
	keys := append(make([]string, 0, 4), n.customer, n.due, n.events)
	if c.open != "" {
		keys = append(keys, c.open)
	}
	reply, err := l.sendAndWait(ctx, keys, c.head(), c.pairs, c.drops, c.lists, c.listed, c.unlisted, c.events)
	if values, ok := reply.([]any); ok && len(values) >= 3 {
		at, err := l.meet(n, values)
		return &at, err
	}
	if err != nil {
		return nil, err
	}
	switch token, ok := reply.(string); {
	case !ok:
		return nil, fmt.Errorf("commit.lua answered %T", reply)
	case token != c.to:
		return &loaded{token: token}, nil
	default:
		return nil, nil
	}
}

// score of the due index: whole milliseconds, rounded up, so that nobody looks
// before the time has come; "" for never.
func score(due time.Time) string {
	if due.IsZero() {
		return ""
	}
	return strconv.FormatInt(ceilMS(due), 10)
}

func nonceText(nonce []byte) string { return base64.RawURLEncoding.EncodeToString(nonce) }
