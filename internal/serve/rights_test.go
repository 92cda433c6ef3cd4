package serve_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/redistest"
	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// TestRightsAreComplete: every command that Redis was sent while the service did
// all that it does is one whose permission is checked at the start.
func TestRightsAreComplete(t *testing.T) {
	source, err := os.ReadFile("../ledger/acl.lua")
	if err != nil {
		t.Fatal(err)
	}
	checked := map[string]bool{}
	for _, match := range regexp.MustCompile(`\{'([a-z]+)'`).FindAllStringSubmatch(string(source), -1) {
		checked[match[1]] = true
	}
	// What every connection may do, what the test itself does, and what a server
	// that forbids it is served without.
	for _, name := range []string{"hello", "client", "select", "flushall", "script", "keys", "type", "config", "command", "quit", "auth"} {
		checked[name] = true
	}
	store := redistest.Server(t)
	s := start(t, serve.Config{Redis: store.URL(), Sweep: 20 * time.Millisecond, Repair: 100 * time.Millisecond})
	w := s.watch(t, &recoveryv1.WatchCasesRequest{})
	k := s.mustReport(t, event("e1", "c"))
	s.mustReport(t, event("e2", "d"))
	if _, err := s.praise(t.Context(), praise("p", "c")); err != nil {
		t.Fatal(err)
	}
	if err := s.acknowledge(t.Context(), k.GetCaseId(), "ack"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.worth(t.Context(), "dear", "o", 100); err != nil {
		t.Fatal(err)
	}
	w.events(t, 5)
	if _, err := s.recovery.ListCases(t.Context(), &recoveryv1.ListCasesRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.recovery.GetCase(t.Context(), recoveryv1.GetCaseRequest_builder{CaseId: k.GetCaseId()}.Build()); err != nil {
		t.Fatal(err)
	}
	s.assess(t, "c")
	time.Sleep(500 * time.Millisecond) // the sweep, and the walk over all customers
	s.resume(t, w.token)
	s.erase(t, "c")

	var used []string
	for line := range strings.Lines(store.Client().Info(t.Context(), "commandstats").Val()) {
		if name, ok := strings.CutPrefix(line, "cmdstat_"); ok {
			name, _, _ = strings.Cut(name, ":")
			name, _, _ = strings.Cut(name, "|")
			used = append(used, name)
			if !checked[name] {
				t.Errorf("%s is used, and no permission for it is asked for", name)
			}
		}
	}
	for _, name := range []string{"xread", "xrevrange", "xdel", "zscan", "scan", "hincrby", "evalsha", "unlink"} {
		if !slices.Contains(used, name) {
			t.Errorf("%s was not used; the test does not do everything", name)
		}
	}
}
