package serve_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/makeamends/amends/internal/redistest"
	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// watcher is the caller's end of one watch.
type watcher struct {
	grpc.ServerStreamingClient[recoveryv1.WatchCasesResponse]
	cancel context.CancelFunc
	token  string // of the last message
}

// watch begins a watch and takes its first message.
func (r *running) watch(t *testing.T, request *recoveryv1.WatchCasesRequest) *watcher {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	stream, err := r.recovery.WatchCases(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	w := &watcher{stream, cancel, ""}
	if e, err := w.next(); err != nil || e != nil || w.token == "" {
		t.Fatalf("first %v, token %q, %v; want a token alone", e, w.token, err)
	}
	return w
}

// resume goes on where a token says.
func (r *running) resume(t *testing.T, token string) *watcher {
	t.Helper()
	return r.watch(t, recoveryv1.WatchCasesRequest_builder{ResumeToken: token}.Build())
}

// next takes a message; the event is nil in a heartbeat.
func (w *watcher) next() (*recoveryv1.CaseEvent, error) {
	m, err := w.Recv()
	if err != nil {
		return nil, err
	}
	w.token = m.GetToken()
	return m.GetEvent(), nil
}

// events takes messages until that many events have come.
func (w *watcher) events(t *testing.T, n int) []*recoveryv1.CaseEvent {
	t.Helper()
	var events []*recoveryv1.CaseEvent
	for len(events) < n {
		e, err := w.next()
		if err != nil {
			t.Fatalf("after %d events: %v", len(events), err)
		}
		if e != nil {
			events = append(events, e)
		}
	}
	return events
}

// refusedWatch is how a watch is refused.
func (r *running) refusedWatch(t *testing.T, request *recoveryv1.WatchCasesRequest) (codes.Code, string, map[string]string) {
	t.Helper()
	stream, err := r.recovery.WatchCases(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	return refused(t, err)
}

func TestWatch(t *testing.T) {
	s := start(t, serve.Config{})
	w := s.watch(t, &recoveryv1.WatchCasesRequest{})
	e := event("e1", "c")
	e.SetOrderId("o")
	e.SetVoice(recoveryv1.Voice_VOICE_PUBLIC)
	kase := s.mustReport(t, e)
	got := w.events(t, 1)[0]
	kase.SetCustomerId("") // is not known to the reader of a stream
	want := recoveryv1.CaseEvent_builder{
		EventId: got.GetEventId(), Token: w.token, Tenant: "default", CaseId: kase.GetCaseId(),
		Transition: kase.GetHistory()[0], Band: kase.GetAssessment().GetRisk().GetBand(),
		Case: kase, State: recoveryv1.CaseState_CASE_STATE_OPEN, Revision: 1, RespondBy: kase.GetRespondBy(),
		RecordedAt: timestamppb.New(noon),
	}.Build()
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" || got.GetEventId() == "" {
		t.Errorf("event %q (-want +got):\n%s", got.GetEventId(), diff)
	}
	if kinds := kindsOf([]*recoveryv1.CaseEvent{got}); kinds != "OPENED" {
		t.Errorf("%s, want OPENED", kinds)
	}
	again := event("e2", "c")
	again.SetOrderId("o")
	s.mustReport(t, again)
	if joined := w.events(t, 1)[0]; joined.GetTransition().GetKind() != recoveryv1.TransitionKind_TRANSITION_KIND_JOINED ||
		joined.GetCaseId() != kase.GetCaseId() || joined.GetRevision() != 2 || joined.GetEventId() == got.GetEventId() {
		t.Errorf("the second report gives %v", joined)
	}
}

func kindsOf(events []*recoveryv1.CaseEvent) string {
	out := make([]string, len(events))
	for i, e := range events {
		out[i] = strings.TrimPrefix(e.GetTransition().GetKind().String(), "TRANSITION_KIND_")
	}
	return strings.Join(out, " ")
}

// TestWatchFilters: all filters hold at once, and what is left out is passed.
func TestWatchFilters(t *testing.T) {
	s := start(t, serve.Config{Heartbeat: 300 * time.Millisecond})
	begin := s.watch(t, &recoveryv1.WatchCasesRequest{}).token
	elsewhere := s.watch(t, recoveryv1.WatchCasesRequest_builder{Tenant: "acme"}.Build()).token
	all := map[string]string{} // case id → who it is of
	report := func(id, customer, order, tenant string, kind recoveryv1.FailureKind) {
		e := event(id, customer)
		e.SetTenant(tenant)
		e.SetOrderId(order)
		e.SetKinds([]recoveryv1.FailureKind{kind})
		all[s.mustReport(t, e).GetCaseId()] = customer + "/" + order
	}
	minor, grave := recoveryv1.FailureKind_FAILURE_KIND_QUALITY, recoveryv1.FailureKind_FAILURE_KIND_UNSAFE
	report("e1", "c", "1", "", minor)
	report("e2", "c", "1", "", minor)
	report("e3", "d", "2", "", grave)
	report("e4", "c", "3", "", grave)
	report("e5", "z", "4", "acme", minor)
	for name, test := range map[string]struct {
		request *recoveryv1.WatchCasesRequest
		want    string
	}{
		"none":       {recoveryv1.WatchCasesRequest_builder{ResumeToken: begin}.Build(), "c/1 c/1 c/3 d/2"},
		"a customer": {recoveryv1.WatchCasesRequest_builder{ResumeToken: begin, CustomerId: "c"}.Build(), "c/1 c/1 c/3"},
		"a band":     {recoveryv1.WatchCasesRequest_builder{ResumeToken: begin, Bands: []recoveryv1.Band{4}}.Build(), "c/3 d/2"},
		"a kind": {recoveryv1.WatchCasesRequest_builder{ResumeToken: begin,
			Transitions: []recoveryv1.TransitionKind{recoveryv1.TransitionKind_TRANSITION_KIND_JOINED}}.Build(), "c/1"},
		"two at once": {recoveryv1.WatchCasesRequest_builder{ResumeToken: begin, CustomerId: "d", Bands: []recoveryv1.Band{4}}.Build(), "d/2"},
		"nobody":      {recoveryv1.WatchCasesRequest_builder{ResumeToken: begin, CustomerId: "stranger"}.Build(), ""},
		"a tenant":    {recoveryv1.WatchCasesRequest_builder{ResumeToken: elsewhere, Tenant: "acme"}.Build(), "z/4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of the time they wait for heartbeats
			w := s.watch(t, test.request)
			var got []string
			for e, err := w.next(); e != nil || err != nil; e, err = w.next() { // until the heartbeat
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, all[e.GetCaseId()])
			}
			slices.Sort(got)
			if strings.Join(got, " ") != test.want {
				t.Errorf("cases %v, want %s", got, test.want)
			}
			past := recoveryv1.WatchCasesRequest_builder{ResumeToken: w.token, Tenant: test.request.GetTenant()}.Build()
			if e, err := s.watch(t, past).next(); e != nil || err != nil {
				t.Errorf("after the last token: %v, %v; want a heartbeat", e, err)
			}
		})
	}
}

