package rpc

import (
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/policy"
	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/wire"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// origin is where a case belongs.
type origin struct {
	tenant string
	key    ledger.Key
}

// answer writes a case as the contract shows it, in the words of the policy that
// has decided it. It writes the bytes that are stored and sent, without making
// the messages first: a report makes some sixty of them.
type answer struct {
	wire.Writer
	policy *recovery.Policy
	caseID string
}

// written is a case without the customer's id: that is not known here.
func written(at origin, k *recovery.Case, rules recovery.Rules) ([]byte, error) {
	a := newAnswer(at, k, rules)
	return a.Take()
}

// newAnswer writes it, to be taken.
func newAnswer(at origin, k *recovery.Case, rules recovery.Rules) answer {
	a := answer{
		Writer: wire.New(),
		policy: rules.For(k.Policy),
		caseID: ledger.CaseID(at.key, k.Number),
	}
	a.kase(at.tenant, k)
	return a
}

// encode is what is written, as a message. It panics if that is none, which says
// that the code above is wrong.
func encode(at origin, k *recovery.Case, rules recovery.Rules) *recoveryv1.Case {
	kase := &recoveryv1.Case{}
	body, err := written(at, k, rules)
	if err == nil {
		err = proto.Unmarshal(body, kase)
	}
	if err != nil {
		panic(err)
	}
	return kase
}

func (a *answer) kase(tenant string, k *recovery.Case) {
	a.Text(1, a.caseID)
	a.Text(caseTenant, tenant)
	a.Number(4, uint64(k.State))
	a.Number(5, uint64(k.Revision))
	a.time(6, k.OpenedAt)
	for i := range k.Accounts {
		a.failure(7, k, &k.Accounts[i])
	}
	a.assessment(8, &k.Assessment)
	a.recommendation(9, k)
	for i := range k.Deadlines {
		a.deadline(10, &k.Deadlines[i])
	}
	a.time(11, k.RespondBy())
	for i := range k.Offers {
		a.offer(12, &k.Offers[i])
	}
	for i := range k.History {
		a.transition(13, &k.History[i])
	}
	a.Text(14, k.Policy)
	a.Text(15, k.TraceParent)
	a.Number(16, uint64(k.Outcome))
	a.time(17, k.ClosedAt)
	a.time(18, k.HeldSince)
}

func (a *answer) failure(n protowire.Number, k *recovery.Case, f *recovery.Failure) {
	start := a.Open(n)
	a.time(1, f.OccurredAt)
	a.time(2, f.ReceivedAt)
	a.kinds(3, f.Kinds)
	a.duration(4, f.Delay)
	a.Float(5, a.severity(k, f))
	a.Number(6, uint64(f.Voice))
	a.Number(7, uint64(f.Channel))
	a.Number(8, uint64(f.Reach))
	a.Number(9, uint64(f.Acceptance))
	a.Number(10, uint64(f.Evidence))
	a.some(11, f.Value, f.Currency)
	if f.Loss != 0 || f.Value != 0 { // nothing was lost of something of value: that is shown
		a.money(12, f.Loss, f.Currency)
	}
	a.Close(start)
}

// severity of one account alone. With only one it is that of the case.
func (a *answer) severity(k *recovery.Case, f *recovery.Failure) float64 {
	if len(k.Accounts) == 1 {
		return k.Assessment.Severity
	}
	return recovery.Severity(a.policy, f)
}

func (a *answer) deadline(n protowire.Number, d *recovery.Deadline) {
	start := a.Open(n)
	a.Number(1, uint64(d.Milestone))
	a.time(2, d.DueAt)
	a.Number(3, uint64(d.BoundBy))
	a.Number(4, uint64(d.Verdict))
	a.time(5, d.MetAt)
	a.Close(start)
}

func (a *answer) transition(n protowire.Number, t *recovery.Transition) {
	start := a.Open(n)
	a.time(1, t.At)
	a.Number(2, uint64(t.Change))
	a.Number(3, uint64(t.Milestone))
	if t.Offer > 0 {
		a.Text(4, OfferID(a.caseID, t.Offer))
	}
	a.Close(start)
}

func (a *answer) offer(n protowire.Number, o *recovery.Offer) {
	total, approval := int64(0), int64(0)
	for i := range o.Items {
		total += o.Items[i].Amount
		approval += o.Items[i].Approval
	}
	start := a.Open(n)
	a.Text(1, OfferID(a.caseID, o.Number))
	a.Number(2, uint64(o.State))
	a.items(3, o.Items, o.Currency)
	a.money(4, total, o.Currency)
	a.some(5, approval, o.Currency)
	a.time(6, o.CreatedAt)
	a.time(7, o.ExpiresAt)
	a.time(8, o.ApprovedAt)
	a.time(9, o.MadeAt)
	a.time(10, o.AnsweredAt)
	a.Number(11, uint64(answerOf(o.State)))
	a.Text(12, o.Approver)
	a.some(13, o.Reserved, o.Currency)
	a.Close(start)
}

func answerOf(state recovery.OfferState) recoveryv1.Answer {
	switch state {
	case recovery.OfferAccepted:
		return recoveryv1.Answer_ANSWER_ACCEPTED
	case recovery.OfferRefused:
		return recoveryv1.Answer_ANSWER_REFUSED
	default:
		return recoveryv1.Answer_ANSWER_UNSPECIFIED
	}
}

func (a *answer) kinds(n protowire.Number, set recovery.KindSet) {
	if set == 0 {
		return
	}
	start := a.Open(n)
	for kind := range set.All() {
		a.Bytes = protowire.AppendVarint(a.Bytes, uint64(kind))
	}
	a.Close(start)
}

// time writes a google.protobuf.Timestamp; nothing for the zero time.
func (a *answer) time(n protowire.Number, t time.Time) {
	if t.IsZero() {
		return
	}
	start := a.Open(n)
	a.Number(1, uint64(t.Unix()))
	a.Number(2, uint64(t.Nanosecond()))
	a.Close(start)
}

// duration writes a google.protobuf.Duration; nothing for none.
func (a *answer) duration(n protowire.Number, d time.Duration) {
	if d == 0 {
		return
	}
	start := a.Open(n)
	a.Number(1, uint64(d/time.Second))
	a.Number(2, uint64(d%time.Second))
	a.Close(start)
}

// money writes an amount as a google.type.Money; nothing without a currency.
func (a *answer) money(n protowire.Number, minor int64, currency string) {
	if currency == "" {
		return
	}
	units, nanos := split(minor, policy.Digits(currency))
	start := a.Open(n)
	a.Text(1, currency)
	a.Number(2, uint64(units))
	a.Number(3, uint64(nanos))
	a.Close(start)
}

// some writes an amount above 0 only.
func (a *answer) some(n protowire.Number, minor int64, currency string) {
	if minor > 0 {
		a.money(n, minor, currency)
	}
}
