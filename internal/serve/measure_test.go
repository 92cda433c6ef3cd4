package serve_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/makeamends/amends/internal/redistest"
	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// figures are the metrics of a server by name and labels, as they stand in the text.
func (r *running) figures(t *testing.T) map[string]float64 {
	t.Helper()
	all := map[string]float64{}
	for line := range strings.Lines(r.metrics(t)) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		if strings.HasPrefix(line, "#") {
			continue
		}
		if value != "" {
			series += "}"
		} else {
			series, value, _ = strings.Cut(strings.TrimSpace(line), " ")
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatalf("%q is no figure: %v", line, err)
		}
		all[series] = n
	}
	return all
}

// grown gives by how much the figures with one of these names have grown, of those
// that have.
func grown(before, after map[string]float64, names ...string) map[string]float64 {
	out := map[string]float64{}
	for series, n := range after {
		for _, name := range names {
			if more := n - before[series]; more != 0 && (series == name || strings.HasPrefix(series, name+"{")) {
				out[strings.TrimPrefix(series, "amends_")] = more
			}
		}
	}
	return out
}

// counted fails unless just that has been counted since.
func (r *running) counted(t *testing.T, since map[string]float64, want map[string]float64, names ...string) {
	t.Helper()
	if got := grown(since, r.figures(t), names...); !maps.EqualFunc(got, want, func(a, b float64) bool { return math.Abs(a-b) < 1e-6 }) {
		t.Errorf("counted %v\n   want %v", got, want)
	}
}

// A case from its report to its follow-up: each decision, promise, offer and
// amount counts once, and a repetition counts nothing.
func TestACaseIsCounted(t *testing.T) {
	names := []string{
		"amends_decisions_total", "amends_decision_kinds_total", "amends_decision_risk_ratio_count", "amends_deadlines_total", "amends_offers_total",
		"amends_goodwill_proposed_minor_units_total", "amends_goodwill_granted_minor_units_total", "amends_deadline_lateness_seconds_count",
	}
	r := start(t, serve.Config{OpsListen: "127.0.0.1:0", Sweep: time.Hour})
	e := event("e", "c")
	e.SetKinds([]recoveryv1.FailureKind{recoveryv1.FailureKind_FAILURE_KIND_LATE, recoveryv1.FailureKind_FAILURE_KIND_QUALITY})
	e.SetOrderValue(usd(40, 0))
	e.SetCorroboration(recoveryv1.Corroboration_CORROBORATION_SYSTEM_OBSERVED)

	since := r.figures(t)
	k := r.mustReport(t, e)
	r.mustReport(t, e)
	band := strings.TrimPrefix(k.GetAssessment().GetRisk().GetBand().String(), "BAND_")
	var goodwill float64
	for _, item := range k.GetRecommendation().GetItems() {
		if item.GetKind() == recoveryv1.ItemKind_ITEM_KIND_GOODWILL {
			goodwill += float64(cents(item.GetAmount()))
		}
	}
	if goodwill == 0 {
		t.Fatal("no goodwill is recommended: this test shows nothing")
	}
	r.counted(t, since, map[string]float64{
		`decisions_total{band="` + band + `",bound="BAND"}`: 1, "decision_risk_ratio_count": 1,
		`decision_kinds_total{kind="LATE"}`: 1, `decision_kinds_total{kind="QUALITY"}`: 1,
		`goodwill_proposed_minor_units_total{approval="none",currency="USD"}`: goodwill,
	}, names...)

	since = r.figures(t)
	d := &desk{running: r, id: k.GetCaseId()}
	must[*recoveryv1.Case](t)(d.ack(t.Context()))
	o := must[*recoveryv1.Offer](t)(d.offer(t.Context()))
	must[*recoveryv1.Case](t)(d.make(t.Context(), o.GetOfferId()))
	must[*recoveryv1.Case](t)(d.answer(t.Context(), o.GetOfferId(), recoveryv1.Answer_ANSWER_ACCEPTED))
	must[*recoveryv1.Case](t)(d.resolve(t.Context(), recoveryv1.Outcome_OUTCOME_SATISFIED))
	must[*recoveryv1.Case](t)(d.followUp(t.Context()))
	r.counted(t, since, map[string]float64{
		`deadlines_total{milestone="ACKNOWLEDGE",verdict="MET"}`: 1, `deadlines_total{milestone="FIRST_RESPONSE",verdict="MET"}`: 1,
		`deadlines_total{milestone="OFFER",verdict="MET"}`: 1, `deadlines_total{milestone="RESOLVE",verdict="MET"}`: 1, `deadlines_total{milestone="FOLLOW_UP",verdict="MET"}`: 1,
		`offers_total{state="PROPOSED"}`: 1, `offers_total{state="MADE"}`: 1, `offers_total{state="ACCEPTED"}`: 1,
		`goodwill_granted_minor_units_total{approval="none",currency="USD"}`: float64(cents(o.GetAutomatic())),
	}, names...)
}

