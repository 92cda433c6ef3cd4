package monitoring

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// root is the repository.
const root = "../.."

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// query is one expression, and where it stands.
type query struct{ where, expr string }

// rule is one of the rules of alerts.yaml.
type rule struct {
	Record, Alert, Expr string
	Labels, Annotations map[string]string
}

func rules(t *testing.T) (all []rule) {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	if err := yaml.Unmarshal([]byte(read(t, "deploy/prometheus/alerts.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("alerts.yaml has no rules")
	}
	return all
}

// panel is one of the dashboard, or the dashboard itself.
type panel struct {
	ID          int
	Type, Title string
	Targets     []struct{ Expr string }
	Panels      []panel
	GridPos     struct{ H, W, X, Y int }
	Annotations struct{ List []struct{ Name, Expr string } }
}

const dashboardFile = "deploy/grafana/dashboards/amends.json"

func dashboard(t *testing.T) (d panel) {
	t.Helper()
	if err := json.Unmarshal([]byte(read(t, dashboardFile)), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// variables are the dashboard's, as Grafana would fill them in.
var variables = strings.NewReplacer("$__rate_interval", "30s", "$job", "amends", "$instance", ".*")

// dashboardQueries are those of the panels and of the annotations.
func dashboardQueries(t *testing.T) (all []query) {
	t.Helper()
	d := dashboard(t)
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			all = append(all, query{"panel " + p.Title, variables.Replace(target.Expr)})
		}
	}
	for _, a := range d.Annotations.List {
		all = append(all, query{"annotation " + a.Name, variables.Replace(a.Expr)})
	}
	return all
}

// runbooks are the pages, by name.
func runbooks(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "docs/runbooks/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string]string{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".md")
		pages[name] = read(t, "docs/runbooks/"+filepath.Base(file))
	}
	return pages
}

var promqlBlock = regexp.MustCompile("(?s)```promql\n(.*?)```")

// runbookQueries are the blocks of PromQL of the pages; each is one query.
func runbookQueries(t *testing.T) (all []query) {
	t.Helper()
	for name, page := range runbooks(t) {
		for _, block := range promqlBlock.FindAllStringSubmatch(page, -1) {
			all = append(all, query{"runbook " + name, block[1]})
		}
	}
	return all
}
