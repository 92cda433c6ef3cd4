package main

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/makeamends/amends/internal/authtest"
	"github.com/makeamends/amends/internal/serve"
)

func refusal(t *testing.T, code codes.Code, message string, details ...protoadapt.MessageV1) error {
	t.Helper()
	s, err := status.New(code, message).WithDetails(details...)
	if err != nil {
		t.Fatal(err)
	}
	return s.Err()
}

func info(reason string) *errdetails.ErrorInfo {
	return &errdetails.ErrorInfo{Reason: reason, Domain: "amends", Metadata: map[string]string{"trace_id": "4bf92f3577b34da6"}}
}

func TestExitCodes(t *testing.T) {
	soon := &errdetails.RetryInfo{RetryDelay: durationpb.New(1500 * time.Millisecond)}
	faults := &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
		{Field: "event.kinds", Description: "must be stated"}, {Field: "event.severity", Description: "must be at most 1"},
	}}
	for name, row := range map[string]struct {
		err  error
		code int
		says []string
	}{
		"internal":          {refusal(t, codes.Internal, "internal", info("INTERNAL")), 1, []string{"amends: INTERNAL: internal", "trace: 4bf92f3577b34da6", "log"}},
		"unknown":           {status.Error(codes.Unknown, "?"), 1, []string{"UNKNOWN"}},
		"unimplemented":     {status.Error(codes.Unimplemented, "no such method"), 1, []string{"UNIMPLEMENTED"}},
		"invalid":           {refusal(t, codes.InvalidArgument, "bad", faults), 2, []string{"INVALID_ARGUMENT: 2 faults", "  event.kinds: must be stated\n", "  event.severity: must be at most 1\n"}},
		"not found":         {refusal(t, codes.NotFound, "no such case", info("CASE_NOT_FOUND")), 3, []string{"NOT_FOUND (CASE_NOT_FOUND): no such case"}},
		"id reused":         {refusal(t, codes.AlreadyExists, "id reused", info("ID_REUSED")), 4, []string{"Repeat that call exactly"}},
		"wrong state":       {status.Error(codes.FailedPrecondition, "closed"), 4, []string{"FAILED_PRECONDITION: closed"}},
		"conflict":          {refusal(t, codes.Aborted, "too many", info("CONFLICT")), 4, []string{"Try again", "--event-id e-1"}},
		"unavailable":       {refusal(t, codes.Unavailable, "store lost", info("STORE_UNAVAILABLE"), soon), 5, []string{"Try again in 1.5s, exactly as before, with --event-id e-1"}},
		"overloaded":        {refusal(t, codes.ResourceExhausted, "too much", info("OVERLOADED")), 5, []string{"Try again"}},
		"deadline":          {status.Error(codes.DeadlineExceeded, "late"), 5, []string{"--timeout", "--event-id e-1"}},
		"permission denied": {status.Error(codes.PermissionDenied, "not yours"), 6, []string{"PERMISSION_DENIED: not yours"}},
		"unauthenticated":   {status.Error(codes.Unauthenticated, "who?"), 6, []string{"UNAUTHENTICATED: who?"}},
	} {
		t.Run(name, func(t *testing.T) {
			fake := newImpostor(t, func(int) error { return row.err })
			command{}.fails(t, row.code, row.says, "report", "--server", fake.address, "--customer", "c-1", "--kind", "rude", "--event-id", "e-1")
		})
	}
}

