package serve_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/makeamends/amends/client"
	"github.com/makeamends/amends/internal/programtest"
	"github.com/makeamends/amends/internal/redisproc"
	"github.com/makeamends/amends/internal/redistest"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

const (
	clusterCalls   = 60             // a second
	clusterWatches = trafficTenants // one of each, so that every event is seen
)

// TestCluster serves with a Redis Cluster, while its shards have much to do, are
// moved, and are lost.
func TestCluster(t *testing.T) {
	binary := programtest.Build(t, t.TempDir())
	for name, test := range map[string]func(*testing.T, string){
		"shards share the work":                         shardsShareTheWork,
		"slots move under load":                         func(t *testing.T, binary string) { slotsMove(t, binary, 0) },
		"slots move under load, confirmed by a replica": func(t *testing.T, binary string) { slotsMove(t, binary, 1) },
		"a lost shard":                                  lostShard,
		"failover":                                      failover,
		"a hot bucket":                                  hotBucket,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, binary)
		})
	}
}

// shardsShareTheWork: whoever the customers are, no shard has much more to do
// than another. Of the 256 buckets the three have 81, 86 and 89.
func shardsShareTheWork(t *testing.T, binary string) {
	c := redistest.Cluster(t, 3)
	const customers = 2000
	onCluster(t, binary, c, 0).place(t, c, customers)
	counts, sum := commits(t, c), 0
	for _, n := range counts {
		sum += n
	}
	mean := float64(sum) / float64(len(counts))
	most, least := float64(slices.Max(counts))/mean, float64(slices.Min(counts))/mean
	t.Logf("scripts carried out by each shard: %v; the busiest %.3f of the mean, the idlest %.3f", counts, most, least)
	if sum < customers || most > 1.15 || least < 0.85 {
		t.Error("the shards should have about the same to do")
	}
}

// commits counts the scripts that each master has carried out.
func commits(t *testing.T, c *redistest.ClusterInstance) []int {
	t.Helper()
	var counts []int
	for _, m := range c.Masters() {
		text, err := m.Client().Info(t.Context(), "commandstats").Result()
		if err != nil {
			t.Fatal(err)
		}
		stats := redisproc.Fields(text)["cmdstat_evalsha"]
		digits, _, _ := strings.Cut(strings.TrimPrefix(stats, "calls="), ",")
		n, _ := strconv.Atoi(digits) // none is told by no line at all
		counts = append(counts, n)
	}
	return counts
}

// slotsMove moves slots between two masters and then to a shard that is added,
// which knows no script yet, under calls that nobody repeats: none fails, and
// each has its effect once, as have the events. A bulk load goes on all the while: of
// its items, too, each counts once.
func slotsMove(t *testing.T, binary string, replicas int) {
	c := redistest.ClusterOf(t, redisproc.ClusterConfig{Masters: 3, Replicas: replicas, KeyPause: 2 * time.Millisecond})
	s := onCluster(t, binary, c, replicas)
	customers := s.place(t, c, 300)
	l := s.beginLoad(t)
	f := beginFlood(t, s.recovery)
	masters := c.Masters()
	c.MoveSlots(masters[0], masters[1], 800)
	added := c.AddShard()
	for _, m := range masters {
		c.MoveSlots(m, added, 500)
	}
	s.bucketMoves(t, c, customers)
	f.end(t, s)
	r := l.end(t)
	counts := commits(t, c)
	t.Logf("scripts carried out by each shard: %v, the last one added under way", counts)
	if len(l.load.errs) > 0 || r.wrong() {
		t.Errorf("failed calls and all that is missing or repeated must be 0; the first errors: %v", l.load.errs[:min(5, len(l.load.errs))])
	}
	if counts[3] == 0 {
		t.Error("the new shard has done nothing")
	}
}

