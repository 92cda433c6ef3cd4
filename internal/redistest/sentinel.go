package redistest

import (
	"context"
	"fmt"
	"net/url"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/deploy"
)

// MasterName is what a SentinelInstance's sentinel calls its master.
const MasterName = "mymaster"

// SentinelInstance is one master, one replica and one sentinel that on its own
// promotes the replica about a second after the master was lost.
type SentinelInstance struct {
	master, replica, sentinel *Instance
	client                    *redis.Client
}

// Sentinel starts the three processes and waits until the replica follows the
// master and the sentinel knows both.
func Sentinel(tb testing.TB) *SentinelInstance {
	tb.Helper()
	s := &SentinelInstance{master: Server(tb)}
	s.replica = Server(tb, WithConfig("replicaof", fmt.Sprintf("127.0.0.1 %d", s.master.port)))
	// A sentinel asks for the replicas only every ten seconds: it must find
	// the replica connected when it starts.
	if err := eventually(tb.Context(), s.replicaFollows); err != nil {
		tb.Fatalf("waiting for the replica: %v", err)
	}
	s.sentinel = start(tb, sentinelSpec(s.master.port))
	if err := eventually(tb.Context(), s.sentinelKnows); err != nil {
		tb.Fatalf("waiting for the sentinel: %v", err)
	}
	s.client = redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName:       MasterName,
		SentinelAddrs:    []string{s.sentinel.Addr()},
		SentinelUsername: administrator,
		SentinelPassword: password(administrator),
		Username:         administrator,
		Password:         password(administrator),
		DialerRetries:    1,
		DisableIdentity:  true,
	})
	tb.Cleanup(func() { s.client.Close() })
	return s
}

// URL is the address in the form redis+sentinel://user:password@host:port/mymaster
// with a login for the sentinel behind it, for the service's user at both.
func (s *SentinelInstance) URL() string {
	return "redis+sentinel://" + login() + s.sentinel.Addr() + "/" + MasterName + "?" +
		url.Values{"sentinel_user": {service}, "sentinel_password": {password(service)}}.Encode()
}

// Master is the server that was the master at first.
func (s *SentinelInstance) Master() *Instance { return s.master }

// Replica is the server that was the replica at first.
func (s *SentinelInstance) Replica() *Instance { return s.replica }

// Sentinel is the sentinel process; its Client understands only SENTINEL
// commands and the like.
func (s *SentinelInstance) Sentinel() *Instance { return s.sentinel }

// Client is a ready client of whichever server the sentinel names as master,
// closed when the test ends.
func (s *SentinelInstance) Client() *redis.Client { return s.client }

func sentinelSpec(masterPort int) spec {
	s := spec{sentinel: true, users: deploy.SentinelUsers}
	s.set("bind", "127.0.0.1")
	const quorum = 1
	s.set("sentinel monitor", fmt.Sprintf("%s 127.0.0.1 %d %d", MasterName, masterPort, quorum))
	s.set("sentinel auth-user", MasterName+" "+observer)
	s.set("sentinel auth-pass", MasterName+" "+password(observer))
	s.set("sentinel down-after-milliseconds", MasterName+" 1000")
	s.set("sentinel failover-timeout", MasterName+" 3000")
	return s
}

func (s *SentinelInstance) replicaFollows(ctx context.Context) error {
	text, err := s.replica.client.Info(ctx, "replication").Result()
	if err != nil {
		return err
	}
	if link := fields(text)["master_link_status"]; link != "up" {
		return fmt.Errorf("its link to the master is %q", link)
	}
	return nil
}

func (s *SentinelInstance) sentinelKnows(ctx context.Context) error {
	c := redis.NewSentinelClient(Options(s.sentinel.Addr()))
	defer c.Close()
	m, err := c.Master(ctx, MasterName).Result()
	if err != nil {
		return err
	}
	if m["flags"] != "master" || m["num-slaves"] != "1" {
		return fmt.Errorf("it sees a %q with %s replicas", m["flags"], m["num-slaves"])
	}
	return nil
}