// For machines the last line on standard error is the error, whatever it is about.
func TestErrorsForMachines(t *testing.T) {
	soon := &errdetails.RetryInfo{RetryDelay: durationpb.New(1500 * time.Millisecond)}
	faults := &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "event.kinds", Description: "must be stated"}}}
	report := []string{"report", "--customer", "c-1", "--kind", "rude", "--event-id", "e-1", "--occurred-at", "2026-01-02T03:04:05Z", "-o", "json"}
	for name, row := range map[string]struct {
		err  error
		args []string
		code int
		want string
	}{
		"invalid": {refusal(t, codes.InvalidArgument, "bad", faults, &errdetails.ErrorInfo{Reason: "INVALID_REQUEST", Domain: "amends"}), report, exitUsage,
			`{"exitCode":2,"code":"INVALID_ARGUMENT","reason":"INVALID_REQUEST","message":"1 fault","violations":[{"field":"event.kinds","description":"must be stated"}]}`},
		"later": {refusal(t, codes.Unavailable, "<lost>", info("STORE_UNAVAILABLE"), soon), report, exitUnavailable,
			`{"exitCode":5,"code":"UNAVAILABLE","reason":"STORE_UNAVAILABLE","message":"<lost>","advice":["Try again in 1.5s, exactly as before, with --event-id e-1."],"retryAfterSeconds":1.5,"traceId":"4bf92f3577b34da6"}`},
		"usage": {nil, []string{"report", "-o", "json", "--customer", "c"}, exitUsage, `{"exitCode":2,"message":"--kind is missing: what went wrong, of `},
	} {
		t.Run(name, func(t *testing.T) {
			fake := newImpostor(t, func(int) error { return row.err })
			o := command{}.fails(t, row.code, nil, append(row.args, "--server", fake.address)...)
			lines := strings.Split(strings.TrimSpace(o.stderr), "\n")
			if last := lines[len(lines)-1]; !strings.HasPrefix(last, row.want) || !json.Valid([]byte(last)) {
				t.Errorf("it says\n%s\nand not\n%s", last, row.want)
			}
		})
	}
}

