package ledger

import (
	"math"
	"time"

	"github.com/makeamends/amends/internal/recovery"
)

// The codec turns the values of package recovery into stored records and back.
// Every exported field goes both ways (a test walks the types to see to it),
// except those that describe one change only: Customer.Closed, Case.Fresh,
// Case.Reported and Deadline.Fresh.
// Empty lists come back nil, times in UTC. Fields that a newer binary wrote are
// skipped.

// edges of what a count of nanoseconds can hold: the years 1678 to 2262.
var (
	earliest = time.Unix(0, math.MinInt64)
	latest   = time.Unix(0, math.MaxInt64)
)

// nanos stores a moment; zero stands for no moment. A moment outside the years
// 1678 to 2262 is kept as the nearest edge, so that order survives.
func nanos(t time.Time) int64 {
	switch {
	case t.IsZero():
		return 0
	case t.Before(earliest):
		return math.MinInt64
	case t.After(latest):
		return math.MaxInt64
	default:
		return t.UnixNano()
	}
}

func moment(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// convert maps a list; nothing for nothing.
func convert[From, To any](list []From, one func(From) To) []To {
	if len(list) == 0 {
		return nil
	}
	out := make([]To, len(list))
	for i, item := range list {
		out[i] = one(item)
	}
	return out
}

// state is the decoded form of the hash field "s".
type state struct {
	tenant   string
	closed   []int64     // numbers of the closed cases kept, oldest first
	seen     []seenDay   // requests that were answered, by day
	erased   []erasedDay // requests of an erased life, by day
	customer recovery.Customer
}

func decodeState(text string) (state, error) { return read(text, stateFields) }

// outlineFields are only the tenant and the numbers of the open cases.
func outlineFields(r *record, s *state) {
	text(r, 1, &s.tenant)
	part(r, 4, &s.customer, func(r *record, c *recovery.Customer) {
		parts(r, 15, &c.Open, func(r *record, k *recovery.Case) { number(r, 1, &k.Number) })
	})
}

func stateFields(r *record, s *state) {
	text(r, 1, &s.tenant)
	numbers(r, 2, &s.closed)
	part(r, 4, &s.customer, customerFields)
	parts(r, 5, &s.erased, erasedFields)
	parts(r, 6, &s.seen, seenFields)
}

func seenFields(r *record, d *seenDay) {
	number(r, 1, &d.day)
	r.bytes(2, &d.hashes)
	number(r, 3, &d.lists)
}

func customerFields(r *record, c *recovery.Customer) {
	number(r, 1, &c.Cases)
	r.float(2, &c.Positives)
	r.moment(3, &c.PositivesAt)
	parts(r, 4, &c.Failures, pastFields)
	number(r, 5, &c.Orders)
	number(r, 6, &c.Claims)
	parts(r, 7, &c.Apologies, apologisedFields)
	parts(r, 8, &c.Grants, grantFields)
	r.moment(9, &c.LastContact)
	r.moment(10, &c.LastActivity)
	r.moment(11, &c.LastMiss)
	r.flag(12, &c.Proactive)
	r.float(13, &c.Residual)
	r.moment(14, &c.ResidualAt)
	parts(r, 15, &c.Open, caseFields)
}

func pastFields(r *record, p *recovery.Past) {
	number(r, 1, &p.Case)
	r.moment(2, &p.At)
	number(r, 3, &p.Kinds)
	r.float(4, &p.Severity)
	r.flag(5, &p.Recovered)
}

func grantFields(r *record, g *recovery.Grant) {
	number(r, 1, &g.Case)
	r.moment(2, &g.At)
	text(r, 3, &g.Currency)
	number(r, 4, &g.Minor)
	r.float(5, &g.Units)
}

func apologisedFields(r *record, a *recovery.Apologised) {
	number(r, 1, &a.Case)
	r.moment(2, &a.At)
}

// encodeTombstone stores what remains of a customer who was erased; nothing of nothing.
func encodeTombstone(c recovery.Customer, erased []erasedDay) ([]byte, error) {
	if bare(c) && len(erased) == 0 {
		return nil, nil
	}
	return written(&state{customer: c, erased: erased}, tombstoneFields)
}

// tombstoneFields are those of a stranger who begins with what remains.
func tombstoneFields(r *record, s *state) {
	number(r, 1, &s.customer.Cases)
	number(r, 2, &s.customer.Orders)
	number(r, 3, &s.customer.Claims)
	parts(r, 4, &s.customer.Grants, grantFields)
	parts(r, 5, &s.erased, erasedFields)
}

func erasedFields(r *record, d *erasedDay) {
	number(r, 1, &d.day)
	r.bytes(2, &d.hashes)
}
