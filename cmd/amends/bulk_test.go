package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unicode"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/makeamends/amends/internal/rpc"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "records.ndjson")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func event(id, customer string) string {
	return fmt.Sprintf(`{"eventId":%q,"customerId":%q,"occurredAt":"2025-05-02T18:40:00Z","kinds":["FAILURE_KIND_LATE"],"delay":"2700s"}`, id, customer)
}

var summaryLine = regexp.MustCompile(`(\d+) read: (\d+) recorded, (\d+) known from before, (\d+) failed\n`)

// expectRecorded expects that so many records were new. On a slow machine some are sent twice, for their answer did not come in time.
func expectRecorded(t *testing.T, o outcome, want int) {
	t.Helper()
	var counts [4]int
	for i, digits := range summaryLine.FindStringSubmatch(o.stderr + "\n") {
		if i > 0 {
			counts[i-1], _ = strconv.Atoi(digits)
		}
	}
	if read, recorded, known, failed := counts[0], counts[1], counts[2], counts[3]; read != want || recorded+known != want || failed != 0 || recorded < want*9/10 {
		t.Errorf("of %d records the summary is %q", want, o.stderr)
	}
}

// A thousand events of a hundred customers: every answer comes, in the order of the file; sent again they change nothing.
func TestAThousandEvents(t *testing.T) {
	server := service(t)
	var text strings.Builder
	for i := range 1000 {
		text.WriteString(event(fmt.Sprintf("e-%d", i), fmt.Sprintf("c-%d", i%100)) + "\n")
	}
	args := []string{"report", "--server", server, "--timeout", "1m", "-f", written(t, text.String()), "-o", "json"}
	first := amends(t, args...)
	expectRecorded(t, first, 1000)
	n := 0
	for line := range strings.Lines(first.stdout) {
		c := parse(t, line, &recoveryv1.ReportFailureResponse{}).GetCase()
		if want := fmt.Sprintf("c-%d", n%100); c.GetCustomerId() != want {
			t.Fatalf("answer %d is of %s, want %s", n, c.GetCustomerId(), want)
		}
		n++
	}
	if n != 1000 {
		t.Errorf("%d answers, want 1000", n)
	}
	part := strings.Join(strings.SplitAfter(text.String(), "\n")[:100], "")
	args[6] = written(t, part)
	again := amends(t, args...)
	if !strings.Contains(again.stderr, "100 read: 0 recorded, 100 known from before, 0 failed") {
		t.Errorf("the second summary is %q", again.stderr)
	}
}

// The events of one customer are sent in the order of the file, though several customers' are sent at once.
func TestOrderOfOneCustomer(t *testing.T) {
	var now, most atomic.Int32
	fake := newImpostor(t, func(n int) error {
		for at := now.Add(1); ; {
			if was := most.Load(); at <= was || most.CompareAndSwap(was, at) {
				break
			}
		}
		time.Sleep(time.Duration(n%7) * time.Millisecond)
		now.Add(-1)
		return nil
	})
	var text strings.Builder
	for i := range 200 {
		text.WriteString(event(fmt.Sprintf("%03d", i), fmt.Sprintf("c-%d", i%10)) + "\n")
	}
	amends(t, "report", "--server", fake.address, "-f", written(t, text.String()), "--concurrency", "4")
	last := map[string]string{}
	for n := range fake.count() {
		sent := fake.report(t, n).GetEvent()
		if before := last[sent.GetCustomerId()]; before >= sent.GetEventId() {
			t.Errorf("%s of %s was sent after %s", sent.GetEventId(), sent.GetCustomerId(), before)
		}
		last[sent.GetCustomerId()] = sent.GetEventId()
	}
	if len(last) != 10 || most.Load() < 2 || most.Load() > 4 {
		t.Errorf("%d customers, at most %d calls at once; want 10, and 2 to 4", len(last), most.Load())
	}
}

// Whoever names the default tenant means the same customer as who names none: both go the same way.
func TestLaneOfTheDefaultTenant(t *testing.T) {
	lane := func(tenant string) uint32 {
		return customerLane(recoveryv1.FailureEvent_builder{CustomerId: "c", Tenant: tenant}.Build())
	}
	if lane("") != lane(rpc.DefaultTenant) || lane("") == lane("shop") {
		t.Errorf("the lanes of no tenant, the default and another are %d, %d and %d", lane(""), lane(rpc.DefaultTenant), lane("shop"))
	}
}

