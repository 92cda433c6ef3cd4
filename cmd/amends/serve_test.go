package main

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/authtest"
	"github.com/makeamends/amends/internal/redistest"
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

var readyLine = regexp.MustCompile(`ready for calls(?: on |","address":")(127\.0\.0\.1:\d+)`)

// Served, asked, told of a failure, and ended in order: for a machine that reads the log.
func TestServe(t *testing.T) {
	said := served(t, false)
	for line := range strings.Lines(said) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not a line of JSON: %q", line)
		}
	}
	for _, want := range []string{
		`"ops":"127.0.0.1:`, `"store":"embedded","policy":"p-`, `"method":"recovery.v1.RecoveryService/ReportFailure","code":"OK"`, `"msg":"ending`,
		"AMENDS_LISTNE is set",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("%s is not in the log:\n%s", want, said)
		}
	}
	if n := strings.Count(said, "keeps nothing"); n != 1 {
		t.Errorf("it is said %d times that nothing is kept:\n%s", n, said)
	}
}

// The same for a person who watches.
func TestServeForAPerson(t *testing.T) {
	said := served(t, true)
	if strings.ContainsAny(said, "{}") || strings.Contains(said, "ReportFailure") {
		t.Errorf("a machine's lines are in the way:\n%s", said)
	}
	for _, want := range []string{"; metrics and health on http://127.0.0.1:", "warn: AMENDS_LISTNE is set", "ending: calls"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not said:\n%s", want, said)
		}
	}
	if n := strings.Count(said, "keeps nothing"); n != 1 {
		t.Errorf("it is said %d times that nothing is kept:\n%s", n, said)
	}
}

// served runs the service for one report and answers with all that it said.
func served(t *testing.T, watched bool) string {
	t.Helper()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	said := &notes{}
	a := newApp(func(string) string { return "" }, strings.NewReader(""), io.Discard, said)
	a.isTerminal = func(any) bool { return watched }
	a.environ = func() []string { return []string{"AMENDS_LISTNE=x"} }
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
	if o := amends(t, "health", "--server", address); !strings.Contains(o.stdout, "ready") {
		t.Errorf("health says %q", o.stdout)
	}
	if o := amends(t, "health", "-o", "json", "--server", address); strings.ReplaceAll(o.stdout, " ", "") != "{\"status\":\"SERVING\"}\n" {
		t.Errorf("for machines health says %q", o.stdout)
	}
	amends(t, "report", "--server", address, "--customer", "c", "--kind", "LATE", "--delay", "45m")
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
	return said.String()
}

// None is less than nothing to the service, and nothing wraps around.
func TestToRemember(t *testing.T) {
	for mib, want := range map[uint]int{0: -1, 1: 1, 32: 32, math.MaxUint: math.MaxInt} {
		if got := toRemember(mib); got != want {
			t.Errorf("--remember %d is %d, want %d", mib, got, want)
		}
	}
}

