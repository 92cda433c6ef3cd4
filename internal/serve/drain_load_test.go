package serve_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/makeamends/amends/internal/redistest"
	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// stopper is a connection of which nothing is read while it is stopped.
type stopper struct {
	net.Conn
	stopped *atomic.Bool
	closed  chan struct{}
}

func (s stopper) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if s.stopped.Load() {
		<-s.closed
		return 0, net.ErrClosed
	}
	return n, err
}

// stalled is a load whose caller sends until it is held up, and takes no answer.
type stalled struct {
	grpc.BidiStreamingClient[recoveryv1.IngestRequest, recoveryv1.IngestResponse]
	sent   int64
	hangUp func() // closes the connection without a word
}

// stall opens one; a deaf caller does not even read from its connection.
func (r *running) stall(t *testing.T, deaf bool) stalled {
	t.Helper()
	s := stalled{}
	var stopped atomic.Bool
	closed := make(chan struct{})
	conn, err := grpc.NewClient(r.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableRetry(),
		grpc.WithStaticStreamWindowSize(64<<10), // what a client takes in by itself, unread, is small and does not grow
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
			s.hangUp = func() { c.Close() }
			return stopper{c, &stopped, closed}, err
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		close(closed)
		conn.Close()
	})
	if s.BidiStreamingClient, err = recoveryv1.NewRecoveryServiceClient(conn).Ingest(t.Context()); err != nil {
		t.Fatal(err)
	}
	var sent atomic.Int64
	go func() {
		for n := range 1_000_000 {
			if n == 100 {
				stopped.Store(deaf)
			}
			if s.Send(stalledItem(n)) != nil {
				return
			}
			sent.Add(1)
		}
	}()
	eventually(t, time.Minute, "the caller is held up", func() bool {
		was := s.sent
		s.sent = sent.Load()
		time.Sleep(300 * time.Millisecond)
		return s.sent > 0 && s.sent == was
	})
	return s
}

// stalledItem is one of what a stalled caller sends, each of a customer of its own.
func stalledItem(n int) *recoveryv1.IngestRequest {
	return recoveryv1.IngestRequest_builder{Failure: event(fmt.Sprint("stalled-", n), fmt.Sprint("stalled-", n))}.Build()
}

// TestDrainBesideAStalledLoad: a caller who takes no answers has the time that all
// have when the server ends, and no more. What was carried out of its load stays.
func TestDrainBesideAStalledLoad(t *testing.T) {
	const drain = time.Second
	for name, deaf := range map[string]bool{"answers are not taken": false, "nothing is read": true} {
		t.Run(name, func(t *testing.T) {
			store := redistest.Server(t)
			r := start(t, serve.Config{Redis: store.URL(), Drain: drain, Sweep: time.Hour})
			load := r.stall(t, deaf)
			done := len(store.Client().Keys(t.Context(), "*:c*").Val())
			began := time.Now()
			if err := r.Stop(context.Background()); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took < drain || took > drain+5*time.Second {
				t.Errorf("the end took %s, want %s and little more", took, drain)
			}
			if strings.Contains(r.log.String(), "left behind") {
				t.Error("the load was left behind")
			}
			if log := r.log.String(); strings.Contains(log, `"level":"ERROR"`) || !strings.Contains(log, `"reason":"SERVER_ENDING"`) {
				t.Error("the log does not say that the load ended with the server")
			}
			next := start(t, serve.Config{Redis: store.URL(), Sweep: time.Hour})
			items := make([]*recoveryv1.IngestRequest, load.sent)
			for n := range items {
				items[n] = stalledItem(n)
			}
			replayed := 0
			err := ingest(t.Context(), next.recovery, items, func(n int, a *recoveryv1.IngestResponse) {
				if a.HasError() {
					t.Errorf("item %d: %s", n, outcome(t, a))
				}
				if a.GetFailure().GetReplayed() {
					replayed++
				}
			})
			if err != nil || done == 0 || replayed < done {
				t.Errorf("%d of %d items were carried out before the end, %d are known: %v", done, load.sent, replayed, err)
			}
			t.Logf("%d items were sent and %d carried out before the end", load.sent, done)
		})
	}
}

// TestAStalledCallerHangsUp: that is no fault of the service.
func TestAStalledCallerHangsUp(t *testing.T) {
	r := start(t, serve.Config{Sweep: time.Hour})
	r.stall(t, false).hangUp()
	eventually(t, 10*time.Second, "the load has ended", func() bool { return strings.Contains(r.log.String(), `Ingest","code"`) })
	if !strings.Contains(r.log.String(), `Ingest","code":"Canceled"`) {
		t.Error("the log does not say that the caller gave up")
	}
}
