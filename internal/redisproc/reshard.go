package redisproc

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// migrateKeys is how many keys of a slot go to the other server in one command.
const migrateKeys = 100

// AddShard adds a master that holds no slots yet, with as many replicas as the
// others have, and returns it when every node knows them.
func (c *Cluster) AddShard(ctx context.Context) (*Server, error) {
	var added []*Server
	for range 1 + c.config.Replicas {
		s, err := c.newServer(ctx)
		if err != nil {
			return nil, err
		}
		if err := meet(ctx, s, append(c.Servers(), added...)); err != nil {
			s.Stop()
			return nil, err
		}
		added = append(added, s)
	}
	master, replicas := added[0], added[1:]
	c.mu.Lock()
	c.masters = append(c.masters, master)
	c.replicas = append(c.replicas, replicas)
	c.mu.Unlock()
	for _, s := range replicas {
		if err := follow(ctx, s, master); err != nil {
			return nil, err
		}
	}
	return master, c.WaitReady(ctx)
}

// Slots are the slots that a server holds, as it says itself.
func (c *Cluster) Slots(ctx context.Context, of *Server) ([]int, error) {
	shards, err := of.client.ClusterShards(ctx).Result()
	if err != nil {
		return nil, err
	}
	var held []int
	for _, shard := range shards {
		for _, node := range shard.Nodes {
			if node.Role != "master" || int(node.Port) != of.port {
				continue
			}
			for _, r := range shard.Slots {
				for slot := r.Start; slot <= r.End; slot++ {
					held = append(held, int(slot))
				}
			}
		}
	}
	return held, nil
}

// MoveSlots moves slots with all that is in them from one master to another,
// as `redis-cli --cluster reshard` does: key by key, while both serve.
func (c *Cluster) MoveSlots(ctx context.Context, from, to *Server, slots ...int) error {
	m := &move{from: from, to: to, atOnce: migrateKeys, pause: c.config.KeyPause}
	if m.pause > 0 {
		m.atOnce = 1
	}
	var err error
	if m.fromID, err = from.client.ClusterMyID(ctx).Result(); err != nil {
		return err
	}
	if m.toID, err = to.client.ClusterMyID(ctx).Result(); err != nil {
		return err
	}
	if m.masters, err = c.leaders(ctx); err != nil {
		return err
	}
	for _, slot := range slots {
		if err := m.slot(ctx, slot); err != nil {
			return fmt.Errorf("move slot %d from %s to %s: %w", slot, from.Addr(), to.Addr(), err)
		}
	}
	return nil
}

// leaders are the servers that are masters now.
func (c *Cluster) leaders(ctx context.Context) ([]*Server, error) {
	shards, err := c.view(ctx)
	if err != nil {
		return nil, err
	}
	var found []*Server
	for _, shard := range shards {
		for _, node := range shard.Nodes {
			if s, err := c.at(local(int(node.Port))); err == nil && node.Role == "master" && s.Alive() {
				found = append(found, s)
			}
		}
	}
	return found, nil
}

// move is what one call of MoveSlots knows.
type move struct {
	from, to     *Server
	fromID, toID string
	masters      []*Server
	atOnce       int
	pause        time.Duration
}

func (m *move) slot(ctx context.Context, slot int) error {
	if err := m.to.client.Do(ctx, "CLUSTER", "SETSLOT", slot, "IMPORTING", m.fromID).Err(); err != nil {
		return err
	}
	if err := m.from.client.Do(ctx, "CLUSTER", "SETSLOT", slot, "MIGRATING", m.toID).Err(); err != nil {
		return err
	}
	for {
		keys, err := m.from.client.ClusterGetKeysInSlot(ctx, slot, m.atOnce).Result()
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			break
		}
		if err := m.keys(ctx, keys); err != nil {
			return err
		}
		time.Sleep(m.pause)
	}
	// The new owner first: until it knows, the old one sends callers there in vain.
	for _, s := range append([]*Server{m.to, m.from}, m.masters...) {
		if err := s.client.Do(ctx, "CLUSTER", "SETSLOT", slot, "NODE", m.toID).Err(); err != nil {
			return err
		}
	}
	return nil
}

func (m *move) keys(ctx context.Context, keys []string) error {
	all := m.to.client.Options()
	args := []any{"MIGRATE", "127.0.0.1", m.to.port, "", 0, time.Minute.Milliseconds(), "AUTH2", all.Username, all.Password, "KEYS"}
	for _, k := range keys {
		args = append(args, k)
	}
	err := m.from.client.Do(ctx, args...).Err()
	if redis.HasErrorPrefix(err, "NOKEY") { // they have expired
		return nil
	}
	return err
}