// bucketMoves moves one bucket from master to master, key by key, while its
// customers order again and again: every order counts, once. On a busy machine such
// a move can take longer than one call waits, so they are the client's, which repeats.
func (s *clusterCaller) bucketMoves(t *testing.T, c *redistest.ClusterInstance, customers []placed) {
	t.Helper()
	_, ids := fullest(customers)
	bucket := customers[slices.IndexFunc(customers, func(p placed) bool { return p.id == ids[0] })].bucket
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	orders := make([]int64, len(ids))
	for i, id := range ids {
		running.Go(func() {
			for ctx.Err() == nil {
				o := praise(fmt.Sprint(id, "-order-", orders[i]), id)
				o.SetKind(recoveryv1.InteractionKind_INTERACTION_KIND_ORDER_FULFILLED)
				o.SetOccurredAt(timestamppb.Now())
				answer, err := s.patient.RecordInteractions(t.Context(), recoveryv1.RecordInteractionsRequest_builder{Interactions: []*recoveryv1.Interaction{o}}.Build())
				if err != nil || answer.GetResults()[0].HasError() {
					t.Errorf("an order of a bucket that moves: %v, %v", answer, err)
					return
				}
				orders[i]++
			}
		})
	}
	for _, to := range slices.Repeat(c.Masters(), 2) {
		if to != c.Owner(bucket+":due") {
			c.MoveKey(bucket+":due", to)
		}
	}
	stop()
	running.Wait()
	for i, id := range ids {
		if got := s.assess(t, id).GetOrders(); got != orders[i] || got == 0 {
			t.Errorf("%d orders of a customer whose bucket moved are known of, %d were answered", got, orders[i])
		}
	}
	t.Logf("orders of the %d customers of a bucket that was moved again and again: %v", len(ids), orders)
}

// clusterLoad is calls and watches of one server.
type clusterLoad struct {
	load    *traffic
	callers *client.Client
	watches *watches
	stop    func()
	running sync.WaitGroup
}

