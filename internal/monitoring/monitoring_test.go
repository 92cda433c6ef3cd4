package monitoring

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What operators work with names what there is: a real Prometheus that scrapes a
// real server answers every query, and with something.
func TestQueries(t *testing.T) {
	ops := startService(t)
	t.Run("the page of metrics", func(t *testing.T) { metricsPage(t, ops) })
	t.Run("addresses", func(t *testing.T) { addresses(t, ops) })
	t.Run("Prometheus", func(t *testing.T) {
		p := startPrometheus(t, ops)
		p.labels = p.list(t, "/api/v1/labels")
		for _, q := range slices.Concat(dashboardQueries(t), runbookQueries(t)) {
			ask := p.finds
			if seldom.MatchString(q.expr) {
				ask = p.query
			}
			found, err := ask(t, q.expr)
			switch {
			case err != nil:
				t.Errorf("%s: %s: %v", q.where, q.expr, err)
			case found == 0 && !seldom.MatchString(q.expr):
				t.Errorf("%s finds nothing: %s", q.where, q.expr)
			}
			p.check(t, q)
		}
		for _, r := range rules(t) {
			if _, err := p.query(t, r.Expr); err != nil {
				t.Errorf("alerts.yaml: %s: %v", r.Expr, err)
			}
			p.check(t, query{"alerts.yaml " + r.Alert + r.Record, r.Expr})
		}
		p.checkWords(t)
		p.checkExemplars(t)
	})
}

// seldom are queries that find something only when something is wrong or changes.
var seldom = regexp.MustCompile(`[<>]|[=!]= |unless|ALERTS`)

// check fails when the query selects what there is not, or groups by a label that
// nothing has.
func (p *prometheus) check(t *testing.T, q query) {
	t.Helper()
	parts := takeApart(q.expr)
	if len(parts.selectors) == 0 {
		t.Errorf("%s names no metric: %s", q.where, q.expr)
	}
	for _, s := range parts.selectors {
		if strings.HasPrefix(s, "ALERTS") {
			continue // there is one when something is wrong
		}
		if found, err := p.finds(t, s); err != nil || found == 0 {
			t.Errorf("%s: there is no %s (%v)", q.where, s, err)
		}
	}
	for _, l := range parts.labels {
		if !p.labels[l] {
			t.Errorf("%s: nothing has the label %s: %s", q.where, l, q.expr)
		}
	}
}

var metricName = regexp.MustCompile(`\b([a-z]+:)?(amends|rpc_server|go|process)_[a-z0-9_:]+\b`)

// checkWords fails when a page or the dashboard speaks of a metric that there is
// not.
func (p *prometheus) checkWords(t *testing.T) {
	t.Helper()
	names := p.list(t, "/api/v1/label/__name__/values")
	texts := runbooks(t)
	texts["dashboard"] = read(t, dashboardFile)
	texts["docs/metrics.md"] = read(t, "docs/metrics.md")
	for where, text := range texts {
		for _, name := range metricName.FindAllString(text, -1) {
			if !names[name] && !names[name+"_bucket"] && !p.labels[name] {
				t.Errorf("%s speaks of %s, which there is not", where, name)
			}
		}
	}
}

// checkExemplars fails when Prometheus did not take over the trace of the calls.
func (p *prometheus) checkExemplars(t *testing.T) {
	t.Helper()
	body, _ := get(t, p.url+"/api/v1/query_exemplars?start=0&end=9999999999&query="+
		url.QueryEscape(`{__name__=~"rpc_server_call_duration_seconds_bucket|amends_decision_risk_ratio_bucket|amends_redis_operation_duration_seconds_bucket"}`))
	for _, name := range []string{"rpc_server_call_duration_seconds_bucket", "amends_decision_risk_ratio_bucket", "amends_redis_operation_duration_seconds_bucket"} {
		if !regexp.MustCompile(`"__name__":"` + name + `"[^[]*"exemplars":\[\{"labels":\{[^}]*"trace_id":"` + trace).MatchString(body) {
			t.Errorf("no exemplar of %s: %.500s", name, body)
		}
	}
}

