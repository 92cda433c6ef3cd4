package serve_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/makeamends/amends/internal/redistest"
	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

func (r *running) erase(tb testing.TB, customer string) *recoveryv1.EraseCustomerResponse {
	tb.Helper()
	answer, err := r.recovery.EraseCustomer(tb.Context(), recoveryv1.EraseCustomerRequest_builder{CustomerId: customer}.Build())
	if err != nil {
		tb.Fatal(err)
	}
	return answer
}

func (r *running) acknowledge(ctx context.Context, caseID, id string) error {
	_, err := r.recovery.AcknowledgeCase(ctx, recoveryv1.AcknowledgeCaseRequest_builder{CaseId: caseID, RequestId: id}.Build())
	return err
}

// TestErasedCustomerIsGone searches the whole Redis, as the server writes it to
// disk, for what was known of a customer.
func TestErasedCustomerIsGone(t *testing.T) {
	store := redistest.Server(t)
	s := start(t, serve.Config{Redis: store.URL()})
	first, second := s.mustReport(t, event("e1", "c")), s.mustReport(t, event("e2", "c"))
	if _, err := s.praise(t.Context(), praise("p", "c")); err != nil {
		t.Fatal(err)
	}
	if err := s.acknowledge(t.Context(), first.GetCaseId(), "ack"); err != nil {
		t.Fatal(err)
	}
	offer, err := s.recovery.RequestOffer(t.Context(), recoveryv1.RequestOfferRequest_builder{CaseId: new(second.GetCaseId()), RequestId: "offer"}.Build())
	if err != nil || offer.GetOffer() == nil {
		t.Fatalf("no offer to be erased: %v, %v", offer, err)
	}
	key, _, _ := strings.Cut(strings.TrimPrefix(first.GetCaseId(), "c"), ".")
	if found := holding(t, store, key); len(found) < 4 {
		t.Fatalf("only %q is there to be erased", found)
	}

	gone := s.erase(t, "c")
	if !gone.GetFound() || gone.GetCasesRemoved() != 2 || gone.GetFailuresRemoved() != 2 || gone.GetAnswersRemoved() != 5 || gone.GetEventsRemoved() < 4 {
		t.Errorf("erased %v", gone)
	}
	if at := gone.GetTombstoneExpiresAt().AsTime(); !at.Equal(noon.Add(90 * 24 * time.Hour)) {
		t.Errorf("the tombstone is over at %s", at)
	}
	if found := holding(t, store, key); len(found) != 1 || !strings.HasSuffix(found[0], ":c"+key) {
		t.Errorf("the key of the customer is left in %q", found)
	}
	_, err = s.recovery.GetCase(t.Context(), recoveryv1.GetCaseRequest_builder{CaseId: first.GetCaseId()}.Build())
	for name, err := range map[string]error{"GetCase": err, "a step": s.acknowledge(t.Context(), second.GetCaseId(), "ack2")} {
		if code, reason, _ := refused(t, err); code != codes.NotFound || reason != "CASE_NOT_FOUND" {
			t.Errorf("%s: %s %s, want NotFound CASE_NOT_FOUND", name, code, reason)
		}
	}

	s.clock.move(time.Hour)
	again := s.erase(t, "c")
	left := again.GetTombstoneExpiresAt().AsTime().Sub(s.clock.Now())
	if again.GetFound() || again.GetCasesRemoved()+again.GetFailuresRemoved()+again.GetAnswersRemoved()+again.GetEventsRemoved() != 0 {
		t.Errorf("erased again: %v", again)
	}
	if left <= 0 || left > 90*24*time.Hour {
		t.Errorf("erased again, the tombstone stands for %s", left)
	}
	if never := s.erase(t, "nobody"); never.GetFound() || never.HasTombstoneExpiresAt() {
		t.Errorf("of a stranger: %v", never)
	}

	// What was asked for is not carried out again; a new event opens another case.
	_, again1 := s.report(t.Context(), event("e1", "c"))
	for name, err := range map[string]error{"an event": again1, "a step": s.acknowledge(t.Context(), first.GetCaseId(), "ack")} {
		if code, reason, _ := refused(t, err); code != codes.FailedPrecondition || reason != "ERASED" {
			t.Errorf("%s again: %s %s, want FailedPrecondition ERASED", name, code, reason)
		}
	}
	answer, err := s.report(t.Context(), event("e3", "c"))
	if err != nil || answer.GetReplayed() {
		t.Fatalf("reported anew: %v, %v", answer, err)
	}
	if id := answer.GetCase().GetCaseId(); id == first.GetCaseId() || id == second.GetCaseId() {
		t.Errorf("case id %s names an erased case, too", id)
	}
}