// What was done too late says by how much, once, whoever has noticed that it was
// late: here the call itself, since nobody sweeps.
func TestLatenessIsCounted(t *testing.T) {
	names := []string{"amends_deadlines_total", "amends_deadline_lateness_seconds_count", "amends_deadline_lateness_seconds_sum", "amends_sweep_late_seconds_count"}
	r := start(t, serve.Config{OpsListen: "127.0.0.1:0", Sweep: time.Hour})
	d := r.desk(t, "c")
	since := r.figures(t)
	r.clock.move(6 * time.Minute) // the acknowledgement was due after 5
	must[*recoveryv1.Case](t)(d.ack(t.Context()))
	want := map[string]float64{
		`deadlines_total{milestone="ACKNOWLEDGE",verdict="MISSED"}`: 1, `deadlines_total{milestone="ACKNOWLEDGE",verdict="MET"}`: 1, // promised anew, and kept
		`deadline_lateness_seconds_count{milestone="ACKNOWLEDGE"}`: 1, `deadline_lateness_seconds_sum{milestone="ACKNOWLEDGE"}`: 60,
		"sweep_late_seconds_count": 3, // two warnings and the miss
	}
	r.counted(t, since, want, names...)
	must[*recoveryv1.Case](t)(d.ack(t.Context()))
	r.counted(t, since, want, names...)
}

// Offers that need an approver, are refused or expire, and money that was approved.
func TestOffersAreCounted(t *testing.T) {
	names := []string{"amends_offers_total", "amends_goodwill_granted_minor_units_total"}
	r := start(t, serve.Config{OpsListen: "127.0.0.1:0", Sweep: time.Hour, Policy: policyWith(t, dollarBudget, "USD: {scale: 1, round_to: 0.50, daily_budget: 3}")})
	e := event("e", "c")
	e.SetOrderValue(usd(200, 0))
	d := &desk{running: r, id: r.mustReport(t, e).GetCaseId()}
	since := r.figures(t)
	o := must[*recoveryv1.Offer](t)(d.offer(t.Context()))
	must[*recoveryv1.Case](t)(d.approve(t.Context(), o.GetOfferId()))
	must[*recoveryv1.Case](t)(d.make(t.Context(), o.GetOfferId()))
	must[*recoveryv1.Case](t)(d.answer(t.Context(), o.GetOfferId(), recoveryv1.Answer_ANSWER_REFUSED))
	again := must[*recoveryv1.Offer](t)(d.offer(t.Context()))
	last := must[*recoveryv1.Offer](t)(d.offer(t.Context())) // the one before gives way
	must[*recoveryv1.Case](t)(d.approve(t.Context(), last.GetOfferId()))
	must[*recoveryv1.Case](t)(d.make(t.Context(), last.GetOfferId()))
	must[*recoveryv1.Case](t)(d.answer(t.Context(), last.GetOfferId(), recoveryv1.Answer_ANSWER_ACCEPTED))
	if again.GetState() != recoveryv1.OfferState_OFFER_STATE_APPROVAL_REQUIRED {
		t.Fatalf("the second offer is %v: this test shows nothing", again.GetState())
	}
	var goodwill float64
	for _, item := range last.GetItems() {
		if item.GetKind() == recoveryv1.ItemKind_ITEM_KIND_GOODWILL {
			goodwill += float64(cents(item.GetAmount()))
		}
	}
	r.counted(t, since, map[string]float64{
		`offers_total{state="APPROVAL_REQUIRED"}`: 3, `offers_total{state="APPROVED"}`: 2, `offers_total{state="MADE"}`: 2,
		`offers_total{state="REFUSED"}`: 1, `offers_total{state="EXPIRED"}`: 1, `offers_total{state="ACCEPTED"}`: 1,
		`goodwill_granted_minor_units_total{approval="none",currency="USD"}`:     float64(cents(last.GetAutomatic())),
		`goodwill_granted_minor_units_total{approval="required",currency="USD"}`: goodwill - float64(cents(last.GetAutomatic())),
	}, names...)
}

