package redisproc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// slots is the fixed number of hash slots that a cluster's masters divide.
const slots = 16384

// ClusterConfig says how a cluster is to run.
type ClusterConfig struct {
	// Dir holds one directory a process; empty: one that goes with the cluster.
	Dir      string
	Masters  int
	Replicas int               // of each master
	Settings map[string]string // as in Config
	// KeyPause is the time between two keys when slots are moved; 0: many go at once.
	KeyPause time.Duration
}

// Cluster is a Redis Cluster of private processes. The loss of one master
// without a replica leaves the slots of the others usable.
type Cluster struct {
	config   ClusterConfig
	dir      string
	client   *redis.ClusterClient
	mu       sync.Mutex // guards what follows
	masters  []*Server
	replicas [][]*Server // of each master
}

// StartCluster runs a cluster, the slots shared out evenly in order, and waits
// until every node holds it for complete and every replica follows its master.
// That takes a bit more than two seconds, the time for which Redis itself keeps
// a new master from accepting writes. It runs until Stop: ctx bounds the start
// alone. A master that does not answer counts as lost after two seconds, unless
// the settings say otherwise.
func StartCluster(ctx context.Context, config ClusterConfig) (*Cluster, error) {
	if config.Masters < 1 {
		return nil, fmt.Errorf("a cluster of %d masters", config.Masters)
	}
	c := &Cluster{config: config, dir: config.Dir}
	if c.dir == "" {
		dir, err := os.MkdirTemp("", "redis-cluster-")
		if err != nil {
			return nil, err
		}
		c.dir = dir
	}
	if err := c.start(ctx); err != nil {
		c.Stop()
		return nil, fmt.Errorf("start a private cluster: %w", err)
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context) error {
	for range c.config.Masters {
		s, err := c.newServer(ctx)
		if err != nil {
			return err
		}
		c.masters = append(c.masters, s)
		c.replicas = append(c.replicas, nil)
	}
	for n := range c.masters {
		for range c.config.Replicas {
			s, err := c.newServer(ctx)
			if err != nil {
				return err
			}
			c.replicas[n] = append(c.replicas[n], s)
		}
	}
	if err := c.join(ctx); err != nil {
		return err
	}
	c.client = redis.NewClusterClient(ClusterOptions(c.addrs()))
	return c.WaitReady(ctx)
}

// newServer runs a process that is a node of a cluster of its own as yet.
func (c *Cluster) newServer(ctx context.Context) (*Server, error) {
	settings := map[string]string{"cluster-node-timeout": "2000"}
	maps.Copy(settings, c.config.Settings)
	dir, err := os.MkdirTemp(c.dir, "node-")
	if err != nil {
		return nil, err
	}
	return Start(ctx, Config{Dir: dir, Settings: settings, cluster: true})
}

// join hands out the slots and introduces every node to every other, so that
// none has to be found by gossip.
func (c *Cluster) join(ctx context.Context) error {
	for n, node := range c.masters {
		// Different epochs from the start spare the nodes a round of
		// settling who is right.
		if err := node.client.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", n+1).Err(); err != nil {
			return err
		}
		first, last := c.slotRange(n)
		if err := node.client.ClusterAddSlotsRange(ctx, first, last).Err(); err != nil {
			return err
		}
	}
	all := c.Servers()
	for n, node := range all {
		if err := meet(ctx, node, all[:n]); err != nil {
			return err
		}
	}
	for n, of := range c.replicas {
		for _, replica := range of {
			if err := follow(ctx, replica, c.masters[n]); err != nil {
				return err
			}
		}
	}
	return nil
}

func meet(ctx context.Context, node *Server, others []*Server) error {
	for _, met := range others {
		if err := node.client.Do(ctx, "CLUSTER", "MEET", "127.0.0.1", met.port, met.busPort).Err(); err != nil {
			return err
		}
	}
	return nil
}

// follow makes node a replica of master, once it knows it.
func follow(ctx context.Context, node, master *Server) error {
	id, err := master.client.ClusterMyID(ctx).Result()
	if err != nil {
		return err
	}
	return Eventually(ctx, func(ctx context.Context) error { return node.client.ClusterReplicate(ctx, id).Err() })
}

// URL is the address in the form redis+cluster://user:password@host:port,host:port,...
// for the service's user, as that of a Server is.
func (c *Cluster) URL() string { return "redis+cluster://" + Login() + strings.Join(c.addrs(), ",") }

