package serve

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/makeamends/amends/internal/ledger"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// SetMost makes the bounds of a server that has started smaller, for tests.
func (s *Server) SetMost(open, connections, streams int64) {
	for b, most := range map[*bound]int64{&s.open: open, &s.connections: connections, &s.watches: streams, &s.loads: streams, &s.healthWatch: streams} {
		b.most.Store(most)
	}
}

// UnderWay counts what is open, and what admission knows of.
func (s *Server) UnderWay() (open, connections, calls int) {
	s.admission.mu.Lock()
	defer s.admission.mu.Unlock()
	a := s.admission
	return int(s.open.open.Load()), int(s.connections.open.Load()), a.working + a.aside + a.lines.upTo(bulk)
}

// Occupy takes all places of a server, as calls that work; free gives them back.
func (s *Server) Occupy() (free func()) {
	var places []*place
	for range s.admission.limit.of(keeping) {
		p, err := s.admission.enter(context.Background(), request{kind: kind{keeping, unpaced}})
		if err != nil {
			panic(err)
		}
		places = append(places, p)
	}
	return func() {
		for _, p := range places {
			p.end(true)
		}
	}
}

// Waiting counts the calls that wait for their turn.
func (s *Server) Waiting() int {
	s.admission.mu.Lock()
	defer s.admission.mu.Unlock()
	return s.admission.lines.upTo(bulk)
}

var (
	step   = request{kind: kinds[recoveryv1.RecoveryService_ResolveCase_FullMethodName]}
	report = request{kind: kinds[recoveryv1.RecoveryService_ReportFailure_FullMethodName]}
	read   = request{kind: kinds[recoveryv1.RecoveryService_GetCase_FullMethodName]}
	search = request{kind: kinds[recoveryv1.RecoveryService_ListCases_FullMethodName]}
	item   = request{kind: kind{bulk, unpaced}, patient: true}
)

// Every unary method of the contract has a class.
func TestEveryMethodHasAClass(t *testing.T) {
	known := 0
	for _, file := range []protoreflect.FileDescriptor{
		recoveryv1.File_recovery_v1_recovery_service_proto, recoveryv1.File_recovery_v1_policy_service_proto,
	} {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				m := service.Methods().Get(j)
				_, ok := kinds["/"+string(service.FullName())+"/"+string(m.Name())]
				if ok {
					known++
				}
				if stream := m.IsStreamingClient() || m.IsStreamingServer(); ok == stream {
					t.Errorf("%s: has a class: %v, is a stream: %v", m.FullName(), ok, stream)
				}
			}
		}
	}
	if known != len(kinds) {
		t.Errorf("%d methods have a class, and %d of them are in the contract", len(kinds), known)
	}
}

// The crews of tests work on so many processors, and so many calls are never refused.
const (
	processors = 2
	noCrowd    = processors * leastInside
)

// crew is calls that are carried out or wait to be.
type crew struct {
	*admission
	t     *testing.T
	mu    sync.Mutex
	order []class // of those that were let in
	wait  sync.WaitGroup
}

func newCrew(t *testing.T, most int) *crew {
	c := &crew{admission: newAdmission(most, processors), t: t}
	c.limit.calls, c.crowd = leastCalls, 0
	return c
}

// fill carries out as many calls as there are places for a kind.
func (c *crew) fill(ctx context.Context, r request) (places []*place) {
	for range c.limit.of(r.class) {
		p, err := c.enter(ctx, r)
		if err != nil {
			c.t.Fatal(err)
		}
		places = append(places, p)
	}
	return places
}

// come has a call wait for its turn, and end as soon as that has come.
func (c *crew) come(ctx context.Context, r request) {
	c.wait.Go(func() {
		p, err := c.enter(ctx, r)
		if err != nil {
			return
		}
		c.mu.Lock()
		c.order = append(c.order, r.class)
		c.mu.Unlock()
		p.end(true)
	})
	synctest.Wait()
}

