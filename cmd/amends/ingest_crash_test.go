package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/redistest"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// program is the program in a process of its own, not started yet.
func program(args ...string) *exec.Cmd {
	p := exec.Command(os.Args[0], args...)
	p.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AMENDS_") }), programVariable+"=1")
	return p
}

// spawn runs the program in a process of its own, which dies with the test at the latest.
func spawn(t *testing.T, args ...string) (*exec.Cmd, *notes) {
	t.Helper()
	said := &notes{}
	p := program(args...)
	p.Stdout, p.Stderr = said, said
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(p) })
	return p, said
}

// kill ends a process at once, and waits for its end. It may have ended already.
func kill(p *exec.Cmd) {
	_ = p.Process.Kill()
	_ = p.Wait()
}

// serving is a server in a process of its own, on a store that outlives it.
func serving(t *testing.T, store *redistest.Instance, key, listen string) (*exec.Cmd, string) {
	t.Helper()
	p, said := spawn(t, "serve", "--listen", listen, "--ops-listen", "", "--redis", store.URL(), "--key-file", key)
	until(t, "the server is ready", func() bool { return readyLine.MatchString(said.String()) }, said)
	return p, readyLine.FindStringSubmatch(said.String())[1]
}

func until(t *testing.T, what string, holds func() bool, said fmt.Stringer) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s\n%s", what, said)
		}
	}
}

// fulfilled are lines of good orders, each an order more of one of so many customers.
func fulfilled(count, customers int) string {
	var text strings.Builder
	for i := range count {
		fmt.Fprintf(&text, `{"interactionId":"i-%d","customerId":"c-%d","occurredAt":"2025-05-02T18:40:00Z","kind":"ORDER_FULFILLED"}`+"\n", i, i%customers)
	}
	return text.String()
}

// orders is how many orders the service has counted of all customers.
func orders(t *testing.T, server string, customers int) (sum int64) {
	t.Helper()
	for i := range customers {
		answer := parse(t, amends(t, "assess", fmt.Sprintf("c-%d", i), "--server", server, "-o", "json", "--timeout", "1m").stdout, &recoveryv1.AssessCustomerResponse{})
		sum += answer.GetAssessment().GetOrders()
	}
	return sum
}

// far is whether a load has come so far, by its note.
func far(path string, records int) bool {
	n, err := readNote(path + ".progress")
	return err == nil && n != nil && n.Records >= records
}

const manyRecords, someCustomers = 12000, 40

// A load that is killed goes on where it was, and every record counts once.
func TestIngestKilled(t *testing.T) {
	store := redistest.Server(t)
	key, path := written(t, strings.Repeat("k", 40)), history(t, "day.ndjson", fulfilled(manyRecords, someCustomers))
	_, server := serving(t, store, key, "127.0.0.1:0")
	args := []string{"ingest", "--server", server, "-o", "json", path}
	for _, records := range []int{1000, 4000} {
		p, said := spawn(t, args...)
		until(t, "the load is under way", func() bool { return far(path, records) }, said)
		kill(p)
		if p.ProcessState.Success() {
			t.Fatalf("it had ended before it was killed: %s", said)
		}
	}
	counted := orders(t, server, someCustomers)
	if counted < 4000 || counted >= manyRecords {
		t.Errorf("%d orders were counted when it was killed", counted)
	}
	o := amends(t, args...)
	l := summary(t, o)
	if l.Read != manyRecords || l.Recorded+l.Replayed != manyRecords || l.Refused != 0 || l.Earlier < 4000 || !strings.Contains(o.stderr, "going on after line ") {
		t.Errorf("the summary is %+v\n%s", l, o.stderr)
	}
	if got := orders(t, server, someCustomers); got != manyRecords {
		t.Errorf("%d orders were counted, want %d", got, manyRecords)
	}
	gone(t, path+".progress", path+".progress.new", path+".rejects.ndjson")
}