// Masters are those of the start in the order of their slots, then those that
// were added; a failover or a move of slots changes nothing here.
func (c *Cluster) Masters() []*Server {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.masters)
}

// Replicas are those that the nth master was given.
func (c *Cluster) Replicas(n int) []*Server {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.replicas[n])
}

// Servers are all processes, masters first.
func (c *Cluster) Servers() []*Server {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := slices.Clone(c.masters)
	for _, of := range c.replicas {
		all = append(all, of...)
	}
	return all
}

// Client is a ready client of the whole cluster that may do everything, closed by Stop.
func (c *Cluster) Client() *redis.ClusterClient { return c.client }

// Stop kills every process and lets go of all that belongs to them.
func (c *Cluster) Stop() {
	if c.client != nil {
		c.client.Close()
	}
	for _, s := range c.Servers() {
		s.Stop()
	}
	if c.config.Dir == "" {
		os.RemoveAll(c.dir)
	}
}

// Owner is the server that holds key now, as the cluster itself says.
func (c *Cluster) Owner(ctx context.Context, key string) (*Server, error) {
	slot, err := c.client.ClusterKeySlot(ctx, key).Result()
	if err != nil {
		return nil, fmt.Errorf("the slot of key %q: %w", key, err)
	}
	return c.OwnerOfSlot(ctx, int(slot))
}

// OwnerOfSlot is the server that holds a slot now, be it alive or not.
func (c *Cluster) OwnerOfSlot(ctx context.Context, slot int) (*Server, error) {
	shards, err := c.view(ctx)
	if err != nil {
		return nil, err
	}
	for _, shard := range shards {
		for _, r := range shard.Slots {
			if int64(slot) < r.Start || int64(slot) > r.End {
				continue
			}
			for _, node := range shard.Nodes {
				if node.Role == "master" {
					return c.at(local(int(node.Port)))
				}
			}
		}
	}
	return nil, fmt.Errorf("slot %d has no owner", slot)
}

// view is who holds what, as the first server that answers says.
func (c *Cluster) view(ctx context.Context) ([]redis.ClusterShard, error) {
	err := errors.New("no server is left")
	for _, s := range c.Servers() {
		if !s.Alive() {
			continue
		}
		var shards []redis.ClusterShard
		if shards, err = s.client.ClusterShards(ctx).Result(); err == nil {
			return shards, nil
		}
	}
	return nil, err
}

func (c *Cluster) at(addr string) (*Server, error) {
	for _, s := range c.Servers() {
		if s.Addr() == addr {
			return s, nil
		}
	}
	return nil, fmt.Errorf("no server of this cluster is at %s", addr)
}

// WaitReady returns when every node sees all nodes and all slots in order, and
// every replica follows its master; a master that was started again needs some
// two seconds. What was killed has to be started again first.
func (c *Cluster) WaitReady(ctx context.Context) error {
	for _, s := range c.Servers() {
		if err := Eventually(ctx, func(ctx context.Context) error { return c.complete(ctx, s) }); err != nil {
			return fmt.Errorf("the cluster's node %s: %w", s.Addr(), err)
		}
	}
	return nil
}

// complete reports what is missing in one node's view of the cluster.
func (c *Cluster) complete(ctx context.Context, s *Server) error {
	text, err := s.client.ClusterInfo(ctx).Result()
	if err != nil {
		return err
	}
	all := c.Servers()
	want := map[string]string{
		"cluster_state":       "ok",
		"cluster_slots_ok":    strconv.Itoa(slots),
		"cluster_known_nodes": strconv.Itoa(len(all)),
	}
	for k, v := range want {
		if got := Fields(text)[k]; got != v {
			return fmt.Errorf("%s is %q, not %q", k, got, v)
		}
	}
	if text, err = s.client.Info(ctx, "replication").Result(); err != nil {
		return err
	}
	if is := Fields(text); is["role"] == "slave" && is["master_link_status"] != "up" {
		return fmt.Errorf("its link to its master is %q", is["master_link_status"])
	}
	return nil
}

// slotRange returns the first and last slot that the nth master starts with.
func (c *Cluster) slotRange(n int) (first, last int) {
	return n * slots / c.config.Masters, (n+1)*slots/c.config.Masters - 1
}

func (c *Cluster) addrs() []string {
	var addrs []string
	for _, s := range c.Masters() {
		addrs = append(addrs, s.Addr())
	}
	return addrs
}
