package redistest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/redistest"
	"github.com/redis/go-redis/v9"
)

func TestClusterAnswersOnAllSlots(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	c := redistest.Cluster(t, 3)
	t.Logf("a cluster of three took %v", time.Since(begin))

	// Enough keys to meet some 70 % of the slots, and every node's own count
	// of slots says that the rest is served as well.
	const keys = 20000
	pipe := c.Client().Pipeline()
	for n := range keys {
		pipe.Set(t.Context(), fmt.Sprint("key", n), n, 0)
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	var held int64
	for _, n := range c.Nodes() {
		size := n.Client().DBSize(t.Context()).Val()
		if size < keys/4 {
			t.Errorf("%s holds %d of %d keys, less than its share", n.Addr(), size, keys)
		}
		held += size
	}
	if held != keys {
		t.Errorf("%d keys are held, want %d", held, keys)
	}
	if want := fmt.Sprintf("@%s,%s,%s", c.Nodes()[0].Addr(), c.Nodes()[1].Addr(), c.Nodes()[2].Addr()); !strings.HasSuffix(c.URL(), want) {
		t.Errorf("its URL is %s, want ...%s", c.URL(), want)
	}

	t.Run("a lost master takes only its own slots along", func(t *testing.T) {
		lost, kept := twoOwners(c)
		c.Owner(lost).Kill()
		if err := c.Owner(kept).Client().Incr(t.Context(), kept).Err(); err != nil {
			t.Errorf("a key of another master: %v", err)
		}
		c.Owner(lost).Start()
		c.WaitReady()
		if err := c.Owner(lost).Client().Incr(t.Context(), lost).Err(); err != nil {
			t.Errorf("a key of the master that came back: %v", err)
		}
	})
}

// twoOwners returns two fresh keys that different masters hold.
func twoOwners(c *redistest.ClusterInstance) (a, b string) {
	a = "fresh0"
	for n := 1; ; n++ {
		if b = fmt.Sprint("fresh", n); c.Owner(b) != c.Owner(a) {
			return a, b
		}
	}
}

func TestSentinelNamesTheMaster(t *testing.T) {
	t.Parallel()
	s := redistest.Sentinel(t)
	asked := redis.NewSentinelClient(redistest.Options(s.Sentinel().Addr()))
	defer asked.Close()
	named := func() string {
		hostPort, err := asked.GetMasterAddrByName(t.Context(), redistest.MasterName).Result()
		if err != nil {
			t.Fatal(err)
		}
		return hostPort[0] + ":" + hostPort[1]
	}
	if got := named(); got != s.Master().Addr() {
		t.Errorf("it names %s, the master is at %s", got, s.Master().Addr())
	}
	if want := "@" + s.Sentinel().Addr() + "/mymaster?"; !strings.Contains(s.URL(), want) {
		t.Errorf("its URL is %s, want ...%s...", s.URL(), want)
	}
	if err := s.Client().Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if v := s.Master().Client().Get(t.Context(), "k").Val(); v != "v" {
		t.Errorf("what was written through the sentinel reads %q at the master", v)
	}

	t.Run("and the replica once the master is lost", func(t *testing.T) {
		s.Master().Kill()
		for limit := time.Now().Add(15 * time.Second); named() != s.Replica().Addr(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(limit) {
				t.Fatalf("15 s later it still names %s", named())
			}
		}
	})
}
