package ledger

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"runtime"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Limits of the driver. They are short because a call has its own retries and
// its caller a deadline: an answer that takes longer is no answer.
const (
	dialTimeout = 500 * time.Millisecond
	ioTimeout   = 300 * time.Millisecond
	poolTimeout = 500 * time.Millisecond // waiting for a free connection
	// reloadInterval is how soon a cluster client learns of a new master; the
	// driver's own default would dial a dead one for up to a minute.
	reloadInterval = time.Second
)

// poolSize is the number of connections to one server: enough to keep the one
// thread of Redis busy, few enough that waiting happens here and not there.
func poolSize() int { return 16 * max(2, runtime.GOMAXPROCS(0)) }

// quiet switches off what servers before 7.2 answer with errors.
var quiet = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}

// connect makes the client; nothing is dialled yet.
func (l *Ledger) connect() error {
	// What the driver would write to standard error on its own comes back as the
	// error of a call, too, and that is logged once.
	logging.Disable()
	switch l.store.mode {
	case embedded:
		return l.embed()
	case single:
		l.client = l.newMetered(l.serverOptions(l.store.addrs[0]))
	case cluster:
		l.client = redis.NewClusterClient(l.clusterOptions())
	case sentinel:
		l.client = l.metered(redis.NewFailoverClient(l.failoverOptions()))
	}
	l.closers = append(l.closers, l.client)
	return nil
}

// embed runs a Redis in the process itself.
func (l *Ledger) embed() error {
	server := miniredis.NewMiniRedis()
	password := rand.Text()
	server.RequireAuth(password) // it listens on a loopback port that others on this machine see
	if err := server.Start(); err != nil {
		return fmt.Errorf("start the embedded store: %w", err)
	}
	l.closers = append(l.closers, closer(server.Close))
	l.closers = append(l.closers, age(server))
	l.store.password = password
	l.client = l.newMetered(l.serverOptions(server.Addr()))
	l.closers = append(l.closers, l.client)
	l.opts.Logger.Warn("the embedded store keeps nothing: all customers are gone when this process ends; " +
		"to keep them, name a Redis with redis://HOST:PORT")
	return nil
}

// age lets what has outlived its time go, every second: by itself the embedded
// store either never does or looks at every key before each command.
func age(server *miniredis.Miniredis) closer {
	ticker := time.NewTicker(time.Second)
	over := make(chan struct{})
	go func() {
		for last := time.Now(); ; {
			select {
			case now := <-ticker.C:
				server.FastForward(now.Sub(last))
				last = now
			case <-over:
				return
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(over)
	}
}

type closer func()

func (c closer) Close() error {
	c()
	return nil
}

func (l *Ledger) serverOptions(addr string) *redis.Options {
	return &redis.Options{
		Addr:                     addr,
		Username:                 l.store.user,
		Password:                 l.store.password,
		DB:                       l.store.db,
		TLSConfig:                l.tls(),
		Protocol:                 2,
		MaxRetries:               -1,
		DialTimeout:              dialTimeout,
		DialerRetries:            1,
		ReadTimeout:              ioTimeout,
		WriteTimeout:             ioTimeout,
		PoolTimeout:              poolTimeout,
		PoolSize:                 poolSize(),
		ContextTimeoutEnabled:    true,
		DisableIdentity:          true,
		MaintNotificationsConfig: quiet,
	}
}

func (l *Ledger) clusterOptions() *redis.ClusterOptions {
	return &redis.ClusterOptions{
		Addrs:                      l.store.addrs,
		NewClient:                  l.newMetered,
		Username:                   l.store.user,
		Password:                   l.store.password,
		TLSConfig:                  l.tls(),
		Protocol:                   2,
		MaxRetries:                 -1,
		MaxRedirects:               3,
		MinRetryBackoff:            -1, // an attempt that fails should fail soon: the pauses are ours
		MaxRetryBackoff:            -1,
		DialTimeout:                dialTimeout,
		DialerRetries:              1,
		ReadTimeout:                ioTimeout,
		WriteTimeout:               ioTimeout,
		PoolTimeout:                poolTimeout,
		PoolSize:                   poolSize(),
		ContextTimeoutEnabled:      true,
		DisableIdentity:            true,
		DisableRoutingPolicies:     true, // every command here names one key
		MaintNotificationsConfig:   quiet,
		ClusterStateReloadInterval: reloadInterval,
	}
}

func (l *Ledger) failoverOptions() *redis.FailoverOptions {
	return &redis.FailoverOptions{
		MasterName:            l.store.master,
		SentinelAddrs:         l.store.addrs,
		SentinelUsername:      l.store.sentinelUser,
		SentinelPassword:      l.store.sentinelPassword,
		Username:              l.store.user,
		Password:              l.store.password,
		DB:                    l.store.db,
		TLSConfig:             l.tls(),
		Protocol:              2,
		MaxRetries:            -1,
		DialTimeout:           dialTimeout,
		DialerRetries:         1,
		ReadTimeout:           ioTimeout,
		WriteTimeout:          ioTimeout,
		PoolTimeout:           poolTimeout,
		PoolSize:              poolSize(),
		ContextTimeoutEnabled: true,
		DisableIdentity:       true,
	}
}

// tls gives the settings of encrypted connections; nil for plain ones. The
// server's name is the host that is dialled, its certificate one that the
// system trusts.
func (l *Ledger) tls() *tls.Config {
	if !l.store.tls {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12}
}

// owner gives a client of the one server that holds a key, so that WAIT goes to
// the connection that wrote.
func (l *Ledger) owner(ctx context.Context, key string) (*redis.Client, error) {
	return owner(ctx, l.client, key)
}

func owner(ctx context.Context, client redis.UniversalClient, key string) (*redis.Client, error) {
	switch c := client.(type) {
	case *redis.ClusterClient:
		return c.MasterForKey(ctx, key)
	case *redis.Client:
		return c, nil
	default:
		return nil, fmt.Errorf("no owner of a key with a client of type %T", c)
	}
}

// reload has the client of a cluster look, in the background, at who owns what.
func reload(ctx context.Context, client redis.UniversalClient) {
	if c, ok := client.(*redis.ClusterClient); ok {
		c.ReloadState(ctx)
	}
}
