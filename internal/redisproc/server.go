// Package redisproc runs private Redis processes, single servers and clusters,
// for tests and measurements.
//
// Every process listens on a random loopback port, works in a directory of its
// own and is killed by its own pid. It has the settings and the users of the
// deployment (deploy/redis), so that what is tested and measured is done with
// the permissions that the service has in production. On Linux the processes
// also die with this one, however it ends; elsewhere a process that is killed
// leaves them behind. Redis 7.0 or newer on a Unix is needed.
package redisproc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrMissing says that there is no redis-server, and how to install one.
var ErrMissing = errors.New(`redis-server (7.0 or newer) is not in PATH.
Debian, Ubuntu: sudo apt-get install redis-server
Fedora:         sudo dnf install redis
macOS:          brew install redis`)

// Binary finds redis-server; its error is [ErrMissing].
func Binary() (string, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return "", ErrMissing
	}
	return path, nil
}

// version is how redis-server names its own.
var version = regexp.MustCompile(`\bv=(\S+)`)

// Version is that of the redis-server that Start runs.
func Version(ctx context.Context) (string, error) {
	binary, err := Binary()
	if err != nil {
		return "", err
	}
	text, err := exec.CommandContext(ctx, binary, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("redis-server --version: %w", err)
	}
	found := version.FindSubmatch(text)
	if found == nil {
		return "", fmt.Errorf("redis-server --version: no version in %q", text)
	}
	return string(found[1]), nil
}

// Server is one Redis process. Its methods may be called from several
// goroutines.
type Server struct {
	config  Config
	binary  string
	dir     string
	port    int
	busPort int // 0 unless the server is part of a cluster
	client  *redis.Client
	log     *os.File

	mu   sync.Mutex
	proc *process
}

// Start runs a redis-server and returns when it answers. It runs until Stop:
// ctx bounds the start alone.
func Start(ctx context.Context, c Config) (*Server, error) {
	binary, err := Binary()
	if err != nil {
		return nil, err
	}
	s := &Server{config: c, binary: binary, dir: c.Dir}
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "redis-"); err != nil {
			return nil, err
		}
	}
	if err := s.launch(ctx); err != nil {
		s.Stop()
		return nil, fmt.Errorf("start a private Redis: %w", err)
	}
	s.client = redis.NewClient(Options(s.Addr()))
	return s, nil
}

// Addr is the host:port at which the process listens; it outlives Kill.
func (s *Server) Addr() string { return local(s.port) }

// Port is that of Addr.
func (s *Server) Port() int { return s.port }

// URL is the address in the form redis://user:password@host:port. The user is
// that of the service, with the permissions of deploy/redis/users.acl.
func (s *Server) URL() string { return "redis://" + Login() + s.Addr() }

// AdminURL is the same for a user that may do everything.
func (s *Server) AdminURL() string { return "redis://" + login(administrator) + s.Addr() }

// Client is a ready client that may do everything, closed by Stop. It repeats a
// command whose reply was lost.
func (s *Server) Client() *redis.Client { return s.client }

// PID is the process id, 0 after Kill.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return 0
	}
	return s.proc.pid()
}

// Alive reports whether the process runs.
func (s *Server) Alive() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc != nil && !s.proc.gone()
}

// CPU is how much processor time the process has taken since it was started, as
// it says itself.
func (s *Server) CPU(ctx context.Context) (time.Duration, error) {
	text, err := s.client.Info(ctx, "cpu").Result()
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, field := range []string{"used_cpu_user", "used_cpu_sys"} {
		seconds, err := strconv.ParseFloat(Fields(text)[field], 64)
		if err != nil {
			return 0, fmt.Errorf("INFO cpu: %s: %w", field, err)
		}
		sum += time.Duration(seconds * float64(time.Second))
	}
	return sum, nil
}

// Refusals tells what the server has refused its users since this was asked
// last. Killing the server forgets it.
func (s *Server) Refusals(ctx context.Context) ([]string, error) {
	entries, err := s.client.Do(ctx, "ACL", "LOG").Slice()
	if err != nil {
		return nil, err
	}
	var told []string
	for _, entry := range entries {
		e, _ := entry.(map[any]any)
		told = append(told, fmt.Sprintf("%v %v to the user %v (%v)", e["reason"], e["object"], e["username"], e["context"]))
	}
	return told, s.client.ACLLogReset(ctx).Err()
}

// Log is the end of what the process has written to its log.
func (s *Server) Log() string { return tail(s.log) }

// Signal sends the process a signal; SIGSTOP leaves its connections open, and
// nothing is answered until SIGCONT.
func (s *Server) Signal(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return fmt.Errorf("signal %v for the Redis at %s, which was killed", sig, s.Addr())
	}
	return s.proc.signal(sig)
}

// Kill ends the process at once (kill -9) and returns when it is gone. Killing
// a dead one does nothing.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return
	}
	s.proc.kill()
	s.proc = nil
}

// Restart runs a killed server again on the same port and directory, and
// returns when it answers: what its append-only file has kept is then loaded.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil && !s.proc.gone() {
		return fmt.Errorf("the Redis at %s is already running", s.Addr())
	}
	return s.run(ctx)
}

// Stop kills the process and lets go of all that belongs to it. A directory
// that was named in Config stays.
func (s *Server) Stop() {
	s.Kill()
	if s.client != nil {
		s.client.Close()
	}
	if s.log != nil {
		s.log.Close()
	}
	if s.config.Dir == "" {
		os.RemoveAll(s.dir)
	}
}

// launch starts the process on a fresh port and waits until it answers.
func (s *Server) launch(ctx context.Context) (err error) {
	s.log, err = os.OpenFile(filepath.Join(s.dir, "redis.log"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	for range 5 {
		err = s.tryPort(ctx)
		if !errors.Is(err, errPortTaken) {
			break
		}
	}
	return err
}

func (s *Server) tryPort(ctx context.Context) (err error) {
	if s.port, err = FreePort(); err != nil {
		return err
	}
	if s.config.cluster {
		if s.busPort, err = FreePort(); err != nil {
			return err
		}
	}
	if err := s.log.Truncate(0); err != nil {
		return err
	}
	if err := s.writeConfig(); err != nil {
		return err
	}
	return s.run(ctx)
}

// run starts the process on the server's port and returns when it answers.
func (s *Server) run(ctx context.Context) error {
	args := []string{configFile}
	if s.config.Sentinel {
		args = append(args, "--sentinel")
	}
	p, err := startProcess(s.binary, args, s.dir, s.log)
	if err != nil {
		return err
	}
	if err := s.await(ctx, p); err != nil {
		p.kill()
		return err
	}
	s.proc = p
	return nil
}

// Fields reads the name:value lines with which Redis describes itself.
func Fields(text string) map[string]string {
	m := make(map[string]string)
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			m[k] = v
		}
	}
	return m
}