func TestAThousandInteractions(t *testing.T) {
	server := service(t)
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, `{"interactionId":"i-%d","customerId":"c-%d","occurredAt":"2025-05-02T18:40:00Z","kind":"INTERACTION_KIND_PRAISE"}`+"\n", i, i%20)
	}
	o := amends(t, "praise", "--server", server, "-f", written(t, text.String()), "-o", "json")
	expectRecorded(t, o, 1000)
	n := 0
	for line := range strings.Lines(o.stdout) {
		if got := parse(t, line, &recoveryv1.InteractionResult{}).GetInteractionId(); got != fmt.Sprintf("i-%d", n) {
			t.Fatalf("answer %d is of %s", n, got)
		}
		n++
	}
	if n != 1000 {
		t.Errorf("%d answers, want 1000", n)
	}
}

// Every fault is told with its line, costs nothing but its own record, and the record is kept so that the mended file can be sent again.
func TestFaultyLines(t *testing.T) {
	server := service(t)
	broken := []string{
		`not json`, // 2
		`{"eventId":"e-3","customerId":"c-1","occurredAt":"2025-05-02T18:40:00Z","kinds":["FAILURE_KIND_LATE"],"colour":"red"}`, // 3
		`{"eventId":"e-4","severity":7}`,                        // 4
		strings.Replace(event("e-1", "c-1"), "2700s", "60s", 1), // 7: the id was used for another delay
		`{"failure":` + event("e-8", "c-1") + `}`,               // 8
	}
	text := event("e-1", "c-1") + "\n" + strings.Join(broken[:3], "\n") + "\n" + event("e-6", "c-1") + "\n\n" + strings.Join(broken[3:], "\n") + "\n"
	path, failed := written(t, text), filepath.Join(t.TempDir(), "failed.ndjson")
	o := command{}.fails(t, exitUsage, []string{
		path + ":2: no JSON", path + `:3: unknown field "colour"`, path + ":4: INVALID_ARGUMENT", path + ":4:   event.customer_id: ",
		path + ":4:   event.severity: ", path + ":7: ALREADY_EXISTS", path + ":8: a record with", "amends ingest FILE",
		"7 read: 2 recorded, 0 known from before, 5 failed",
	}, "report", "--server", server, "-f", path, "--failed", failed, "--tenant", "shop")
	if lines := strings.Count(o.stdout, "\n"); lines != 3 || !strings.HasPrefix(o.stdout, "CUSTOMER ") {
		t.Errorf("%d lines, want 2 below their headings:\n%s", lines, o.stdout)
	}
	kept, err := os.ReadFile(failed)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Join(broken, "\n") + "\n"; string(kept) != want {
		t.Errorf("kept were\n%swant\n%s", kept, want)
	}
	if text := amends(t, "cases", "--server", server, "--tenant", "shop", "--customer", "c-1").stdout; !strings.Contains(text, "amends case") {
		t.Errorf("the tenant of --tenant was not used:\n%s", text)
	}
}

// What stands in a file is shown to whoever sits at the terminal, and does nothing to it.
func TestFaultsDoNothingToATerminal(t *testing.T) {
	server := service(t)
	text := strings.Join([]string{
		`{"eventId":"e-1","\u001b]0;owned\u0007":1}`,
		`{"eventId":"e-1","x\nrecords.ndjson:9: recorded":1}`,
		"{\"eventId\":\"e-1\",\"\u009b2J\":1}",
		"{\"eventId\":\"e-1\",\"kinds\":[\"\u009b2J\u202e\"]}",
	}, "\n") + "\n"
	for name, args := range map[string][]string{"report": {"report", "-f"}, "ingest": {"ingest"}} {
		path := written(t, text)
		o := command{}.fails(t, exitUsage, []string{`\x1b]0;owned`, `x\nrecords.ndjson:9`, `\u009b2J`, `\u202e`, "it takes LATE"},
			append(args, path, "--server", server)...)
		if at := strings.IndexFunc(o.stderr, func(r rune) bool { return r != '\n' && !unicode.IsGraphic(r) }); at >= 0 {
			t.Errorf("%s: %q", name, o.stderr[at:])
		}
	}
}

