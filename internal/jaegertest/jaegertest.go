// Package jaegertest gives a test a real Jaeger of its own: the all-in-one server
// that tools/jaeger names, built once into bin/ as `make jaeger` does. It keeps
// its traces in memory, listens on the loopback alone, on ports that nobody
// chose, and ends with the test.
//
// A test is skipped where Jaeger cannot be built, which needs the Go module proxy
// the first time; it fails instead when the environment variable CI is set.
package jaegertest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// startLimit is how long Jaeger may take to answer; it takes a second on an idle
// machine.
const startLimit = 30 * time.Second

// Instance is a running Jaeger.
type Instance struct {
	query, grpc, http int // ports
}

// URL is where the JSON API is.
func (i *Instance) URL() string { return "http://" + address(i.query) }

// OTLP is what OTEL_EXPORTER_OTLP_ENDPOINT must be for OTLP over gRPC.
func (i *Instance) OTLP() string { return "http://" + address(i.grpc) }

// OTLPOverHTTP is the same for http/protobuf.
func (i *Instance) OTLPOverHTTP() string { return "http://" + address(i.http) }

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// Start runs a Jaeger for as long as the test runs.
func Start(tb testing.TB) *Instance {
	tb.Helper()
	root := root(tb)
	binary := binary(tb, root)
	var err error
	for range 3 { // somebody else may take a port
		var i *Instance
		if i, err = run(tb, root, binary); err == nil {
			return i
		}
	}
	tb.Fatalf("starting a private Jaeger: %v", err)
	return nil
}

// root is the folder of the repository.
func root(tb testing.TB) string {
	tb.Helper()
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		tb.Fatalf("go env GOMOD: %v", err)
	}
	return filepath.Dir(string(bytes.TrimSpace(out)))
}

// built keeps what the first test of a binary found out.
var built struct {
	sync.Once
	path string
	err  error
}

// binary builds Jaeger unless it is there already.
func binary(tb testing.TB, root string) string {
	tb.Helper()
	built.Do(func() {
		build := exec.Command("tools/jaeger/build.sh")
		build.Dir = root
		var fault bytes.Buffer
		build.Stderr = &fault
		out, err := build.Output()
		if err != nil {
			built.err = fmt.Errorf("%w\n%s", err, fault.Bytes())
			fmt.Fprintln(os.Stderr, "SKIPPED, or failed: Jaeger cannot be built, so no trace is looked at:", built.err)
		}
		built.path = string(bytes.TrimSpace(out))
	})
	switch {
	case built.err == nil:
		return built.path
	case os.Getenv("CI") != "":
		tb.Fatalf("Jaeger cannot be built: %v", built.err)
	}
	tb.Skipf("Jaeger cannot be built, which needs the Go module proxy the first time: %v", built.err)
	return ""
}

// run starts the process and returns when it answers. The shell between us ends
// Jaeger when its standard input ends, which it does with this process however
// that ends.
func run(tb testing.TB, root, binary string) (*Instance, error) {
	i := &Instance{}
	if err := freePorts(&i.query, &i.grpc, &i.http); err != nil {
		return nil, err
	}
	cmd := exec.Command("sh", "-c", `"$@" & read -r _; kill $!; wait $!`, "sh",
		filepath.Join(root, "tools", "jaeger", "run.sh"), binary, strconv.Itoa(i.query), strconv.Itoa(i.grpc), strconv.Itoa(i.http))
	log := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = log, log
	alive, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	end := func() {
		alive.Close()
		cmd.Wait() // killed is how it ends
	}
	if err := i.await(); err != nil {
		end()
		return nil, fmt.Errorf("%w; its log:\n%s", err, log)
	}
	tb.Cleanup(func() {
		end()
		if tb.Failed() {
			tb.Logf("log of Jaeger:\n%s", log)
		}
	})
	return i, nil
}

// freePorts finds ports on which nobody listens just now.
func freePorts(into ...*int) error {
	for _, port := range into {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer l.Close()
		*port = l.Addr().(*net.TCPAddr).Port
	}
	return nil
}

// await returns when the API answers and both ways in are open.
func (i *Instance) await() (err error) {
	for limit := time.Now().Add(startLimit); time.Now().Before(limit); time.Sleep(20 * time.Millisecond) {
		if err = errors.Join(ask(i.URL()+"/api/services"), reach(i.grpc), reach(i.http)); err == nil {
			return nil
		}
	}
	return fmt.Errorf("no answer within %v: %w", startLimit, err)
}

func ask(url string) error {
	answer, err := http.Get(url) //nolint:gosec // our own process
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	http.DefaultClient.CloseIdleConnections() // a search for leaked goroutines would find them
	return err
}

func reach(port int) error {
	c, err := net.Dial("tcp", address(port))
	if err != nil {
		return err
	}
	return c.Close()
}