// A server that is killed under a load, and comes back, costs no record and counts none twice.
func TestIngestBesideAServerThatIsKilled(t *testing.T) {
	store := redistest.Server(t, redistest.WithAOF())
	key, path := written(t, strings.Repeat("k", 40)), history(t, "day.ndjson", fulfilled(manyRecords, someCustomers))
	p, server := serving(t, store, key, "127.0.0.1:0")
	ended := make(chan outcome, 1)
	go func() { ended <- command{}.run("ingest", "--server", server, "-o", "json", path) }()
	until(t, "the load is under way", func() bool { return far(path, 1000) }, &notes{})
	kill(p)
	time.Sleep(300 * time.Millisecond)
	serving(t, store, key, server)
	o := <-ended
	if o.err != nil {
		t.Fatal(o.err, o.stderr)
	}
	l := summary(t, o)
	if l.Read != manyRecords || l.Recorded+l.Replayed != manyRecords || l.Refused != 0 || !strings.Contains(o.stderr, "trying again") || !strings.Contains(o.stderr, "answers come again") {
		t.Errorf("the summary is %+v\n%s", l, o.stderr)
	}
	if got := orders(t, server, someCustomers); got != manyRecords {
		t.Errorf("%d orders were counted, want %d", got, manyRecords)
	}
}

// interruptedLoad is a load of standard input, with what belongs beside the path, that is interrupted in the middle of what comes.
func interruptedLoad(t *testing.T, server, path, text string, when func() bool) outcome {
	t.Helper()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	in, out := io.Pipe()
	defer in.Close()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		_, _ = io.WriteString(out, text)
		until(t, "the load is under way", when, &notes{})
		interrupt()
	}()
	o := command{ctx: ctx, stdin: in}.run("ingest", "--server", server, "--format", "ndjson", "-o", "json",
		"--progress", path+".progress", "--rejects", path+".rejects.ndjson", "-")
	<-watched
	return o
}