// The port for operators is next to that for calls, and is soon mistaken for it.
func TestThePortForOperators(t *testing.T) {
	server, err := serve.Start(t.Context(), serve.Config{Listen: "127.0.0.1:0", OpsListen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Stop(context.Background()) }()
	says := []string{"no service answers at " + server.OpsAddr(), "not gRPC", "--server", "not the address for operators"}
	command{}.fails(t, exitUnavailable, says, "health", "--server", server.OpsAddr())
	for _, args := range [][]string{{"assess", "c"}, {"report", "--customer", "c", "--kind", "rude"}, {"watch"}} {
		command{}.fails(t, exitUnavailable, says, append(args, "--server", server.OpsAddr())...)
	}
}

func TestUsage(t *testing.T) {
	dir := t.TempDir()
	for name, row := range map[string]struct {
		args []string
		says []string
	}{
		"a command mistyped":       {[]string{"repotr"}, []string{`unknown command "repotr"`, "Did you mean", "report", `"amends --help"`}},
		"another word for it":      {[]string{"acknowledge", "c.1"}, []string{`unknown command "acknowledge"`, "Did you mean", "\tack\n"}},
		"a call of the contract":   {[]string{"ReportFailure"}, []string{"\treport\n"}},
		"a step of the contract":   {[]string{"RecordFollowUp", "c.1"}, []string{"\tfollow-up\n"}},
		"fields of the contract":   {[]string{"report", "--customer-id", "c", "--order_value", "5 USD", "--acceptance=REJECTED"}, []string{"(did you mean --customer?)", "(did you mean --value?)", "(did you mean --rejected?)"}},
		"another word for a list":  {[]string{"list"}, []string{"\tcases\n"}},
		"a subcommand mistyped":    {[]string{"policy", "chekc"}, []string{`unknown command "chekc"`, "check", `"amends policy --help"`}},
		"a topic mistyped":         {[]string{"help", "exit-code"}, []string{`unknown command "exit-code"`, "exit-codes"}},
		"a topic below a command":  {[]string{"help", "policy", "foo"}, []string{`unknown command "foo" for "amends policy"`}},
		"a shell mistyped":         {[]string{"completion", "foo"}, []string{`unknown command "foo" for "amends completion"`}},
		"a delay of what":          {[]string{"report", "--customer", "c", "--kind", "rude", "--delay", "45m"}, []string{"--delay", "LATE to --kind"}},
		"a wrong timeout":          {[]string{"assess", "c", "--timeout", "soon"}, []string{`"soon" is not a length of time such as 10s`}},
		"a number mistyped":        {[]string{"cases", "--limit", "ten"}, []string{`--limit: "ten" is no whole number`, `"amends cases --help"`}},
		"a large number":           {[]string{"cases", "--limit", "99999999999999999999"}, []string{"--limit:", "out of range"}},
		"a fraction mistyped":      {[]string{"report", "--severity", "much"}, []string{`--severity: "much" is no number`}},
		"a yes or no mistyped":     {[]string{"report", "--rejected=maybe"}, []string{`--rejected: "maybe" is neither true nor false`}},
		"a flag mistyped":          {[]string{"report", "--costumer", "c"}, []string{"--costumer (did you mean --customer?)", `"amends report --help"`}},
		"flags of all kinds":       {[]string{"report", "--costumer=c", "--delay", "much", "--kind", "laet", "--channel", "pigeon", "-z"}, []string{"--costumer", "--delay", "LATE?", "--channel", "-z", `"amends report --help"`}},
		"numbers out of bounds":    {[]string{"report", "--kind", "FOO", "--delay", "xx", "--severity", "2", "--reach", "-3", "--orders", "-1", "--controllability", "NaN"}, []string{"--kind: ", "--delay: ", "--severity: 2: must be 0 to 1", "--reach: -3: must be 0 or more", "--orders: ", "--controllability: "}},
		"a list of how many":       {[]string{"cases", "--state", "foo", "--limit", "0"}, []string{"--state: ", "--limit: 0: must be 1 or more"}},
		"a flag without a value":   {[]string{"report", "--costumer", "--kind"}, []string{"--costumer", "needs an argument: --kind"}},
		"nothing to report":        {[]string{"report"}, []string{"--customer is missing", "--kind is missing", "LATE, MISSING_ITEM"}},
		"kinds mistyped":           {[]string{"report", "--customer", "c", "--kind", "lat,rud,QUALITY"}, []string{"did you mean LATE?", "did you mean RUDE?"}},
		"a wrong amount":           {[]string{"report", "--value", "18,00 USD"}, []string{`"18.00 USD"`}},
		"less than nothing":        {[]string{"report", "--value", "-5 USD", "--goodwil"}, []string{"--value: -5 USD: must not be negative\n"}},
		"more than any amount":     {[]string{"report", "--loss", "1000000000000 USD"}, []string{"--loss: 1000000000000 USD: must be below 1000000000000\n"}},
		"a negative delay":         {[]string{"report", "--delay", "-5m"}, []string{"--delay: -5m: must be 0s to 3660d\n"}},
		"an endless delay":         {[]string{"report", "--delay", "99999d"}, []string{"--delay: 99999d: must be 0s to 3660d\n"}},
		"a longer delay":           {[]string{"report", "--delay", "3660d1s"}, []string{"--delay: 3660d1s: must be 0s to 3660d\n"}},
		"an endless wait":          {[]string{"cases", "--due-in", "99999d"}, []string{"--due-in: 99999d: must be 36600d at most\n"}},
		"the end of time":          {[]string{"demo", "--at", "9999-01-01T00:00:00Z"}, []string{"--at 9999-01-01T00:00:00Z: must be from 1980 to 2200\n"}},
		"no time zone":             {[]string{"demo", "--at", "2026-03-02T12:00:00"}, []string{"--at \"2026-03-02T12:00:00\" is no moment such as 2026-03-02T12:00:00Z\n"}},
		"a table to report":        {[]string{"report", "-f", "../../examples/history.csv"}, []string{"history.csv looks like CSV: amends ingest ../../examples/history.csv\n"}},
		"a table with a mark":      {[]string{"report", "-f", written(t, "\ufeffevent_id,customer_id,kinds\n")}, []string{" looks like CSV: amends ingest "}},
		"a pack to report":         {[]string{"report", "-f", written(t, "\x1f\x8b\x08")}, []string{" looks like gzip: amends ingest "}},
		"a message to report":      {[]string{"report", "-f", "../../examples/report.json"}, []string{"report.json:1: the record stands within \"event\", as in a call: write it alone\n"}},
		"a praise to report":       {[]string{"report", "-f", written(t, `{"interactionId":"i-1","kind":"PRAISE"}`)}, []string{`:1: a good experience is for "amends praise -f FILE"`}},
		"a failure to praise":      {[]string{"praise", "-f", written(t, `{"eventId":"e-1"}`)}, []string{`:1: a failure is for "amends report -f FILE"`}},
		"a wrong length of time":   {[]string{"report", "--delay", "45"}, []string{"45m"}},
		"a wrong moment":           {[]string{"report", "--occurred-at", "yesterday"}, []string{"2026-03-01T18:30:00Z"}},
		"two departures":           {[]string{"report", "--customer", "c", "--kind", "late", "--departs-in", "1h", "--departs-at", "2026-01-01T00:00:00Z"}, []string{"--departs-in and --departs-at both say"}},
		"a flag beside a file":     {[]string{"report", "-f", "x", "--customer", "c"}, []string{"--customer describes one record"}},
		"a file that is not there": {[]string{"report", "-f", dir + "/none"}, []string{"no such file"}},
		"a file that is a folder":  {[]string{"report", "-f", dir}, []string{"is a directory"}},
		"a load of a folder":       {[]string{"ingest", dir}, []string{"amends: " + dir + ": is a directory\n"}},
		"no room for failures":     {[]string{"report", "-f", "-", "--failed", dir + "/none/none"}, []string{"--failed"}},
		"no calls at once":         {[]string{"report", "-f", "-", "--concurrency", "0"}, []string{"1 to 64"}},
		"an unknown form":          {[]string{"assess", "c", "-o", "xml"}, []string{"table, json"}},
		"an unknown colour":        {[]string{"version", "--color", "blue"}, []string{"auto, always, never"}},
		"no customer to assess":    {[]string{"assess"}, []string{"CUSTOMER is missing"}},
		"an empty customer":        {[]string{"assess", ""}, []string{"CUSTOMER: it is empty: is a variable of the shell not set?\n"}},
		"an empty case":            {[]string{"resolve", "", "satisfied"}, []string{"CASE: it is empty: is a variable of the shell not set?\n"}},
		"too many customers":       {[]string{"assess", "a", "b"}, []string{`"b" is too much`}},
		"an address of what":       {[]string{"assess", "c", "--server", "foo"}, []string{"--server: foo: write HOST:PORT"}},
		"an address of the web":    {[]string{"assess", "c", "--server", "http://127.0.0.1:7070"}, []string{"--server: http://127.0.0.1:7070: write HOST:PORT"}},
		"a customer as a word":     {[]string{"report", "c-1"}, []string{`did you mean "amends report --customer c-1"?`}},
		"neither case nor list":    {[]string{"case"}, []string{"a CASE is missing", "amends cases"}},
		"no time":                  {[]string{"assess", "c", "--timeout", "0s"}, []string{"--timeout"}},
		"praise of nobody":         {[]string{"praise"}, []string{"--customer is missing"}},
		"no policy to check":       {[]string{"policy", "check"}, []string{"FILE is missing"}},
		"no trials":                {[]string{"policy", "test"}, []string{"FILE of trials is missing"}},
		"nothing to simulate":      {[]string{"policy", "simulate", "--kind", "late"}, []string{"--candidate", "--customer is missing"}},
		"two to simulate":          {[]string{"policy", "simulate", "--customer", "c", "--kind", "late", "--candidate", "x", "--version", "y"}, []string{"both name the policy to try"}},
		"a policy for its trials":  {[]string{"policy", "test", "../../examples/policies/pizza.yaml"}, []string{"is a policy: amends policy test --policy ../../examples/policies/pizza.yaml FILE"}},
		"TLS and not":              {[]string{"assess", "c", "--ca", "x", "--insecure"}, []string{"leave one out"}},
		"no certificates":          {[]string{"assess", "c", "--ca", dir + "/none", "--token-file", dir + "/none"}, []string{"--ca: open", "--token-file: open"}},
		"a certificate alone":      {[]string{"assess", "c", "--cert", "x"}, []string{"--cert: goes with a key"}},
	} {
		t.Run(name, func(t *testing.T) { command{}.fails(t, exitUsage, row.says, row.args...) })
	}
}

func TestNobodyAnswers(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	o := command{}.fails(t, exitUnavailable, []string{"no service answers at " + address, "connection refused", "amends serve"}, "assess", "c-1", "--server", address)
	if strings.Contains(o.stderr, "rpc error") {
		t.Errorf("the words of the library are in the way:\n%s", o.stderr)
	}
	command{}.fails(t, exitUnavailable, []string{"no service answers", "exactly as before, with --event-id"},
		"report", "--customer", "c-1", "--kind", "late", "--server", address)
}

func TestTooSlow(t *testing.T) {
	done := make(chan struct{})
	fake := newImpostor(t, func(int) error { <-done; return nil })
	t.Cleanup(func() { close(done) })
	command{}.fails(t, exitUnavailable, []string{"DEADLINE_EXCEEDED", "--timeout"}, "assess", "c-1", "--server", fake.address, "--timeout", "50ms")
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	fake := newImpostor(t, func(int) error { cancel(); <-done; return nil })
	t.Cleanup(func() { close(done) })
	command{ctx: ctx}.fails(t, exitInterrupted, []string{"amends: interrupted\n"}, "assess", "c-1", "--server", fake.address)
	// What may have been done is said, and how to repeat it.
	for _, id := range [][]string{nil, {"--event-id", "e-1"}} {
		ctx, cancel := context.WithCancel(t.Context())
		fake := newImpostor(t, func(int) error { cancel(); <-done; return nil })
		o := command{ctx: ctx}.fails(t, exitInterrupted, []string{"interrupted\nIt may have been done", "with --event-id "},
			append([]string{"report", "--customer", "c-1", "--kind", "rude", "--server", fake.address}, id...)...)
		if n := strings.Count(o.stderr, "--event-id"); n != 1 {
			t.Errorf("it is said %d times how to repeat it:\n%s", n, o.stderr)
		}
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	command{ctx: ctx, stdin: strings.NewReader(`{"eventId": "e-1"}`)}.fails(t, exitInterrupted, []string{"amends: interrupted: ", " read: 0 recorded, "},
		"report", "-f", "-", "--server", fake.address)
	// Whoever ends what was never written to is told of no fault of it.
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	silent, writer := io.Pipe()
	defer writer.Close()
	o := command{ctx: ctx, stdin: silent}.fails(t, exitInterrupted, []string{"amends: interrupted: 0 read: 0 recorded, 0 known from before, 0 failed\n"},
		"praise", "-f", "-", "--server", fake.address)
	if strings.Contains(o.stderr, "standard input") {
		t.Errorf("it says\n%s", o.stderr)
	}
}

// So is whoever is ended while somebody should write to it, or while what it asks says nothing.
func TestInterruptedWithoutAWord(t *testing.T) {
	hangs, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer hangs.Close()
	for _, args := range [][]string{
		{"policy", "check", "-"}, {"policy", "test", "-"}, {"access", "check", "-"},
		{"policy", "simulate", "--candidate", "-", "--customer", "c-1", "--kind", "late"},
		{"trace", strings.Repeat("1", 32), "--jaeger", "http://" + hangs.Addr().String()},
	} {
		t.Run(strings.Join(args[:2], " "), func(t *testing.T) {
			silent, writer := io.Pipe()
			defer writer.Close()
			ctx, interrupt := context.WithCancelCause(t.Context())
			time.AfterFunc(100*time.Millisecond, func() { interrupt(errors.New("interrupt signal received")) })
			time.AfterFunc(5*time.Second, func() { _ = writer.Close() })
			o := command{ctx: ctx, stdin: silent}.fails(t, exitInterrupted, nil, args...)
			if o.stderr != "amends: interrupted\n" {
				t.Errorf("it says\n%s", o.stderr)
			}
		})
	}
}

// A demo that is ended says no more than that.
func TestDemoInterrupted(t *testing.T) {
	o := command{until: func(said string) bool { return strings.Contains(said, "\n") }}.fails(t, exitInterrupted, []string{"amends: interrupted\n"}, "demo")
	if strings.Contains(o.stderr, "rpc") {
		t.Errorf("it says %q", o.stderr)
	}
}

// A disk without room is a failure of whatever is printed.
func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	for _, args := range [][]string{{"--help"}, {"help", "settings"}, {"--version"}, {"completion", "bash"}, {"demo", "1"}} {
		var stderr strings.Builder
		err := run(t.Context(), args, func(string) string { return "" }, full, &stderr)
		if exitCode(err) != exitInternal || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("%v: left with %v, said %q", args, err, stderr.String())
		}
	}
}

