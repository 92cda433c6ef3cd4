package docs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// root is the repository, in which the docs are read and their commands run.
const root = "../.."

// inTheDocs is where the docs think that the server is.
const inTheDocs = "127.0.0.1:7070"

// otherwise says how methods end for which OK is not the end to expect.
var otherwise = map[string][]string{
	"recovery.v1.RecoveryService/WatchCases": {"DeadlineExceeded", "Canceled"}, // after some seconds, by whoever is first
}

// Every call of the contract stands in the page, and answers when the page is
// pasted into a shell as it is.
func TestEveryCallOfThePage(t *testing.T) {
	if testing.Short() {
		t.Skip("builds grpcurl and the service")
	}
	s := serve(t)
	script := filepath.Join(t.TempDir(), "calls.sh")
	text := strings.ReplaceAll(blocks(t, "docs/calls.md"), inTheDocs, s.address)
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // of which the first build of grpcurl may take the most
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "-e", "-o", "pipefail", script)
	shell.Dir, shell.WaitDelay = root, 5*time.Second
	shell.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	if said, err := shell.CombinedOutput(); err != nil {
		t.Fatalf("the page does not run: %v\n%s", err, tail(said, 40))
	}
	s.stop(t)

	ends := s.ends(t)
	for method := range methods() {
		want := otherwise[method]
		if want == nil {
			want = []string{"OK"}
		}
		if len(ends[method]) == 0 {
			t.Errorf("docs/calls.md does not call %s", method)
		}
		for _, end := range ends[method] {
			if !slices.Contains(want, end) {
				t.Errorf("%s ended as %s; if docs/calls.md says so, it is %v that is wrong", method, end, want)
			}
		}
	}
}

// methods names every method of the contract, as gRPC does without the slash in
// front.
func methods() map[string]bool {
	all := map[string]bool{}
	for _, file := range []protoreflect.FileDescriptor{recoveryv1.File_recovery_v1_recovery_service_proto, recoveryv1.File_recovery_v1_policy_service_proto} {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				all[string(service.FullName())+"/"+string(service.Methods().Get(j).Name())] = true
			}
		}
	}
	return all
}

// blocks gives the commands of a page, in order.
func blocks(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(page)))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	inside := false
	for line := range strings.Lines(string(text)) {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = !inside && strings.TrimSpace(line) == "```sh"
		case inside:
			out.WriteString(line)
		}
	}
	if out.Len() == 0 {
		t.Fatalf("%s has no commands", page)
	}
	return out.String()
}

func tail(text []byte, lines int) string {
	all := bytes.SplitAfter(text, []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], nil))
}

// ends gives how the calls of each method ended, by the log of the server.
func (s *server) ends(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for line := range strings.Lines(s.log.String()) {
		var call struct{ Method, Code string }
		if err := json.Unmarshal([]byte(line), &call); err != nil {
			t.Fatalf("not a line of JSON: %q", line)
		}
		if call.Method != "" {
			found[call.Method] = append(found[call.Method], call.Code)
		}
	}
	return found
}
