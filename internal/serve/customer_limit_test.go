package serve_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/redistest"
	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// One customer with events without end takes a bounded part of Redis, and others
// hardly notice. It prints how long theirs take beside it.
func TestOneCustomerWithoutEnd(t *testing.T) {
	store := redistest.Server(t)
	s := start(t, serve.Config{Redis: store.URL()})
	const events = 100_000
	other := func(round string) (took time.Duration) {
		for i := range 100 {
			begin := time.Now()
			if _, err := s.report(t.Context(), event(fmt.Sprint(round, i), fmt.Sprint(round, i))); err != nil {
				t.Fatal(err)
			}
			took += time.Since(begin)
		}
		return took / 100
	}
	alone := other("alone")
	done := make(chan int)
	go func() {
		recorded := 0
		for n := 0; n < events; n += 1000 {
			items := make([]*recoveryv1.Interaction, 1000)
			for i := range items {
				items[i] = praise(fmt.Sprint("loop ", n+i), "loop")
			}
			answer, err := s.recovery.RecordInteractions(t.Context(), recoveryv1.RecordInteractionsRequest_builder{Interactions: items}.Build())
			if err != nil {
				t.Error(err)
				break
			}
			for _, r := range answer.GetResults() {
				if r.GetStatus() == recoveryv1.InteractionStatus_INTERACTION_STATUS_RECORDED {
					recorded++
				}
			}
		}
		done <- recorded
	}()
	beside := other("beside")
	recorded := <-done
	bytes := int64(0)
	for _, name := range store.Client().Keys(t.Context(), "{b*}:c*").Val() {
		bytes = max(bytes, store.Client().MemoryUsage(t.Context(), name, 0).Val())
	}
	t.Logf("%d events of one customer: %d recorded, %d bytes; a report of another takes %v alone, %v beside it", events, recorded, bytes, alone, beside)
	if recorded != 5000 {
		t.Errorf("%d are recorded, want 5000", recorded)
	}
	if bytes > 1<<20 {
		t.Errorf("the customer takes %d bytes", bytes)
	}
}