// onCluster starts a server in a process of its own.
func onCluster(t *testing.T, binary string, c *redistest.ClusterInstance, wait int) *clusterCaller {
	t.Helper()
	addr := run(t, binary, "--redis", c.URL(), "--redis-wait", fmt.Sprint(wait)).addr
	conn := dial(t, addr)
	patient, err := client.New(client.Config{Target: addr, Timeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { patient.Close() })
	return &clusterCaller{&running{recovery: recoveryv1.NewRecoveryServiceClient(conn), health: healthv1.NewHealthClient(conn)}, patient}
}

// clusterCaller calls a server through a connection that repeats nothing and, where
// failures are not the matter, through the client package, which does.
type clusterCaller struct {
	*running
	patient *client.Client
}

// thank records a praise of just now.
func (s *clusterCaller) thank(ctx context.Context, id, customer string) error {
	p := praise(id, customer)
	p.SetOccurredAt(timestamppb.Now())
	_, err := s.praise(ctx, p)
	return err
}

// beginLoad makes calls through a connection that repeats none of them.
func (s *clusterCaller) beginLoad(t *testing.T) *clusterLoad {
	t.Helper()
	l := &clusterLoad{load: newTraffic(s.recovery), callers: s.patient, watches: beginWatches(t, s.patient, clusterWatches)}
	ctx, cancel := context.WithCancel(t.Context())
	l.stop = cancel
	t.Cleanup(func() { cancel(); l.running.Wait() })
	l.running.Go(func() { l.load.run(ctx, clusterCalls) })
	return l
}

// end lets the calls end, and tells what is missing of what they did or is there
// twice.
func (l *clusterLoad) end(t *testing.T) rolled {
	t.Helper()
	l.stop()
	l.running.Wait()
	r := rolled{ended: len(l.watches.errs)}
	r.gaps, r.repeated = l.watches.compare(l.load.steps())
	r.cases, r.praises = l.load.missing(t, l.callers)
	t.Logf("%v; of what was answered, missing or done twice: %d cases, %d praises; watches: events %d, gaps %d, repeated %d, begun anew %d",
		l.load, r.cases, r.praises, l.watches.events(), r.gaps, r.repeated, l.watches.resumed.Load())
	return r
}

// placed is a customer and where it is kept.
type placed struct {
	id, bucket string
	at         *redistest.Instance
}

// place reports a failure of so many customers, and tells where they are kept.
func (s *clusterCaller) place(t *testing.T, c *redistest.ClusterInstance, many int) []placed {
	t.Helper()
	var mu sync.Mutex
	ids := map[string]string{} // by the key of the customer
	inParallel(many, func(i int) {
		id := fmt.Sprint("placed-", i)
		e := event(id, id)
		e.SetOccurredAt(timestamppb.Now())
		answer, err := s.patient.ReportFailure(t.Context(), recoveryv1.ReportFailureRequest_builder{Event: e}.Build())
		if err != nil {
			t.Error(err)
			return
		}
		key, _, _ := strings.Cut(strings.TrimPrefix(answer.GetCase().GetCaseId(), "c"), ".")
		mu.Lock()
		defer mu.Unlock()
		ids[key] = id
	})
	var found []placed
	for _, m := range c.Masters() {
		names := m.Client().Scan(t.Context(), 0, "{b*}:c*", 1000).Iterator()
		for names.Next(t.Context()) {
			bucket, key, _ := strings.Cut(names.Val(), ":c")
			if id := ids[key]; id != "" {
				found = append(found, placed{id, bucket, m})
			}
		}
		if err := names.Err(); err != nil {
			t.Fatal(err)
		}
	}
	if len(found) != many {
		t.Fatalf("%d of %d customers are at some master", len(found), many)
	}
	return found
}

// metaKey names the record of the ledger, whose loss must not matter to others.
const metaKey = "amends:meta"

// lostShard kills a master and its replica for good: calls about customers of
// the others succeed all the time, those about its own are refused soon, with a
// time to come back, and are carried out when the shard is back.
func lostShard(t *testing.T, binary string) {
	c := redistest.ClusterOf(t, redisproc.ClusterConfig{Masters: 3, Replicas: 1, Settings: map[string]string{"appendonly": "yes"}})
	s := onCluster(t, binary, c, 1)
	customers := s.place(t, c, 90)
	lost := c.Owner(metaKey)
	replica := c.Replicas(slices.Index(c.Masters(), lost))[0]
	replica.Kill()
	lost.Kill()

	var slowest, slowestLost time.Duration
	var calls, refusals int
	var mu sync.Mutex
	var wait sync.WaitGroup
	call := func(id string, round int, gone bool) {
		began := time.Now()
		err := s.thank(t.Context(), fmt.Sprint(id, "-", round), id)
		took := time.Since(began)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case !gone && err != nil:
			t.Errorf("a customer of another shard: %v", err)
		case !gone:
			calls, slowest = calls+1, max(slowest, took)
		default:
			code, reason, _ := refused(t, err)
			if code != codes.Unavailable || reason != "STORE_UNAVAILABLE" || retryDelay(err) <= 0 {
				t.Errorf("a customer of the lost shard: %v %s, retry after %v", code, reason, retryDelay(err))
			}
			refusals, slowestLost = refusals+1, max(slowestLost, took)
		}
	}
	for round := range 8 {
		for n, p := range customers {
			if (n+round)%2 == 0 { // more than have a place at a time, if they kept it
				wait.Go(func() { call(p.id, round, p.at == lost) })
				time.Sleep(10 * time.Millisecond) // no crowd: that is another matter
			}
		}
	}
	wait.Wait()
	t.Logf("customers of other shards: %d calls, failed 0, the slowest %v; of the lost shard: %d refused within %v", calls, slowest, refusals, slowestLost)
	if calls == 0 || refusals == 0 {
		t.Error("nobody has called")
	}
	if slowestLost > 3*time.Second { // an outage is waited out for one
		t.Errorf("a refusal took %v", slowestLost)
	}
	if !s.serving(t.Context()) {
		t.Error("the server does not serve the customers of the other shards")
	}

	lost.Start()
	replica.Start()
	c.WaitReady()
	for _, p := range customers {
		if p.at != lost {
			continue
		}
		eventually(t, 10*time.Second, "its customers are served again", func() bool {
			err := s.thank(t.Context(), "back-"+p.id, p.id)
			return err == nil
		})
		if s.assess(t, p.id).GetFailuresRemembered() != 1 {
			t.Errorf("the failure of %s is gone", p.id)
		}
	}
}

