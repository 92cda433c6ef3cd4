package check

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

const unit = "deploy/systemd/amends.service"

// TestUnit: systemd knows every word of it, and it exposes little.
func TestUnit(t *testing.T) {
	analyze := tool(t, "systemd-analyze", "systemd")
	// It wants to find the binary.
	path := filepath.Join(t.TempDir(), "amends.service")
	there := strings.Replace(string(read(t, unit)), "/usr/local/bin/amends", "/bin/true", 1)
	if err := os.WriteFile(path, []byte(there), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", path).CombinedOutput()
	if about := mentions(string(out), "amends.service"); err != nil || about != "" {
		t.Errorf("verify: %v\n%s", err, out)
	}
	out, err = exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--no-pager", path).CombinedOutput()
	if err != nil {
		t.Fatalf("security: %v\n%s", err, out)
	}
	found := regexp.MustCompile(`Overall exposure level for amends.service: ([0-9.]+)`).FindSubmatch(out)
	if found == nil {
		t.Fatalf("no exposure level in\n%s", out)
	}
	t.Logf("systemd-analyze security: exposure level %s of 10", found[1])
	if level, err := strconv.ParseFloat(string(found[1]), 64); err != nil || level > 1.5 {
		t.Errorf("an exposure level of %s is more than 1.5:\n%s", found[1], out)
	}
}

// mentions gives the lines that speak of a unit: others of the machine may have
// faults too.
func mentions(text, unit string) (lines string) {
	for line := range strings.Lines(text) {
		if strings.Contains(line, unit) {
			lines += line
		}
	}
	return lines
}

// TestUnitRunsTheService: its settings are flags, and it reads each credential.
func TestUnitRunsTheService(t *testing.T) {
	// What it only offers is part of it here.
	text := regexp.MustCompile(`(?m)^#(LoadCredential|Environment)=`).ReplaceAllString(string(read(t, unit)), "$1=")
	one := func(name string) string {
		t.Helper()
		found := regexp.MustCompile(`(?m)^`+name+`=(.*)$`).FindAllStringSubmatch(text, -1)
		if len(found) != 1 {
			t.Fatalf("%s stands there %d times", name, len(found))
		}
		return found[0][1]
	}
	env := map[string]string{}
	for _, pair := range variables(text) {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	hard, err := strconv.ParseInt(strings.TrimSuffix(one("MemoryMax"), "M"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	limits(t, mebibytes(t, env["GOMEMLIMIT"]), hard)
	values := known(t, unit, strings.Fields(one("ExecStart"))[1:], env)
	read := map[string]bool{}
	for _, value := range values {
		read[value] = true
	}
	for _, match := range regexp.MustCompile(`(?m)^LoadCredential=([^:]+):/etc/amends/(.+)$`).FindAllStringSubmatch(text, -1) {
		if match[1] != match[2] || !read["%d/"+match[1]] {
			t.Errorf("the credential %s, from %s, is read by nothing", match[1], match[2])
		}
		delete(read, "%d/"+match[1])
	}
	if values["policy"] != "%d/policy.yaml" {
		t.Errorf("a policy of one's own cannot be given: %q", values["policy"])
	}
	for value := range read {
		if strings.HasPrefix(value, "%d/") {
			t.Errorf("%s is no credential", value)
		}
	}
	if n, err := strconv.Atoi(one("TimeoutStopSec")); err != nil || n < 1+10+2+5 {
		t.Errorf("it has %s s to end", one("TimeoutStopSec"))
	}
}

// variables are those of the unit, each NAME=VALUE.
func variables(text string) (pairs []string) {
	for _, line := range regexp.MustCompile(`(?m)^Environment=(.*)$`).FindAllStringSubmatch(text, -1) {
		pairs = append(pairs, strings.Fields(line[1])...)
	}
	return pairs
}

// TestUnitStartsACrashedServiceAgain: what Go ends by itself, as after a panic, ends
// with the variables of the unit by a signal, and not with the code of wrong settings,
// after which nothing starts it again.
func TestUnitStartsACrashedServiceAgain(t *testing.T) {
	text := string(read(t, unit))
	for _, line := range []string{"Restart=on-failure", "RestartPreventExitStatus=2", "StartLimitIntervalSec=0"} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("%s is not there", line)
		}
	}
	i := theImage(t)
	crash := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -c 0; exec "$@"`, "sh", i.path(i.command[0]), "serve", "--listen", "127.0.0.1:0", "--ops-listen", "")
	for _, pair := range variables(text) {
		if !strings.HasPrefix(pair, "AMENDS_") {
			crash.Env = append(crash.Env, pair)
		}
	}
	log, err := crash.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := crash.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = crash.Process.Kill() }() // unless it has ended
	lines := bufio.NewScanner(log)
	for lines.Scan() && !strings.Contains(lines.Text(), "ready for calls") {
	}
	if err := crash.Process.Signal(syscall.SIGQUIT); err != nil { // ends it as a panic does
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	_ = crash.Wait()
	if left, ok := crash.ProcessState.Sys().(syscall.WaitStatus); !ok || !left.Signaled() || left.Signal() != syscall.SIGABRT {
		t.Errorf("crashed, it leaves by %s, want SIGABRT", crash.ProcessState)
	}
}
