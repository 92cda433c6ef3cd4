package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/bench"
	"github.com/makeamends/amends/internal/redistest"
)

// shortBench is a very short run of a section by the command.
func shortBench(t *testing.T, section string, rounds int, args ...string) bench.Report {
	t.Helper()
	redistest.Server(t) // skips the test where there is no Redis; bench starts its own
	before := children(t)
	args = append(args, "bench", "--only", section, "--rounds", strconv.Itoa(rounds), "--turn", "100ms", "--customers", "20", "--callers", "4", "-o", "json")
	out := command{program: built(t)}.works(t, args...)
	noMoreChildren(t, before)
	if !strings.HasPrefix(out.stderr, section+": ") {
		t.Errorf("nothing is said of what is done: %q", out.stderr)
	}
	var report bench.Report
	if err := json.Unmarshal([]byte(out.stdout), &report); err != nil {
		t.Fatal(err)
	}
	whole(t, report, section, rounds)
	return report
}

// whole fails unless a report has that one section, with everything that belongs to it.
func whole(t *testing.T, report bench.Report, section string, rounds int) {
	t.Helper()
	if len(report.Sections) != 1 || report.Sections[0].Name != section || report.Broken != "" {
		t.Fatalf("%+v", report)
	}
	s := report.Sections[0]
	for _, r := range s.Ratios {
		if r.Value <= 0 || len(r.Rounds) < rounds {
			t.Errorf("%+v", r)
		}
	}
	for _, f := range s.Figures {
		if f.Value <= 0 {
			t.Errorf("%+v", f)
		}
	}
	drawn := slices.ContainsFunc(benchParts, func(p bench.Part) bool {
		return p.Name == s.Name && p.Plot != "" && len(s.Plots) == 1 && s.Plots[0].Name == p.Plot
	})
	if drawn != (len(s.Plots) > 0) {
		t.Errorf("it has the pictures %v", s.Plots)
	}
	if len(s.Tables)+len(s.Figures) == 0 {
		t.Error("it shows nothing")
	}
	if err := report.Print(t.Output()); err != nil {
		t.Error(err)
	}
}

// Ratios are those of the figures beside them.
func TestBenchCalls(t *testing.T) {
	s := shortBench(t, "calls", 2).Sections[0]
	figures := map[string]bench.Figure{}
	for _, f := range s.Figures {
		figures[f.Name] = f
	}
	ratios := map[string]float64{}
	for _, r := range s.Ratios {
		ratios[r.Name] = r.Value
	}
	for name, of := range map[string][2]string{
		"cpu.echo": {"service.cpu", "echo.cpu"}, "throughput.echo": {"service.rate", "echo.rate"}, "throughput.plain": {"service.rate", "plain.rate"},
		"cpu.libraries": {"bare.cpu", "echo.cpu"}, "cpu.bare": {"service.cpu", "bare.cpu"},
	} {
		if want := bench.NewRatio(name, "", figures[of[0]], figures[of[1]], bench.Aim{}).Value; ratios[name] != want {
			t.Errorf("%s is %v, its figures make %v", name, ratios[name], want)
		}
	}
	for name, most := range map[string]float64{"service": 4, "bare": 2} {
		if trips := figures[name+".redis.trips"].Value; trips < 1 || trips > most {
			t.Errorf("%v round trips to Redis for a call of the %s", trips, name)
		}
	}
}

func TestBenchOtherSections(t *testing.T) {
	for _, section := range []string{"profile", "customers"} {
		t.Run(section, func(t *testing.T) { shortBench(t, section, 1) })
	}
}

