package check

import (
	"bytes"
	"net"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// service is the binary of the image at work.
type service struct {
	address, ops string
	healthy      func() bool
	process      *exec.Cmd
	ended        chan error
}

// serve runs the binary of the image as the image does, with these arguments and
// further variables, but on other ports, until the health check is content. A
// limit on the size of files stands for the read-only file system: no byte can
// be written into any.
func (i *image) serve(t *testing.T, args, env, health []string) *service {
	t.Helper()
	s := &service{address: freeAddress(t), ops: freeAddress(t), ended: make(chan error, 1)}
	elsewhere := strings.NewReplacer("0.0.0.0:7070", s.address, "127.0.0.1:7070", s.address, "0.0.0.0:7071", s.ops)
	s.process = exec.Command("sh", append([]string{"-c", `ulimit -f 0; exec "$@"`, "sh", i.path(i.command[0])}, args...)...)
	s.process.Dir = "/"
	for _, pair := range slices.Concat(i.env, env) {
		s.process.Env = append(s.process.Env, elsewhere.Replace(pair))
	}
	var log bytes.Buffer
	s.process.Stdout, s.process.Stderr = &log, &log
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() {
		s.ended <- s.process.Wait()
		close(gone)
	}()
	t.Cleanup(func() {
		_ = s.process.Process.Kill() // unless it has ended
		<-gone
		if t.Failed() {
			t.Logf("the service said\n%s", &log)
		}
	})

	if len(health) < 2 || health[0] != "CMD" {
		t.Fatalf("the health check is %q", health)
	}
	health = slices.Clone(health[1:])
	health[0] = i.path(health[0])
	for n := range health {
		health[n] = elsewhere.Replace(health[n])
	}
	s.healthy = func() bool {
		check := exec.CommandContext(t.Context(), health[0], health[1:]...)
		check.Env = s.process.Env
		return check.Run() == nil
	}
	await(t, "the service is healthy", func() bool {
		select {
		case err := <-s.ended:
			t.Fatalf("it ended by itself: %v", err)
		default:
		}
		return s.healthy()
	})
	return s
}

// stop ends the service as an engine does, and wants it to leave with 0.
func (s *service) stop(t *testing.T) {
	t.Helper()
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-s.ended:
		if err != nil {
			t.Errorf("told to end, it leaves with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it runs 20 s after it was told to end")
	}
}

// await returns when the condition holds, and ends the test after 30 s.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for limit := time.Now().Add(30 * time.Second); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// runs runs a command of the binary that must succeed.
func runs(t *testing.T, binary string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), binary, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", args, err, out)
	}
	return string(out)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
