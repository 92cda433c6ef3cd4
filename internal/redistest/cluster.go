package redistest

import (
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/redisproc"
)

// ClusterInstance is a Redis Cluster, in which the loss of one master that has
// no replica leaves the slots of the others usable.
type ClusterInstance struct {
	tb    testing.TB
	procs *redisproc.Cluster
	nodes []*Instance
}

// Cluster starts a cluster of at least one master without replicas, the slots
// shared out evenly in order, and waits until every node holds it for complete.
// That takes a bit more than two seconds, the time for which Redis itself keeps
// a new master from accepting writes; the subtests of one test should share a
// cluster.
func Cluster(tb testing.TB, masters int) *ClusterInstance {
	tb.Helper()
	return ClusterOf(tb, redisproc.ClusterConfig{Masters: masters})
}

// ClusterOf is [Cluster] of any kind; what it has in its directory goes with the test.
func ClusterOf(tb testing.TB, config redisproc.ClusterConfig) *ClusterInstance {
	tb.Helper()
	requireRedis(tb)
	config.Dir = tb.TempDir()
	config.Settings = inMemory(config.Settings)
	procs, err := redisproc.StartCluster(tb.Context(), config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(procs.Stop)
	c := &ClusterInstance{tb: tb, procs: procs}
	for _, s := range procs.Servers() {
		c.adopt(s)
	}
	return c
}

// adopt watches over a server of the cluster as over one of its own.
func (c *ClusterInstance) adopt(s *redisproc.Server) {
	c.nodes = append(c.nodes, watched(c.tb, s, false))
}

// AddShard adds a master that holds no slots yet, with its replicas.
func (c *ClusterInstance) AddShard() *Instance {
	c.tb.Helper()
	master, err := c.procs.AddShard(c.tb.Context())
	if err != nil {
		c.tb.Fatal(err)
	}
	for _, s := range c.procs.Servers() {
		if c.instance(s) == nil {
			c.adopt(s)
		}
	}
	return c.instance(master)
}

// MoveSlots moves the first slots of from, that many, with all that is in them.
func (c *ClusterInstance) MoveSlots(from, to *Instance, many int) {
	c.tb.Helper()
	held, err := c.procs.Slots(c.tb.Context(), from.Server)
	if err == nil {
		err = c.procs.MoveSlots(c.tb.Context(), from.Server, to.Server, held[:many]...)
	}
	if err != nil {
		c.tb.Fatal(err)
	}
}

// MoveKey moves the slot of a key, with all that is in it, from its owner to another master.
func (c *ClusterInstance) MoveKey(key string, to *Instance) {
	c.tb.Helper()
	slot, err := c.Client().ClusterKeySlot(c.tb.Context(), key).Result()
	if err == nil {
		err = c.procs.MoveSlots(c.tb.Context(), c.Owner(key).Server, to.Server, int(slot))
	}
	if err != nil {
		c.tb.Fatal(err)
	}
}

// Masters are the instances that were started as masters.
func (c *ClusterInstance) Masters() []*Instance {
	var masters []*Instance
	for _, s := range c.procs.Masters() {
		masters = append(masters, c.instance(s))
	}
	return masters
}

// Replicas are those that the nth master was given.
func (c *ClusterInstance) Replicas(n int) []*Instance {
	var replicas []*Instance
	for _, s := range c.procs.Replicas(n) {
		replicas = append(replicas, c.instance(s))
	}
	return replicas
}

func (c *ClusterInstance) instance(s *redisproc.Server) *Instance {
	for _, i := range c.nodes {
		if i.Server == s {
			return i
		}
	}
	return nil
}

// URL is the address in the form redis+cluster://user:password@host:port,host:port,...
// for the service's user, as that of an Instance is.
func (c *ClusterInstance) URL() string { return c.procs.URL() }

// Nodes are the masters in the order of their slots, then the replicas; each
// can be killed, started again, paused and resumed on its own.
func (c *ClusterInstance) Nodes() []*Instance { return c.nodes }

// Owner is the server that holds key.
func (c *ClusterInstance) Owner(key string) *Instance {
	c.tb.Helper()
	s, err := c.procs.Owner(c.tb.Context(), key)
	if err != nil {
		c.tb.Fatal(err)
	}
	return c.instance(s)
}

// Client is a ready client of the whole cluster that may do everything, closed when the test ends.
func (c *ClusterInstance) Client() *redis.ClusterClient { return c.procs.Client() }

// WaitReady returns when every node sees all nodes and all slots in order, as
// Cluster does; a master that was started again needs some two seconds.
func (c *ClusterInstance) WaitReady() {
	c.tb.Helper()
	if err := c.procs.WaitReady(c.tb.Context()); err != nil {
		c.tb.Fatal(err)
	}
}
