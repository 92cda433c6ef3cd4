package docs_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/programtest"
)

// server is the service in a process of its own, started as the docs say but on
// free ports.
type server struct {
	process *exec.Cmd
	address string
	log     log
	once    sync.Once
}

// log is what a process has written so far.
type log struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

var ready = regexp.MustCompile(`"msg":"ready for calls","address":"([^"]+)"`)

func serve(t *testing.T) *server {
	t.Helper()
	s := &server{process: exec.Command(programtest.Build(t, t.TempDir()), "serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0")}
	s.process.Dir, s.process.Stderr = t.TempDir(), &s.log
	s.process.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AMENDS_") })
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(t) })
	for end := time.Now().Add(20 * time.Second); s.address == ""; time.Sleep(10 * time.Millisecond) {
		if found := ready.FindStringSubmatch(s.log.String()); found != nil {
			s.address = found[1]
		} else if time.Now().After(end) {
			t.Fatalf("not ready: %s", &s.log)
		}
	}
	return s
}

// stop ends the server in order, so that its log is complete.
func (s *server) stop(t *testing.T) {
	t.Helper()
	s.once.Do(func() {
		if err := s.process.Process.Signal(os.Interrupt); err != nil {
			t.Errorf("interrupt: %v", err)
		}
		late := time.AfterFunc(20*time.Second, func() { _ = s.process.Process.Kill() })
		defer late.Stop()
		if err := s.process.Wait(); err != nil {
			t.Errorf("the server ended with %v:\n%s", err, &s.log)
		}
	})
}