var address = regexp.MustCompile(`127\.0\.0\.1:7071(/[a-z/]*)`)

// addresses: what the runbooks tell to ask of a server, it answers.
func addresses(t *testing.T, ops string) {
	for name, page := range runbooks(t) {
		for _, found := range address.FindAllStringSubmatch(page, -1) {
			if found[1] == "/debug/pprof/profile" {
				continue // takes half a minute
			}
			if _, code := get(t, "http://"+ops+found[1]); code != 200 {
				t.Errorf("runbook %s: %s answers %d", name, found[1], code)
			}
		}
	}
}

// Every alert has its page, its words and its tests, and every page its alert.
func TestAlertsAndRunbooks(t *testing.T) {
	pages := runbooks(t)
	tests := read(t, "deploy/prometheus/alerts_test.yaml")
	alerts := map[string]bool{}
	for _, r := range rules(t) {
		if r.Alert == "" {
			continue
		}
		alerts[r.Alert] = true
		if s := r.Labels["severity"]; s != "page" && s != "ticket" {
			t.Errorf("%s: severity %q", r.Alert, s)
		}
		for _, a := range []string{"summary", "description"} {
			if r.Annotations[a] == "" {
				t.Errorf("%s has no %s", r.Alert, a)
			}
		}
		if got, want := r.Annotations["runbook_url"], "https://github.com/makeamends/amends/blob/main/docs/runbooks/"+r.Alert+".md"; got != want {
			t.Errorf("%s: runbook_url %s, want %s", r.Alert, got, want)
		}
		if !regexp.MustCompile(`alertname: `+r.Alert+`, exp_alerts: \[\]|alertname: `+r.Alert+`\n +exp_alerts: \[\]`).MatchString(tests) ||
			!regexp.MustCompile(`alertname: `+r.Alert+`\n +exp_alerts:\n +- exp_labels: \{severity: `+r.Labels["severity"]+`|exp_labels: \{severity: `+r.Labels["severity"]+`[^\n]*\n[^\n]*\n[^\n]*summary: `+regexp.QuoteMeta(r.Annotations["summary"])).MatchString(tests) {
			t.Errorf("alerts_test.yaml does not show when %s (%s) fires and when it does not", r.Alert, r.Labels["severity"])
		}
	}
	for name := range alerts {
		page, ok := pages[name]
		if !ok {
			t.Errorf("%s has no page in docs/runbooks", name)
			continue
		}
		if !strings.HasPrefix(page, "# "+name+"\n") {
			t.Errorf("%s does not begin with its name", name)
		}
		at := -1
		for _, section := range []string{"\n## What it means\n", "\n## What to look at\n", "\n## What to do\n"} {
			i := strings.Index(page, section)
			if i <= at {
				t.Errorf("%s: no section %q in its place", name, strings.TrimSpace(section))
			}
			at = i
		}
	}
	for name := range maps.Keys(pages) {
		if !alerts[name] {
			t.Errorf("docs/runbooks/%s.md is of no alert", name)
		}
	}
}

// The dashboard has the rows that people look for, and no two panels overlap or
// have one number.
func TestDashboardIsInOrder(t *testing.T) {
	d := dashboard(t)
	var rows []string
	ids := map[int]bool{}
	for i, p := range d.Panels {
		if p.Type == "row" {
			rows = append(rows, p.Title)
		} else if len(p.Targets) == 0 {
			t.Errorf("panel %s asks nothing", p.Title)
		}
		if ids[p.ID] {
			t.Errorf("two panels have the number %d", p.ID)
		}
		ids[p.ID] = true
		if p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %s is wider than the page", p.Title)
		}
		for _, o := range d.Panels[:i] {
			a, b := p.GridPos, o.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("panels %s and %s overlap", p.Title, o.Title)
			}
		}
	}
	if want := []string{"Traffic", "Decisions", "Promises", "Offers and money", "Store", "Process"}; !slices.Equal(rows, want) {
		t.Errorf("rows %q, want %q", rows, want)
	}
}
