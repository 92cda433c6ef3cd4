package redistest_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/deploy"
	"github.com/makeamends/amends/internal/redistest"
)

// TestRefused is not a test of its own: the next one runs it in a new binary.
func TestRefused(t *testing.T) {
	mode := os.Getenv("REDISTEST_REFUSED")
	var i *redistest.Instance
	switch mode {
	case "":
		t.Skip("run by TestARefusalFailsTheTest")
	case "by a shared server":
		i = redistest.Shared(t)
	case "by nobody":
		redistest.Server(t, redistest.WithRefusals())
		return
	default:
		i = redistest.Server(t)
	}
	o, err := redis.ParseURL(i.URL())
	if err != nil {
		t.Fatal(err)
	}
	o.DisableIdentity = true
	c := redis.NewClient(o)
	defer c.Close()
	if err := c.Del(t.Context(), "amends:meta").Err(); !redis.HasErrorPrefix(err, "NOPERM") {
		t.Fatalf("DEL is answered %v", err)
	}
	if mode == "by a server that is killed" {
		i.Kill()
		i.Start()
	}
}

func TestARefusalFailsTheTest(t *testing.T) {
	for mode, want := range map[string]string{
		"by a server":                "command del to the user amends",
		"by a shared server":         "command del to the user amends",
		"by a server that is killed": "command del to the user amends",
		"by nobody":                  "refused nothing",
	} {
		out := rerun(t, "TestRefused", "REDISTEST_REFUSED="+mode)
		if !strings.Contains(out, "--- FAIL: TestRefused") || !strings.Contains(out, want) || strings.Contains(out, "is answered") {
			t.Errorf("refused %s: want a failure with %q in\n%s", mode, want, out)
		}
	}
}

// TestWhatUsersMayDo: nobody without a password, the service what it needs and
// nothing beside, whatever else a key holds.
func TestWhatUsersMayDo(t *testing.T) {
	t.Parallel()
	i := redistest.Server(t, redistest.WithRefusals())
	for _, row := range []struct {
		user, command string
		may           bool
	}{
		{"amends", "HSET {b017}:cx s v", true},
		{"amends", "HSET {budget}:shop:2026-01-01 s v", true},
		{"amends", "HSETNX amends:meta f v", true},
		{"amends", "HSET other s v", false},
		{"amends", "HSET {b17}:cx s v", false},
		{"amends", "HGET amends:other f", false},
		{"amends", "EVALSHA sha 2 {b017}:cx other", false},
		{"amends", "XREAD STREAMS {b017}:ev other 0 0", false},
		{"amends", "GET {b017}:w", false},
		{"amends", "DEL {b017}:cx", false},
		{"amends", "KEYS *", false},
		{"amends", "FLUSHALL", false},
		{"amends", "CONFIG SET appendonly no", false},
		{"amends", "ACL LIST", false},
		{"amends", "CLUSTER RESET", false},
		{"amends", "SCRIPT FLUSH", false},
		{"amends", "FUNCTION LIST", false},
		{"amends", "SHUTDOWN", false},
		{"amends", "MONITOR", false},
		{"amends", "PUBLISH c m", false},
		{"amends", "SUBSCRIBE c", false},
		{"probe", "PING", true},
		{"probe", "INFO", false},
		{"probe", "GET {b017}:w", false},
		{"replica", "PSYNC ? -1", true},
		{"replica", "GET {b017}:w", false},
		{"sentinel", "PUBLISH __sentinel__:hello m", true},
		{"sentinel", "PUBLISH other m", false},
		{"sentinel", "CONFIG GET masterauth", false},
		{"sentinel", "HGETALL amends:meta", false},
	} {
		args := []any{"ACL", "DRYRUN", row.user}
		for _, word := range strings.Fields(row.command) {
			args = append(args, word)
		}
		answer, err := i.Client().Do(t.Context(), args...).Text()
		if err != nil || (answer == "OK") != row.may {
			t.Errorf("%s: %s: %s %v; may it? %t", row.user, row.command, answer, err, row.may)
		}
	}

	for name, login := range map[string]struct{ user, password, want string }{
		"nobody":       {"", "", "NOAUTH"},
		"the default":  {"default", "", "WRONGPASS"},
		"a wrong user": {"amends", "amends", "WRONGPASS"},
	} {
		o := redistest.Options(i.Addr())
		o.Username, o.Password = "", ""
		c := redis.NewClient(o)
		defer c.Close()
		conn := c.Conn()
		err := conn.Ping(t.Context()).Err()
		if login.user != "" {
			err = conn.Do(t.Context(), "AUTH", login.user, login.password).Err()
		}
		if err == nil || !strings.HasPrefix(err.Error(), login.want) {
			t.Errorf("%s: %v, want %s", name, err, login.want)
		}
	}
}

// TestUsersNeedPasswords: the file as it is in the repository holds no password
// that anybody could know, and Redis does not start with it.
func TestUsersNeedPasswords(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{"users.acl": deploy.RedisUsers, "sentinel-users.acl": deploy.SentinelUsers} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, "redis-server", "--port", "0", "--unixsocket", "socket", "--aclfile", name)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "ACL errors") {
			t.Errorf("%s: %v, want a refusal:\n%s", name, err, out)
		}
		for n, line := range strings.Split(strings.TrimSpace(content), "\n") {
			if strings.Contains(line, " >") || strings.Contains(line, "nopass") && line != "user probe on nopass resetchannels -@all +ping" {
				t.Errorf("%s:%d: a password, or none at all: %s", name, n+1, line)
			}
		}
	}
}

func TestServersAreConfiguredAsDeployed(t *testing.T) {
	t.Parallel()
	c := redistest.Server(t, redistest.WithAOF()).Client()
	for k, want := range map[string]string{
		"maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "always", "protected-mode": "yes",
		"cluster-require-full-coverage": "no", "maxmemory": fmt.Sprint(512 << 20), "save": "",
	} {
		got, err := c.ConfigGet(t.Context(), k).Result()
		if err != nil || got[k] != want {
			t.Errorf("%s is %q (%v), want %q", k, got[k], err, want)
		}
	}
}
