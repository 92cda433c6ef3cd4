package redistest

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// slots is the fixed number of hash slots that a cluster's masters divide.
const slots = 16384

// ClusterInstance is a Redis Cluster of masters without replicas, in which the
// loss of one master leaves the slots of the others usable.
type ClusterInstance struct {
	tb     testing.TB
	nodes  []*Instance
	client *redis.ClusterClient
}

// Cluster starts a cluster of at least one master, the slots shared out evenly
// in order, and waits until every node holds it for complete. That takes a bit
// more than two seconds, the time for which Redis itself keeps a new master
// from accepting writes; the subtests of one test should share a cluster.
func Cluster(tb testing.TB, masters int) *ClusterInstance {
	tb.Helper()
	if masters < 1 {
		tb.Fatalf("a cluster of %d masters", masters)
	}
	c := &ClusterInstance{tb: tb}
	s := serverSpec()
	s.cluster = true
	s.set("cluster-node-timeout", "2000")
	for range masters {
		c.nodes = append(c.nodes, start(tb, s))
	}
	if err := c.join(tb.Context()); err != nil {
		tb.Fatalf("joining a private cluster: %v", err)
	}
	c.client = redis.NewClusterClient(&redis.ClusterOptions{
		Addrs:                    c.addrs(),
		Username:                 administrator,
		Password:                 password(administrator),
		DialerRetries:            1,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	tb.Cleanup(func() { c.client.Close() })
	c.WaitReady()
	return c
}

// URL is the address in the form redis+cluster://user:password@host:port,host:port,...
// for the service's user, as that of an Instance is.
func (c *ClusterInstance) URL() string {
	return "redis+cluster://" + login() + strings.Join(c.addrs(), ",")
}

// Nodes are the masters in the order of their slots; each can be killed,
// started again, paused and resumed on its own.
func (c *ClusterInstance) Nodes() []*Instance { return c.nodes }

// Owner is the master that holds key.
func (c *ClusterInstance) Owner(key string) *Instance {
	c.tb.Helper()
	slot, err := c.client.ClusterKeySlot(c.tb.Context(), key).Result()
	if err != nil {
		c.tb.Fatalf("the slot of key %q: %v", key, err)
	}
	for n := range c.nodes {
		if _, last := c.slotRange(n); int(slot) <= last {
			return c.nodes[n]
		}
	}
	c.tb.Fatalf("slot %d of key %q has no owner", slot, key)
	return nil
}

// Client is a ready client of the whole cluster that may do everything, closed when the test ends.
func (c *ClusterInstance) Client() *redis.ClusterClient { return c.client }

// WaitReady returns when every node sees all nodes and all slots in order, as
// Cluster does; a master that was started again needs some two seconds.
func (c *ClusterInstance) WaitReady() {
	c.tb.Helper()
	for _, n := range c.nodes {
		err := eventually(c.tb.Context(), func(ctx context.Context) error {
			text, err := n.client.ClusterInfo(ctx).Result()
			if err != nil {
				return err
			}
			return c.complete(fields(text))
		})
		if err != nil {
			c.tb.Fatalf("waiting for the cluster's node %s: %v", n.Addr(), err)
		}
	}
}

// complete reports what is missing in one node's view of the cluster.
func (c *ClusterInstance) complete(info map[string]string) error {
	want := map[string]string{
		"cluster_state":       "ok",
		"cluster_slots_ok":    strconv.Itoa(slots),
		"cluster_size":        strconv.Itoa(len(c.nodes)),
		"cluster_known_nodes": strconv.Itoa(len(c.nodes)),
	}
	for k, v := range want {
		if info[k] != v {
			return fmt.Errorf("%s is %q, not %q", k, info[k], v)
		}
	}
	return nil
}

// join hands out the slots and introduces every node to every other, so that
// none has to be found by gossip.
func (c *ClusterInstance) join(ctx context.Context) error {
	for n, node := range c.nodes {
		// Different epochs from the start spare the nodes a round of
		// settling who is right.
		if err := node.client.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", n+1).Err(); err != nil {
			return err
		}
		first, last := c.slotRange(n)
		if err := node.client.ClusterAddSlotsRange(ctx, first, last).Err(); err != nil {
			return err
		}
		for _, met := range c.nodes[:n] {
			if err := node.client.Do(ctx, "CLUSTER", "MEET", "127.0.0.1", met.port, met.busPort).Err(); err != nil {
				return err
			}
		}
	}
	return nil
}

// slotRange returns the first and last slot of the nth node.
func (c *ClusterInstance) slotRange(n int) (first, last int) {
	return n * slots / len(c.nodes), (n+1)*slots/len(c.nodes) - 1
}

func (c *ClusterInstance) addrs() []string {
	addrs := make([]string, len(c.nodes))
	for n, node := range c.nodes {
		addrs[n] = node.Addr()
	}
	return addrs
}

// fields reads the name:value lines with which Redis describes itself.
func fields(text string) map[string]string {
	m := make(map[string]string)
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		if k, v, ok := strings.Cut(lines.Text(), ":"); ok {
			m[k] = v
		}
	}
	return m
}

// eventually calls ready until it returns nil, and gives up after startLimit
// with its last error.
func eventually(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %v: %w", startLimit, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
