package redistest

import (
	"context"
	"fmt"
	"net/url"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/redisproc"
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
	s.replica = Server(tb, WithConfig("replicaof", fmt.Sprintf("127.0.0.1 %d", s.master.Port())))
	// A sentinel asks for the replicas only every ten seconds: it must find
	// the replica connected when it starts.
	if err := redisproc.Eventually(tb.Context(), s.replicaFollows); err != nil {
		tb.Fatalf("waiting for the replica: %v", err)
	}
	s.sentinel = start(tb, sentinelConfig(s.master.Port()), false)
	if err := redisproc.Eventually(tb.Context(), s.sentinelKnows); err != nil {
		tb.Fatalf("waiting for the sentinel: %v", err)
	}
	admin := Options("")
	s.client = redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName:       MasterName,
		SentinelAddrs:    []string{s.sentinel.Addr()},
		SentinelUsername: admin.Username,
		SentinelPassword: admin.Password,
		Username:         admin.Username,
		Password:         admin.Password,
		DialerRetries:    admin.DialerRetries,
		DisableIdentity:  admin.DisableIdentity,
	})
	tb.Cleanup(func() { s.client.Close() })
	return s
}

// URL is the address in the form redis+sentinel://user:password@host:port/mymaster
// with a login for the sentinel behind it, for the service's user at both.
func (s *SentinelInstance) URL() string {
	return "redis+sentinel://" + redisproc.Login() + s.sentinel.Addr() + "/" + MasterName + "?" +
		url.Values{"sentinel_user": {redisproc.Service}, "sentinel_password": {redisproc.Password(redisproc.Service)}}.Encode()
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

func sentinelConfig(masterPort int) redisproc.Config {
	const quorum = 1
	return redisproc.Config{Sentinel: true, Settings: map[string]string{
		"sentinel monitor":                 fmt.Sprintf("%s 127.0.0.1 %d %d", MasterName, masterPort, quorum),
		"sentinel auth-user":               MasterName + " " + redisproc.Observer,
		"sentinel auth-pass":               MasterName + " " + redisproc.Password(redisproc.Observer),
		"sentinel down-after-milliseconds": MasterName + " 1000",
		"sentinel failover-timeout":        MasterName + " 3000",
	}}
}

func (s *SentinelInstance) replicaFollows(ctx context.Context) error {
	text, err := s.replica.Client().Info(ctx, "replication").Result()
	if err != nil {
		return err
	}
	if link := redisproc.Fields(text)["master_link_status"]; link != "up" {
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