// Who waits is let in by class, and within a class in the order of coming.
func TestTheFirstClassGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, 1024)
		places := c.fill(t.Context(), step)
		for _, r := range []request{item, search, read, report, step, report, read} {
			c.come(t.Context(), r)
		}
		for _, p := range places {
			p.end(true)
			synctest.Wait()
		}
		c.wait.Wait()
		if want := []class{keeping, reporting, reporting, asking, asking, bulk, bulk}; !slices.Equal(c.order, want) {
			t.Errorf("let in %v, want %v", c.order, want)
		}
		if c.working != 0 || c.aside != 0 || c.paced.len != 0 {
			t.Errorf("%d are left working, %d aside", c.working, c.aside)
		}
	})
}

// When there is too much to do, the last class is refused first. Who keeps a
// promise is let wait, and so is what cannot be refused.
func TestWhoIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, 1024)
		ctx, cancel := context.WithCancel(t.Context())
		c.fill(ctx, step)
		for range noCrowd - leastCalls {
			c.come(ctx, report)
		}
		for _, r := range []request{report, read, search} {
			if _, err := c.enter(ctx, r); !errors.Is(err, ledger.ErrOverloaded) {
				t.Errorf("class %d: %v, want ErrOverloaded", r.class, err)
			}
			if _, ok := c.announce(ctx, r.class); ok {
				t.Errorf("class %d would be let come", r.class)
			}
		}
		if refused, _ := c.report(); refused != 6 {
			t.Errorf("%d are counted as refused, want 6", refused)
		}
		c.come(ctx, item)
		for range 100 {
			c.come(ctx, step)
		}
		if _, ok := c.announce(ctx, keeping); !ok {
			t.Error("who keeps a promise is refused")
		}
		if c.lines[bulk].len != 1 || c.lines[keeping].len != 100 {
			t.Errorf("%d items and %d steps wait, want 1 and 100", c.lines[bulk].len, c.lines[keeping].len)
		}
		cancel()
		c.wait.Wait()
		if n := c.lines.upTo(bulk); n != 0 || len(c.order) != 0 {
			t.Errorf("%d wait and %v were let in after all have left", n, c.order)
		}
	})
}

// crowdOf has as many calls of a class come as may.
func crowdOf(ctx context.Context, a *admission, c class) (came []*place) {
	for {
		p, ok := a.announce(ctx, c)
		if !ok {
			return came
		}
		came = append(came, p)
	}
}

// A crowd that comes at once is let wait, but not one after the other. Calls that
// end while nobody waits let another one come; and where somebody always waits,
// the server does with less only until a moment has passed.
func TestCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAdmission(4096, processors)
		end := func(came []*place) {
			for _, p := range came {
				a.withdraw(p)
			}
		}
		came := crowdOf(t.Context(), a, reporting)
		if want := processors * (calmInside + mostCrowd); len(came) != want {
			t.Errorf("a crowd of %d was let in, want %d", len(came), want)
		}
		end(came)
		came = crowdOf(t.Context(), a, reporting)
		if want := max(noCrowd, 2*firstCalls*7/8); len(came) != want {
			t.Errorf("%d of a second crowd were let in, want %d", len(came), want)
		}
		end(came)
		const calm = 100
		for range calm {
			p, err := a.enter(t.Context(), report)
			if err != nil {
				t.Fatal(err)
			}
			p.end(true)
		}
		came = crowdOf(t.Context(), a, reporting)
		if want := processors*calmInside + calm; len(came) != want {
			t.Errorf("%d were let in after %d calls without anybody waiting, want %d", len(came), calm, want)
		}
		time.Sleep(nextCrowd)
		end(came)
		if came = crowdOf(t.Context(), a, reporting); len(came) != processors*calmInside+1 {
			t.Errorf("%d were let in %v later, want %d", len(came), nextCrowd, processors*calmInside+1)
		}
	})
}

// Crowds of the last classes leave room for one of those before them.
func TestCrowdsByClass(t *testing.T) {
	a := newAdmission(4096, processors)
	for c := bulk; c >= reporting; c-- {
		crowdOf(t.Context(), a, c)
		left := processors * mostCrowd * (shares[reporting] - shares[c])
		if got := a.crowd; got < left || got > left+1 {
			t.Errorf("crowds of class %d leave room for %.0f, want %.0f", c, got, left)
		}
	}
}

