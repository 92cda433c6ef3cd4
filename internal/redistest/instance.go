// Package redistest gives tests real Redis processes of their own: a single
// server, a cluster, a sentinel with its master and replica, and a proxy that
// loses connections or only replies.
//
// Every process listens on a random loopback port, works in a directory that
// goes away with the test, and is killed by its own pid when the test ends. So
// FLUSHALL, CONFIG SET, kill -9 and the like are safe: nobody else is connected.
// On Linux the processes also die with a test binary that panics or is killed;
// elsewhere such a binary leaves them behind.
//
// A test is skipped when redis-server is not installed, and fails instead when
// the environment variable CI is set. Redis 7.0 or newer on a Unix is needed.
//
// The servers have the settings and the users of the deployment (deploy/redis),
// so that all that is tested is done with the permissions that the service has
// in production: a test in which Redis refuses anything fails.
package redistest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/deploy"
)

// Instance is one Redis process, private to the test that asked for it. Its
// methods may be called from several goroutines; those that cannot do their
// work end the test, so Kill, Start, Pause and Resume belong to its goroutine.
type Instance struct {
	tb      testing.TB
	spec    spec
	dir     string
	port    int
	busPort int // 0 unless the server is part of a cluster
	client  *redis.Client
	log     *os.File

	mu      sync.Mutex
	proc    *process
	paused  bool
	refused []string // what Redis refused before it was killed
}

// Option changes how Server starts Redis.
type Option func(*spec)

// WithAOF makes every write durable before it is answered (appendonly with
// appendfsync always), so that data outlives Kill.
func WithAOF() Option {
	return func(s *spec) {
		s.set("appendonly", "yes")
		s.set("appendfsync", "always")
	}
}

// WithConfig sets one redis.conf directive, value written as that file wants
// it; an empty value stands for "". A directive set before is replaced.
func WithConfig(k, v string) Option {
	return func(s *spec) { s.set(k, v) }
}

// Server starts a fresh, empty redis-server that keeps nothing on disk and
// never evicts, waits until it answers and kills it when tb ends.
func Server(tb testing.TB, opts ...Option) *Instance {
	tb.Helper()
	s := serverSpec()
	for _, o := range opts {
		o(&s)
	}
	return start(tb, s)
}

// start runs the process described by s for as long as tb runs.
func start(tb testing.TB, s spec) *Instance {
	tb.Helper()
	s.binary = binary(tb)
	i, err := launch(s, tb.TempDir())
	if err != nil {
		tb.Fatalf("starting a private Redis: %v", err)
	}
	i.tb = tb
	tb.Cleanup(func() {
		i.close()
		i.checkRefusals()
		if tb.Failed() {
			tb.Logf("log of the Redis at %s:\n%s", i.Addr(), tail(i.log))
		}
		i.log.Close()
	})
	return i
}

// Addr is the host:port at which the process listens; it outlives Kill.
func (i *Instance) Addr() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(i.port))
}

// URL is the address in the form redis://user:password@host:port. The user is
// that of the service, with the permissions of deploy/redis/users.acl; if Redis
// refuses it anything, the test fails.
func (i *Instance) URL() string { return "redis://" + login() + i.Addr() }

// Client is a ready client that may do everything, closed when the test ends.
// It repeats a command whose reply was lost; code under test should use a
// client of its own.
func (i *Instance) Client() *redis.Client { return i.client }

// Kill ends the process at once (kill -9) and returns when it is gone. Killing
// a dead one does nothing.
func (i *Instance) Kill() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.proc == nil {
		return
	}
	if !i.paused && !i.proc.gone() {
		i.noteRefusals()
	}
	i.proc.kill()
	i.proc, i.paused = nil, false
}

// Start runs a killed instance again on the same port and directory, and
// returns when it answers: data that WithAOF kept is then loaded.
func (i *Instance) Start() {
	i.tb.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.proc != nil && !i.proc.gone() {
		i.tb.Fatalf("the Redis at %s is already running", i.Addr())
	}
	if err := i.run(); err != nil {
		i.tb.Fatalf("starting the Redis at %s again: %v", i.Addr(), err)
	}
}

// Pause stops the process without ending it (SIGSTOP): connections stay open
// and new ones are accepted by the kernel, but nothing is answered.
func (i *Instance) Pause() {
	i.tb.Helper()
	i.signal(syscall.SIGSTOP)
}

// Resume lets a paused process go on (SIGCONT); it then answers what it was
// asked meanwhile.
func (i *Instance) Resume() {
	i.tb.Helper()
	i.signal(syscall.SIGCONT)
}

func (i *Instance) signal(s syscall.Signal) {
	i.tb.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.proc == nil {
		i.tb.Fatalf("signal %v for the Redis at %s, which was killed", s, i.Addr())
	}
	if err := i.proc.signal(s); err != nil {
		i.tb.Fatalf("signal %v for the Redis at %s: %v", s, i.Addr(), err)
	}
	i.paused = s == syscall.SIGSTOP
}

func (i *Instance) close() {
	i.Kill()
	i.client.Close()
}

// spec says what to run and with which configuration.
type spec struct {
	binary     string
	sentinel   bool
	cluster    bool
	refusals   bool // are expected
	users      string
	directives [][2]string
}

// serverSpec is the configuration of the deployment, but for what tests want
// otherwise: most of them need nothing on the disk.
func serverSpec() spec {
	s := spec{users: deploy.RedisUsers}
	for line := range strings.Lines(deploy.RedisConf) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), " "); ok && k != "#" {
			s.set(k, v)
		}
	}
	s.set("bind", "127.0.0.1")
	s.set("dir", ".")
	s.set("masteruser", replicator)
	s.set("masterauth", password(replicator))
	s.set("appendonly", "no")
	// A rewrite forks a child that would go on writing into the directory
	// after its parent was killed.
	s.set("auto-aof-rewrite-percentage", "0")
	s.set("repl-diskless-sync-delay", "0")
	return s
}

// set replaces the directive k, or adds it.
func (s *spec) set(k, v string) {
	if v == "" {
		v = `""`
	}
	if n := slices.IndexFunc(s.directives, func(d [2]string) bool { return d[0] == k }); n >= 0 {
		s.directives[n][1] = v
		return
	}
	s.directives = append(s.directives, [2]string{k, v})
}

// writeConfig puts the configuration into the instance's directory. It happens
// once a port: a sentinel keeps its state in that file.
func (i *Instance) writeConfig() error {
	var b strings.Builder
	i.spec.set("port", strconv.Itoa(i.port))
	i.spec.set("aclfile", usersFile)
	if i.spec.cluster {
		i.spec.set("cluster-enabled", "yes")
		i.spec.set("cluster-port", strconv.Itoa(i.busPort))
	}
	for _, d := range i.spec.directives {
		fmt.Fprintln(&b, d[0], d[1])
	}
	if err := os.WriteFile(filepath.Join(i.dir, usersFile), []byte(users(i.spec.users)), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(i.dir, configFile), []byte(b.String()), 0o600)
}