// Each round begins with another one of what is compared.
func TestBenchTakesTurns(t *testing.T) {
	redistest.Server(t)
	for _, part := range []bench.Part{bench.Bulk, bench.Start, bench.History} {
		t.Run(part.Name, func(t *testing.T) {
			first := map[int]string{} // of the turns of a round
			run := &bench.Run{Program: built(t), Rounds: 2, Slice: 100 * time.Millisecond, Callers: 2, Customers: 10, Tell: func(p bench.Progress) {
				isTurn := strings.HasPrefix(p.What, "one failure more") || p.Of == 2 && !strings.HasPrefix(p.What, "making")
				if first[p.Step] == "" && isTurn {
					first[p.Step] = p.What
				}
			}}
			report, err := run.Measure(t.Context(), "test", []bench.Part{part})
			if err != nil {
				t.Fatal(err)
			}
			whole(t, report, part.Name, run.Rounds)
			if first[1] == "" || first[2] == "" || first[1] == first[2] {
				t.Errorf("the rounds begin with %v", first)
			}
			if part.Name != bench.History.Name {
				return
			}
			// The rounds of a short run give so few customers many failures more, which is said.
			for _, row := range report.Sections[0].Tables[0].Rows {
				if first, last, found := strings.Cut(row[0], " to "); !found || len(last) < len(first) {
					t.Errorf("failures before: %q", row[0])
				}
			}
		})
	}
}

