package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// What Grafana reads at its start, as far as it is used here.
type (
	dataSources struct {
		APIVersion  int `json:"apiVersion"`
		DataSources []struct {
			Name      string         `json:"name"`
			UID       string         `json:"uid"`
			Type      string         `json:"type"`
			Access    string         `json:"access"`
			URL       string         `json:"url"`
			IsDefault bool           `json:"isDefault"`
			Editable  bool           `json:"editable"`
			JSONData  map[string]any `json:"jsonData"`
		} `json:"datasources"`
	}
	dashboards struct {
		APIVersion int `json:"apiVersion"`
		Providers  []struct {
			Name                  string            `json:"name"`
			Type                  string            `json:"type"`
			Folder                string            `json:"folder"`
			DisableDeletion       bool              `json:"disableDeletion"`
			AllowUIUpdates        bool              `json:"allowUiUpdates"`
			UpdateIntervalSeconds int               `json:"updateIntervalSeconds"`
			Options               map[string]string `json:"options"`
		} `json:"providers"`
	}
)

func strict(t *testing.T, path string, into any) {
	t.Helper()
	text, err := yaml.YAMLToJSONStrict(read(t, path))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	faults, err := json.UnmarshalStrict(text, into)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for _, fault := range faults {
		t.Errorf("%s: %v", path, fault)
	}
}

// TestGrafana: the data sources are services of compose, and the dashboards are
// where compose puts them.
func TestGrafana(t *testing.T) {
	p := compose(t)
	var sources dataSources
	strict(t, "deploy/grafana/provisioning/datasources/prometheus.yaml", &sources)
	if len(sources.DataSources) == 0 {
		t.Fatal("no data source")
	}
	for _, s := range sources.DataSources {
		host, _, _ := strings.Cut(strings.TrimPrefix(s.URL, "http://"), ":")
		if _, ok := p.Services[host]; !ok {
			t.Errorf("%s is at %s, which is no service", s.Name, s.URL)
		}
	}
	var boards dashboards
	strict(t, "deploy/grafana/provisioning/dashboards/amends.yaml", &boards)
	mounted := map[string]bool{}
	for _, v := range p.Services["grafana"].Volumes {
		mounted[v.Target] = true
	}
	if len(boards.Providers) != 1 || !mounted[boards.Providers[0].Options["path"]] {
		t.Errorf("the dashboards come from %+v, mounted is %v", boards.Providers, mounted)
	}
}

// TestPrometheus: promtool, which comes with Prometheus, reads the file, and
// what is scraped is a service of compose.
func TestPrometheus(t *testing.T) {
	content := string(read(t, "deploy/prometheus/compose.yaml"))
	if !strings.Contains(content, `targets: ["amends:7071"]`) {
		t.Error("the service is not scraped")
	}
	promtool := tool(t, "promtool", "prometheus")
	out, err := exec.CommandContext(t.Context(), promtool, "check", "config", filepath.Join(repository, "deploy/prometheus/compose.yaml")).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// tool finds a program of a Debian package. Without it the test is skipped, or
// fails if CI is set.
func tool(t *testing.T, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path
	case os.Getenv("CI") != "":
		t.Fatalf("%s is missing; run: apt-get install %s", name, pkg)
	default:
		t.Skipf("%s is missing; run: apt-get install %s", name, pkg)
	}
	return ""
}
