package check

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestComposeAsProcesses makes the secrets and runs what compose.yaml says of
// the service and of its Redis, without an engine: commands, settings, variables,
// health checks. It also kills Redis, which must have kept everything.
func TestComposeAsProcesses(t *testing.T) {
	redisServer := tool(t, "redis-server", "redis-server")
	tool(t, "redis-cli", "redis-server")
	p, i := compose(t), theImage(t)
	_, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	secrets, data := t.TempDir(), t.TempDir()
	out, err := exec.CommandContext(t.Context(), filepath.Join(repository, "deploy/make-secrets"), secrets, "127.0.0.1:"+port).CombinedOutput()
	if err != nil {
		t.Fatalf("make-secrets: %v\n%s", err, out)
	}

	conf, err := filepath.Abs(filepath.Join(repository, "deploy/redis/redis.conf"))
	if err != nil {
		t.Fatal(err)
	}
	command := p.Services["redis"].Command
	if len(command) < 2 || command[0] != "redis-server" || command[1] != "/etc/redis/redis.conf" {
		t.Fatalf("Redis is run by %q", command)
	}
	start := func() *exec.Cmd {
		t.Helper()
		args := []string{conf}
		for _, arg := range command[2:] {
			args = append(args, strings.Replace(arg, "/data", data, 1))
		}
		// Last: what is said twice counts as it is said last.
		args = append(args, "--bind", "127.0.0.1", "--port", port, "--aclfile", filepath.Join(secrets, "users.acl"))
		log, err := os.OpenFile(filepath.Join(data, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		server := exec.Command(redisServer, args...)
		server.Stdout, server.Stderr = log, log
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = server.Process.Kill() // unless it has ended
			_ = server.Wait()
			if said, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
				t.Logf("Redis said\n%s", said)
			}
		})
		test := p.Services["redis"].HealthCheck.Test
		if len(test) != 2 || test[0] != "CMD-SHELL" {
			t.Fatalf("the health check of Redis is %q", test)
		}
		check := strings.Replace(test[1], "redis-cli ", fmt.Sprintf("redis-cli -p %s ", port), 1)
		await(t, "Redis is healthy", func() bool { return exec.CommandContext(t.Context(), "sh", "-c", check).Run() == nil })
		return server
	}
	server := start()

	access, err := filepath.Abs(filepath.Join(repository, "deploy/access.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	here := strings.NewReplacer("/run/secrets", secrets, "/etc/amends/access.yaml", access)
	var env []string
	for variable, value := range p.Services["amends"].Environment {
		if !strings.HasPrefix(variable, "OTEL_") { // nobody is there to take traces
			env = append(env, variable+"="+here.Replace(*value))
		}
	}
	health := slices.Clone(p.Services["amends"].HealthCheck.Test)
	for n := range health {
		health[n] = here.Replace(health[n])
	}
	s := i.serve(t, p.Services["amends"].Command, env, health)
	binary := i.path(i.command[0])
	ask := func(args ...string) string {
		t.Helper()
		return runs(t, binary, append(args, "--server", s.address, "--ca", filepath.Join(secrets, "ca.crt"),
			"--cert", filepath.Join(secrets, "operator.crt"), "--key", filepath.Join(secrets, "operator.key"))...)
	}
	ask("report", "--customer", "c-1", "--kind", "LATE", "--delay", "45m")
	before := ask("cases", "--customer", "c-1", "-o", "json")
	if !strings.Contains(before, "caseId") {
		t.Errorf("the cases are\n%s", before)
	}

	_ = server.Process.Kill()
	_ = server.Wait()
	start()
	await(t, "the service is ready again", s.healthy)
	if after := ask("cases", "--customer", "c-1", "-o", "json"); after != before {
		t.Errorf("after Redis was killed the cases are\n%s\nbefore\n%s", after, before)
	}
	s.stop(t)

	cli := exec.CommandContext(t.Context(), "redis-cli", "-p", port, "--user", "admin", "--no-auth-warning", "acl", "log")
	password, err := os.ReadFile(filepath.Join(secrets, "admin-password"))
	if err != nil {
		t.Fatal(err)
	}
	cli.Env = append(os.Environ(), "REDISCLI_AUTH="+string(password))
	if out, err := cli.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "" {
		t.Errorf("ACL LOG: %v\n%s", err, out)
	}
}
