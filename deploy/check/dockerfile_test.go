package check

import (
	"bytes"
	"debug/elf"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDockerfile carries out the steps of the Dockerfile in an empty folder and
// runs what comes out of it as the image would, on other ports.
func TestDockerfile(t *testing.T) {
	i := theImage(t)
	t.Logf("the last stage has %d steps, on %s", i.steps, i.base)
	binary := i.path(i.command[0])

	t.Run("the binary needs nothing beside it", func(t *testing.T) { standsAlone(t, i, binary) })
	t.Run("the image is not root's and says what it listens on", func(t *testing.T) { declares(t, i) })
	t.Run("it serves, reports its health and ends", func(t *testing.T) { serves(t, i, binary) })
}

// TestContextHasNoSecrets: what lies about in a working copy stays there.
func TestContextHasNoSecrets(t *testing.T) {
	ignored := ignores(t)
	for _, path := range []string{
		".git/config", "amends.key", "cmd/amends.key", "deploy/secrets/settings.yaml", "deploy/.env", "cmd/.env", "internal/tls.pem", "bin/amends",
	} {
		if !ignored(path) {
			t.Errorf("%s would be sent to the engine", path)
		}
	}
	folder := t.TempDir()
	unpackContext(t, folder)
	var size int64
	if err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			info, err := d.Info()
			if err != nil {
				return err
			}
			size += info.Size()
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Logf("the context has %d KiB", size>>10)
	if size > 8<<20 {
		t.Errorf("the context has %d bytes; what of it is needed?", size)
	}
}

func standsAlone(t *testing.T, i *image, binary string) {
	file, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("it is linked dynamically; the image has no libraries")
		}
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(content, []byte(filepath.Dir(i.root))) {
		t.Error("it holds the path of the folder in which it was built")
	}
	if out := runs(t, binary, "version"); !strings.Contains(out, release) {
		t.Errorf("its version is\n%s\nwant %s", out, release)
	}
}

func declares(t *testing.T, i *image) {
	user, _, _ := strings.Cut(i.user, ":")
	if user == "" || user == "root" || user == "0" {
		t.Errorf("it runs as %q", i.user)
	}
	var listened []string
	for _, pair := range i.env {
		if _, address, ok := strings.Cut(pair, "LISTEN="); ok {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				t.Fatal(err)
			}
			listened = append(listened, port)
		}
	}
	if !slices.Equal(listened, i.ports) {
		t.Errorf("it listens on %v and exposes %v", listened, i.ports)
	}
	goVersion := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(read(t, "go.mod"))[1]
	if first := read(t, "Dockerfile"); !bytes.Contains(first, []byte("FROM golang:"+string(goVersion)+"-")) {
		t.Errorf("it is not built with Go %s, as go.mod says", goVersion)
	}
}

// serves runs the image's command on the embedded store.
func serves(t *testing.T, i *image, binary string) {
	before := listing(t, i.root)
	refused, err := exec.CommandContext(t.Context(), "env", slices.Concat(i.env, []string{binary}, i.command[1:])...).CombinedOutput()
	if err == nil || !strings.Contains(string(refused), "--insecure") {
		t.Errorf("with no certificate it is not refused, but %v\n%s", err, refused)
	}
	s := i.serve(t, i.command[1:], []string{"AMENDS_INSECURE=true"}, i.health)
	report := runs(t, binary, "report", "--server", s.address, "--customer", "c-1", "--kind", "LATE", "--delay", "45m")
	if !strings.Contains(report, "first response") {
		t.Errorf("a report is answered\n%s", report)
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		answer, err := http.Get("http://" + s.ops + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s answers %s", path, answer.Status)
		}
	}
	s.stop(t)
	if after := listing(t, i.root); after != before {
		t.Errorf("it left files behind:\n%s\nbefore:\n%s", after, before)
	}
}

// listing names the files below a folder.
func listing(t *testing.T, folder string) string {
	t.Helper()
	var names []string
	if err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		names = append(names, path)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, "\n")
}