// A call that takes very long waits for something else, and gives others its
// place; it takes none away when it ends.
func TestWhoWaitsIsPutAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, 1024)
		stuck := c.fill(t.Context(), report)
		began := time.Now()
		c.come(t.Context(), report)
		c.wait.Wait()
		if took := time.Since(began); took < leastAside || took > 3*leastAside {
			t.Errorf("the next one was let in after %s, want about %s", took, leastAside)
		}
		if c.aside != len(stuck) || c.working != 0 {
			t.Errorf("%d are aside and %d working, want %d and none", c.aside, c.working, len(stuck))
		}
		for _, p := range stuck {
			p.end(false)
		}
		if c.aside != 0 || c.working != 0 {
			t.Errorf("%d are left aside, %d working", c.aside, c.working)
		}
	})
}

// However many wait for a store that does not answer, they are bounded, and the
// last places are for those who keep promises.
func TestMostCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, 64)
		c.crowd = 1024
		ctx, cancel := context.WithCancel(t.Context())
		for _, r := range []request{search, read, report, step} {
			r.patient = false
			for range 64 {
				c.come(ctx, r)
				if c.working+c.aside+c.lines.upTo(bulk) > 64 {
					t.Fatal("more than 64")
				}
			}
			time.Sleep(2 * leastAside)
		}
		cancel()
		c.wait.Wait()
	})
}

// A call whose deadline passes while it waits does nothing, and one that leaves
// just when its turn has come gives it on.
func TestDeadlineInLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, 1024)
		places := c.fill(t.Context(), search) // they are not put aside
		late, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := c.enter(late, item); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want the deadline", err)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("it waited %s, want its second", took)
		}
		if _, err := c.enter(late, step); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a call whose deadline has passed: %v", err)
		}
		began = time.Now()
		if _, err := c.enter(t.Context(), search); !errors.Is(err, ledger.ErrOverloaded) || time.Since(began) > 2*leastWait {
			t.Errorf("%v after %s, want ErrOverloaded after %s", err, time.Since(began), leastWait)
		}
		for _, p := range places {
			p.end(true)
		}
		if c.working != 0 || c.lines.upTo(bulk) != 0 {
			t.Errorf("%d are left working, %d waiting", c.working, c.lines.upTo(bulk))
		}
	})
}

// Calls that were let come and never arrive are forgotten.
func TestAnnouncedAndNeverCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, 1024)
		var marks []*place
		left, leave := context.WithCancel(t.Context())
		for {
			mark, ok := c.announce(left, reporting)
			if !ok {
				break
			}
			marks = append(marks, mark)
		}
		if len(marks) != noCrowd {
			t.Errorf("%d were let come, want %d", len(marks), noCrowd)
		}
		leave()
		if _, ok := c.announce(t.Context(), reporting); !ok {
			t.Error("who has left is still waited for")
		}
		for range noCrowd - 1 {
			c.announce(t.Context(), reporting)
		}
		if _, ok := c.announce(t.Context(), reporting); ok {
			t.Error("one too many was let come")
		}
		time.Sleep(2 * comingTime)
		if _, ok := c.announce(t.Context(), reporting); !ok {
			t.Error("who never came is still waited for")
		}
		for _, mark := range marks { // they come after all
			r := report
			r.was = mark
			p, err := c.enter(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			defer p.end(true)
		}
		if n := c.coming.upTo(bulk); n != 1 {
			t.Errorf("%d are still to come, want 1", n)
		}
	})
}

// Calls that are refused for another reason take nobody's turn: strangers cannot
// keep others out.
func TestWithdrawn(t *testing.T) {
	a := newAdmission(1000, 2)
	for n := range 10 * mostCrowd {
		mark, ok := a.announce(t.Context(), reporting)
		if !ok {
			t.Fatalf("refused after %d calls that did not come", n)
		}
		a.withdraw(mark)
	}
}
