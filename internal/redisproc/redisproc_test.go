package redisproc_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/makeamends/amends/internal/redisproc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestStopLeavesNothing: neither processes nor directories.
func TestStopLeavesNothing(t *testing.T) {
	needRedis(t)
	t.Setenv("TMPDIR", t.TempDir())
	s, err := redisproc.Start(t.Context(), redisproc.Config{Settings: map[string]string{"appendonly": "no"}})
	if err != nil {
		t.Fatal(err)
	}
	if s.PID() == 0 || !s.Alive() {
		t.Errorf("its process id is %d, alive: %v", s.PID(), s.Alive())
	}
	for range 10_000 {
		s.Client().Ping(t.Context())
	}
	if cpu, err := s.CPU(t.Context()); err != nil || cpu <= 0 || cpu > time.Minute {
		t.Errorf("it took %v (%v)", cpu, err)
	}
	c, err := redisproc.StartCluster(t.Context(), redisproc.ClusterConfig{Masters: 2, Replicas: 1})
	if err != nil {
		t.Fatal(err)
	}
	s.Stop()
	c.Stop()
	for _, s := range append(c.Servers(), s) {
		if s.Alive() || s.PID() != 0 {
			t.Errorf("the server at %s is alive", s.Addr())
		}
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("%v are left (%v)", left, err)
	}
}

// TestClusterWithReplicas: each master has its own, which holds what it holds
// and takes over when it is lost.
func TestClusterWithReplicas(t *testing.T) {
	t.Parallel()
	needRedis(t)
	begin := time.Now()
	c, err := redisproc.StartCluster(t.Context(), redisproc.ClusterConfig{Dir: t.TempDir(), Masters: 3, Replicas: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	t.Logf("a cluster of three masters and three replicas took %v", time.Since(begin))
	const key = "k"
	if err := c.Client().Set(t.Context(), key, "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	lost, err := c.Owner(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if n := lost.Client().Wait(t.Context(), 1, time.Second).Val(); n != 1 {
		t.Errorf("%d replicas follow the master", n)
	}
	lost.Kill()
	if owner, err := c.Owner(t.Context(), key); err != nil || owner != lost {
		t.Errorf("before anybody has noticed, the owner is %v (%v)", owner, err)
	}
	for begin = time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if owner, err := c.Owner(t.Context(), key); err == nil && owner != lost {
			t.Logf("its replica took over after %v", time.Since(begin))
			break
		}
		if time.Since(begin) > 30*time.Second {
			t.Fatal("no replica took over within 30 s")
		}
	}
	var v string
	if err := redisproc.Eventually(t.Context(), func(ctx context.Context) (err error) {
		v, err = c.Client().Get(ctx, key).Result()
		return err
	}); v != "v" {
		t.Errorf("the replica has %q (%v)", v, err)
	}
	if err := lost.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitReady(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestReshard: slots go to a shard that was added, with all that is in them.
func TestReshard(t *testing.T) {
	t.Parallel()
	needRedis(t)
	c, err := redisproc.StartCluster(t.Context(), redisproc.ClusterConfig{Dir: t.TempDir(), Masters: 2, Settings: map[string]string{"appendonly": "no"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	const keys = 2000
	for n := range keys {
		if err := c.Client().Set(t.Context(), fmt.Sprint("{k", n%50, "}", n), n, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	added, err := c.AddShard(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	from := c.Masters()[0]
	held, err := c.Slots(t.Context(), from)
	if err != nil || len(held) != 8192 {
		t.Fatalf("the first master holds %d slots (%v)", len(held), err)
	}
	begin := time.Now()
	if err := c.MoveSlots(t.Context(), from, added, held[:4096]...); err != nil {
		t.Fatal(err)
	}
	t.Logf("4096 slots took %v", time.Since(begin))
	if err := c.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	var sum int64
	for _, s := range c.Masters() {
		sum += s.Client().DBSize(t.Context()).Val()
	}
	if moved := added.Client().DBSize(t.Context()).Val(); moved < keys/8 || sum != keys {
		t.Errorf("%d of %d keys are at the new shard, %d anywhere", moved, keys, sum)
	}
	if owner, err := c.OwnerOfSlot(t.Context(), held[0]); err != nil || owner != added {
		t.Errorf("the first slot belongs to %v (%v)", owner, err)
	}
}

func needRedis(t *testing.T) {
	t.Helper()
	if _, err := redisproc.Binary(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

func TestMissingRedis(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := redisproc.Start(t.Context(), redisproc.Config{}); !errors.Is(err, redisproc.ErrMissing) {
		t.Errorf("without redis-server: %v", err)
	}
}