// What is wrong with the settings is said before anything is opened.
func TestServeRefusesToStart(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := free.Addr().String()
	free.Close()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	listen := []string{"serve", "--listen", "127.0.0.1:0", "--ops-listen", ""}
	key := written(t, strings.Repeat("k", 40))
	for name, test := range map[string]struct {
		args  []string
		code  int
		words []string
	}{
		"Redis is down":      {[]string{"--redis", "redis://" + nobody, "--key-file", key}, exitUnavailable, []string{"amends: the Redis at " + nobody + " does not answer: connection refused; is it running"}},
		"no key":             {[]string{"--redis", "redis://" + nobody}, exitUsage, []string{"key file is required", "head -c 32 /dev/urandom"}},
		"embedded for real":  {[]string{"--production"}, exitUsage, []string{"keeps nothing"}},
		"a port in use":      {[]string{"--listen", taken.Addr().String()}, exitUsage, []string{"address already in use", "another address with --listen"}},
		"both ports":         {[]string{"--listen", taken.Addr().String(), "--ops-listen", taken.Addr().String()}, exitUsage, []string{"another address with --listen", "another address with --ops-listen"}},
		"one port for both":  {[]string{"--listen", nobody, "--ops-listen", nobody}, exitUsage, []string{"address already in use; --listen takes that port too: give --ops-listen another"}},
		"the ops port too":   {[]string{"--ops-listen", taken.Addr().String()}, exitUsage, []string{"another address with --ops-listen"}},
		"no time to drain":   {[]string{"--drain", "-1s"}, exitUsage, []string{"-1s", "must not be negative"}},
		"never to look":      {[]string{"--sweep", "0s"}, exitUsage, []string{"--sweep", "10ms at least and 24h at most"}},
		"looks backwards":    {[]string{"--sweep", "-1s"}, exitUsage, []string{"--sweep"}},
		"no pause":           {[]string{"--sweep", "1ns"}, exitUsage, []string{"--sweep"}},
		"hardly ever":        {[]string{"--sweep", "1000h", "--most-calls", "15"}, exitUsage, []string{"--sweep", "--most-calls"}},
		"no calls":           {[]string{"--most-calls", "0"}, exitUsage, []string{"--most-calls", "16 at least"}},
		"too much to keep":   {[]string{"--remember", "1048577"}, exitUsage, []string{"1048577 MiB", "1048576 at most"}},
		"less than nothing":  {[]string{"--remember", "-1"}, exitUsage, []string{`--remember: "-1" is no whole number from 0 on`}},
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

// A store that is there and is not set up for this is a fault of the settings: no use in trying again.
func TestServeRefusesTheStore(t *testing.T) {
	store := redistest.Server(t)
	key, other := written(t, strings.Repeat("k", 40)), written(t, strings.Repeat("o", 40))
	args := []string{"serve", "--listen", "127.0.0.1:0", "--ops-listen", "", "--redis", store.URL(), "--key-file"}
	keys := written(t, string(authtest.JWKS(t, authtest.NewIssuer(t, "", "1"))))
	access := written(t, `
issuers: [{issuer: i, audiences: [amends], algorithms: [ES256], jwks_file: `+keys+`}]
callers: [{name: a, roles: [reader], tenants: [default], tokens: [{issuer: i, subject: a}]}]
`)
	command{}.fails(t, exitUsage, []string{"appendonly"}, append(args, key, "--production", "--insecure", "--access", access)...)
	ctx, interrupt := context.WithCancel(t.Context())
	log := &notes{}
	first := newApp(func(string) string { return "" }, strings.NewReader(""), io.Discard, log)
	left := make(chan error, 1)
	go func() { left <- first.run(ctx, append(args, key)) }()
	for end := time.Now().Add(10 * time.Second); !strings.Contains(log.String(), "ready for calls"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not ready: %s", log)
		}
	}
	command{}.fails(t, exitUsage, []string{"another secret", "amends serve --help"}, append(args, other)...)
	interrupt()
	if err := <-left; err != nil {
		t.Error(err)
	}
	if err := store.Client().ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err(); err != nil {
		t.Fatal(err)
	}
	command{}.fails(t, exitUsage, []string{"maxmemory-policy allkeys-lru"}, append(args, key)...)
}

// A Redis whose clock is another one is waited for: the time of a machine that has just started may be set right yet.
func TestServeWaitsForTheRightTime(t *testing.T) {
	store := redistest.Server(t)
	late := lateClock(t, store.Addr())
	key := written(t, strings.Repeat("k", 40))
	args := []string{"serve", "--listen", "127.0.0.1:0", "--ops-listen", "", "--key-file", key, "--redis"}
	o := command{}.fails(t, exitUnavailable, []string{" apart; ", "let both follow one time source"}, append(args, strings.Replace(store.URL(), store.Addr(), late, 1))...)
	if strings.Contains(o.stderr, "--help") {
		t.Errorf("help is of no help with this:\n%s", o.stderr)
	}
}

var toldTime = regexp.MustCompile(`\*2\r\n\$10\r\n(\d{10})\r\n\$\d\r\n\d{1,6}\r\n`)

// lateClock is the address of a Redis whose clock is 10 seconds behind that of the one at upstream.
func lateClock(t *testing.T, upstream string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	answer := func(caller net.Conn) {
		defer caller.Close()
		server, err := net.Dial("tcp", upstream)
		if err != nil {
			return // the caller finds out
		}
		defer server.Close()
		go func() {
			_, _ = io.Copy(server, caller)
			server.Close()
		}()
		for buffer := make([]byte, 1<<16); ; {
			n, err := server.Read(buffer)
			if err != nil {
				return
			}
			for _, at := range toldTime.FindAllSubmatchIndex(buffer[:n], -1) {
				seconds, _ := strconv.ParseInt(string(buffer[at[2]:at[3]]), 10, 64)
				copy(buffer[at[2]:at[3]], strconv.FormatInt(seconds-10, 10))
			}
			_, _ = caller.Write(buffer[:n])
		}
	}
	go func() {
		for {
			caller, err := l.Accept()
			if err != nil {
				return
			}
			go answer(caller)
		}
	}()
	return l.Addr().String()
}
