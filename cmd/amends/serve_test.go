package main

import (
	"context"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// notes is what a running command has written so far.
type notes struct {
	mu   sync.Mutex
	text strings.Builder
}

func (n *notes) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(p)
}

func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

var readyLine = regexp.MustCompile(`ready for calls on (127\.0\.0\.1:\d+)`)

// Served, asked, told of a failure, and ended in order.
func TestServe(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	said := &notes{}
	a := newApp(func(string) string { return "" }, strings.NewReader(""), io.Discard, said)
	left := make(chan error, 1)
	go func() {
		left <- a.run(ctx, []string{"serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"})
	}()

	var address string
	for end := time.Now().Add(10 * time.Second); address == ""; time.Sleep(10 * time.Millisecond) {
		if found := readyLine.FindStringSubmatch(said.String()); found != nil {
			address = found[1]
		} else if time.Now().After(end) {
			t.Fatalf("not ready: %s", said)
		}
	}
	if !strings.Contains(said.String(), "NOTHING IS KEPT") {
		t.Errorf("no warning that nothing is kept:\n%s", said)
	}
	if o := amends(t, "health", "--server", address); !strings.Contains(o.stdout, "ready") {
		t.Errorf("health says %q", o.stdout)
	}
	amends(t, "report", "--server", address, "--customer", "c", "--kind", "LATE", "--delay", "45m")
	if !strings.Contains(said.String(), `"method":"recovery.v1.RecoveryService/ReportFailure","code":"OK"`) {
		t.Errorf("the call is not in the log:\n%s", said)
	}
	interrupt()
	select {
	case err := <-left:
		if err != nil {
			t.Errorf("left with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("did not end")
	}
	command{}.fails(t, exitUnavailable, []string{"no service answers"}, "health", "--server", address, "--timeout", "1s")
}

// What is wrong with the settings is said before anything is opened.
func TestServeRefusesToStart(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := free.Addr().String()
	free.Close()
	listen := []string{"serve", "--listen", "127.0.0.1:0", "--ops-listen", ""}
	key := written(t, strings.Repeat("k", 40))
	for name, test := range map[string]struct {
		args  []string
		code  int
		words []string
	}{
		"Redis is down":      {[]string{"--redis", "redis://" + nobody, "--key-file", key}, exitUnavailable, []string{nobody, "does not answer"}},
		"no key":             {[]string{"--redis", "redis://" + nobody}, exitUsage, []string{"key file is required", "head -c 32 /dev/urandom"}},
		"embedded for real":  {[]string{"--production"}, exitUsage, []string{"keeps nothing"}},
		"open to all":        {[]string{"--listen", "0.0.0.0:0"}, exitUsage, []string{"--insecure"}},
		"no such level":      {[]string{"--log-level", "loud"}, exitUsage, []string{"debug"}},
		"an unknown scheme":  {[]string{"--redis", "memcached://x", "--key-file", key}, exitUsage, []string{"redis://"}},
		"a policy of faults": {[]string{"--policy", written(t, "nothing: 1\n")}, exitUsage, []string{":1:1"}},
	} {
		t.Run(name, func(t *testing.T) {
			command{}.fails(t, test.code, test.words, append(listen, test.args...)...)
		})
	}
}
