package bench

import (
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"sync/atomic"
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// work makes what is sent: failures and good experiences, each of them new.
type work struct {
	customers int    // who are known
	contents  int    // how many of them there are whom nothing has happened to
	run       string // keeps the ids of runs apart
	made      atomic.Int64
	told      atomic.Int64 // failures of customers who are to report some
	stocked   atomic.Int64 // how many such customers are known
	strangers atomic.Int64 // first failures of customers who were not
	fastest   float64      // failures a second of such customers, in any turn
}

func newWork(customers, contents int) *work {
	return &work{customers: customers, contents: contents, run: rand.Text()[:8]}
}

// known names one of the known customers, at random.
func (w *work) known() string { return w.knownFrom(0) }

// knownFrom names one of as many customers from a number on, at random.
func (w *work) knownFrom(first int) string { return w.customer(first + mathrand.IntN(w.customers)) }

// content names one of those whom nothing has happened to, at random.
func (w *work) content() string { return w.customer(firstContent + mathrand.IntN(w.contents)) }

// firstContent is the number of the first of them: numbers are nobody else's.
const firstContent = 800_000_000

// Who reports failures in a turn reports two, each of another order, the second some
// thousand reports after the first. First and second ones alternate: so any turn has as
// many of these as of those, however short it is, and a call costs the same in the
// first round and in the last.
const (
	failuresEach = 2
	firstFresh   = 900_000_000 // their numbers are nobody else's
	// between is how many others report their first failure before somebody's second: more
	// reports than are under way at a time, so that no second one waits for the first.
	between = mostAtOnce / failuresEach
)

// fresh names who reports the next failure: a customer with good experiences and,
// every other time, one failure before.
func (w *work) fresh() string {
	n := int(w.told.Add(1) - 1)
	who := n / failuresEach
	if n%failuresEach == 0 {
		who += between // a first failure; those of the very first were reported beforehand
	}
	if who >= int(w.stocked.Load()) {
		w.strangers.Add(1)
	}
	return w.customer(firstFresh + who)
}

// missing is how many customers more must be known before a turn of that length, at the
// rate at which failures have been reported at most, and half as many again.
func (w *work) missing(turn time.Duration) int {
	const guess = 8000 // a second, before anything is measured
	want := max(guess, w.fastest*3/2) * turn.Seconds()
	left := (int(w.stocked.Load())-between)*failuresEach - int(w.told.Load())
	return int(want/failuresEach) - left/failuresEach
}

// reported takes note of how many failures were reported since the count was told.
func (w *work) reported(told int64, took time.Duration) error {
	w.fastest = max(w.fastest, float64(w.told.Load()-told)/took.Seconds())
	if n := w.strangers.Load(); n > 0 {
		return fmt.Errorf("failures of customers who were not known yet were reported (%d): there were up to %s reports a second, and shorter turns (--turn) need fewer customers", n, Number(w.fastest))
	}
	return nil
}

func (w *work) customer(n int) string { return fmt.Sprintf("customer-%s-%08d", w.run, n) }

// failure is a failure of a customer as an order service reports it.
func (w *work) failure(customer string) *recoveryv1.FailureEvent {
	n := w.made.Add(1)
	return recoveryv1.FailureEvent_builder{
		EventId:    fmt.Sprintf("event-%s-%010d", w.run, n),
		CustomerId: customer,
		OccurredAt: timestamppb.Now(),
		Kinds:      []recoveryv1.FailureKind{recoveryv1.FailureKind_FAILURE_KIND_LATE, recoveryv1.FailureKind_FAILURE_KIND_QUALITY},
		Delay:      durationpb.New(45 * time.Minute),
		OrderId:    fmt.Sprintf("order-%s-%010d", w.run, n),
		OrderValue: &money.Money{CurrencyCode: "USD", Units: 18},
		Channel:    recoveryv1.Channel_CHANNEL_APP,
	}.Build()
}

// report is a call of ReportFailure.
func (w *work) report(customer string) []byte {
	return bytesOf(recoveryv1.ReportFailureRequest_builder{Event: w.failure(customer)}.Build())
}

// praise is a good experience.
func (w *work) praise(customer string) *recoveryv1.Interaction {
	return recoveryv1.Interaction_builder{
		InteractionId: fmt.Sprintf("interaction-%s-%010d", w.run, w.made.Add(1)),
		CustomerId:    customer,
		OccurredAt:    timestamppb.Now(),
		Kind:          recoveryv1.InteractionKind_INTERACTION_KIND_ORDER_FULFILLED,
	}.Build()
}

// batch is a call of RecordInteractions.
func (w *work) batch(n int, customer func(int) string) []byte {
	b := recoveryv1.RecordInteractionsRequest_builder{}
	for i := range n {
		b.Interactions = append(b.Interactions, w.praise(customer(i)))
	}
	return bytesOf(b.Build())
}

func bytesOf(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err) // of messages that this file makes
	}
	return b
}
