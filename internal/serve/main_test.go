package serve_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.uber.org/goleak"

	"github.com/makeamends/amends/internal/redistest"
	"github.com/makeamends/amends/internal/serve"
	"github.com/makeamends/amends/internal/telemetry"
)

// childVariable makes this binary a server instead of a test: it holds the
// Config as JSON. A server in a process of its own can be killed, and its
// processor time can be told from that of its caller.
const childVariable = "AMENDS_TEST_CHILD"

func TestMain(m *testing.M) {
	if settings := os.Getenv(childVariable); settings != "" {
		os.Exit(child(settings))
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(redistest.OutlivesTests), goleak.IgnoreAnyFunction(redistest.DialsOn))
}

// child serves until its standard input ends, and answers every line of it with
// its processor time so far.
func child(settings string) int {
	var c childConfig
	if err := json.Unmarshal([]byte(settings), &c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	debug.SetGCPercent(800) // as `amends serve` does
	stop, addr, err := c.run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(addr)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		fmt.Println(int64(spent()))
	}
	stop()
	return 0
}

// childConfig says how a child serves.
type childConfig struct {
	Redis string
	// Collector takes the spans; empty: none are made.
	Collector string
	// DieAt kills the process when it logs its nth call: after the change was
	// made and before the caller is told.
	DieAt int
}

func (c childConfig) run() (stop func(), addr string, err error) {
	if c.Collector != "" {
		os.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+c.Collector)
		otel.SetErrorHandler(telemetry.Lost(c.logger()))
	}
	s, err := serve.Start(context.Background(), serve.Config{
		Listen: "127.0.0.1:0", Redis: c.Redis, Secret: secret, Logger: c.logger(),
	})
	if err != nil {
		return nil, "", err
	}
	return func() { _ = s.Stop(context.Background()) }, s.Addr(), nil
}

// logger writes what a server in production would write, to where nobody looks.
func (c childConfig) logger() *slog.Logger {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		panic(err)
	}
	h := telemetry.Traced(slog.NewJSONHandler(null, nil))
	if c.DieAt > 0 {
		h = &deadly{Handler: h, left: int64(c.DieAt)}
	}
	return slog.New(h)
}

// deadly kills the process at the nth call that it is to log.
type deadly struct {
	slog.Handler
	left int64
}

func (d *deadly) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "call" && atomic.AddInt64(&d.left, -1) == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	return nil
}

// process is a child that runs.
type process struct {
	*exec.Cmd
	addr   string
	input  io.WriteCloser
	output *bufio.Reader
}

// spawn starts a child and waits until it listens.
func spawn(tb testing.TB, c childConfig) *process {
	tb.Helper()
	settings, err := json.Marshal(c)
	if err != nil {
		tb.Fatal(err)
	}
	p := &process{Cmd: exec.Command(os.Args[0])}
	p.Env = append(os.Environ(), childVariable+"="+string(settings))
	p.Stderr = tb.Output()
	in, err := p.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	p.input = in
	out, err := p.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := p.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.end)
	p.output = bufio.NewReader(out)
	line, err := p.output.ReadString('\n')
	if err != nil {
		tb.Fatalf("the child did not come up: %v", err)
	}
	p.addr = line[:len(line)-1]
	return p
}

// end lets the child end by itself, if it has not ended.
func (p *process) end() {
	if p.ProcessState == nil {
		_ = p.input.Close()
		_ = p.Wait()
	}
}

// cpu is the processor time of the child while do runs.
func (p *process) cpu(tb testing.TB, do func()) time.Duration {
	tb.Helper()
	before := p.spent(tb)
	do()
	return p.spent(tb) - before
}

func (p *process) spent(tb testing.TB) (so time.Duration) {
	tb.Helper()
	if _, err := fmt.Fprintln(p.input); err != nil {
		tb.Fatal(err)
	}
	if _, err := fmt.Fscanln(p.output, (*int64)(&so)); err != nil {
		tb.Fatal(err)
	}
	return so
}
