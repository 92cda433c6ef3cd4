package ledger

import (
	"math"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/internal/recovery"
	ledgerv1 "github.com/makeamends/amends/proto/recovery/ledger/v1"
)

// The codec turns the values of package recovery into stored records and back.
// Every exported field goes both ways (a test walks the types to see to it),
// except those that describe one change only: Customer.Closed, Case.Fresh and
// Deadline.Fresh.
// Empty lists come back nil, times in UTC. Fields that a newer binary wrote are
// skipped.

var marshal = proto.MarshalOptions{}

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
	days     []int32     // days with stored answers, ascending
	erased   []erasedDay // requests of an erased life, by day
	customer recovery.Customer
}

func (s state) encode() ([]byte, error) {
	return marshal.Marshal(ledgerv1.State_builder{
		Tenant:   s.tenant,
		Closed:   s.closed,
		SeenDays: s.days,
		Erased:   convert(s.erased, erasedRecord),
		Customer: customerRecord(s.customer),
	}.Build())
}

func decodeState(b []byte) (state, error) {
	var m ledgerv1.State
	if err := proto.Unmarshal(b, &m); err != nil {
		return state{}, err
	}
	return state{
		tenant:   m.GetTenant(),
		closed:   m.GetClosed(),
		days:     m.GetSeenDays(),
		erased:   convert(m.GetErased(), erasedOf),
		customer: customerOf(m.GetCustomer()),
	}, nil
}

func customerRecord(c recovery.Customer) *ledgerv1.Customer {
	return ledgerv1.Customer_builder{
		Cases:        c.Cases,
		Positives:    c.Positives,
		PositivesAt:  nanos(c.PositivesAt),
		Failures:     convert(c.Failures, pastRecord),
		Orders:       c.Orders,
		Claims:       c.Claims,
		Apologies:    convert(c.Apologies, apologisedRecord),
		Grants:       convert(c.Grants, grantRecord),
		LastContact:  nanos(c.LastContact),
		LastActivity: nanos(c.LastActivity),
		LastMiss:     nanos(c.LastMiss),
		Proactive:    c.Proactive,
		Residual:     c.Residual,
		ResidualAt:   nanos(c.ResidualAt),
		Open:         convert(c.Open, caseRecord),
	}.Build()
}

func customerOf(m *ledgerv1.Customer) recovery.Customer {
	return recovery.Customer{
		Cases:        m.GetCases(),
		Positives:    m.GetPositives(),
		PositivesAt:  moment(m.GetPositivesAt()),
		Failures:     convert(m.GetFailures(), pastOf),
		Orders:       m.GetOrders(),
		Claims:       m.GetClaims(),
		Apologies:    convert(m.GetApologies(), apologisedOf),
		Grants:       convert(m.GetGrants(), grantOf),
		LastContact:  moment(m.GetLastContact()),
		LastActivity: moment(m.GetLastActivity()),
		LastMiss:     moment(m.GetLastMiss()),
		Proactive:    m.GetProactive(),
		Residual:     m.GetResidual(),
		ResidualAt:   moment(m.GetResidualAt()),
		Open:         convert(m.GetOpen(), caseOf),
	}
}

func pastRecord(p recovery.Past) *ledgerv1.Past {
	return ledgerv1.Past_builder{
		CaseNumber: p.Case,
		At:         nanos(p.At),
		Kinds:      uint32(p.Kinds),
		Severity:   p.Severity,
		Recovered:  p.Recovered,
	}.Build()
}

func pastOf(m *ledgerv1.Past) recovery.Past {
	return recovery.Past{
		Case:      m.GetCaseNumber(),
		At:        moment(m.GetAt()),
		Kinds:     recovery.KindSet(m.GetKinds()),
		Severity:  m.GetSeverity(),
		Recovered: m.GetRecovered(),
	}
}

func grantRecord(g recovery.Grant) *ledgerv1.Grant {
	return ledgerv1.Grant_builder{
		CaseNumber: g.Case,
		At:         nanos(g.At),
		Currency:   g.Currency,
		Minor:      g.Minor,
		Units:      g.Units,
	}.Build()
}

func grantOf(m *ledgerv1.Grant) recovery.Grant {
	return recovery.Grant{
		Case:     m.GetCaseNumber(),
		At:       moment(m.GetAt()),
		Currency: m.GetCurrency(),
		Minor:    m.GetMinor(),
		Units:    m.GetUnits(),
	}
}

func apologisedRecord(a recovery.Apologised) *ledgerv1.Apologised {
	return ledgerv1.Apologised_builder{CaseNumber: a.Case, At: nanos(a.At)}.Build()
}

func apologisedOf(m *ledgerv1.Apologised) recovery.Apologised {
	return recovery.Apologised{Case: m.GetCaseNumber(), At: moment(m.GetAt())}
}

// encodeTombstone stores what remains of a customer who was erased; nothing of nothing.
func encodeTombstone(c recovery.Customer, erased []erasedDay) ([]byte, error) {
	if bare(c) && len(erased) == 0 {
		return nil, nil
	}
	return marshal.Marshal(ledgerv1.Tombstone_builder{
		Cases:  c.Cases,
		Orders: c.Orders,
		Claims: c.Claims,
		Grants: convert(c.Grants, grantRecord),
		Erased: convert(erased, erasedRecord),
	}.Build())
}

// decodeTombstone gives the stranger who begins with what remains.
func decodeTombstone(b []byte) (state, error) {
	var m ledgerv1.Tombstone
	if err := proto.Unmarshal(b, &m); err != nil {
		return state{}, err
	}
	return state{
		erased: convert(m.GetErased(), erasedOf),
		customer: recovery.Customer{
			Cases:  m.GetCases(),
			Orders: m.GetOrders(),
			Claims: m.GetClaims(),
			Grants: convert(m.GetGrants(), grantOf),
		},
	}, nil
}

func erasedRecord(d erasedDay) *ledgerv1.ErasedDay {
	return ledgerv1.ErasedDay_builder{Day: d.day, Hashes: d.hashes}.Build()
}

func erasedOf(m *ledgerv1.ErasedDay) erasedDay {
	return erasedDay{day: m.GetDay(), hashes: m.GetHashes()}
}
