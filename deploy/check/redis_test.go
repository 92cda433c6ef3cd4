package check

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestRedisAsInTheReadme puts the files of Redis where README.md says, and runs it as
// Debian's unit does: in /, as a user who may write into the folder of the data alone.
func TestRedisAsInTheReadme(t *testing.T) {
	redisServer := tool(t, "redis-server", "redis-server")
	_, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	secrets, etc, data := t.TempDir(), t.TempDir(), t.TempDir()
	if out, err := exec.CommandContext(t.Context(), filepath.Join(repository, "deploy/make-secrets"), secrets, "127.0.0.1:"+port).CombinedOutput(); err != nil {
		t.Fatalf("make-secrets: %v\n%s", err, out)
	}
	_, section, _ := strings.Cut(string(read(t, "deploy/README.md")), "\n## Redis\n")
	_, section, _ = strings.Cut(section, "```sh\n")
	steps, _, _ := strings.Cut(section, "```")
	here := strings.NewReplacer("sudo ", "", "-g redis ", "", "secrets/", secrets+"/", "/etc/redis", etc, "/var/lib/redis", data)
	for step := range strings.Lines(steps) {
		if strings.HasPrefix(step, "sudo systemctl ") {
			if step != "sudo systemctl restart redis-server\n" {
				t.Errorf("another step of systemctl: %s", step)
			}
			continue
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", here.Replace(step))
		cmd.Dir = repository
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", step, err, out)
		}
	}
	conf := filepath.Join(etc, "redis.conf")
	text, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	moved := strings.ReplaceAll(string(text), "/etc/redis", etc) + fmt.Sprintf("port %s\n", port)
	if err := os.WriteFile(conf, []byte(moved), 0o600); err != nil {
		t.Fatal(err)
	}
	server := exec.Command(redisServer, conf, "--supervised", "no", "--daemonize", "no")
	server.Dir = "/"
	if os.Getuid() == 0 {
		const nobody = 65534
		server.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		for _, path := range []string{etc, conf, filepath.Join(etc, "users.acl")} { // -g redis
			err = errors.Join(err, os.Chown(path, -1, nobody))
		}
		if err := errors.Join(err, os.Chown(data, nobody, nobody), os.Chmod(filepath.Dir(data), 0o711)); err != nil { //nolint:gosec // on the way to them
			t.Fatal(err)
		}
	}
	var log strings.Builder
	server.Stdout = &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = server.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = server.Process.Kill() // unless it has ended
		<-ended
		if t.Failed() {
			t.Logf("Redis said\n%s", log.String())
		}
	})
	await(t, "Redis answers", func() bool {
		select {
		case <-ended:
			t.Fatal("it ended by itself")
		default:
		}
		out, _ := exec.CommandContext(t.Context(), "redis-cli", "-p", port, "--user", "probe", "--pass", "probe", "--no-auth-warning", "ping").Output()
		return regexp.MustCompile(`^PONG`).Match(out)
	})
	if _, err := os.Stat(filepath.Join(data, "appendonlydir")); err != nil {
		t.Errorf("what it is told is not in the folder of the data: %v", err)
	}
}
