// Package redistest gives tests real Redis processes of their own: a single
// server, a cluster, a sentinel with its master and replica, and a proxy that
// loses connections or only replies.
//
// Every process is one of internal/redisproc, works in a directory that goes
// away with the test, and is killed when the test ends. So FLUSHALL, CONFIG
// SET, kill -9 and the like are safe: nobody else is connected. On Linux the
// processes also die with a test binary that panics or is killed; elsewhere
// such a binary leaves them behind.
//
// A test is skipped when redis-server is not installed, and fails instead when
// the environment variable CI is set.
//
// The servers have the settings and the users of the deployment (deploy/redis),
// so that all that is tested is done with the permissions that the service has
// in production: a test in which Redis refuses anything fails.
package redistest

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/redisproc"
)

// OutlivesTests is the goroutine that waits for the end of the server that is
// [Shared]; a search for leaked goroutines has to be told to ignore it.
const OutlivesTests = "github.com/makeamends/amends/internal/redisproc.startProcess.func1"

// DialsOn is the goroutine of a client whose server is gone: it looks once a second
// whether the server is back, and so ends up to a second after the client, which is
// longer than a search for leaks waits. One whose client is never closed is not found
// then.
const DialsOn = "github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"

// Instance is one Redis process, private to the test that asked for it. Its
// methods may be called from several goroutines; those that cannot do their
// work end the test, so Kill, Start, Pause and Resume belong to its goroutine.
type Instance struct {
	*redisproc.Server
	tb       testing.TB
	refusals bool // are expected

	mu      sync.Mutex
	paused  bool
	refused []string // what Redis refused before it was killed
}

// spec is what the options of a server change.
type spec struct {
	settings map[string]string
	refusals bool
}

// Option changes how Server starts Redis.
type Option func(*spec)

// WithAOF makes every write durable before it is answered (appendonly with
// appendfsync always), so that data outlives Kill.
func WithAOF() Option {
	return func(s *spec) {
		s.settings["appendonly"] = "yes"
		s.settings["appendfsync"] = "always"
	}
}

// WithConfig sets one redis.conf directive, value written as that file wants
// it; an empty value stands for "". A directive set before is replaced.
func WithConfig(k, v string) Option {
	return func(s *spec) { s.settings[k] = v }
}

// WithRefusals is for a test in which Redis refuses what the service's user
// asks for. Any other test fails if that happens.
func WithRefusals() Option {
	return func(s *spec) { s.refusals = true }
}

// inMemory is the deployment's configuration without its file: most tests need
// nothing on the disk.
func inMemory(settings map[string]string) map[string]string {
	all := map[string]string{"appendonly": "no"}
	maps.Copy(all, settings)
	return all
}

// Server starts a fresh, empty redis-server that keeps nothing on disk and
// never evicts, waits until it answers and kills it when tb ends.
func Server(tb testing.TB, opts ...Option) *Instance {
	tb.Helper()
	s := spec{settings: inMemory(nil)}
	for _, o := range opts {
		o(&s)
	}
	return start(tb, redisproc.Config{Settings: s.settings}, s.refusals)
}

// start runs a process for as long as tb runs.
func start(tb testing.TB, config redisproc.Config, refusals bool) *Instance {
	tb.Helper()
	requireRedis(tb)
	config.Dir = tb.TempDir()
	s, err := redisproc.Start(tb.Context(), config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Stop)
	return watched(tb, s, refusals)
}

// watched is a server that is killed when tb ends, which fails if the server
// has refused anything.
func watched(tb testing.TB, s *redisproc.Server, refusals bool) *Instance {
	i := &Instance{Server: s, tb: tb, refusals: refusals}
	tb.Cleanup(func() {
		i.Kill()
		i.checkRefusals()
		if tb.Failed() {
			tb.Logf("log of the Redis at %s:\n%s", i.Addr(), i.Log())
		}
	})
	return i
}

// Options are those of a client that may do everything at the server at addr,
// which is one of this package's or a proxy in front of one.
func Options(addr string) *redis.Options { return redisproc.Options(addr) }

// Kill ends the process at once (kill -9) and returns when it is gone. Killing
// a dead one does nothing.
func (i *Instance) Kill() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.Alive() && !i.paused {
		i.noteRefusals()
	}
	i.Server.Kill()
	i.paused = false
}

// Start runs a killed instance again on the same port and directory, and
// returns when it answers: data that WithAOF kept is then loaded.
func (i *Instance) Start() {
	i.tb.Helper()
	if err := i.Restart(i.tb.Context()); err != nil {
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
	if err := i.Signal(s); err != nil {
		i.tb.Fatal(err)
	}
	i.paused = s == syscall.SIGSTOP
}

// noteRefusals keeps in mind what Redis has refused so far, because its log
// goes with it.
func (i *Instance) noteRefusals() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	told, err := i.Refusals(ctx)
	if err != nil {
		told = append(told, fmt.Sprintf("nobody knows what: %v", err))
	}
	i.refused = append(i.refused, told...)
}

// checkRefusals fails the test if Redis refused anything that it should not
// have, or nothing where the test was about that.
func (i *Instance) checkRefusals() {
	i.tb.Helper()
	switch {
	case !i.refusals && len(i.refused) > 0:
		i.tb.Errorf("the Redis at %s refused:\n%s", i.Addr(), strings.Join(i.refused, "\n"))
	case i.refusals && len(i.refused) == 0:
		i.tb.Errorf("the Redis at %s refused nothing, though the test is about that", i.Addr())
	}
	i.refused = nil
}