// Where there is no terminal a line is added now and then, however much there is to say.
func TestProgressOfBenchWithoutATerminal(t *testing.T) {
	var out strings.Builder
	var passed time.Duration
	begin := time.Now()
	line := &progress{log: &out, now: func() time.Time { return begin.Add(passed) }}
	for second := range 25 {
		passed = time.Duration(second) * time.Second
		line.say(fmt.Sprint("step ", second))
	}
	if want := "step 0\nstep 10\nstep 20\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

// A server that does not start is no reason to start the next one.
func TestBenchStartEndsAtTheFirstFault(t *testing.T) {
	redistest.Server(t)
	var told []string
	run := &bench.Run{Program: filepath.Join(t.TempDir(), "missing"), Rounds: 3, Slice: 100 * time.Millisecond, Callers: 1, Customers: 1, Tell: func(p bench.Progress) {
		told = append(told, p.What)
	}}
	if _, err := run.Measure(t.Context(), "test", []bench.Part{bench.Start}); err == nil || len(told) != 1 {
		t.Errorf("%v, after %q", err, told)
	}
}

// children are the processes that this one has started and that still run, by
// their ids.
func children(t *testing.T) (found []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		status, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(status), fmt.Sprintf("\nPPid:\t%d\n", os.Getpid())) {
			command, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
			found = append(found, filepath.Dir(file)+" "+strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	return found
}

// noMoreChildren fails if a process was started since then and still runs.
func noMoreChildren(t *testing.T, before []string) {
	t.Helper()
	for _, child := range children(t) {
		if !slices.Contains(before, child) {
			t.Errorf("still running: %s", child)
		}
	}
}

// Whoever interrupts a run gets what was measured, and leaves nothing behind.
func TestBenchIsInterrupted(t *testing.T) {
	redistest.Server(t)
	program, before := built(t), children(t)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	out := command{ctx: ctx, program: program}.fails(t, exitInterrupted, nil, "bench", "--only", "calls,bulk", "--rounds", "1000", "--turn", "100ms", "--customers", "10", "--callers", "2")
	noMoreChildren(t, before)
	if out.stdout == "" {
		t.Skip("the machine is too busy for a single round in so short a time")
	}
	if !strings.Contains(out.stdout, "Not complete: interrupted") || !strings.Contains(out.stdout, "service : echo") {
		t.Errorf("nothing is said of the interruption, or of what was measured:\n%s", out.stdout)
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
	// What names the store of a service, here one that nobody answers for, is not the store of a measurement.
	file := written(t, "redis: redis://127.0.0.1:1\nserve:\n  redis: redis://127.0.0.1:1\n")
	store.Client().Del(t.Context(), "a")
	before := children(t)
	t.Setenv("PATH", t.TempDir())
	for _, env := range []map[string]string{{"AMENDS_REDIS": store.URL()}, {"AMENDS_CONFIG": file}, {"AMENDS_REDIS": store.URL(), "AMENDS_NOT_EMPTY": "true"}} {
		o := command{env: env}.fails(t, exitUsage, []string{"apt-get install redis-server"}, "bench", "--only", "calls")
		if env["AMENDS_REDIS"] != "" && !strings.Contains(o.stderr, "AMENDS_REDIS is not for bench") {
			t.Errorf("it says %s", o.stderr)
		}
	}
	if n := store.Client().DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("%d keys were written to the store of a service", n)
	}
	command{}.fails(t, exitUsage, []string{`"redis" is taken from the command line alone`}, "bench", "--config", written(t, "bench:\n  redis: redis://127.0.0.1:1\n"))
	command{}.fails(t, exitUsage, []string{"apt-get install redis-server", "--redis"}, "bench", "--only", "calls")
	noMoreChildren(t, before)
}

// Some sections start Redis servers of their own: they ask nothing of the one that is
// named, say so, and are refused where there is no redis-server.
func TestBenchOnServersOfItsOwn(t *testing.T) {
	elsewhere := []string{"--redis", "redis://127.0.0.1:1"}
	var said strings.Builder
	if err := shortBench(t, "background", 1, elsewhere...).Print(&said); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said.String(), "not on the one that --redis names") || strings.Contains(said.String(), "Redis ;") {
		t.Errorf("it says:\n%s", said.String())
	}
	t.Setenv("PATH", t.TempDir())
	o := command{}.fails(t, exitUsage, []string{"apt-get install redis-server", "customers, size: on Redis servers of their own", "calls, bulk, profile, history, start"},
		append(elsewhere, "bench", "--only", "calls,customers,size")...)
	if strings.Contains(o.stderr, "refused") {
		t.Errorf("it began nevertheless:\n%s", o.stderr)
	}
}

// What has no picture is said, before anything is measured where nothing has one.
func TestBenchPictures(t *testing.T) {
	redistest.Server(t)
	folder := t.TempDir()
	command{}.fails(t, exitUsage, []string{"start has no picture", "calls, history, customers"}, "bench", "--only", "start", "--pictures", folder)
	o := command{program: built(t)}.works(t, "bench", "--only", "history,start", "--rounds", "1", "--turn", "100ms", "--customers", "20", "--callers", "4", "--pictures", folder)
	if _, err := os.Stat(filepath.Join(folder, "history.svg")); err != nil || !strings.Contains(o.stderr, filepath.Join(folder, "history.svg")) || !strings.Contains(o.stderr, "no picture of calls, customers") {
		t.Errorf("%v; it says:\n%s", err, o.stderr)
	}
}

// Of a Redis that is not there the program says one thing, and its driver nothing.
func TestBenchWithoutItsRedis(t *testing.T) {
	p, said := spawn(t, "bench", "--redis", "redis://127.0.0.1:1")
	if err := p.Wait(); err == nil || !strings.HasPrefix(said.String(), "amends: ") || strings.Count(said.String(), "refused") != 1 {
		t.Errorf("%v:\n%s", err, said)
	}
}

func TestBenchSize(t *testing.T) {
	shortBench(t, "size", 1)
}

// Reports go through a cluster, and every shard has its part; of so few customers, not
// an even one.
func TestBenchCluster(t *testing.T) {
	s := shortBench(t, "cluster", 1).Sections[0]
	for _, r := range s.Ratios {
		if r.Name == "cluster.spread" && (r.Value < 1 || r.Value > 2) {
			t.Errorf("the busiest shard has %v times the mean", r.Value)
		}
	}
	if len(s.Tables) != 2 || len(s.Tables[0].Rows) != 4 || len(s.Tables[1].Rows) != 4 {
		t.Errorf("tables %+v", s.Tables)
	}
}