// holding names the keys of a Redis that hold a text in name or content.
func holding(t *testing.T, store *redistest.Instance, text string) (found []string) {
	t.Helper()
	for name, content := range contents(t, store) {
		if strings.Contains(name+content, text) {
			found = append(found, name)
		}
	}
	return found
}

// contents are all keys of a Redis, each with all that it holds.
func contents(t *testing.T, store *redistest.Instance) map[string]string {
	t.Helper()
	c, all := store.Client(), map[string]string{}
	for _, name := range c.Keys(t.Context(), "*").Val() {
		switch kind := c.Type(t.Context(), name).Val(); kind {
		case "hash":
			all[name] = fmt.Sprint(c.HGetAll(t.Context(), name).Val())
		case "zset":
			all[name] = fmt.Sprint(c.ZRange(t.Context(), name, 0, -1).Val())
		case "stream":
			all[name] = fmt.Sprint(c.XRange(t.Context(), name, "-", "+").Val())
		case "list":
			all[name] = fmt.Sprint(c.LRange(t.Context(), name, 0, -1).Val())
		case "string":
			all[name] = c.Get(t.Context(), name).Val()
		default:
			t.Fatalf("%s is a %s", name, kind)
		}
	}
	return all
}

// goodwill is what a case is given without approval, in cents.
func goodwill(k *recoveryv1.Case) (sum int64) {
	cents := func(m *money.Money) int64 { return m.GetUnits()*100 + int64(m.GetNanos())/10_000_000 }
	for _, item := range k.GetRecommendation().GetItems() {
		if item.GetKind() == recoveryv1.ItemKind_ITEM_KIND_GOODWILL {
			sum += cents(item.GetAmount()) - cents(item.GetApprovalRequired())
		}
	}
	return sum
}

// TestEraseAndClaim: who was given all that goes without approval is given no
// more for having been forgotten.
func TestEraseAndClaim(t *testing.T) {
	s := start(t, serve.Config{})
	costly := func(id, customer string) *recoveryv1.FailureEvent {
		e := event(id, customer)
		e.SetOrderValue(&money.Money{CurrencyCode: "USD", Units: 400})
		e.SetCorroboration(recoveryv1.Corroboration_CORROBORATION_EVIDENCED) // no question of abuse
		return e
	}
	given := int64(0)
	for i := range 4 {
		given += goodwill(s.mustReport(t, costly(fmt.Sprint("e", i), "greedy")))
	}
	if given != 100_00 {
		t.Fatalf("%d cents are given without approval, want the cap of 10000", given)
	}
	for round := range 2 { // the second erases the first one's later life, too
		s.erase(t, "greedy")
		s.clock.move(30 * 24 * time.Hour)
		e := costly(fmt.Sprint("again ", round), "greedy")
		e.SetOccurredAt(timestamppb.New(s.clock.Now()))
		if more := goodwill(s.mustReport(t, e)); more != 0 {
			t.Errorf("after erasure %d, %d cents are given without approval", round+1, more)
		}
	}
	s.clock.move(30 * 24 * time.Hour)
	e := costly("ninety days later", "greedy")
	e.SetOccurredAt(timestamppb.New(s.clock.Now()))
	if more := goodwill(s.mustReport(t, e)); more == 0 {
		t.Error("after ninety days, nothing is given")
	}
}

// TestEraseAndClaimAgain: claims without evidence are counted on.
func TestEraseAndClaimAgain(t *testing.T) {
	s := start(t, serve.Config{})
	claim := func(id, customer string) *recoveryv1.Case {
		t.Helper()
		e := event(id, customer)
		e.SetVoice(recoveryv1.Voice_VOICE_PRIVATE)
		e.SetCorroboration(recoveryv1.Corroboration_CORROBORATION_CLAIM_ONLY)
		return s.mustReport(t, e)
	}
	for i := range 12 {
		claim(fmt.Sprint("e", i), "claimant")
	}
	s.erase(t, "claimant")
	if k := claim("again", "claimant"); !k.GetRecommendation().GetReviewRequired() {
		t.Error("the guard has forgotten the claims")
	}
	if k := claim("first", "honest"); k.GetRecommendation().GetReviewRequired() {
		t.Error("the first claim of a stranger needs review; the test shows nothing")
	}
}

