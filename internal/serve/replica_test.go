package serve_test

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// replica is a server in a process of its own.
type replica struct {
	*exec.Cmd
	addr string
}

// run starts a server on a free port and waits until it is ready.
func run(tb testing.TB, binary string, args ...string) *replica {
	tb.Helper()
	key := filepath.Join(tb.TempDir(), "key")
	if err := os.WriteFile(key, secret, 0o600); err != nil {
		tb.Fatal(err)
	}
	r := &replica{Cmd: exec.Command(binary, append([]string{"serve", "--listen", "127.0.0.1:0", "--ops-listen", "", "--key-file", key}, args...)...)}
	log, err := r.StderrPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := r.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = r.Process.Signal(syscall.SIGTERM) // fails when it was killed
		_ = r.Wait()
	})
	lines := bufio.NewScanner(log)
	for r.addr == "" && lines.Scan() {
		var line struct{ Msg, Address string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "ready for calls" {
			r.addr = line.Address
		}
	}
	if r.addr == "" {
		tb.Fatalf("the server did not come up: %v", lines.Err())
	}
	go func() { _, _ = io.Copy(io.Discard, log) }()
	return r
}