// The same event at once through two servers is one decision of both together.
func TestOneDecisionOfTwoServers(t *testing.T) {
	url := redistest.Server(t).URL()
	a, b := start(t, serve.Config{Redis: url, OpsListen: "127.0.0.1:0"}), start(t, serve.Config{Redis: url, OpsListen: "127.0.0.1:0"})
	atOnce(t, 32, func(i int) (struct{}, error) {
		r := a
		if i%2 == 0 {
			r = b
		}
		_, err := r.report(t.Context(), event("e", "c"))
		return struct{}{}, err
	})
	sum := 0.0
	for _, r := range []*running{a, b} {
		for _, n := range grown(nil, r.figures(t), "amends_decisions_total") {
			sum += n
		}
	}
	if sum != 1 {
		t.Errorf("%v decisions were counted, want 1", sum)
	}
}

// The names of methods that there are not come from callers: they stand neither in
// the metrics nor in the log.
func TestUnknownMethodsHaveNoName(t *testing.T) {
	s := start(t, serve.Config{OpsListen: "127.0.0.1:0"})
	for i := range 3 {
		err := s.conn.Invoke(t.Context(), fmt.Sprintf("/recovery.v1.RecoveryService/secret-%d", i), &emptypb.Empty{}, &emptypb.Empty{})
		if status.Code(err) != codes.Unimplemented {
			t.Fatal(err)
		}
	}
	series := `amends_calls_total{code="UNIMPLEMENTED",method="unknown",reason="NOT_IMPLEMENTED"}`
	eventually(t, 5*time.Second, "the calls are counted", func() bool { return s.figures(t)[series] == 3 })
	if strings.Contains(s.metrics(t), "secret") || strings.Contains(s.log.String(), "secret") {
		t.Errorf("the callers' names are told:\n%s\n%s", s.metrics(t), s.log)
	}
}

// A server tells whether it is ready, and its errors tell a store that is away.
func TestAnOutageIsSeen(t *testing.T) {
	store := redistest.Server(t, redistest.WithAOF())
	s := start(t, serve.Config{Redis: store.URL(), OpsListen: "127.0.0.1:0"})
	if f := s.figures(t); f["amends_ready"] != 1 || f["amends_store_durable"] != 1 {
		t.Errorf("ready %v, durable %v; want both", f["amends_ready"], f["amends_store_durable"])
	}
	store.Kill()
	if _, err := s.report(t.Context(), event("e", "c")); status.Code(err) != codes.Unavailable {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "the server is not ready", func() bool { return s.figures(t)["amends_ready"] == 0 })
	f := s.figures(t)
	refused := `amends_calls_total{code="UNAVAILABLE",method="recovery.v1.RecoveryService/ReportFailure",reason="STORE_UNAVAILABLE"}`
	if f[refused] != 1 || f[`amends_ledger_retries_total{cause="outage"}`] == 0 || f[`amends_redis_errors_total{class="refused"}`]+f[`amends_redis_errors_total{class="unanswered"}`] == 0 {
		t.Errorf("the outage is not seen: %v", grown(nil, f, refused, "amends_ledger_retries_total", "amends_redis_errors_total"))
	}
}

