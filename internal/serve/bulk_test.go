package serve_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/internal/redistest"
	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// told is a bulk load of many customers: of each some failures, each of an order of
// its own, and some orders that went well. The prefix keeps loads apart.
func told(prefix string, customers, items int) []*recoveryv1.IngestRequest {
	dice := rand.New(rand.NewPCG(1, 2))
	list := make([]*recoveryv1.IngestRequest, items)
	for n := range list {
		customer := fmt.Sprint(prefix, dice.IntN(customers))
		if dice.IntN(3) > 0 {
			i := praise(fmt.Sprint(prefix, n), customer)
			i.SetKind(recoveryv1.InteractionKind_INTERACTION_KIND_ORDER_FULFILLED)
			list[n] = recoveryv1.IngestRequest_builder{Interaction: i}.Build()
			continue
		}
		e := event(fmt.Sprint(prefix, n), customer)
		e.SetOrderId(fmt.Sprint(prefix, n))
		list[n] = recoveryv1.IngestRequest_builder{Failure: e}.Build()
	}
	return list
}

// ingest sends items over one stream until it ends, and hands each answer out with
// the index of its item.
func ingest(ctx context.Context, desk recoveryv1.RecoveryServiceClient, items []*recoveryv1.IngestRequest, answered func(int, *recoveryv1.IngestResponse)) error {
	ctx, cancel := context.WithCancel(ctx)
	var sending sync.WaitGroup
	defer sending.Wait()
	defer cancel()
	stream, err := desk.Ingest(ctx)
	if err != nil {
		return err
	}
	sending.Go(func() {
		for _, item := range items {
			if stream.Send(item) != nil {
				return // Recv tells why
			}
		}
		_ = stream.CloseSend()
	})
	for n := 0; ; n++ {
		answer, err := stream.Recv()
		if err == io.EOF && n == len(items) {
			return nil
		}
		if err == io.EOF {
			return fmt.Errorf("%d answers to %d items", n, len(items))
		}
		if err != nil {
			return err
		}
		if answer.GetSequence() != int64(n) {
			return fmt.Errorf("answer %d stands at %d", answer.GetSequence(), n)
		}
		answered(n, answer)
	}
}

// answers that are taken as they come.
func ignored(int, *recoveryv1.IngestResponse) {}

// outcome says what an answer says: whom it is about, and what became of it.
func outcome(tb testing.TB, a *recoveryv1.IngestResponse) string {
	tb.Helper()
	switch {
	case a.HasFailure():
		return "case of " + a.GetFailure().GetCase().GetCustomerId()
	case a.HasInteraction():
		return a.GetInteraction().GetInteractionId() + " " + summaries(tb, []*recoveryv1.InteractionResult{a.GetInteraction()})[0]
	default:
		code, reason, _ := takeApart(tb, status.FromProto(a.GetError()))
		return fmt.Sprint(code, " ", reason)
	}
}

