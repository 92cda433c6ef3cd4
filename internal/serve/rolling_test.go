package serve_test

import (
	"context"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"github.com/makeamends/amends/client"
	"github.com/makeamends/amends/internal/programtest"
	"github.com/makeamends/amends/internal/redistest"
	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// What a rolling restart is measured with.
const (
	rollingCalls   = 500 // a second, through the client package; fewer where the machine cannot carry them out
	rollingLeast   = 50
	rollingPlain   = 50 // a second, through a connection without its settings
	rollingWatches = 20
	rollingCycles  = 3 // each ends all three replicas, one after the other
)

// Three replicas are restarted one after the other, three times, under 500 calls
// a second and 20 watches through the client package: no call fails, every
// watch gives each event once, and what was answered is there afterwards. When
// they are killed instead, whether a call fails is only printed. Where the machine is
// too slow for so many calls, with all three replicas on it, it is asked for fewer.
func TestRollingRestart(t *testing.T) {
	binary, cycles := programtest.Build(t, t.TempDir()), rollingCycles
	if testing.Short() {
		cycles = 1
	}
	t.Run("ended", func(t *testing.T) {
		for rate := rollingCalls; ; rate /= 2 {
			r := roll(t, binary, syscall.SIGTERM, cycles, rate)
			if r.wrong() || r.failed > 0 && (r.failed > r.refused || rate/2 < rollingLeast) {
				t.Error("failed calls and all that is missing or repeated must be 0")
			}
			if t.Failed() || r.failed == 0 {
				return
			}
		}
	})
	t.Run("killed", func(t *testing.T) {
		if r := roll(t, binary, syscall.SIGKILL, 1, rollingCalls); r.wrong() {
			t.Error("all that is missing or repeated must be 0")
		}
	})
}

// rolled is what was found after all replicas were ended and started again.
type rolled struct {
	failed         int // calls through the client package
	refused        int // those of them that were too much
	cases, praises int // that were answered and are not there
	gaps, repeated int // events of watches
	ended          int // watches
}

func (r rolled) wrong() bool { return r.cases+r.praises+r.gaps+r.repeated+r.ended > 0 }

// roll ends all replicas so often, one after the other, and prints what became
// of calls and watches meanwhile.
func roll(t *testing.T, binary string, with syscall.Signal, cycles, rate int) rolled {
	t.Helper()
	f := newFleet(t, binary, 3)
	// More time than the published settings give, since the machine may be busy.
	callers, err := client.New(client.Config{Target: strings.Join(f.addresses, ","), Timeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer callers.Close()
	watches := beginWatches(t, callers, rollingWatches)
	ctx, end := context.WithCancel(t.Context())
	defer end()
	load, plain := newTraffic(callers), newTraffic(f.plain(t))
	var running sync.WaitGroup
	running.Go(func() { load.run(ctx, rate) })
	running.Go(func() { plain.run(ctx, rollingPlain) })
	for range cycles {
		for i := range f.addresses {
			f.restart(i, with)
		}
	}
	time.Sleep(time.Second) // of calls to all three
	end()
	running.Wait()
	r := rolled{failed: len(load.errs)}
	for _, err := range load.errs {
		if client.Reason(err) == recoveryv1.ErrorReason_ERROR_REASON_OVERLOADED {
			r.refused++
		}
	}
	r.gaps, r.repeated = watches.compare(load.steps(), plain.steps())
	r.cases, r.praises = load.missing(t, callers)
	r.ended = len(watches.errs)
	t.Logf("%d replicas ended by %v and started again, under %d calls a second and %d watches", 3*cycles, with, rate, rollingWatches)
	t.Logf("calls through the client package: %v; of what was answered, missing %d cases, %d praises", load, r.cases, r.praises)
	t.Logf("calls without its settings, %d a second: %v", rollingPlain, plain)
	t.Logf("watches: events %d, gaps %d, repeated %d; streams begun anew %d, ended %v", watches.events(), r.gaps, r.repeated, watches.resumed.Load(), watches.errs)
	if r.failed > 0 {
		t.Logf("the first errors: %v", load.errs[:min(r.failed, 5)])
	}
	return r
}

// Callers with the client package have left a server before it ends: when it
// says NOT_SERVING, it is still there, and nobody comes.
func TestCallersLeaveBeforeTheServerEnds(t *testing.T) {
	redis := redistest.Server(t).URL()
	stays := start(t, serve.Config{Redis: redis})
	ends := start(t, serve.Config{Redis: redis, Pause: time.Minute, Now: stays.clock.Now})
	callers, err := client.New(client.Config{Target: stays.Addr() + "," + ends.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	defer callers.Close()
	taken := func() int {
		if _, err := callers.AssessCustomer(t.Context(), recoveryv1.AssessCustomerRequest_builder{CustomerId: "c"}.Build()); err != nil {
			t.Fatal(err)
		}
		return strings.Count(ends.log.String(), "/AssessCustomer")
	}
	eventually(t, 10*time.Second, "both take calls", func() bool { return taken() > 0 })
	stopping, cut := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- ends.Stop(stopping) }()
	eventually(t, 10*time.Second, "one takes no calls", func() bool {
		before := taken()
		for range 10 {
			taken()
		}
		return taken() == before
	})
	select {
	case err := <-stopped:
		t.Fatalf("it has ended already: %v", err)
	default:
	}
	cut()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// fleet is some replicas on addresses that they keep.
type fleet struct {
	t         *testing.T
	binary    string
	redis     string
	addresses []string
	replicas  []*replica
}

func newFleet(t *testing.T, binary string, n int) *fleet {
	t.Helper()
	f := &fleet{t: t, binary: binary, redis: redistest.Server(t).URL()}
	for range n {
		r := run(t, f.binary, "--redis", f.redis)
		f.replicas, f.addresses = append(f.replicas, r), append(f.addresses, r.addr)
	}
	return f
}

// restart ends one replica by a signal, and waits until it is back.
func (f *fleet) restart(i int, with syscall.Signal) {
	f.t.Helper()
	if err := f.replicas[i].Process.Signal(with); err != nil {
		f.t.Fatal(err)
	}
	if err := f.replicas[i].Wait(); err != nil && with == syscall.SIGTERM {
		f.t.Errorf("replica %d ended with %v", i, err)
	}
	f.replicas[i] = run(f.t, f.binary, "--redis", f.redis, "--listen", f.addresses[i])
}

// plain is what gRPC makes of the same addresses when nothing is set.
func (f *fleet) plain(t *testing.T) recoveryv1.RecoveryServiceClient {
	t.Helper()
	list := manual.NewBuilderWithScheme("list")
	var state resolver.State
	for _, address := range f.addresses {
		state.Addresses = append(state.Addresses, resolver.Address{Addr: address})
	}
	list.InitialState(state)
	conn, err := grpc.NewClient("list:///", grpc.WithResolvers(list), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return recoveryv1.NewRecoveryServiceClient(conn)
}
