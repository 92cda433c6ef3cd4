package ledger

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// node is one server of the store.
type node struct {
	addr    string
	client  *redis.Client
	replica bool
	close   bool // the client was made for one check
}

// nodes lists all servers that are known, masters first.
func (l *Ledger) nodes(ctx context.Context) ([]node, error) {
	switch c := l.client.(type) {
	case *redis.ClusterClient:
		return clusterNodes(ctx, c)
	case *redis.Client:
		return l.serverNodes(ctx, c)
	default:
		return nil, fmt.Errorf("no servers behind a client of type %T", c)
	}
}

func clusterNodes(ctx context.Context, c *redis.ClusterClient) ([]node, error) {
	var mu sync.Mutex
	var nodes []node
	collect := func(replica bool) func(context.Context, *redis.Client) error {
		return func(_ context.Context, n *redis.Client) error {
			mu.Lock()
			defer mu.Unlock()
			nodes = append(nodes, node{addr: n.Options().Addr, client: n, replica: replica})
			return nil
		}
	}
	if err := c.ForEachMaster(ctx, collect(false)); err != nil {
		return nil, err
	}
	return nodes, c.ForEachSlave(ctx, collect(true))
}

// serverNodes lists a master and, as the master knows them, its replicas.
func (l *Ledger) serverNodes(ctx context.Context, master *redis.Client) ([]node, error) {
	nodes := []node{{addr: l.store.where(), client: master}}
	text, err := master.Info(ctx, "replication").Result()
	if err != nil {
		return nodes, nil // checkNode tells why
	}
	for name, value := range parseInfo(text) {
		if !isReplicaLine(name) {
			continue
		}
		of := map[string]string{}
		for _, pair := range strings.Split(value, ",") {
			k, v, _ := strings.Cut(pair, "=")
			of[k] = v
		}
		addr := net.JoinHostPort(of["ip"], of["port"])
		nodes = append(nodes, node{addr: addr, client: redis.NewClient(l.serverOptions(addr)), replica: true, close: true})
	}
	return nodes, nil
}

// OfAShard reports whether an error is that of one shard of several, whose loss is no
// reason to stop serving the customers of the others. There must be others that do.
func (l *Ledger) OfAShard(ctx context.Context, err error) bool {
	if l.store.mode != cluster || errors.Is(err, ErrBroken) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, ioTimeout)
	defer cancel()
	return l.answers(ctx) == nil
}

// isReplicaLine knows slave0, slave1, ...
func isReplicaLine(name string) bool {
	digits, ok := strings.CutPrefix(name, "slave")
	_, err := strconv.Atoi(digits)
	return ok && err == nil
}

// where names the store for messages; it holds no password.
func (t target) where() string {
	where := strings.Join(t.addrs, ",")
	switch {
	case t.mode == embedded:
		return Embedded
	case t.mode == sentinel:
		return t.master + " behind the sentinels " + where
	}
	return where
}

// info is what INFO tells of a server, and the setting fsync.
type info map[string]string

// fsync says when a server has what it was told on its disk: always, within a
// second, or whenever the operating system likes.
const fsync = "appendfsync"

func parseInfo(text string) info {
	facts := info{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			facts[name] = value
		}
	}
	return facts
}

// major is the first number of the version.
func (f info) major() int {
	digits, _, _ := strings.Cut(f["redis_version"], ".")
	n, _ := strconv.Atoi(digits) // 0, too old, when there is none
	return n
}

// replicas is how many follow the server.
func (f info) replicas() int {
	n, _ := strconv.Atoi(f["connected_slaves"])
	return n
}

// loses says why the server may lose what it is told; nothing if it writes all of it
// down and evicts none.
func (f info) loses() (why []string) {
	if f["aof_enabled"] != "1" {
		why = append(why, "appendonly no")
	}
	if f[fsync] == "no" {
		why = append(why, "appendfsync no")
	}
	if status := f["aof_last_write_status"]; status != "ok" {
		why = append(why, "aof_last_write_status "+status)
	}
	if policy := f["maxmemory_policy"]; policy != "noeviction" {
		why = append(why, "maxmemory-policy "+policy)
	}
	return why
}

// full is the share of its memory that a server has taken; 0 where that has no limit.
func (f info) full() float64 {
	used, _ := strconv.ParseFloat(f["used_memory"], 64)
	most, _ := strconv.ParseFloat(f["maxmemory"], 64)
	if most <= 0 {
		return 0
	}
	return used / most
}

// check gives what is wrong with the settings of a server.
func (f info) check(n node, production bool) []error {
	var faults []error
	if f.major() < 7 {
		faults = append(faults, fmt.Errorf("the Redis at %s is version %s; install 7.0 or newer, "+
			"which refuses a script as a whole when its memory is full", n.addr, f["redis_version"]))
	}
	if policy := f["maxmemory_policy"]; policy != "noeviction" {
		faults = append(faults, fmt.Errorf("the Redis at %s would delete customers when its memory is full (maxmemory-policy %s); "+
			"run there: redis-cli CONFIG SET maxmemory-policy noeviction, and set it in redis.conf", n.addr, policy))
	}
	if production && f["aof_enabled"] != "1" {
		faults = append(faults, fmt.Errorf("the Redis at %s loses changes when it restarts (appendonly no); "+
			"run there: redis-cli CONFIG SET appendonly yes, and set it in redis.conf with appendfsync always or everysec", n.addr))
	}
	if production && f[fsync] == "no" {
		faults = append(faults, fmt.Errorf("the Redis at %s loses the changes of up to half a minute when its machine fails (appendfsync no); "+
			"run there: redis-cli CONFIG SET appendfsync everysec, or always, and set it in redis.conf", n.addr))
	}
	return faults
}
