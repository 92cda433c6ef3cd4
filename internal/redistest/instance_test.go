package redistest_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/redistest"
)

func TestAServerIsEmptyAndConfiguredAsAsked(t *testing.T) {
	t.Parallel()
	c := redistest.Server(t, redistest.WithConfig("maxmemory", "50mb"), redistest.WithConfig("save", "3600 1")).Client()
	if n, err := c.DBSize(t.Context()).Result(); n != 0 || err != nil {
		t.Fatalf("a fresh server holds %d keys (%v)", n, err)
	}
	for k, want := range map[string]string{
		"maxmemory": "52428800", "save": "3600 1", "appendonly": "no", "maxmemory-policy": "noeviction",
	} {
		got, err := c.ConfigGet(t.Context(), k).Result()
		if err != nil || got[k] != want {
			t.Errorf("%s is %q (%v), want %q", k, got[k], err, want)
		}
	}
}

func TestServersDoNotShareKeys(t *testing.T) {
	t.Parallel()
	a, b := redistest.Server(t), redistest.Server(t)
	if err := a.Client().Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if n := b.Client().Exists(t.Context(), "k").Val(); n != 0 || a.URL() == b.URL() {
		t.Errorf("%s and %s are the same server", a.URL(), b.URL())
	}
}

func TestKillAndStartAgain(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		opts []redistest.Option
		want int64
	}{
		{"keeps what the append-only file has", []redistest.Option{redistest.WithAOF()}, 100},
		{"keeps nothing without that file", nil, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			i := redistest.Server(t, row.opts...)
			addr := i.Addr()
			for range 100 {
				i.Client().Incr(t.Context(), "n")
			}
			i.Kill()
			if err := i.Client().Ping(t.Context()).Err(); err == nil {
				t.Fatal("a killed server answers PING")
			}
			i.Kill() // again: nothing to do
			i.Start()
			if i.Addr() != addr {
				t.Errorf("it moved from %s to %s", addr, i.Addr())
			}
			if n, _ := i.Client().Get(t.Context(), "n").Int64(); n != row.want {
				t.Errorf("n is %d after the restart, want %d", n, row.want)
			}
		})
	}
}

func TestAPausedServerAnswersLater(t *testing.T) {
	t.Parallel()
	i := redistest.Server(t)
	i.Pause()
	answer := make(chan error, 1)
	go func() { answer <- i.Client().Ping(context.Background()).Err() }()
	select {
	case err := <-answer:
		t.Fatalf("a paused server answered (%v)", err)
	case <-time.After(50 * time.Millisecond):
	}
	i.Resume()
	if err := <-answer; err != nil {
		t.Error(err)
	}
}

func TestAServerStartsQuickly(t *testing.T) {
	const limit, tries = 100 * time.Millisecond, 20
	for range tries { // one will do: other tests may want the processor too
		begin := time.Now()
		redistest.Server(t)
		if took := time.Since(begin); took < limit {
			t.Logf("a server took %v", took)
			return
		}
	}
	t.Errorf("none of %d servers started within %v", tries, limit)
}

func TestSharedIsEmptiedForTheNextTest(t *testing.T) {
	var addr string
	for _, name := range []string{"first", "second"} {
		t.Run(name, func(t *testing.T) {
			i := redistest.Shared(t)
			if addr != "" && i.Addr() != addr {
				t.Errorf("a second server at %s after %s", i.Addr(), addr)
			}
			addr = i.Addr()
			if n := i.Client().DBSize(t.Context()).Val(); n != 0 {
				t.Errorf("%d keys are left", n)
			}
			i.Client().Set(t.Context(), "k", "v", 0)
			t.Run("subtest", func(t *testing.T) {
				if v := redistest.Shared(t).Client().Get(t.Context(), "k").Val(); v != "v" {
					t.Errorf("k is %q in the subtest of its writer", v)
				}
			})
			if name == "first" {
				i.Pause() // the next test gets it going again
			}
		})
	}
}

func TestSharedIsReplacedWhenItIsDead(t *testing.T) {
	t.Run("kills it", func(t *testing.T) { redistest.Shared(t).Kill() })
	t.Run("comes next", func(t *testing.T) {
		if err := redistest.Shared(t).Client().Ping(t.Context()).Err(); err != nil {
			t.Error(err)
		}
	})
}

func TestMissingRedisSkipsOrFails(t *testing.T) {
	for _, row := range []struct{ name, ci, want string }{
		{"on a laptop", "", "--- SKIP: TestServersDoNotShareKeys"},
		{"in a pipeline", "true", "--- FAIL: TestServersDoNotShareKeys"},
	} {
		t.Run(row.name, func(t *testing.T) {
			out := rerun(t, "TestServersDoNotShareKeys", "PATH="+t.TempDir(), "CI="+row.ci)
			if !strings.Contains(out, row.want) || !strings.Contains(out, "apt-get install redis-server") {
				t.Errorf("want %q and how to install Redis in:\n%s", row.want, out)
			}
		})
	}
}

// TestPanics is not a test of its own: the next one runs it in a new binary.
func TestPanics(t *testing.T) {
	told := os.Getenv("REDISTEST_TELL")
	if told == "" {
		t.Skip("run by TestAPanicTakesTheServersAlong")
	}
	private, shared := redistest.Server(t), redistest.Shared(t)
	private.Pause() // a stopped process has to die too
	if err := os.WriteFile(told, []byte(private.Addr()+" "+shared.Addr()), 0o600); err != nil {
		t.Fatal(err)
	}
	go panic("on purpose, with two servers running")
	select {}
}

func TestAPanicTakesTheServersAlong(t *testing.T) {
	told := filepath.Join(t.TempDir(), "addrs")
	out := rerun(t, "TestPanics", "REDISTEST_TELL="+told)
	if !strings.Contains(out, "panic: on purpose") {
		t.Fatalf("no panic in:\n%s", out)
	}
	addrs, err := os.ReadFile(told)
	if err != nil {
		t.Fatal(err)
	}
	for addr := range strings.FieldsSeq(string(addrs)) {
		if !closedSoon(addr) {
			t.Errorf("the server at %s outlived its binary", addr)
		}
	}
}

// rerun runs one test of this binary in a new process and returns what it said.
func rerun(t *testing.T, test string, env ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+test+"$", "-test.v")
	cmd.Env = append(os.Environ(), env...)
	out, _ := cmd.CombinedOutput() // it is meant to fail
	return string(out)
}
