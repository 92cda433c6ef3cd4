package monitoring

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const howToInstall = `prometheus is not in PATH, so no query of the alerts, the dashboard and the runbooks is tested.
Debian, Ubuntu: sudo apt-get install prometheus`

// prometheus is a Prometheus of this test that scrapes the service.
type prometheus struct {
	url    string
	labels map[string]bool // that anything has
}

// startPrometheus scrapes the operators' port, and evaluates the rules of the
// deployment. Where there is no Prometheus the test is skipped, or fails if CI is
// set: a pipeline must not be green because it tested nothing.
func startPrometheus(t *testing.T, ops string) *prometheus {
	t.Helper()
	binary, err := exec.LookPath("prometheus")
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal(howToInstall)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "SKIPPED:", howToInstall)
		t.Skip(howToInstall)
	}
	rules, err := filepath.Abs(filepath.Join(root, "deploy/prometheus/alerts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := fmt.Sprintf(`
global: {scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}
rule_files: [%q]
scrape_configs: [{job_name: amends, static_configs: [{targets: [%q]}]}]
`, rules, ops)
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &prometheus{url: "http://" + freeAddress(t)}
	var said bytes.Buffer
	process := exec.Command(binary, "--config.file=prometheus.yaml", "--storage.tsdb.path=data", "--log.level=warn",
		"--enable-feature=exemplar-storage", "--web.listen-address="+strings.TrimPrefix(p.url, "http://"))
	process.Dir, process.Stdout, process.Stderr = dir, &said, &said
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = process.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(10*time.Second, func() { _ = process.Process.Kill() })
		_ = process.Wait()
		late.Stop()
		if t.Failed() {
			t.Logf("Prometheus says:\n%s", said.String())
		}
	})
	p.await(t)
	return p
}

// freeAddress is one on which nobody listens, as of now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// await waits until there is enough to compute a rate of: of the metrics, and of
// what the rules record.
func (p *prometheus) await(t *testing.T) {
	t.Helper()
	const enough = `min(count_over_time(amends_ready[1m])) > 2 and min(count_over_time(instance:amends_calls:sum[1m])) > 2 ` +
		`and min(count_over_time(job:amends_calls_failed:increase6h[1m])) > 0`
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		found, err := p.query(t, enough)
		if err == nil && found > 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("Prometheus has not got enough: %d samples, %v", found, err)
		}
	}
}

// query gives how many series a query finds now.
func (p *prometheus) query(t *testing.T, expr string) (found int, err error) {
	t.Helper()
	var answer struct {
		Error string
		Data  struct {
			ResultType string
			Result     json.RawMessage
		}
	}
	if err := p.ask(t, "/api/v1/query?query="+url.QueryEscape(expr), &answer); err != nil {
		return 0, err
	}
	if answer.Error != "" {
		return 0, fmt.Errorf("%s", answer.Error)
	}
	if answer.Data.ResultType == "scalar" {
		return 1, nil
	}
	var series []json.RawMessage
	err = json.Unmarshal(answer.Data.Result, &series)
	return len(series), err
}

// finds gives how many series a query finds, soon: a scrape that a busy machine
// has missed leaves none until the next one.
func (p *prometheus) finds(t *testing.T, expr string) (found int, err error) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if found, err = p.query(t, expr); err != nil || found > 0 || time.Now().After(end) {
			return found, err
		}
	}
}

// list gives the strings of an answer, such as all names of labels.
func (p *prometheus) list(t *testing.T, path string) map[string]bool {
	t.Helper()
	var answer struct{ Data []string }
	if err := p.ask(t, path, &answer); err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, s := range answer.Data {
		all[s] = true
	}
	return all
}

func (p *prometheus) ask(t *testing.T, path string, into any) error {
	t.Helper()
	body, code := get(t, p.url+path)
	if err := json.Unmarshal([]byte(body), into); err != nil {
		return fmt.Errorf("%d: %.200s: %w", code, body, err)
	}
	return nil
}