// TestIngestInOrder: many customers, one of whom very much is told, with faulty
// items in between. Each answer is that of its item, and only the faulty ones are
// refused.
func TestIngestInOrder(t *testing.T) {
	r := start(t, serve.Config{Redis: redistest.Server(t).URL()})
	items := told("mixed-", 40, 1200)
	want := make([]string, len(items))
	failures, orders := map[string]int{}, map[string]int64{}
	for n, item := range items {
		switch {
		case n%7 == 0: // in runs of its own, between the others
			item.SetFailure(event(fmt.Sprint("hot-", n), "hot"))
			item.GetFailure().SetOrderId(fmt.Sprint("hot-", n))
		case n%31 == 0:
			item.SetFailure(event("", ""))
			want[n] = "InvalidArgument INVALID_REQUEST"
			continue
		case n%37 == 0 && item.HasFailure():
			item.GetFailure().GetOrderValue().CurrencyCode = "XAF"
			want[n] = "FailedPrecondition CURRENCY_NOT_LISTED"
			continue
		case n%41 == 0:
			item.SetInteraction(praise("", "hot"))
			want[n] = " REJECTED INVALID_REQUEST interaction.interaction_id"
			continue
		}
		if item.HasFailure() {
			customer := item.GetFailure().GetCustomerId()
			want[n] = "case of " + customer
			failures[customer]++
		} else {
			want[n] = item.GetInteraction().GetInteractionId() + " RECORDED"
			orders[item.GetInteraction().GetCustomerId()]++
		}
	}
	numbers := map[string]int{}
	err := ingest(t.Context(), r.recovery, items, func(n int, a *recoveryv1.IngestResponse) {
		if got := outcome(t, a); got != want[n] {
			t.Errorf("item %d: %q, want %q", n, got, want[n])
		}
		if k := a.GetFailure().GetCase(); k != nil { // the cases of a customer are opened in the order of its items
			numbers[k.GetCustomerId()]++
			if want := fmt.Sprint(".", numbers[k.GetCustomerId()]); !strings.HasSuffix(k.GetCaseId(), want) {
				t.Errorf("item %d opened %s, want case %s of the customer", n, k.GetCaseId(), want)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for customer, n := range failures {
		if got := numbers[customer]; got != n {
			t.Errorf("%s has %d cases, want %d", customer, got, n)
		}
		if got := r.assess(t, customer).GetOrders(); got != orders[customer] {
			t.Errorf("%s has %d orders, want %d", customer, got, orders[customer])
		}
	}
}

// TestBulkIsAsOneByOne: what is folded leaves customers as calls of their own do.
func TestBulkIsAsOneByOne(t *testing.T) {
	r := start(t, serve.Config{Redis: redistest.Server(t).URL(), Sweep: time.Hour})
	const customers, n = 5, 150
	if err := ingest(t.Context(), r.recovery, told("bulk-", customers, n), ignored); err != nil {
		t.Fatal(err)
	}
	for _, item := range told("call-", customers, n) {
		if item.HasFailure() {
			r.mustReport(t, item.GetFailure())
		} else if _, err := r.praise(t.Context(), item.GetInteraction()); err != nil {
			t.Fatal(err)
		}
	}
	for c := range customers {
		bulk, call := r.assess(t, fmt.Sprint("bulk-", c)), r.assess(t, fmt.Sprint("call-", c))
		for _, a := range []*recoveryv1.CustomerAssessment{bulk, call} { // what differs by the ids
			a.SetCustomerId("")
			for _, k := range a.GetOpenCases() {
				k.SetCaseId("")
				k.SetCustomerId("")
				k.SetTraceParent("")
				for _, h := range k.GetHistory() {
					h.SetOfferId("")
				}
			}
		}
		if !proto.Equal(bulk, call) {
			t.Errorf("customer %d in bulk:\n%v\nby calls:\n%v", c, bulk, call)
		}
	}
}

// TestIngestCutAndResumed: a load that is cut again and again, by its caller and by
// kill -9 of the server, and goes on with the first item that was not answered,
// counts everything once.
func TestIngestCutAndResumed(t *testing.T) {
	store := redistest.Server(t)
	items := told("cut-", 30, 1500)
	cuts, killed, replayed := 0, 0, 0
	for done := 0; done < len(items); cuts++ {
		server := spawn(t, childConfig{Redis: store.URL()})
		desk := recoveryv1.NewRecoveryServiceClient(dial(t, server.addr))
		ctx, cut := context.WithCancel(t.Context())
		first, stop := done, done+50+rand.IntN(200)
		err := ingest(ctx, desk, items[first:], func(n int, a *recoveryv1.IngestResponse) {
			done = first + n + 1
			if a.HasError() || a.GetInteraction().HasError() {
				t.Errorf("item %d: %s", first+n, outcome(t, a))
			}
			if a.GetFailure().GetReplayed() || a.GetInteraction().GetStatus() == recoveryv1.InteractionStatus_INTERACTION_STATUS_REPLAYED {
				replayed++
			}
			if done != stop {
				return
			}
			if cuts%2 == 0 {
				cut()
				return
			}
			killed++
			if err := server.Process.Kill(); err != nil {
				t.Error(err)
			}
		})
		cut()
		if done < len(items) && status.Code(err) != codes.Canceled && status.Code(err) != codes.Unavailable {
			t.Fatalf("after %d items: %v", done, err)
		}
		server.end()
	}
	t.Logf("cut %d times, %d of them by kill -9; %d items were replayed", cuts-1, killed, replayed)
	if killed == 0 || replayed == 0 {
		t.Error("nothing was under way when it was cut, so this shows nothing")
	}
	r := start(t, serve.Config{Redis: store.URL()})
	failures, orders := map[string]int{}, map[string]int64{}
	for _, item := range items {
		failures[item.GetFailure().GetCustomerId()]++
		orders[item.GetInteraction().GetCustomerId()]++
	}
	for c := range 30 {
		customer := fmt.Sprint("cut-", c)
		if got := r.assess(t, customer).GetOrders(); got != orders[customer] {
			t.Errorf("%s has %d orders, want %d", customer, got, orders[customer])
		}
		next := event(customer+"-last", customer)
		next.SetOrderId(customer + "-last")
		if id, want := r.mustReport(t, next).GetCaseId(), fmt.Sprint(".", failures[customer]+1); !strings.HasSuffix(id, want) {
			t.Errorf("the next case of %s is %s, want %s", customer, id, want)
		}
	}
}

// TestIngestHoldsUp: callers who send without end and take no answers are held up,
// and what the server keeps of them is bounded.
func TestIngestHoldsUp(t *testing.T) {
	const streams, most = 8, 1_000_000
	r := start(t, serve.Config{})
	// What a client takes in by itself, unread, is small and does not grow.
	conn, err := grpc.NewClient(r.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithStaticStreamWindowSize(64<<10))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	before := heap()
	ctx, leave := context.WithCancel(t.Context())
	var sent atomic.Int64
	var sending sync.WaitGroup
	for s := range streams {
		stream, err := recoveryv1.NewRecoveryServiceClient(conn).Ingest(ctx)
		if err != nil {
			t.Fatal(err)
		}
		sending.Go(func() {
			for n := range most {
				e := event(fmt.Sprint(s, "-", n), fmt.Sprint("c-", s, "-", n%500))
				e.SetOrderId(strings.Repeat("o", 60))
				if stream.Send(recoveryv1.IngestRequest_builder{Failure: e}.Build()) != nil {
					return
				}
				sent.Add(1)
			}
		})
	}
	var last int64
	eventually(t, time.Minute, "all are held up", func() bool {
		was := last
		last = sent.Load()
		time.Sleep(500 * time.Millisecond)
		return last > 0 && last == was
	})
	perStream, held := last/streams, heap()-before
	t.Logf("%d streams were held up after %d items each; %.0f MiB are held", streams, perStream, held)
	if perStream > 5000 || held > 100 {
		t.Errorf("%d items of each stream were taken, and %.0f MiB are held", perStream, held)
	}
	r.answersOthers(t)
	leave()
	sending.Wait()
	eventually(t, 10*time.Second, "the streams have ended", func() bool { _, _, calls := r.UnderWay(); return calls == 0 })
	if err := ingest(t.Context(), r.recovery, told("after-", 10, 500), ignored); err != nil {
		t.Errorf("a load afterwards: %v", err)
	}
}

// TestLoadsOfTheSameCustomers: streams that tell of the same customers in opposite
// orders do not wait for each other for ever.
func TestLoadsOfTheSameCustomers(t *testing.T) {
	r := start(t, serve.Config{Redis: redistest.Server(t).URL()})
	const streams, customers, each = 4, 20, 20
	errs := make(chan error, streams)
	for s := range streams {
		var items []*recoveryv1.IngestRequest
		for n := range customers * each {
			c := n % customers
			if s%2 == 1 {
				c = customers - 1 - c
			}
			i := praise(fmt.Sprint("same-", s, "-", n), fmt.Sprint("same-", c))
			i.SetKind(recoveryv1.InteractionKind_INTERACTION_KIND_ORDER_FULFILLED)
			items = append(items, recoveryv1.IngestRequest_builder{Interaction: i}.Build())
		}
		go func() {
			var refused error
			err := ingest(t.Context(), r.recovery, items, func(n int, a *recoveryv1.IngestResponse) {
				if a.GetInteraction().HasError() {
					refused = fmt.Errorf("item %d of stream %d: %s", n, s, outcome(t, a))
				}
			})
			errs <- errors.Join(err, refused)
		}()
	}
	for range streams {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	for c := range customers {
		if got := r.assess(t, fmt.Sprint("same-", c)).GetOrders(); got != streams*each {
			t.Errorf("customer %d has %d orders, want %d", c, got, streams*each)
		}
	}
}

// TestABadItemInAFullBatch is refused alone.
func TestABadItemInAFullBatch(t *testing.T) {
	r := start(t, serve.Config{Redis: redistest.Server(t).URL()})
	items := make([]*recoveryv1.Interaction, 1000)
	for n := range items {
		items[n] = praise(fmt.Sprint("full-", n), fmt.Sprint("full-", n%700))
	}
	items[500].SetCustomerId("")
	results, err := r.praise(t.Context(), items...)
	if err != nil {
		t.Fatal(err)
	}
	for n, got := range summaries(t, results) {
		want := "RECORDED"
		if n == 500 {
			want = "REJECTED INVALID_REQUEST interactions[500].customer_id"
		}
		if got != want || results[n].GetInteractionId() != items[n].GetInteractionId() {
			t.Errorf("item %d: %s, want %s", n, got, want)
		}
	}
	if a := r.assess(t, "full-0"); a.GetPositiveMass() != 2 {
		t.Errorf("positives %v, want 2", a.GetPositiveMass())
	}
}