// When time runs out between two tries, the last answer tells more than that it is late; and so it does after the last try, but not of one under way.
func TestLastCause(t *testing.T) {
	fake := newImpostor(t, func(int) error {
		return refusal(t, codes.Unavailable, "the store cannot be reached", info("STORE_UNAVAILABLE"))
	})
	for _, timeout := range []string{"150ms", "10s"} {
		o := command{}.fails(t, exitUnavailable, []string{"UNAVAILABLE (STORE_UNAVAILABLE): the store cannot be reached\n", "Try again"}, "assess", "c", "--server", fake.address, "--timeout", timeout)
		if strings.Contains(o.stderr, "DEADLINE") || strings.Contains(o.stderr, "rpc error") {
			t.Errorf("--timeout %s:\n%s", timeout, o.stderr)
		}
	}
	if n := fake.count(); n < 6 || n > 8 {
		t.Errorf("%d calls, want 1 to 3 and then 5", n)
	}
	// The second try is under way when time runs out: it may have been carried out.
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	fake = newImpostor(t, func(n int) error {
		if n > 1 {
			<-done
		}
		return status.Error(codes.Unavailable, "starting")
	})
	command{}.fails(t, exitUnavailable, []string{"DEADLINE_EXCEEDED", "--timeout"}, "assess", "c", "--server", fake.address, "--timeout", "400ms")
}

