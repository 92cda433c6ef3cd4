package check

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// TestExampleOfAccess: the service starts with the access file of the example
// for Kubernetes, by TLS as there, and tells its health to a caller whom the
// file does not name.
func TestExampleOfAccess(t *testing.T) {
	folder := t.TempDir()
	for name, names := range map[string]string{"tls": "IP:127.0.0.1", "health": "DNS:health"} {
		out, err := exec.CommandContext(t.Context(), filepath.Join(repository, "deploy/make-certificate"), folder, name, names).CombinedOutput()
		if err != nil {
			t.Fatalf("make-certificate: %v\n%s", err, out)
		}
	}
	access, err := filepath.Abs(filepath.Join(repository, manifests, "overlays/example/access.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	i := theImage(t)
	in := func(name string) string { return filepath.Join(folder, name) }
	s := i.serve(t, []string{"serve"}, []string{
		"AMENDS_TLS_CERT=" + in("tls.crt"), "AMENDS_TLS_KEY=" + in("tls.key"), "AMENDS_CLIENT_CA=" + in("ca.crt"), "AMENDS_ACCESS=" + access,
	}, append(i.health, "--ca", in("ca.crt"), "--cert", in("health.crt"), "--key", in("health.key")))
	out, err := exec.CommandContext(t.Context(), i.path(i.command[0]), "cases", "--server", s.address,
		"--ca", in("ca.crt"), "--cert", in("health.crt"), "--key", in("health.key")).CombinedOutput()
	if err == nil {
		t.Errorf("a caller whom nobody named is told\n%s", out)
	}
	s.stop(t)
}
