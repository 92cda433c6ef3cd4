package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// repository is the folder of the repository, seen from this one.
const repository = "../.."

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(repository, path))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// yamls finds the YAML files below a folder of the repository.
func yamls(t *testing.T, folder string) (paths []string) {
	t.Helper()
	for _, depth := range []string{"*.yaml", "*/*.yaml", "*/*/*.yaml"} {
		found, err := filepath.Glob(filepath.Join(repository, folder, depth))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			paths = append(paths, strings.TrimPrefix(path, repository+"/"))
		}
	}
	return paths
}

// flags are those that `amends serve` takes.
func flags(t *testing.T) []string {
	t.Helper()
	i := theImage(t)
	text := runs(t, i.path(i.command[0]), "serve", "--help")
	var names []string
	for _, match := range regexp.MustCompile(`(?m)^ +(?:-\w, )?--([a-z-]+)`).FindAllStringSubmatch(text, -1) {
		names = append(names, match[1])
	}
	if !slices.Contains(names, "redis") {
		t.Fatalf("no flags in\n%s", text)
	}
	return names
}

// known reports arguments and variables of the service that set none of its
// flags, and gives the value of each that does by the name of the flag.
func known(t *testing.T, where string, args []string, env map[string]string) map[string]string {
	t.Helper()
	names, values := flags(t), map[string]string{}
	take := func(from, flag, value string) {
		if !slices.Contains(names, flag) {
			t.Errorf("%s: %s is no flag of amends serve", where, from)
		}
		if _, twice := values[flag]; twice {
			t.Errorf("%s: %s is set twice", where, flag)
		}
		values[flag] = value
	}
	if len(args) == 0 || args[0] != "serve" {
		t.Fatalf("%s: the command is %q, want serve", where, args)
	}
	for _, arg := range args[1:] {
		flag, ok := strings.CutPrefix(arg, "--")
		if !ok {
			t.Errorf("%s: %q is no flag", where, arg)
		}
		flag, value, _ := strings.Cut(flag, "=")
		take(arg, flag, value)
	}
	for name, value := range env {
		if flag, ok := strings.CutPrefix(name, "AMENDS_"); ok {
			take(name, strings.ToLower(strings.ReplaceAll(flag, "_", "-")), value)
		}
	}
	return values
}

// mebibytes reads what GOMEMLIMIT takes here.
func mebibytes(t *testing.T, limit string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(strings.TrimSuffix(limit, "MiB"), 10, 64)
	if err != nil {
		t.Fatalf("a limit of %q is not in MiB", limit)
	}
	return n
}

// remembered is how many MiB of customers a server remembers (--remember), which Go
// does not count as its own.
const remembered = 128

// limits says whether Go's soft limit of memory and the hard one of the container or
// unit go together: with what is remembered, a tenth is left for all else.
func limits(t *testing.T, soft, hard int64) {
	t.Helper()
	if soft*10 < hard*6 || (soft+remembered)*10 > hard*9 {
		t.Errorf("GOMEMLIMIT is %d MiB, and %d MiB of customers are remembered, of %d MiB: want at least 60 %% for Go, and at most 90 %% for both", soft, remembered, hard)
	}
}

// tracked tells whether git keeps something at that path.
func tracked(t *testing.T, path string) bool {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", "ls-files", "--", path)
	cmd.Dir = repository
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return len(out) > 0
}