// What was refused as it is would be refused again: nothing says how to repeat it. All else does.
func TestNoRepetitionOfWhatIsWrong(t *testing.T) {
	for code, want := range map[codes.Code]bool{codes.InvalidArgument: false, codes.Internal: true, codes.OK: true} {
		fake := newImpostor(t, func(int) error { return status.Error(code, "so") })
		o := command{}.run("report", "--server", fake.address, "--customer", "c", "--kind", "rude")
		if got := strings.Contains(o.stderr, "To repeat this call safely"); got != want {
			t.Errorf("%v: says how to repeat: %v, want %v\n%s", code, got, want, o.stderr)
		}
	}
}

// A service without TLS where TLS is asked for.
func TestNoTLS(t *testing.T) {
	fake := newImpostor(t, func(int) error { return nil })
	secure := httptest.NewUnstartedServer(nil)
	secure.EnableHTTP2 = true
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	ca := written(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})))
	command{}.fails(t, exitUnavailable, []string{"handshake", "--ca", "--insecure"}, "assess", "c", "--server", fake.address, "--ca", ca)
	command{}.fails(t, exitUnavailable, []string{"--ca"}, "assess", "c", "--server", secure.Listener.Addr().String())
}

// A service that knows its callers by their certificates says so in the words of TLS alone.
func TestCallersCertificate(t *testing.T) {
	a := authtest.NewAuthority(t)
	own, stranger, ca := a.Server(t), authtest.NewAuthority(t).Client(t, "spiffe://test/desk"), written(t, string(a.PEM()))
	access := written(t, "callers: [{name: desk, roles: [reader], tenants: [default], certificates: [{uri: \"spiffe://test/desk\"}]}]\n")
	server, err := serve.Start(t.Context(), serve.Config{
		Listen: "127.0.0.1:0", TLSCert: written(t, string(own.Cert)), TLSKey: written(t, string(own.Key)), ClientCA: ca, Access: access,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Stop(context.Background()) }()
	call := []string{"assess", "c", "--server", server.Addr(), "--ca", ca}
	desk := a.Client(t, "spiffe://test/desk")
	amends(t, append(call, "--cert", written(t, string(desk.Cert)), "--key", written(t, string(desk.Key)))...)
	for name, args := range map[string][]string{
		"none":         nil,
		"a stranger's": {"--cert", written(t, string(stranger.Cert)), "--key", written(t, string(stranger.Key))},
	} {
		t.Run(name, func(t *testing.T) {
			o := command{}.fails(t, exitUnavailable, []string{"certificate", "--cert and --key"}, append(call, args...)...)
			if strings.Contains(o.stderr, "plaintext") || strings.Contains(o.stderr, "--ca") {
				t.Errorf("it speaks of what is not amiss:\n%s", o.stderr)
			}
		})
	}
}

// A name that leads nowhere is told from a service that does not answer.
func TestNoSuchName(t *testing.T) {
	o := command{}.fails(t, exitUnavailable, []string{"no service answers at nowhere.invalid:7070: the name cannot be looked up, or has no address", "--server"},
		"assess", "c", "--server", "nowhere.invalid:7070", "--insecure")
	if strings.Contains(o.stderr, "amends serve") {
		t.Errorf("it advises to start a service:\n%s", o.stderr)
	}
}

// What is not UTF-8 fits into no call. That is a fault of whoever wrote it, not of the service, which is not asked.
func TestNotUTF8(t *testing.T) {
	const odd = "\xff\xfe"
	for name, row := range map[string]struct {
		args []string
		says []string
	}{
		"a flag":                {[]string{"cases", "--customer", odd}, []string{`--customer: "\xff\xfe" is not UTF-8`, "amends cases --help"}},
		"all at once":           {[]string{"report", "--customer", odd, "--kind", "rude", "--tenant", odd}, []string{"--customer: ", "--tenant: "}},
		"a word":                {[]string{"assess", odd}, []string{`CUSTOMER: "\xff\xfe" is not UTF-8`}},
		"the second word":       {[]string{"make", "c.1", odd}, []string{`[OFFER]: "\xff\xfe" is not UTF-8`}},
		"of a stream":           {[]string{"watch", "--tenant", odd}, []string{"--tenant: "}},
		"of a file's records":   {[]string{"ingest", "x", "--tenant", odd}, []string{"--tenant: "}},
		"the name of a file is": {[]string{"ingest", odd}, []string{"no such file"}},
		"a policy":              {[]string{"policy", "simulate", "--customer", "c", "--kind", "rude", "--candidate", written(t, odd)}, []string{"records.ndjson is not UTF-8"}},
	} {
		t.Run(name, func(t *testing.T) {
			command{}.fails(t, exitUsage, row.says, append(row.args, "--server", "127.0.0.1:1")...)
		})
	}
}

// A service that is away for a moment is tried again, with the same event.
func TestRetries(t *testing.T) {
	fake := newImpostor(t, func(n int) error {
		if n < 3 {
			return status.Error(codes.Unavailable, "starting")
		}
		return nil
	})
	amends(t, "report", "--server", fake.address, "--customer", "c-1", "--kind", "late")
	if fake.count() != 3 {
		t.Fatalf("%d calls, want 3", fake.count())
	}
	if a, b := fake.report(t, 0).GetEvent().GetEventId(), fake.report(t, 2).GetEvent().GetEventId(); a == "" || a != b {
		t.Errorf("the event %q was tried again as %q", a, b)
	}
}
