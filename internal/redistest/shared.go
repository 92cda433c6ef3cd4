package redistest

import (
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/makeamends/amends/internal/redisproc"
)

var shared struct {
	turn sync.Mutex // held for as long as a test uses the instance

	mu       sync.Mutex // guards what follows
	holder   string     // name of the test that has the turn, "" if none
	instance *Instance
}

// Shared returns a server with Server's default configuration that the tests of
// one binary use one after the other: each gets it emptied of keys and scripts,
// and a parallel test waits until the one before it has ended. Subtests of the
// holder get the same server as it is. It is still private to this binary, but
// a test that kills it or changes its configuration takes Server instead.
//
// The server keeps one goroutine beyond the tests: see [OutlivesTests].
//
// Where a server cannot be made to die with the binary (anywhere but on Linux)
// this is the same as Server.
func Shared(tb testing.TB) *Instance {
	tb.Helper()
	if !redisproc.ChildrenDieToo {
		return Server(tb)
	}
	if i := heldBy(tb.Name()); i != nil {
		return i
	}
	shared.turn.Lock()
	tb.Cleanup(func() { release(tb) })

	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.instance == nil {
		shared.instance = launchShared(tb)
	}
	i := shared.instance
	i.tb, shared.holder = tb, tb.Name()
	if err := i.Client().FlushAll(tb.Context()).Err(); err != nil {
		tb.Fatalf("emptying the shared Redis: %v", err)
	}
	if err := i.Client().ScriptFlush(tb.Context()).Err(); err != nil {
		tb.Fatalf("forgetting the scripts of the shared Redis: %v", err)
	}
	return i
}

// heldBy returns the instance if the named test or one of its parents holds it.
func heldBy(name string) *Instance {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.holder != "" && (name == shared.holder || strings.HasPrefix(name, shared.holder+"/")) {
		return shared.instance
	}
	return nil
}

// launchShared starts a server that ends with the binary instead of a test. No
// test is left to remove its directory then, and it writes nothing into it but
// its log, so the directory is removed at once and the log read by descriptor.
func launchShared(tb testing.TB) *Instance {
	tb.Helper()
	requireRedis(tb)
	dir, err := os.MkdirTemp("", "redistest-shared-")
	if err != nil {
		tb.Fatal(err)
	}
	defer os.RemoveAll(dir)
	s, err := redisproc.Start(tb.Context(), redisproc.Config{Dir: dir, Settings: inMemory(nil)})
	if err != nil {
		tb.Fatal(err)
	}
	return &Instance{Server: s}
}

// release hands the turn to the next test, with a server that answers: a dead
// one is forgotten, so that one test's mistake does not fail all that follow.
func release(tb testing.TB) {
	defer shared.turn.Unlock()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	shared.holder = ""
	i := shared.instance
	if i == nil {
		return
	}
	if tb.Failed() {
		tb.Logf("log of the shared Redis at %s:\n%s", i.Addr(), i.Log())
	}
	if !i.Alive() {
		i.checkRefusals()
		i.Stop()
		shared.instance = nil
		return
	}
	i.Resume()
	i.noteRefusals()
	i.checkRefusals()
}
