package serve_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/programtest"
	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/redistest"
	ledgerv1 "github.com/makeamends/amends/proto/recovery/ledger/v1"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

const (
	dueCases  = 2000
	dueWithin = time.Second
	sweepTest = 100 * time.Millisecond
)

// 2,000 cases are due within one second; half of them are resolved in the last
// 50 ms; one of three replicas is killed meanwhile. Each deadline is missed once
// or not at all, none early, and none of a case that was resolved.
func TestDeadlinesOfThreeReplicas(t *testing.T) {
	server := redistest.Server(t)
	binary := programtest.Build(t, t.TempDir())
	var replicas []*replica
	var desks []recoveryv1.RecoveryServiceClient
	for range 3 {
		r := run(t, binary, "--redis", server.URL(), "--sweep", sweepTest.String())
		replicas = append(replicas, r)
		desks = append(desks, recoveryv1.NewRecoveryServiceClient(dial(t, r.addr)))
	}
	begin := time.Now().Add(3*time.Second + 2*dueCases*reportCost(t, desks[0]))
	cases := openCases(t, desks, begin)
	if late := time.Since(begin); late > -time.Second {
		t.Fatalf("the cases were opened %s too late for this test: the machine is too slow", late+time.Second)
	}
	time.AfterFunc(time.Until(begin.Add(dueWithin/3)), func() { _ = replicas[2].Process.Signal(syscall.SIGKILL) })
	resolveHalf(t, desks, cases)
	time.Sleep(time.Until(begin.Add(dueWithin + 3*time.Second)))
	told := storedEvents(t, server.Addr(), cases)
	judgeDeadlines(t, cases, told)
}

// dueCase is a case whose customer leaves, and must be answered before.
type dueCase struct {
	id  string
	due time.Time
}

// reportCost is how long one report takes here and now, at 16 at once.
func reportCost(t *testing.T, desk recoveryv1.RecoveryServiceClient) time.Duration {
	t.Helper()
	start := time.Now()
	atOnce(t, 64, func(i int) (*recoveryv1.ReportFailureResponse, error) {
		e := event(fmt.Sprint("warm-up-", i), fmt.Sprint("warm-up-", i))
		e.SetOccurredAt(timestamppb.Now())
		return desk.ReportFailure(t.Context(), recoveryv1.ReportFailureRequest_builder{Event: e}.Build())
	})
	return time.Since(start) / 64
}

func openCases(t *testing.T, desks []recoveryv1.RecoveryServiceClient, begin time.Time) []dueCase {
	t.Helper()
	cases := make([]dueCase, dueCases)
	inParallel(dueCases, func(i int) {
		due := begin.Add(time.Duration(i) * dueWithin / dueCases).Truncate(time.Microsecond)
		e := event(fmt.Sprint("e", i), fmt.Sprint("c", i))
		e.SetOccurredAt(timestamppb.Now())
		e.SetDepartsAt(timestamppb.New(due))
		answer, err := desks[i%len(desks)].ReportFailure(t.Context(), recoveryv1.ReportFailureRequest_builder{Event: e}.Build())
		if err != nil {
			t.Error(err)
			return
		}
		if !answer.GetCase().GetRespondBy().AsTime().Equal(due) {
			t.Errorf("case %d is due at %v, want %v", i, answer.GetCase().GetRespondBy().AsTime(), due)
		}
		cases[i] = dueCase{answer.GetCase().GetCaseId(), due}
	})
	if t.Failed() {
		t.FailNow()
	}
	return cases
}

// inParallel does something n times, 16 at once.
func inParallel(n int, do func(int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range 16 {
		wg.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

// resolveHalf resolves every other case within the last 50 ms before it is due.
// Whoever meets the replica that is killed asks another, under the same id.
func resolveHalf(t *testing.T, desks []recoveryv1.RecoveryServiceClient, cases []dueCase) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	var wg sync.WaitGroup
	for i := 0; i < len(cases); i += 2 {
		c := cases[i]
		at := c.due.Add(-time.Duration(random.Int64N(int64(50 * time.Millisecond))))
		wg.Go(func() {
			time.Sleep(time.Until(at))
			req := recoveryv1.ResolveCaseRequest_builder{CaseId: c.id, RequestId: "resolve", Outcome: recoveryv1.Outcome_OUTCOME_SATISFIED}.Build()
			for try := range 20 {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				_, err := desks[(i+try)%len(desks)].ResolveCase(ctx, req)
				cancel()
				switch status.Code(err) {
				case codes.OK:
					return
				case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted:
					time.Sleep(time.Duration(try) * 10 * time.Millisecond)
				default:
					t.Errorf("resolve case %d: %v", i, err)
					return
				}
			}
			t.Errorf("nobody resolves case %d", i)
		})
	}
	wg.Wait()
}

// storedEvents reads what was committed about each case, in order.
func storedEvents(t *testing.T, addr string, cases []dueCase) map[string][]*ledgerv1.Event {
	t.Helper()
	client := redis.NewClient(redistest.Options(addr))
	defer client.Close()
	told := make(map[string][]*ledgerv1.Event, len(cases))
	for bucket := range ledger.DefaultBuckets {
		entries, err := client.XRange(t.Context(), fmt.Sprintf("{b%03d}:ev", bucket), "-", "+").Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			e := &ledgerv1.Event{}
			if err := proto.Unmarshal([]byte(entry.Values["e"].(string)), e); err != nil {
				t.Fatal(err)
			}
			id := ledger.CaseID(ledger.Key(e.GetKey()), e.GetCaseNumber())
			told[id] = append(told[id], e)
		}
	}
	return told
}

// judgeDeadlines counts what must not be, and prints how late the misses were.
func judgeDeadlines(t *testing.T, cases []dueCase, told map[string][]*ledgerv1.Event) {
	t.Helper()
	notOnce, early, afterwards, warnings, missed := 0, 0, 0, 0, 0
	var late []time.Duration
	for _, c := range cases {
		misses, warned, resolved := 0, 0, false
		for _, e := range told[c.id] {
			about := recovery.Milestone(e.GetMilestone()) == recovery.FirstResponse
			switch change := recovery.Change(e.GetChange()); {
			case change == recovery.ChangeResolved:
				resolved = true
			case change == recovery.ChangeWarned && about:
				warned++
			case change == recovery.ChangeMissed && about:
				misses++
				by := time.Unix(0, e.GetRecordedAt()).Sub(c.due)
				late = append(late, by)
				if by < 0 {
					early++
				}
				if resolved {
					afterwards++
				}
			}
		}
		missed += misses
		if misses > 1 || misses == 0 && !resolved {
			notOnce++
		}
		if warned != 2 {
			warnings++
		}
	}
	slices.Sort(late)
	t.Logf("%d of %d deadlines were missed, by p50 %s, p99 %s, at most %s after they were due; the sweep looks every %s", missed, len(cases),
		late[len(late)/2], late[len(late)*99/100], late[len(late)-1], sweepTest)
	if notOnce+early+afterwards+warnings > 0 {
		t.Errorf("missed other than once: %d, early: %d, resolved and then missed: %d, warned other than twice: %d", notOnce, early, afterwards, warnings)
	}
	if missed < dueCases/2 {
		t.Errorf("%d deadlines were missed, nobody kept %d of them", missed, dueCases/2)
	}
}
