package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/makeamends/amends/internal/bench"
	"github.com/makeamends/amends/internal/redistest"
)

// programVariable makes this test binary the program, for the children of bench.
const programVariable = "AMENDS_TEST_PROGRAM"

// A very short run finds what is promised, compares what it has found, and leaves
// no process behind.
func TestBenchCalls(t *testing.T) {
	redistest.Server(t) // skips the test where there is no Redis; bench starts its own
	t.Setenv(programVariable, "1")
	out := amends(t, "bench", "--only", "calls", "--rounds", "2", "--turn", "200ms", "--customers", "50", "--callers", "4", "-o", "json")
	var report bench.Report
	if err := json.Unmarshal([]byte(out.stdout), &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Sections) != 1 || report.Broken != "" || report.Machine.Redis == "" {
		t.Fatalf("%+v", report)
	}
	s := report.Sections[0]
	figures := map[string]bench.Figure{}
	for _, f := range s.Figures {
		figures[f.Name] = f
		if len(f.Rounds) != 2 && f.Name != "request" && f.Name != "answer" || f.Value <= 0 {
			t.Errorf("%+v", f)
		}
	}
	for name, of := range map[string][2]string{
		"cpu.echo": {"service.cpu", "echo.cpu"}, "throughput.echo": {"service.rate", "echo.rate"}, "throughput.plain": {"service.rate", "plain.rate"},
	} {
		want := bench.NewRatio(name, "", figures[of[0]], figures[of[1]], bench.Aim{}).Value
		got := -1.0
		for _, r := range s.Ratios {
			if r.Name == name {
				got = r.Value
			}
		}
		if got != want {
			t.Errorf("%s is %v, its figures make %v", name, got, want)
		}
	}
	if trips := figures["service.redis.trips"].Value; trips < 1 || trips > 4 {
		t.Errorf("%v round trips to Redis for a call", trips)
	}
	if err := report.Print(t.Output()); err != nil {
		t.Error(err)
	}
	noChildren(t)
}

// noChildren fails if a process that bench has started still runs.
func noChildren(t *testing.T) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		status, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(status), fmt.Sprintf("\nPPid:\t%d\n", os.Getpid())) {
			continue // gone meanwhile, or not ours
		}
		command, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		if words := strings.ReplaceAll(string(command), "\x00", " "); strings.Contains(words, "baseline") || strings.Contains(words, "serve --listen") {
			t.Errorf("still running: %s", words)
		}
	}
}

func TestBenchRefusesWhatItCannotDo(t *testing.T) {
	command{}.fails(t, exitUsage, []string{`"everything"`, "--rounds is 0", "--callers is -1", "--turn is 1ms"},
		"bench", "--only", "calls,everything", "--rounds", "0", "--callers", "-1", "--turn", "1ms")
	command{}.fails(t, exitUsage, []string{"redis://HOST:PORT"}, "bench", "--redis", "redis+cluster://127.0.0.1:1")
	store := redistest.Server(t)
	if err := store.Client().Set(t.Context(), "a", "b", 0).Err(); err != nil {
		t.Fatal(err)
	}
	command{}.fails(t, exitUsage, []string{"--not-empty"}, "bench", "--redis", store.URL())
	t.Setenv("PATH", t.TempDir())
	command{}.fails(t, exitUsage, []string{"apt-get install redis-server", "--redis"}, "bench", "--only", "calls")
	noChildren(t)
}
