package serve_test

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/channelz/grpc_channelz_v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/makeamends/amends/internal/serve"
)

// ask sends any request to the operators' port.
func (r *running) ask(t *testing.T, method, path, body, host string) (answer string, code int) {
	t.Helper()
	_, port, err := net.SplitHostPort(r.OpsAddr())
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1:"+port+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		request.Host = host
	}
	got, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), got.StatusCode
}

// The level of the log changes while the server runs, which the log tells whatever
// the level is.
func TestLogLevel(t *testing.T) {
	level := new(slog.LevelVar)
	level.Set(slog.LevelWarn)
	s := start(t, serve.Config{OpsListen: "127.0.0.1:0", Level: level})
	lines := func() int { return strings.Count(s.log.String(), `"msg":"call"`) }
	s.assess(t, "c")
	if lines() != 0 {
		t.Fatalf("logged at the level warn:\n%s", s.log)
	}
	for _, to := range []string{"debug", "error", "warn", " INFO\n"} {
		want := strings.ToLower(strings.TrimSpace(to))
		before := strings.Count(s.log.String(), "the log level changes")
		if answer, code := s.ask(t, http.MethodPut, "/loglevel", to, ""); code != http.StatusOK || answer != want+"\n" {
			t.Errorf("PUT %q answers %d %q", to, code, answer)
		}
		if answer, _ := s.ask(t, http.MethodGet, "/loglevel", "", ""); answer != want+"\n" {
			t.Errorf("after PUT %q the level is %q", to, answer)
		}
		if strings.Count(s.log.String(), "the log level changes") != before+1 {
			t.Errorf("the log does not tell of %q:\n%s", to, s.log)
		}
	}
	s.assess(t, "c")
	if lines() != 1 {
		t.Errorf("not logged at the level info:\n%s", s.log)
	}
	for _, to := range []string{"", "loud", "debug-1", strings.Repeat("debug", 1000)} {
		answer, code := s.ask(t, http.MethodPut, "/loglevel", to, "")
		if code != http.StatusBadRequest || !strings.Contains(answer, "debug, info, warn or error") {
			t.Errorf("PUT %.20q answers %d %q", to, code, answer)
		}
	}
	if level.Level() != slog.LevelInfo {
		t.Errorf("what was refused made the level %v", level)
	}
	fixed := start(t, serve.Config{OpsListen: "127.0.0.1:0"})
	if answer, code := fixed.ask(t, http.MethodPut, "/loglevel", "debug", ""); code != http.StatusNotFound || !strings.Contains(answer, "fixed") {
		t.Errorf("a level that is fixed: %d %q", code, answer)
	}
}

// Profiles and channelz are on the operators' port alone.
func TestInsideIsForOperators(t *testing.T) {
	s := start(t, serve.Config{OpsListen: "127.0.0.1:0"})
	s.assess(t, "c")
	for path, want := range map[string]string{
		"/":                              "/debug/pprof/",
		"/debug/pprof/":                  "goroutine",
		"/debug/pprof/goroutine?debug=1": "serve.(*Server)",
		"/debug/pprof/heap":              "",
		"/debug/pprof/profile?seconds=1": "",
		"/loglevel":                      "fixed",
	} {
		answer, code := s.ask(t, http.MethodGet, path, "", "")
		if code != http.StatusOK && path != "/loglevel" || !strings.Contains(answer, want) || answer == "" {
			t.Errorf("%s answers %d %.200q", path, code, answer)
		}
	}
	if answer, code := s.ask(t, http.MethodGet, "/debug/pprof/cmdline", "", ""); code != http.StatusNotFound {
		t.Errorf("the command line is shown: %d %q", code, answer)
	}

	inside := grpc_channelz_v1.NewChannelzClient(dial(t, s.OpsAddr()))
	var mine *grpc_channelz_v1.Server
	servers, err := inside.GetServers(t.Context(), &grpc_channelz_v1.GetServersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, server := range servers.GetServer() {
		for _, socket := range server.GetListenSocket() {
			if strings.HasSuffix(s.Addr(), strings.TrimPrefix(socket.GetName(), "127.0.0.1")) {
				mine = server
			}
		}
	}
	if mine.GetData().GetCallsSucceeded() == 0 {
		t.Errorf("channelz does not know of the call: %v", servers)
	}
	public := grpc_channelz_v1.NewChannelzClient(s.conn)
	if _, err := public.GetServers(t.Context(), &grpc_channelz_v1.GetServersRequest{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("channelz on the port for calls: %v, want Unimplemented", err)
	}
}

// Where others may reach the operators' port, it shows nothing of the inside; and
// to a page in a browser that was sent here under its own name neither.
func TestInsideIsForThisMachine(t *testing.T) {
	level := new(slog.LevelVar)
	open := start(t, serve.Config{OpsListen: "0.0.0.0:0", Level: level})
	here := start(t, serve.Config{OpsListen: "127.0.0.1:0", Level: level})
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/loglevel"} {
		if answer, code := open.ask(t, http.MethodGet, path, "", ""); code != http.StatusNotFound || !strings.Contains(answer, "--ops-listen") {
			t.Errorf("%s to all answers %d %.100q", path, code, answer)
		}
		if answer, code := here.ask(t, http.MethodGet, path, "", "evil.example:7071"); code != http.StatusForbidden {
			t.Errorf("%s under another name answers %d %.100q", path, code, answer)
		}
		if answer, code := here.ask(t, http.MethodGet, path, "", "localhost:7071"); code != http.StatusOK {
			t.Errorf("%s as localhost answers %d %.100q", path, code, answer)
		}
	}
	if _, code := open.ask(t, http.MethodPut, "/loglevel", "debug", ""); code != http.StatusNotFound || level.Level() != slog.LevelInfo {
		t.Errorf("the level was changed from elsewhere: %d, %v", code, level)
	}
	if answer, code := open.ask(t, http.MethodGet, "/", "", ""); code != http.StatusOK || strings.Contains(answer, "pprof") {
		t.Errorf("the index to all answers %d %q", code, answer)
	}
	for _, path := range []string{"/metrics", "/healthz", "/readyz"} {
		if _, code := open.ask(t, http.MethodGet, path, "", ""); code != http.StatusOK {
			t.Errorf("%s to all answers %d", path, code)
		}
	}
	_, port, _ := net.SplitHostPort(open.OpsAddr())
	outside := grpc_channelz_v1.NewChannelzClient(dial(t, "127.0.0.1:"+port))
	if _, err := outside.GetServers(t.Context(), &grpc_channelz_v1.GetServersRequest{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("channelz to all: %v, want Unimplemented", err)
	}
}

// A profile under way does not keep the server from ending.
func TestProfileEndsWithTheServer(t *testing.T) {
	s := start(t, serve.Config{OpsListen: "127.0.0.1:0"})
	done := make(chan error, 1)
	go func() {
		answer, err := http.Get("http://" + s.OpsAddr() + "/debug/pprof/trace?seconds=60")
		if err == nil {
			_, err = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
		done <- err
	}()
	time.Sleep(50 * time.Millisecond) // whether it has begun or not, the end comes soon
	began := time.Now()
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	<-done
	http.DefaultClient.CloseIdleConnections()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the end took %s", took)
	}
}
