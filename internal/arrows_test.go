package internal_test

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/makeamends/amends/"

// may lists, for each package, the packages of this module that it may import.
// Packages outside the module are free, but for the core and for Redis.
var may = map[string][]string{
	"client":              {"proto/recovery/v1"},
	"internal/recovery":   {},
	"internal/calendar":   {},
	"internal/telemetry":  {},
	"internal/nearest":    {},
	"internal/config":     {"internal/nearest", "internal/document"},
	"internal/document":   {"internal/nearest"},
	"internal/panics":     {},
	"internal/dictionary": {},
	"internal/files":      {},
	"internal/told":       {},
	"internal/wire":       {},
	"internal/policy":     {"internal/recovery", "internal/document", "internal/files", "internal/calendar", "proto/recovery/policy/v1", "proto/recovery/v1"},
	"internal/ledger":     {"internal/told", "internal/dictionary", "internal/wire", "internal/recovery", "proto/recovery/ledger/v1"},
	"internal/watch":      {"internal/panics", "internal/recovery", "internal/ledger", "proto/recovery/v1"},
	"internal/spans":      {"internal/recovery", "internal/ledger", "proto/recovery/v1"},
	"internal/auth":       {"internal/document", "internal/files", "proto/recovery/access/v1"},
	"internal/rpc":        {"internal/dictionary", "internal/wire", "internal/panics", "internal/auth", "internal/recovery", "internal/ledger", "internal/policy", "internal/watch", "internal/spans", "proto/recovery/v1"},
	"internal/sweep":      {"internal/told", "internal/panics", "internal/recovery", "internal/ledger", "internal/spans"},
	"internal/serve":      {"internal/told", "internal/panics", "internal/auth", "internal/files", "internal/rpc", "internal/sweep", "internal/watch", "internal/ledger", "internal/policy", "internal/telemetry", "internal/spans", "internal/recovery", "proto/recovery/v1"},
	"internal/jaeger":     {},
	"internal/redisproc":  {"deploy"},
	"internal/show":       {"proto/recovery/v1", "internal/policy", "internal/jaeger"},
	"internal/story":      {"proto/recovery/v1"},
}

// The arrows between packages point inward, so that the decision can be read,
// tested and replayed without anything around it.
func TestImportsPointInward(t *testing.T) {
	for pkg, allowed := range may {
		for file, path := range imports(t, filepath.Join("..", filepath.FromSlash(pkg))) {
			inside, ours := strings.CutPrefix(path, module)
			switch {
			case ours && !slices.Contains(allowed, inside):
				t.Errorf("%s imports %s; %s may import only %v", file, inside, pkg, allowed)
			case !ours && pkg == "internal/recovery" && strings.Contains(path, "."):
				t.Errorf("%s imports %s; the core stands on the standard library alone", file, path)
			case strings.Contains(path, "go-redis") && pkg != "internal/ledger" && pkg != "internal/redisproc":
				t.Errorf("%s imports %s; only the ledger speaks to Redis", file, path)
			case strings.HasPrefix(path, "google.golang.org/grpc") && slices.Contains([]string{"internal/recovery", "internal/ledger", "internal/policy", "internal/calendar", "internal/watch", "internal/auth"}, pkg):
				t.Errorf("%s imports %s; statuses are made in internal/rpc alone", file, path)
			}
		}
	}
}

// imports gives the imports of the non-test files of a folder, keyed by the
// place where each stands.
func imports(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, filepath.Join(dir, e.Name()), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			found[set.Position(spec.Pos()).String()] = path
		}
	}
	if len(found) == 0 {
		t.Fatalf("%s imports nothing: is it still there?", dir)
	}
	return found
}