// order is what one reader has seen.
type order struct {
	ids    map[string]bool
	byCase map[string][]string
}

func newOrder() *order { return &order{map[string]bool{}, map[string][]string{}} }

func (o *order) take(t *testing.T, e *recoveryv1.CaseEvent) {
	t.Helper()
	if o.ids[e.GetEventId()] {
		t.Errorf("event %s came twice", e.GetEventId())
	}
	o.ids[e.GetEventId()] = true
	o.byCase[e.GetCaseId()] = append(o.byCase[e.GetCaseId()], fmt.Sprint(e.GetTransition().GetKind(), e.GetRevision(), e.GetEventId()))
}

// TestWatchInterrupted: a watcher that disconnects at random 50 times, and goes
// on at any of two servers, sees each transition once and in order per case.
func TestWatchInterrupted(t *testing.T) {
	store := redistest.Shared(t)
	servers := []*running{start(t, serve.Config{Redis: store.URL()}), start(t, serve.Config{Redis: store.URL()})}
	steady, restless := servers[1].watch(t, &recoveryv1.WatchCasesRequest{}), servers[0].watch(t, &recoveryv1.WatchCasesRequest{})
	const cases, reports = 160, 4
	var writers sync.WaitGroup
	for n := range 4 {
		writers.Go(func() {
			for i := range cases * reports / 4 {
				e := event(fmt.Sprint("e", n, "-", i), fmt.Sprint("c", n, "-", i%(cases/4)))
				e.SetOrderId("o")
				if _, err := servers[n%2].report(t.Context(), e); err != nil {
					t.Error(err)
				}
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	whole := newOrder()
	writers.Go(func() {
		for len(whole.ids) < cases*reports && !t.Failed() {
			e, err := steady.next()
			if err != nil {
				t.Errorf("after %d events: %v", len(whole.ids), err)
				return
			}
			whole.take(t, e)
		}
	})
	random := rand.New(rand.NewPCG(50, 50))
	pieces, broken := newOrder(), 0
	for len(pieces.ids) < cases*reports && !t.Failed() {
		e, err := restless.next()
		if err != nil {
			t.Fatalf("after %d events: %v", len(pieces.ids), err)
		}
		pieces.take(t, e)
		if broken < 50 && random.IntN(8) == 0 {
			broken++
			restless.cancel()
			restless = servers[random.IntN(2)].resume(t, restless.token)
		}
	}
	writers.Wait()
	if diff := cmp.Diff(whole.byCase, pieces.byCase); diff != "" {
		t.Errorf("what both have seen differs (-steady +interrupted):\n%s", diff)
	}
	if broken < 50 {
		t.Errorf("disconnected %d times, want 50", broken)
	}
	for _, w := range []*watcher{steady, restless} {
		if e, err := w.quiet(t); e != nil {
			t.Errorf("one event too many: %v, %v", e, err)
		}
	}
}

// quiet gives what comes within a moment.
func (w *watcher) quiet(t *testing.T) (e *recoveryv1.CaseEvent, err error) {
	t.Helper()
	time.AfterFunc(400*time.Millisecond, w.cancel)
	return w.next()
}

// TestHeartbeat: a watch does not stay silent, and what it says is good.
func TestHeartbeat(t *testing.T) {
	s := start(t, serve.Config{Heartbeat: 50 * time.Millisecond, OpsListen: "127.0.0.1:0"})
	w := s.watch(t, &recoveryv1.WatchCasesRequest{})
	began := time.Now()
	for range 4 {
		if e, err := w.next(); e != nil || err != nil || w.token == "" {
			t.Fatalf("%v, token %q, %v; want a heartbeat", e, w.token, err)
		}
	}
	if took := time.Since(began); took < 150*time.Millisecond {
		t.Errorf("four heartbeats in %s, want one in 50 ms", took)
	}
	if !strings.Contains(s.metrics(t), "amends_watchers 1") {
		t.Error("the watch is not counted")
	}
	w.cancel()
	eventually(t, time.Second, "nobody watches", func() bool { return strings.Contains(s.metrics(t), "amends_watchers 0") })
	s.mustReport(t, event("e", "c"))
	if got := kindsOf(s.resume(t, w.token).events(t, 1)); got != "OPENED" {
		t.Errorf("after the heartbeat: %s", got)
	}
}

// TestWatchRefused: every fault is named at once, and what can be no token is one.
func TestWatchRefused(t *testing.T) {
	s := start(t, serve.Config{})
	s.mustReport(t, event("e", "c"))
	token := s.watch(t, &recoveryv1.WatchCasesRequest{}).token
	for name, bad := range map[string]string{"made up": "nonsense", "cut": token[:len(token)-1], "too long": strings.Repeat("A", 16384)} {
		code, reason, faults := s.refusedWatch(t, recoveryv1.WatchCasesRequest_builder{ResumeToken: bad}.Build())
		if code != codes.InvalidArgument || reason != "INVALID_REQUEST" || len(faults) != 1 || faults["resume_token"] == "" {
			t.Errorf("%s: %s %s %v, want InvalidArgument naming resume_token", name, code, reason, faults)
		}
	}
	code, _, faults := s.refusedWatch(t, recoveryv1.WatchCasesRequest_builder{
		Tenant: "acme", CustomerId: "a\x00b", Bands: []recoveryv1.Band{0}, Transitions: []recoveryv1.TransitionKind{99}, ResumeToken: "nonsense",
	}.Build())
	if code != codes.InvalidArgument || len(faults) != 4 {
		t.Errorf("%s %v, want InvalidArgument naming four fields", code, faults)
	}
}

// TestWatchResync: events that are gone, and another store, are told, while
// events that were erased with their customer are not missed.
func TestWatchResync(t *testing.T) {
	store := redistest.Shared(t)
	s := start(t, serve.Config{Redis: store.URL()})
	resync := func(t *testing.T, what, token string) {
		t.Helper()
		code, reason, _ := s.refusedWatch(t, recoveryv1.WatchCasesRequest_builder{ResumeToken: token}.Build())
		if code != codes.FailedPrecondition || reason != "RESYNC_REQUIRED" {
			t.Errorf("%s: %s %s, want FailedPrecondition RESYNC_REQUIRED", what, code, reason)
		}
	}
	w := s.watch(t, &recoveryv1.WatchCasesRequest{})
	for i := range 20 {
		s.mustReport(t, event(fmt.Sprint("e", i), fmt.Sprint("c", i%4)))
	}
	w.events(t, 10)
	w.cancel()
	for i := range 10 {
		s.mustReport(t, event(fmt.Sprint("erased", i), "erased"))
	}
	if _, err := s.recovery.EraseCustomer(t.Context(), recoveryv1.EraseCustomerRequest_builder{CustomerId: "erased"}.Build()); err != nil {
		t.Fatal(err)
	}
	s.mustReport(t, event("later", "erased"))
	if got := kindsOf(s.resume(t, w.token).events(t, 11)); got != strings.TrimSpace(strings.Repeat("OPENED ", 11)) {
		t.Errorf("over the erased ones: %s", got)
	}
	for _, key := range store.Client().Keys(t.Context(), "*:ev").Val() {
		if err := store.Client().XTrimMaxLen(t.Context(), key, 1).Err(); err != nil {
			t.Fatal(err)
		}
	}
	resync(t, "a trimmed stream", w.token)
	fresh := s.watch(t, &recoveryv1.WatchCasesRequest{}).token
	s.resume(t, fresh).cancel()
	if err := store.Client().FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	resync(t, "an emptied store", fresh)
	other := start(t, serve.Config{}) // the same secret, so that the token itself is sound
	s.recovery = other.recovery
	resync(t, "another store", fresh)
	changed := []byte(fresh)
	changed[5] ^= 1
	resync(t, "a token that nobody gave", string(changed))
	s.recovery = start(t, serve.Config{Secret: []byte("another secret of thirty-two byt")}).recovery
	resync(t, "another store with another secret", fresh)
}

// TestWatchDrain: a server that ends says where to go on, and does not wait for
// those who do not listen.
func TestWatchDrain(t *testing.T) {
	store := redistest.Shared(t)
	s, other := start(t, serve.Config{Redis: store.URL()}), start(t, serve.Config{Redis: store.URL()})
	w := s.watch(t, &recoveryv1.WatchCasesRequest{})
	s.mustReport(t, event("e1", "c"))
	w.events(t, 1)
	began := time.Now()
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop(context.Background()) }()
	last, err := w.next()
	if last != nil || err != nil {
		t.Errorf("last %v, %v; want a token alone", last, err)
	}
	_, err = w.next()
	if code, reason, _ := refused(t, err); code != codes.Unavailable || reason != "SERVER_ENDING" || retryDelay(err) <= 0 {
		t.Errorf("ended with %v, want Unavailable, a delay and what to do", err)
	}
	if err := <-stopped; err != nil || time.Since(began) > 3*time.Second {
		t.Errorf("the end took %s: %v", time.Since(began), err)
	}
	other.mustReport(t, event("e2", "c"))
	if got := other.resume(t, w.token).events(t, 1); got[0].GetCase().GetRevision() != 1 || kindsOf(got) != "OPENED" {
		t.Errorf("on the other server: %v", got)
	}
}

// TestDrainWhileAWatchBegins: who comes while the server ends is sent on as well.
func TestDrainWhileAWatchBegins(t *testing.T) {
	store := redistest.Server(t)
	s := start(t, serve.Config{Redis: store.URL()})
	store.Pause()
	defer store.Resume()
	stream, err := s.recovery.WatchCases(t.Context(), &recoveryv1.WatchCasesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop(context.Background()) }()
	_, err = stream.Recv()
	if code, reason, _ := refused(t, err); code != codes.Unavailable || reason != "SERVER_ENDING" || retryDelay(err) <= 0 {
		t.Errorf("ended with %v, want Unavailable SERVER_ENDING", err)
	}
	store.Resume()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// TestDrainBesideAStalledWatcher: a message that nobody takes does not keep the
// server from ending.
func TestDrainBesideAStalledWatcher(t *testing.T) {
	store := redistest.Shared(t)
	s := start(t, serve.Config{Redis: store.URL(), Drain: 2 * time.Second})
	s.watch(t, &recoveryv1.WatchCasesRequest{})
	s.mustReport(t, event("e", "c"))
	copyEvents(t, store, 900) // more than a connection takes in
	time.Sleep(500 * time.Millisecond)
	began := time.Now()
	if err := s.Stop(t.Context()); err != nil || time.Since(began) > 15*time.Second {
		t.Errorf("the end took %s: %v", time.Since(began), err)
	}
}

// TestSlowWatcher: a reader that takes nothing is dropped, has lost nothing,
// and slows nobody.
func TestSlowWatcher(t *testing.T) {
	store := redistest.Shared(t)
	s := start(t, serve.Config{Redis: store.URL(), OpsListen: "127.0.0.1:0", Drain: time.Second})
	slow, fast := s.watch(t, &recoveryv1.WatchCasesRequest{}), s.watch(t, &recoveryv1.WatchCasesRequest{})
	s.mustReport(t, event("e", "c"))
	fast.events(t, 1)
	dropped := func() bool {
		return strings.Contains(s.metrics(t), "amends_watchers_dropped_total 1") && strings.Contains(s.metrics(t), "amends_watchers 1")
	}
	const burst, most = 300, 30_000 // the connection takes in as much as it likes for a watcher that does not read
	events, seen := 0, map[string]bool{}
	for !dropped() && events < most { // the next when the fast one has this one, however busy the machine
		copyEvents(t, store, burst)
		events += burst
		for _, e := range fast.events(t, burst) {
			seen[e.GetEventId()] = true
		}
	}
	t.Logf("dropped after %d events", events)
	if len(seen) != events {
		t.Errorf("the fast one saw %d different events, want %d", len(seen), events)
	}
	eventually(t, 30*time.Second, "the slow one is dropped", dropped)
	got := map[string]bool{}
	var err error
	for err == nil {
		var e *recoveryv1.CaseEvent
		if e, err = slow.next(); e != nil {
			got[e.GetEventId()] = true
		}
	}
	code, reason, _ := refused(t, err)
	if code != codes.ResourceExhausted || reason != "OVERLOADED" || errors.Is(err, io.EOF) {
		t.Errorf("the slow one ends with %s %s: %v", code, reason, err)
	}
	rest := events + 1 - len(got)
	for _, e := range s.resume(t, slow.token).events(t, rest) {
		if got[e.GetEventId()] {
			t.Fatalf("event %s came twice", e.GetEventId())
		}
		got[e.GetEventId()] = true
	}
	if len(got) != events+1 || rest < 1000 {
		t.Errorf("%d events, %d of them after coming back; want %d", len(got), rest, events+1)
	}
}

// copyEvents puts the first event of the store into its stream so many times, as a
// burst of deadlines would.
func copyEvents(t *testing.T, store *redistest.Instance, times int) {
	t.Helper()
	const script = `local e = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', '1')[1][2]
for i = 1, tonumber(ARGV[1]) do redis.call('XADD', KEYS[1], '1-*', unpack(e)) end
return 1`
	stream := store.Client().Keys(t.Context(), "*:ev").Val()
	if err := store.Client().Eval(t.Context(), script, stream, times).Err(); err != nil {
		t.Fatal(err)
	}
}

// TestStoreLostBeforeWatch: a watch that cannot begin says so.
func TestStoreLostBeforeWatch(t *testing.T) {
	store := redistest.Server(t)
	s := start(t, serve.Config{Redis: store.URL()})
	store.Kill()
	stream, err := s.recovery.WatchCases(t.Context(), &recoveryv1.WatchCasesRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.Unavailable || retryDelay(err) <= 0 {
		t.Errorf("%v, want Unavailable and a delay", err)
	}
}