// One faulty interaction does not take those of its batch with it.
func TestFaultyInteraction(t *testing.T) {
	server := service(t)
	good := `{"interactionId":"i-%d","customerId":"c-1","occurredAt":"2025-05-02T18:40:00Z","kind":"INTERACTION_KIND_PRAISE"}` + "\n"
	text := fmt.Sprintf(good, 1) + `{"interactionId":"i-2"}` + "\n" + fmt.Sprintf(good, 3)
	o := command{}.fails(t, exitUsage, []string{":2: INVALID_ARGUMENT", "3 read: 2 recorded, 0 known from before, 1 failed"},
		"praise", "--server", server, "-f", written(t, text))
	if lines := strings.Count(o.stdout, "recorded\n"); lines != 2 || !strings.HasPrefix(o.stdout, "CUSTOMER         KIND               RESULT\n") {
		t.Errorf("%d were recorded, want 2:\n%s", lines, o.stdout)
	}
}

func TestFileLayouts(t *testing.T) {
	server := service(t)
	for name, text := range map[string]string{
		"one object": event("a-1", "c-1"),
		"an array":   "[\n" + event("b-1", "c-1") + ",\n" + event("b-2", "c-1") + "]",
		"examples":   "",
	} {
		c := command{stdin: strings.NewReader(text)}
		path := "-"
		if text == "" {
			path = "../../examples/events.ndjson"
		}
		if o := c.works(t, "report", "--server", server, "-f", path, "--dry-run"); o.stdout == "" {
			t.Errorf("%s: no answer", name)
		}
	}
	amends(t, "praise", "--server", server, "-f", "../../examples/interactions.ndjson")
	request, err := os.ReadFile("../../examples/report.json")
	if err != nil {
		t.Fatal(err)
	}
	if parse(t, string(request), &recoveryv1.ReportFailureRequest{}).GetEvent().GetEventId() == "" {
		t.Error("examples/report.json reports nothing")
	}
}

// What is kept takes the place of nothing, least of all of the file that is sent.
func TestFailedOverwritesNothing(t *testing.T) {
	text := event("e-1", "c-1") + "\n"
	for _, name := range []string{"report", "praise"} {
		path := written(t, text)
		call := []string{name, "--server", "127.0.0.1:1", "-f", path, "--failed"}
		command{}.fails(t, exitUsage, []string{path + " is named twice", "--failed"}, append(call, path)...)
		beside := filepath.Dir(path) + "/../" + filepath.Base(filepath.Dir(path)) + "/records.ndjson"
		command{}.fails(t, exitUsage, []string{"named twice", "--concurrency"}, append(call, beside, "--concurrency", "0")...)
		other := written(t, text)
		command{}.fails(t, exitUsage, []string{other + " is there from an earlier run", "amends " + name + " -f " + other, "another with --failed"}, append(call, other)...)
		for _, file := range []string{path, other} {
			if got, err := os.ReadFile(file); err != nil || string(got) != text {
				t.Errorf("%s: %s holds %q, %v", name, file, got, err)
			}
		}
	}
	kept := filepath.Join(t.TempDir(), "failed.ndjson")
	command{}.fails(t, exitUnavailable, []string{"1 failed"}, "report", "--server", "127.0.0.1:1", "-f", written(t, text), "--failed", kept)
	if info, err := os.Stat(kept); err != nil || info.Mode().Perm() != 0o600 || info.Size() == 0 {
		t.Errorf("what failed may be read by %v, %v", info.Mode(), err)
	}
}

// full is a disk on which there is room for so many lines.
type full struct{ lines int }

func (f *full) Write(p []byte) (int, error) {
	if f.lines--; f.lines < 0 {
		return 0, syscall.ENOSPC
	}
	return len(p), nil
}

// Where the answers cannot be written the rest is not sent, and kept.
func TestAnswersThatCannotBeWritten(t *testing.T) {
	fake := newImpostor(t, func(int) error { return nil })
	var text, stderr strings.Builder
	for i := range 500 {
		text.WriteString(event(fmt.Sprintf("e-%d", i), fmt.Sprintf("c-%d", i)) + "\n")
	}
	failed := filepath.Join(t.TempDir(), "failed.ndjson")
	a := newApp(func(string) string { return "" }, strings.NewReader(""), &full{lines: 3}, &stderr)
	err := a.run(t.Context(), []string{"report", "--server", fake.address, "-f", written(t, text.String()), "--failed", failed})
	if exitCode(err) != exitInternal || !strings.Contains(stderr.String(), "the answers cannot be written: "+syscall.ENOSPC.Error()) {
		t.Errorf("left with %d: %s", exitCode(err), &stderr)
	}
	kept, err := os.ReadFile(failed)
	if err != nil {
		t.Fatal(err)
	}
	if got := bytes.Count(kept, []byte("\n")); got+fake.count() != 500 || got < 300 {
		t.Errorf("%d were sent and %d kept: together they must be 500\n%s", fake.count(), got, &stderr)
	}
}

