package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/internal/programtest"
	"github.com/makeamends/amends/internal/serve"
)

func TestMain(m *testing.M) {
	if os.Getenv(programVariable) != "" {
		main()
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(builtDir)
		os.Exit(code)
	}))
}

// command is one run of the program.
type command struct {
	env      map[string]string
	stdin    io.Reader
	terminal bool // both outputs are terminals
	ctx      context.Context
	until    func(stdout string) bool // interrupts the run as soon as it holds for what was written
	program  string                   // what the children of bench run
}

// programVariable makes this test binary the program.
const programVariable = "TEST_AMENDS_PROGRAM"

var (
	builtOnce sync.Once
	builtDir  string // holds the program once it is built
	builtFile string
)

// built is the program, which all tests share.
func built(t *testing.T) string {
	t.Helper()
	builtOnce.Do(func() {
		var err error
		if builtDir, err = os.MkdirTemp("", "amends-test-"); err != nil {
			t.Fatal(err)
		}
		builtFile = programtest.Build(t, builtDir)
	})
	if builtFile == "" {
		t.Fatal("the program was not built")
	}
	return builtFile
}

// meter interrupts a run as soon as enough was written.
type meter struct {
	written   bytes.Buffer
	until     func(string) bool
	interrupt context.CancelFunc
}

func (m *meter) Write(p []byte) (int, error) {
	n, err := m.written.Write(p)
	if m.until(m.written.String()) {
		m.interrupt()
	}
	return n, err
}

// outcome is what a run left behind.
type outcome struct {
	stdout, stderr string
	err            error
	code           int
}

func (c command) run(args ...string) outcome {
	var stderr bytes.Buffer
	if c.stdin == nil {
		c.stdin = strings.NewReader("")
	}
	if c.ctx == nil {
		c.ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(c.ctx, 5*time.Minute) // of a run that never comes to its end
	defer cancel()
	stdout := &meter{until: c.until, interrupt: cancel}
	if c.until == nil {
		stdout.until = func(string) bool { return false }
	}
	a := newApp(func(name string) string { return c.env[name] }, c.stdin, stdout, &stderr)
	a.isTerminal = func(any) bool { return c.terminal }
	if c.program != "" {
		a.program = func() (string, error) { return c.program, nil }
	}
	a.environ = func() (list []string) {
		for name, value := range c.env {
			list = append(list, name+"="+value)
		}
		return list
	}
	err := a.run(ctx, args)
	return outcome{stdout: stdout.written.String(), stderr: stderr.String(), err: err, code: exitCode(err)}
}

// amends runs the program and expects it to work.
func amends(t *testing.T, args ...string) outcome {
	t.Helper()
	return command{}.works(t, args...)
}

func (c command) works(t *testing.T, args ...string) outcome {
	t.Helper()
	o := c.run(args...)
	if o.err != nil {
		t.Fatalf("amends %s: %v\n%s", strings.Join(args, " "), o.err, o.stderr)
	}
	return o
}

// fails runs the program and expects it to leave with the code, having said each of the words.
func (c command) fails(t *testing.T, code int, words []string, args ...string) outcome {
	t.Helper()
	o := c.run(args...)
	if o.code != code {
		t.Errorf("amends %s: left with %d, want %d\n%s", strings.Join(args, " "), o.code, code, o.stderr)
	}
	for _, word := range words {
		if !strings.Contains(o.stderr, word) {
			t.Errorf("amends %s: %q is not in\n%s", strings.Join(args, " "), word, o.stderr)
		}
	}
	return o
}

// service is a server of the real thing, with a store of its own.
func service(t *testing.T) (address string) {
	t.Helper()
	server, err := serve.Start(t.Context(), serve.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return server.Addr()
}

// parse reads one line of JSON back into the message that it came from.
func parse[M proto.Message](t *testing.T, line string, message M) M {
	t.Helper()
	if err := protojson.Unmarshal([]byte(line), message); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	return message
}
