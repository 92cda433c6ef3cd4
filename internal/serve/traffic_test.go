package serve_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/makeamends/amends/client"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// traffic is calls at a steady rate, whether those before are answered or not: two
// in five report a failure or praise of a new customer, one takes a step of a
// case, the rest reads. The customers are of several tenants. It remembers what
// was answered.
type traffic struct {
	desk   recoveryv1.RecoveryServiceClient
	prefix string
	calls  atomic.Int64

	mu      sync.Mutex
	errs    []error
	slowest time.Duration
	opened  []opened
	waiting []opened // that nobody has acknowledged
	acked   []opened
	praised []string // customers
}

// opened is a case that a report has opened.
type opened struct{ tenant, id string }

// tenantOf spreads customers over tenants.
func tenantOf(n int) string { return fmt.Sprint("tenant-", n/5%trafficTenants) }

const trafficTenants = 20

var traffics atomic.Int64

func newTraffic(desk recoveryv1.RecoveryServiceClient) *traffic {
	return &traffic{desk: desk, prefix: fmt.Sprint("l", traffics.Add(1), "-")}
}

// run calls until ctx ends, and then until all are answered.
func (l *traffic) run(ctx context.Context, rate int) {
	var calls sync.WaitGroup
	defer calls.Wait()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for begin, n := time.Now(), 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for due := int(time.Since(begin).Seconds() * float64(rate)); n < due; n++ {
			id := n
			calls.Go(func() { l.call(context.WithoutCancel(ctx), id) })
		}
	}
}

func (l *traffic) call(ctx context.Context, n int) {
	id, tenant := fmt.Sprint(l.prefix, n), tenantOf(n)
	begin := time.Now()
	var err error
	switch n % 5 {
	case 0:
		err = l.report(ctx, tenant, id)
	case 1:
		err = l.praise(ctx, tenant, id)
	case 2:
		err = l.acknowledge(ctx, id)
	default:
		_, err = l.assess(ctx, tenant, fmt.Sprint(l.prefix, n-n%5))
	}
	l.calls.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slowest = max(l.slowest, time.Since(begin))
	if err != nil {
		l.errs = append(l.errs, err)
	}
}

func (l *traffic) report(ctx context.Context, tenant, id string) error {
	e := event(id, id)
	e.SetTenant(tenant)
	e.SetOccurredAt(timestamppb.Now())
	answer, err := l.desk.ReportFailure(ctx, recoveryv1.ReportFailureRequest_builder{Event: e}.Build())
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.opened = append(l.opened, opened{tenant, answer.GetCase().GetCaseId()})
	l.waiting = append(l.waiting, l.opened[len(l.opened)-1])
	return nil
}

func (l *traffic) praise(ctx context.Context, tenant, id string) error {
	p := praise(id, id)
	p.SetTenant(tenant)
	p.SetOccurredAt(timestamppb.Now())
	_, err := l.desk.RecordInteractions(ctx, recoveryv1.RecordInteractionsRequest_builder{Interactions: []*recoveryv1.Interaction{p}}.Build())
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.praised = append(l.praised, id)
	return nil
}

// acknowledge takes the case that waits longest, if any.
func (l *traffic) acknowledge(ctx context.Context, id string) error {
	l.mu.Lock()
	if len(l.waiting) == 0 {
		l.mu.Unlock()
		return nil
	}
	kase := l.waiting[0]
	l.waiting = l.waiting[1:]
	l.mu.Unlock()
	_, err := l.desk.AcknowledgeCase(ctx, recoveryv1.AcknowledgeCaseRequest_builder{CaseId: kase.id, RequestId: id}.Build())
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked = append(l.acked, kase)
	return nil
}

func (l *traffic) assess(ctx context.Context, tenant, customer string) (*recoveryv1.CustomerAssessment, error) {
	answer, err := l.desk.AssessCustomer(ctx, recoveryv1.AssessCustomerRequest_builder{Tenant: tenant, CustomerId: customer}.Build())
	return answer.GetAssessment(), err
}

func (l *traffic) String() string {
	return fmt.Sprintf("calls %d, failed %d, slowest %s", l.calls.Load(), len(l.errs), l.slowest.Round(time.Millisecond))
}

// steps are the events that what was answered has made, by tenant.
func (l *traffic) steps() map[string][]string {
	steps := map[string][]string{}
	for _, kase := range l.opened {
		steps[kase.tenant] = append(steps[kase.tenant], kase.id+" OPENED")
	}
	for _, kase := range l.acked {
		steps[kase.tenant] = append(steps[kase.tenant], kase.id+" ACKNOWLEDGED")
	}
	return steps
}

// missing counts what was answered and is not there, or is there twice.
func (l *traffic) missing(t *testing.T, c *client.Client) (cases, praises int) {
	t.Helper()
	states := map[string]recoveryv1.CaseState{}
	for n := range trafficTenants {
		for kase, err := range c.Cases(t.Context(), recoveryv1.ListCasesRequest_builder{Tenant: tenantOf(5 * n), PageSize: 200}.Build()) {
			if err != nil {
				t.Fatal(err)
			}
			states[kase.GetCaseId()] = kase.GetState()
		}
	}
	for _, kase := range l.opened {
		if states[kase.id] == recoveryv1.CaseState_CASE_STATE_UNSPECIFIED {
			cases++
		}
	}
	for _, kase := range l.acked {
		if states[kase.id] != recoveryv1.CaseState_CASE_STATE_ACKNOWLEDGED {
			cases++
		}
	}
	var lost atomic.Int64
	inParallel(len(l.praised), func(i int) {
		var n int
		if _, err := fmt.Sscanf(l.praised[i], l.prefix+"%d", &n); err != nil {
			panic(err)
		}
		// One praise is worth one, and a little less as it grows old.
		found, err := l.assess(t.Context(), tenantOf(n), l.praised[i])
		if mass := found.GetPositiveMass(); err != nil || mass < 0.99 || mass > 1.01 {
			lost.Add(1)
		}
	})
	return cases, int(lost.Load())
}