// Who takes the first answers alone, as head does, has the rest kept too.
func TestAnswersThatNobodyTakes(t *testing.T) {
	fake := newImpostor(t, func(int) error { return nil })
	var text strings.Builder
	for i := range 500 {
		text.WriteString(event(fmt.Sprintf("e-%d", i), fmt.Sprintf("c-%d", i)) + "\n")
	}
	failed := filepath.Join(t.TempDir(), "failed.ndjson")
	var stderr strings.Builder
	p := program("report", "--server", fake.address, "-f", written(t, text.String()), "--failed", failed, "-o", "json")
	p.Stderr = &stderr
	answers, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := answers.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	answers.Close()
	err = p.Wait()
	if p.ProcessState.ExitCode() != exitInternal || !strings.Contains(stderr.String(), "the answers cannot be written") {
		t.Errorf("ended with %v: %s", err, &stderr)
	}
	kept, err := os.ReadFile(failed)
	if err != nil {
		t.Fatal(err)
	}
	if got := bytes.Count(kept, []byte("\n")); got+fake.count() != 500 || got == 0 {
		t.Errorf("%d were sent and %d kept: together they must be 500\n%s", fake.count(), got, &stderr)
	}
}

// When nobody answers any more the rest is not tried one by one, and is kept with what failed.
func TestServiceGoesAway(t *testing.T) {
	fake := newImpostor(t, func(n int) error {
		if n <= 5 {
			return nil
		}
		return status.Error(codes.Unavailable, "going")
	})
	var text strings.Builder
	for i := range 500 {
		text.WriteString(event(fmt.Sprintf("e-%d", i), fmt.Sprintf("c-%d", i)) + "\n")
	}
	failed := filepath.Join(t.TempDir(), "failed.ndjson")
	o := command{}.fails(t, exitUnavailable, []string{"500 read: 5 recorded", "not sent"},
		"report", "--server", fake.address, "-f", written(t, text.String()), "--failed", failed, "--concurrency", "2")
	if calls := fake.count(); calls > 60 {
		t.Errorf("%d calls to a service that is away", calls)
	}
	kept, err := os.ReadFile(failed)
	if err != nil {
		t.Fatal(err)
	}
	if got := bytes.Count(kept, []byte("\n")); got != 495 {
		t.Errorf("%d records were kept, want 495", got)
	}
	if faults := strings.Count(o.stderr, "UNAVAILABLE"); faults > 20 {
		t.Errorf("%d times the same complaint", faults)
	}
}

// An interruption ends the run soon; what was not sent is kept.
func TestInterruptedFile(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	fake := newImpostor(t, func(n int) error {
		if n == 3 {
			cancel()
		}
		return nil
	})
	var text strings.Builder
	for i := range 100 {
		text.WriteString(event(fmt.Sprintf("e-%d", i), "c-1") + "\n")
	}
	failed := filepath.Join(t.TempDir(), "failed.ndjson")
	o := command{ctx: ctx}.fails(t, exitInterrupted, []string{"amends: interrupted: 100 read: "}, "report", "--server", fake.address, "-f", written(t, text.String()), "--failed", failed)
	kept, err := os.ReadFile(failed)
	if err != nil {
		t.Fatal(err)
	}
	answered := strings.Count(o.stdout, "\n") - 1 // but for the headings
	if got := bytes.Count(kept, []byte("\n")); o.err == nil || got+answered != 100 || got < 90 {
		t.Errorf("%d answered, %d kept, err %v: together they must be 100\n%s", answered, got, o.err, o.stderr)
	}
}

// A terminal shows how far it is, and is left tidy; a pipe is spared.
func TestProgress(t *testing.T) {
	server := service(t)
	path := written(t, event("e-1", "c-1")+"\n"+event("e-2", "c-2")+"\n")
	watched := command{terminal: true}.works(t, "report", "--server", server, "-f", path)
	if !strings.Contains(watched.stderr, "\r\x1b[K1 read") || !strings.Contains(watched.stderr, "\r\x1b[K2 read: ") {
		t.Errorf("no progress is shown: %q", watched.stderr)
	}
	if piped := amends(t, "report", "--server", server, "-f", path); strings.Contains(piped.stderr, "\r") {
		t.Errorf("a pipe is shown progress: %q", piped.stderr)
	}
}
