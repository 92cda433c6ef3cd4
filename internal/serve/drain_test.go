package serve_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/makeamends/amends/internal/programtest"
	"github.com/makeamends/amends/internal/redistest"
	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// TestDrain stops a server that has a call and a stream under way: the stream
// ends, the call is answered, and new calls find no server.
func TestDrain(t *testing.T) {
	s := start(t, serve.Config{Pause: time.Second, OpsListen: "127.0.0.1:0"})
	watch, err := s.health.Watch(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if first, err := watch.Recv(); err != nil || first.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Fatalf("%v, %v; want SERVING", first, err)
	}
	stopped := make(chan error, 1)
	began := time.Now()
	go func() { stopped <- s.Stop(context.Background()) }()
	if second, err := watch.Recv(); err != nil || second.GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("%v, %v; want NOT_SERVING first", second, err)
	}
	if _, err := s.report(t.Context(), event("e", "c")); err != nil {
		t.Errorf("a call during the pause: %v; want it answered", err)
	}
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusServiceUnavailable} {
		if _, code := s.get(t, path); code != want {
			t.Errorf("during the pause %s answers %d, want %d", path, code, want)
		}
	}
	if text := s.metrics(t); !strings.Contains(text, "amends_ready 0") {
		t.Error("during the pause the metrics say that the server can be sent calls")
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took < time.Second || took > 5*time.Second {
		t.Errorf("the end took %s, want the pause and little more", took)
	}
	if _, err := watch.Recv(); err == nil {
		t.Error("the stream did not end")
	}
	if _, err := s.report(t.Context(), event("e2", "c")); status.Code(err) != codes.Unavailable {
		t.Errorf("after the end: %v, want Unavailable", err)
	}
	if err := s.Wait(); err != nil {
		t.Errorf("Wait after Stop: %v", err)
	}
}

// TestDrainBesideSilentStreams: who says nothing more on a stream does not hold up
// the end.
func TestDrainBesideSilentStreams(t *testing.T) {
	s := start(t, serve.Config{})
	reflection, err := reflectionv1.NewServerReflectionClient(s.conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	askForServices(t, reflection)
	watch, err := s.conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, recoveryv1.RecoveryService_WatchCases_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "both are open", func() bool { open, _, _ := s.UnderWay(); return open == 2 })
	began := time.Now()
	if err := s.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the end took %s", took)
	}
	for name, stream := range map[string]grpc.ClientStream{"reflection": reflection, "a watch that was not asked for": watch} {
		if code, reason, _ := refused(t, stream.RecvMsg(&reflectionv1.ServerReflectionResponse{})); code != codes.Unavailable || reason != "SERVER_ENDING" {
			t.Errorf("%s ends with %s %s", name, code, reason)
		}
	}
}

// TestDrainWaitsForCalls: a call under way is finished, if it does not take too long.
func TestDrainWaitsForCalls(t *testing.T) {
	for name, test := range map[string]struct {
		drain time.Duration
		want  codes.Code
	}{
		"it ends in time": {10 * time.Second, codes.OK},
		"it does not":     {50 * time.Millisecond, codes.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			g := &gate{clock: newClock(noon)}
			s := start(t, serve.Config{Now: g.Now, Drain: test.drain, Sweep: time.Hour})
			shut := make(chan struct{})
			g.set(shut)
			ended := make(chan error, 1)
			go func() {
				_, err := s.report(context.Background(), event("e", "c"))
				ended <- err
			}()
			eventually(t, 5*time.Second, "the call is under way", func() bool { return g.held.Load() > 0 })
			g.set(nil)
			stopped := make(chan error, 1)
			go func() { stopped <- s.Stop(context.Background()) }()
			eventually(t, 5*time.Second, "the server ends", func() bool { return strings.Contains(s.log.String(), "ending: calls") })
			if test.want == codes.OK {
				close(shut)
			} else {
				defer close(shut)
			}
			if err := <-ended; status.Code(err) != test.want {
				t.Errorf("the call ends with %v, want %s", err, test.want)
			}
			if err := <-stopped; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSecondSignal: who asks twice for the end has it at once.
func TestSecondSignal(t *testing.T) {
	store, binary := redistest.Server(t), programtest.Build(t, t.TempDir())
	var err error
	for range 3 { // it pauses for a second before it ends, and a busy machine is late now and then
		s := run(t, binary, "--redis", store.URL())
		health := healthv1.NewHealthClient(dial(t, s.addr))
		if err := s.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		eventually(t, 5*time.Second, "NOT_SERVING", func() bool {
			answer, err := health.Check(t.Context(), &healthv1.HealthCheckRequest{})
			return err == nil && answer.GetStatus() == healthv1.HealthCheckResponse_NOT_SERVING || status.Code(err) == codes.Unavailable
		})
		_ = s.Process.Signal(syscall.SIGTERM) // it may have ended
		if err = s.Wait(); err != nil {
			break
		}
	}
	var end *exec.ExitError
	if !errors.As(err, &end) || end.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v, want by the signal", err)
	}
}

// TestCallersOwnDeadline: the deadline of the caller holds, also for what is asked
// of the store.
func TestCallersOwnDeadline(t *testing.T) {
	s := start(t, serve.Config{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	if _, err := s.report(ctx, event("e", "c")); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("answered %v, want DeadlineExceeded", err)
	}
	store := redistest.Server(t)
	s = start(t, serve.Config{Redis: store.URL(), Now: time.Now})
	s.assess(t, "c")
	store.Pause()
	defer store.Resume()
	least := time.Hour
	for i := range 5 { // a busy machine is late now and then
		began := time.Now()
		late, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := s.report(late, event(fmt.Sprint("e", i), "c"))
		stop()
		if status.Code(err) != codes.DeadlineExceeded && status.Code(err) != codes.Unavailable {
			t.Errorf("answered %v, want DeadlineExceeded or Unavailable", err)
		}
		eventually(t, 5*time.Second, "the server has let go of the call", func() bool { _, _, calls := s.UnderWay(); return calls == 0 })
		least = min(least, time.Since(began))
	}
	if least > 250*time.Millisecond { // the driver by itself would wait for 300 ms, and more than once
		t.Errorf("the server let go of a call after %s, want 50 ms and little more", least)
	}
}