// failover kills a master whose replica takes over. With --redis-wait=1 what
// was answered is there afterwards; what was not is asked again under its id and
// has its effect once, of single calls and of a bulk load. Until a second server of the shard is back nothing can be
// confirmed, and so nothing is.
func failover(t *testing.T, binary string) {
	c := redistest.ClusterOf(t, redisproc.ClusterConfig{Masters: 3, Replicas: 1, Settings: map[string]string{"appendonly": "yes"}})
	s := onCluster(t, binary, c, 1)
	lost := c.Masters()[1]
	customers := s.place(t, c, 60)
	id := customers[slices.IndexFunc(customers, func(p placed) bool { return p.at == lost })].id
	l := s.beginLoad(t)
	f := beginFlood(t, s.recovery)
	time.Sleep(500 * time.Millisecond)
	began := time.Now()
	lost.Kill()
	eventually(t, 30*time.Second, "the replica reads", func() bool {
		_, err := s.recovery.AssessCustomer(t.Context(), recoveryv1.AssessCustomerRequest_builder{CustomerId: id}.Build())
		return err == nil
	})
	t.Logf("customers of the shard could be read again after %v", time.Since(began))
	if err := s.thank(t.Context(), "alone", id); status.Code(err) != codes.Unavailable {
		t.Errorf("a change that no replica confirmed is answered %v", err)
	}
	back := time.Now()
	lost.Start() // as a replica
	eventually(t, 30*time.Second, "changes are confirmed", func() bool {
		err := s.thank(t.Context(), "alone", id)
		return err == nil
	})
	t.Logf("and changed %v after the killed one was started again", time.Since(back))
	f.end(t, s)
	if r := l.end(t); r.wrong() {
		t.Error("all that is missing or repeated must be 0")
	}
	for _, err := range l.load.errs {
		if status.Code(err) != codes.Unavailable {
			t.Errorf("a caller was told %v", err)
		}
	}
	if mass := s.assess(t, id).GetPositiveMass(); mass < 0.99 || mass > 1.01 {
		t.Errorf("what was asked again and again counts %v times", mass)
	}
}

// hotBucket puts all load on customers of one bucket: that shard does what
// it can, and calls about customers of the others all succeed meanwhile.
func hotBucket(t *testing.T, binary string) {
	c := redistest.Cluster(t, 3)
	s := onCluster(t, binary, c, 0)
	customers := s.place(t, c, 600)
	hot, crowd := fullest(customers)
	var others []string
	for _, p := range customers {
		if p.at != hot {
			others = append(others, p.id)
		}
	}
	ctx, cool := context.WithTimeout(t.Context(), 3*time.Second)
	defer cool()
	before := commits(t, c)
	var running sync.WaitGroup
	for w := range 12 {
		running.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if err := s.thank(t.Context(), fmt.Sprint("hot-", w, "-", n), crowd[w%len(crowd)]); err != nil {
					t.Errorf("a customer of the hot bucket: %v", err)
					return
				}
			}
		})
	}
	calls, slowest := 0, time.Duration(0)
	for n := 0; ctx.Err() == nil; n++ {
		began := time.Now()
		if err := s.thank(t.Context(), fmt.Sprint("cool-", n), others[n%len(others)]); err != nil {
			t.Errorf("a customer of another shard: %v", err)
		}
		calls, slowest = calls+1, max(slowest, time.Since(began))
	}
	running.Wait()
	counts := commits(t, c)
	atHot, atOthers := 0, 0
	for i, m := range c.Masters() {
		if m == hot {
			atHot += counts[i] - before[i]
		} else {
			atOthers += counts[i] - before[i]
		}
	}
	t.Logf("%d customers share the hot bucket; scripts carried out by its shard: %d, by the others: %d; %d calls of the others, the slowest %v",
		len(crowd), atHot, atOthers, calls, slowest)
	if atHot < 2*atOthers {
		t.Error("the load was not on one shard")
	}
}

// fullest is the bucket with most customers.
func fullest(customers []placed) (at *redistest.Instance, ids []string) {
	by := map[string][]string{}
	for _, p := range customers {
		by[p.bucket] = append(by[p.bucket], p.id)
		if len(by[p.bucket]) > len(ids) {
			at, ids = p.at, by[p.bucket]
		}
	}
	return at, ids
}