// TestEraseAndRepeat: what is owed is not paid again to who is erased and repeats
// the event, in a batch or alone, before or after a new life has begun.
func TestEraseAndRepeat(t *testing.T) {
	s := start(t, serve.Config{})
	owed := event("e", "c")
	owed.SetEntitlement(usd(18, 0))
	if items := s.mustReport(t, owed).GetRecommendation().GetItems(); len(items) == 0 {
		t.Fatal("nothing is owed; the test shows nothing")
	}
	if _, err := s.praise(t.Context(), praise("p", "c")); err != nil {
		t.Fatal(err)
	}
	s.erase(t, "c")
	for round := range 3 {
		_, err := s.report(t.Context(), owed)
		if code, reason, _ := refused(t, err); code != codes.FailedPrecondition || reason != "ERASED" {
			t.Errorf("round %d: %s %s, want FailedPrecondition ERASED", round, code, reason)
		}
		results, err := s.praise(t.Context(), praise("p", "c"), praise(fmt.Sprint("new ", round), "c"))
		if got := fmt.Sprint(summaries(t, results)); err != nil || !strings.Contains(got, "ERASED") || !strings.Contains(got, "RECORDED") {
			t.Errorf("round %d: %s, %v; want the erased one rejected alone", round, got, err)
		}
		if round == 1 {
			s.erase(t, "c")
		}
	}
	s.clock.move(9 * 24 * time.Hour)
	late, err := s.report(t.Context(), owed) // is too old to pay by itself
	if err != nil || !late.GetCase().GetRecommendation().GetReviewRequired() {
		t.Errorf("after nine days: %v, %v", late, err)
	}
}

// TestEraseBusyCustomer: an erasure takes its turn among the changes of the
// customer.
func TestEraseBusyCustomer(t *testing.T) {
	store := redistest.Shared(t)
	s := start(t, serve.Config{Redis: store.URL(), Now: time.Now})
	s.mustReport(t, event("e", "busy"))
	copyEvents(t, store, 6000) // it takes a while to look through them
	ctx, stop := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	for i := range 16 {
		callers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				_, err := s.report(ctx, event(fmt.Sprint("e", i, "-", n), "busy"))
				if err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err := s.recovery.EraseCustomer(ctx, recoveryv1.EraseCustomerRequest_builder{CustomerId: "busy"}.Build())
		cancel()
		if err != nil {
			t.Errorf("erasing a busy customer: %v", err)
		}
	}
	stop()
	callers.Wait()
}

// TestEraseDamagedCustomer: the service goes on beside a customer who cannot be
// read, and erases it.
func TestEraseDamagedCustomer(t *testing.T) {
	store := redistest.Server(t)
	s := start(t, serve.Config{Redis: store.URL(), Now: time.Now})
	k := s.mustReport(t, event("e", "c"))
	s.mustReport(t, event("e", "neighbour"))
	key, _, _ := strings.Cut(strings.TrimPrefix(k.GetCaseId(), "c"), ".")
	name := store.Client().Keys(t.Context(), "*:c"+key).Val()[0]
	store.Client().HSet(t.Context(), name, "v", "2.by hand", "s", "\xff\xff")
	_, err := s.report(t.Context(), event("e2", "c"))
	if code, reason, _ := refused(t, err); code != codes.Internal || reason != "INTERNAL" || !strings.Contains(s.log.String(), name) {
		t.Errorf("%s %s, want Internal INTERNAL and the key in the log", code, reason)
	}
	list, err := s.recovery.ListCases(t.Context(), &recoveryv1.ListCasesRequest{})
	if err != nil || len(list.GetCases()) != 1 {
		t.Errorf("listed %v, %v; want the neighbour's case", list, err)
	}
	time.Sleep(time.Second) // two looks at the store
	if !s.serving(t.Context()) {
		t.Error("the server refuses everybody")
	}
	if gone := s.erase(t, "c"); !gone.GetFound() || gone.GetCasesRemoved() != 1 || gone.GetEventsRemoved() != 1 || gone.HasTombstoneExpiresAt() {
		t.Errorf("erased %v", gone)
	}
	if found := holding(t, store, key); len(found) > 0 {
		t.Errorf("left: %q", found)
	}
	s.mustReport(t, event("e2", "c"))
}

// TestErasingWhileReporting: no call fails, every case has an id of its own, and
// at the end nothing is left.
func TestErasingWhileReporting(t *testing.T) {
	store := redistest.Server(t)
	servers := []*running{
		start(t, serve.Config{Redis: store.URL(), Now: time.Now}),
		start(t, serve.Config{Redis: store.URL(), Now: time.Now}),
	}
	const events = 60
	var mu sync.Mutex
	ids := map[string]bool{}
	var wait sync.WaitGroup
	for i := range events {
		wait.Go(func() {
			answer, err := servers[i%2].report(t.Context(), event(fmt.Sprint("e", i), "c"))
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			ids[answer.GetCase().GetCaseId()] = true
		})
		if i%5 == 0 {
			wait.Go(func() { servers[i%2].erase(t, "c") })
		}
	}
	wait.Wait()
	if len(ids) != events {
		t.Errorf("%d case ids for %d events", len(ids), events)
	}
	servers[0].erase(t, "c")
	for id := range ids {
		key, _, _ := strings.Cut(strings.TrimPrefix(id, "c"), ".")
		if found := holding(t, store, key); len(found) != 1 {
			t.Errorf("the key of the customer is left in %q", found)
		}
		break
	}
}