// An interruption waits for the answers under way and says how to go on; the same command does, unless the file or the server is another.
func TestIngestInterrupted(t *testing.T) {
	server := service(t)
	path := history(t, "day.ndjson", "no JSON\n"+fulfilled(1500, 20)) // little enough for the store of the tests
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	o := interruptedLoad(t, server, path, string(text[:len(text)*4/5]), func() bool { return far(path, 1000) })
	if o.code != exitUnavailable || !strings.Contains(o.stderr, "the same command goes on from there") {
		t.Fatalf("it left with %d: %s%s", o.code, o.stdout, o.stderr)
	}
	first := summary(t, o)
	if first.Whole || first.Read < 1000 || first.Read > 1500 || first.Refused != 1 || first.Recorded != first.Read-1 {
		t.Errorf("interrupted: %+v", first)
	}
	note, err := os.ReadFile(path + ".progress")
	if err != nil {
		t.Fatal(err)
	}
	put := func(path string, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	// A reject that was written after the last note is written again, not twice. The default tenant may be named.
	kept, err := os.ReadFile(path + ".rejects.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	put(path+".rejects.ndjson", string(kept)+`{"line":9`)
	o = command{}.fails(t, exitUsage, []string{fmt.Sprintf("going on after line %d", first.Line)}, "ingest", "--server", server, "-o", "json", path, "--tenant", "default")
	if l := summary(t, o); counts(l) != [4]int{1501, 1500, 0, 1} || l.Earlier != first.Read {
		t.Errorf("it goes on: %+v\n%s", l, o.stderr)
	}
	if list := entries(t, path+".rejects.ndjson"); len(list) != 1 {
		t.Errorf("the rejects are %v", list)
	}
	gone(t, path+".progress")

	put(path+".progress", string(note))
	put(path, strings.Replace(string(text), `"i-5"`, `"j-5"`, 1))
	command{}.fails(t, exitUsage, []string{"has changed", "is there from an earlier run"}, "ingest", "--server", server, path)
	mended := func() {
		t.Helper()
		if err := os.Remove(path + ".rejects.ndjson"); err != nil {
			t.Fatal(err)
		}
	}
	mended()
	put(path+".progress", string(note))
	o = command{}.fails(t, exitUsage, []string{"has changed", "beginning anew"}, "ingest", "--server", server, "-o", "json", path)
	if l := summary(t, o); counts(l) != [4]int{1501, 1, 1499, 1} || l.Earlier != 0 {
		t.Errorf("of a file that has changed: %+v\n%s", l, o.stderr)
	}
	for _, args := range [][]string{{"--tenant", "other"}, {"--restart"}} {
		mended()
		put(path+".progress", string(note))
		o = command{}.fails(t, exitUsage, []string{"beginning anew"}, append([]string{"ingest", "--server", server, "-o", "json", path}, args...)...)
		if l := summary(t, o); l.Earlier != 0 || l.Read != 1501 {
			t.Errorf("%v: %+v\n%s", args, l, o.stderr)
		}
	}

	// Standard input goes on with what it is told to remember, if it is the same.
	put(path, string(text))
	put(path+".progress", string(note))
	piped := func(text string) command { return command{stdin: strings.NewReader(text)} }
	o = piped("x"+string(text)).fails(t, exitUsage, []string{"does not begin with"}, "ingest", "--server", server, "--format", "ndjson", "-", "--progress", path+".progress")
	if o.stdout != "" {
		t.Errorf("it says %q", o.stdout)
	}
	o = piped(string(text)).fails(t, exitUsage, []string{"standard input: going on"}, "ingest", "--server", server, "--format", "ndjson", "-o", "json", "-", "--progress", path+".progress")
	if l := summary(t, o); l.Read != 1501 || l.Earlier != first.Read {
		t.Errorf("standard input: %+v\n%s", l, o.stderr)
	}
}

// What was mended among the rejects of a load that was interrupted stays, whether it is longer or shorter now; and what was written after the
// last note is not written twice.
func TestIngestGoesOnBesideMendedRejects(t *testing.T) {
	server, text := service(t), "no JSON\n"+fulfilled(1300, 20)+"nor this\n"+"nor that\n"
	interruptedAt := len(text) * 4 / 5
	path := history(t, "day.ndjson", text)
	kept := path + ".rejects.ndjson"
	first := summary(t, interruptedLoad(t, server, path, text[:interruptedAt], func() bool { return far(path, 1000) }))
	note, err := os.ReadFile(path + ".progress")
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile(kept)
	if err != nil || first.Refused != 1 {
		t.Fatal(err, first)
	}
	later := `{"file":"` + path + `","line":1302,"reasons":["of another day"],"text":"nor this"}` + "\n"
	for name, row := range map[string]struct {
		rejects string
		changed bool
		texts   []string
	}{
		"as it was":               {string(own), false, []string{"no JSON", "nor this", "nor that"}},
		"killed after the note":   {string(own) + later + `{"line":13`, false, []string{"no JSON", "nor this", "nor that"}},
		"mended, and longer":      {strings.Replace(string(own), `"text":"no JSON"`, `"record":`+strings.TrimSpace(positives(900, 901)), 1), true, []string{"", "nor this", "nor that"}},
		"mended, shorter, no end": {`{"line":1,"reasons":[],"text":"x"}`, true, []string{"x", "nor this", "nor that"}},
		"emptied":                 {"", true, []string{"nor this", "nor that"}},
	} {
		t.Run(name, func(t *testing.T) {
			for path, text := range map[string]string{kept: row.rejects, path + ".progress": string(note)} {
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			o := command{}.fails(t, exitUsage, []string{"going on after"}, "ingest", "--server", server, "-o", "json", path)
			if got := strings.Contains(o.stderr, kept+" was changed meanwhile"); got != row.changed {
				t.Errorf("it says %s", o.stderr)
			}
			var texts []string
			for _, e := range entries(t, kept) {
				texts = append(texts, strings.Trim(string(e.Text), `"`))
			}
			if !slices.Equal(texts, row.texts) {
				t.Errorf("kept are %q, want %q", texts, row.texts)
			}
			if now, err := os.ReadFile(kept); err != nil || !strings.HasPrefix(string(now), strings.TrimSuffix(row.rejects, `{"line":13`)) {
				t.Errorf("the rejects are\n%s (%v), were\n%s", now, err, row.rejects)
			}
			gone(t, path+".progress")
		})
	}
	// And to begin at the beginning is no reason to write over them.
	if err := os.WriteFile(path+".progress", note, 0o600); err != nil {
		t.Fatal(err)
	}
	command{}.fails(t, exitUsage, []string{"is there from an earlier run"}, "ingest", "--server", server, "--restart", path)
}

// What was written after the last note is not written twice either by who goes on after a run that found no service.
func TestIngestGoesOnAfterARunInVain(t *testing.T) {
	store, key, text := redistest.Server(t), written(t, strings.Repeat("k", 40)), fulfilled(1300, 20)+"nor this\n"
	p, server := serving(t, store, key, "127.0.0.1:0")
	path := history(t, "day.ndjson", text)
	interruptedLoad(t, server, path, text[:len(text)*9/10], func() bool { return far(path, 1000) })
	kill(p)
	killed := `{"file":"` + path + `","line":1301,"reasons":["of another day"],"text":"nor this"}` + "\n"
	if err := os.WriteFile(path+".rejects.ndjson", []byte(killed), 0o600); err != nil {
		t.Fatal(err)
	}
	command{}.fails(t, exitUnavailable, []string{"going on after", "stopped after"}, "ingest", "--server", server, path)
	serving(t, store, key, server)
	command{}.fails(t, exitUsage, []string{"going on after"}, "ingest", "--server", server, path)
	if now, err := os.ReadFile(path + ".rejects.ndjson"); err != nil || string(now) != killed {
		t.Errorf("the rejects are\n%s (%v), want\n%s", now, err, killed)
	}
	gone(t, path+".progress")
}

// Who interrupts a load that passes over what an earlier run did loses nothing of it.
func TestIngestInterruptedWhileItGoesOn(t *testing.T) {
	server, text := service(t), fulfilled(1500, 20)
	path := filepath.Join(t.TempDir(), "day.ndjson")
	first := summary(t, interruptedLoad(t, server, path, text[:len(text)*4/5], func() bool { return far(path, 1000) }))
	note, err := os.ReadFile(path + ".progress")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	o := interruptedLoad(t, server, path, text[:len(text)/10], func() bool { return time.Since(began) > 300*time.Millisecond })
	after, err := os.ReadFile(path + ".progress")
	if err != nil || string(after) != string(note) {
		t.Errorf("the note has become %s (%v), was %s", after, err, note)
	}
	if o.code != exitUnavailable || !strings.Contains(o.stderr, fmt.Sprintf("the same command goes on after line %d", first.Line)) || strings.Contains(o.stderr, "does not begin") {
		t.Errorf("left with %d: %s", o.code, o.stderr)
	}
	o = command{stdin: strings.NewReader(text)}.works(t, "ingest", "--server", server, "--format", "ndjson", "-o", "json", "--progress", path+".progress", "-")
	if l := summary(t, o); counts(l) != [4]int{1500, 1500, 0, 0} || l.Earlier != first.Read {
		t.Errorf("%+v\n%s", l, o.stderr)
	}
}

// Memory does not grow with the file.
func TestIngestIsBounded(t *testing.T) {
	const records = 40_000
	path := filepath.Join(t.TempDir(), "large.ndjson")
	if err := os.WriteFile(path, []byte(fulfilled(records, 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	a := newApp(func(string) string { return "" }, strings.NewReader(""), io.Discard, io.Discard)
	in := &intake{ingesting: &ingesting{app: a, dryRun: true, connection: &connection{}, format: oneOf{value: formatAuto}}, path: path, rejects: &rejects{}, bar: newProgress(a)}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most := heap(), uint64(0)
	a.now = func() time.Time {
		if in.counts.recorded%(records/10) == 1 {
			most = max(most, heap())
		}
		return time.Now()
	}
	if err := in.send(t.Context(), nil); err != nil || in.counts.recorded != records || !in.isWhole {
		t.Fatal(err, in.counts)
	}
	t.Logf("at most %d KiB more than before", (int64(most)-int64(before))>>10)
	if most > before+(8<<20) {
		t.Errorf("the heap grew from %d to %d bytes", before, most)
	}
}