// How much of customers is remembered is for the operator to say, and seen.
func TestRemember(t *testing.T) {
	const customers = 10_000 // more than a MiB has room for
	for mib, want := range map[int]func(remembered, bytes float64) bool{
		-1: func(remembered, bytes float64) bool { return remembered == 0 && bytes == 0 },
		0:  func(remembered, bytes float64) bool { return remembered == customers && bytes > 1<<20 },
		1: func(remembered, bytes float64) bool {
			return remembered > customers/3 && remembered < customers && bytes <= 1<<20
		},
	} {
		s := start(t, serve.Config{Remember: mib, OpsListen: "127.0.0.1:0", Redis: redistest.Server(t).URL()})
		for n := 0; n < customers; n += 1000 {
			var batch []*recoveryv1.Interaction
			for i := range 1000 {
				batch = append(batch, praise(fmt.Sprint("praise-", n+i), fmt.Sprint("customer-", n+i)))
			}
			if _, err := s.praise(t.Context(), batch...); err != nil {
				t.Fatal(err)
			}
		}
		f := s.figures(t)
		if remembered, bytes := f["amends_ledger_remembered_customers"], f["amends_ledger_remembered_bytes"]; !want(remembered, bytes) {
			t.Errorf("with %d MiB %v customers of %v bytes are remembered", mib, remembered, bytes)
		}
	}
}

// What is left of a tenant's budget is seen by every server, whoever has booked.
func TestTheBudgetIsSeen(t *testing.T) {
	url := redistest.Server(t).URL()
	c := serve.Config{Redis: url, OpsListen: "127.0.0.1:0", Policy: policyWith(t, dollarBudget, "USD: {scale: 1, round_to: 0.50, daily_budget: 123.45}")}
	first := start(t, c)
	o := must[*recoveryv1.Offer](t)(first.worth(t.Context(), "c", "o", 40))
	if cents(o.GetAutomatic()) == 0 {
		t.Fatal("nothing is booked: this test shows nothing")
	}
	second := start(t, c) // looks when it starts
	eventually(t, 5*time.Second, "the budget is seen", func() bool {
		return second.figures(t)[`amends_budget_most_used_minor_units{currency="USD"}`] == float64(cents(o.GetAutomatic()))
	})
	if got := second.figures(t)[`amends_budget_daily_minor_units{currency="USD"}`]; got != 123_45 {
		t.Errorf("the budget is %v cents, want 12345", got)
	}
}

// A stream is logged when it begins, for those who look closely, and when it ends.
func TestStreamsAreLogged(t *testing.T) {
	s := start(t, serve.Config{OpsListen: "127.0.0.1:0"})
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := s.recovery.WatchCases(ctx, recoveryv1.WatchCasesRequest_builder{CustomerId: "secret"}.Build())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	const method = `"method":"recovery.v1.RecoveryService/WatchCases"`
	if f := s.figures(t); !strings.Contains(s.log.String(), `"msg":"stream",`+method) || f["amends_watchers"] != 1 || f[`amends_calls_in_flight{method="recovery.v1.RecoveryService/WatchCases"}`] != 1 {
		t.Errorf("an open stream is not seen: %v\n%s", f["amends_watchers"], s.log)
	}
	cancel()
	eventually(t, 5*time.Second, "the end is logged", func() bool {
		return strings.Contains(s.log.String(), `"msg":"call",`+method+`,"code":"Canceled"`)
	})
	if strings.Contains(s.log.String(), "secret") {
		t.Errorf("the log names the customer:\n%s", s.log)
	}
}

// TestKindsOfManyAccounts: of more accounts of one case than it keeps, told in one
// change, each counts with its own kinds.
func TestKindsOfManyAccounts(t *testing.T) {
	store := redistest.Server(t)
	r := start(t, serve.Config{Redis: store.URL(), OpsListen: "127.0.0.1:0", Sweep: time.Hour})
	const late, rude = 30, 28
	var items []*recoveryv1.IngestRequest
	for n := range late + rude {
		e := event(fmt.Sprint("account-", n), "c")
		e.SetOrderId("one")
		e.SetKinds([]recoveryv1.FailureKind{recoveryv1.FailureKind_FAILURE_KIND_LATE})
		if n >= late {
			e.SetKinds([]recoveryv1.FailureKind{recoveryv1.FailureKind_FAILURE_KIND_RUDE})
		}
		items = append(items, recoveryv1.IngestRequest_builder{Failure: e}.Build())
	}
	before := r.figures(t)
	store.Pause() // what comes meanwhile is told in one change
	time.AfterFunc(100*time.Millisecond, store.Resume)
	if err := ingest(t.Context(), r.recovery, items, ignored); err != nil {
		t.Fatal(err)
	}
	r.counted(t, before, map[string]float64{
		`decision_kinds_total{kind="LATE"}`: late, `decision_kinds_total{kind="RUDE"}`: rude,
	}, "amends_decision_kinds_total")
}
