package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/makeamends/amends/internal/config"
)

// resolve runs `amends serve` of a small command tree and answers the value that one of its flags has ended up with.
func resolve(t *testing.T, file string, env map[string]string, args ...string) (map[string]string, error) {
	t.Helper()
	got := map[string]string{}
	root := &cobra.Command{Use: "amends", SilenceErrors: true, SilenceUsage: true}
	root.PersistentFlags().String("config", "", "")
	root.PersistentFlags().String("color", "auto", "")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		return config.Apply(cmd, func(name string) string { return env[name] })
	}
	serve := &cobra.Command{Use: "serve", RunE: func(cmd *cobra.Command, _ []string) error {
		for _, name := range []string{"listen", "ops-listen", "policy", "kind", "color", "limit"} {
			got[name] = cmd.Flag(name).Value.String()
		}
		return nil
	}}
	serve.Flags().String("listen", "default", "")
	serve.Flags().String("ops-listen", "default", "")
	serve.Flags().String("policy", "", "")
	serve.Flags().StringSlice("kind", nil, "")
	serve.Flags().Int("limit", 1, "")
	check := &cobra.Command{Use: "check", RunE: func(*cobra.Command, []string) error { return nil }}
	check.Flags().Bool("strict", false, "")
	policy := &cobra.Command{Use: "policy"}
	policy.AddCommand(check)
	root.AddCommand(serve, policy, &cobra.Command{Use: "topic", Long: "A text to read, not a command."})
	if file != "" {
		path := filepath.Join(t.TempDir(), "amends.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	root.SetArgs(append([]string{"serve"}, args...))
	return got, root.Execute()
}

func TestStrength(t *testing.T) {
	const top, section = "listen: top\n", "serve:\n  listen: section\n"
	env := map[string]string{"AMENDS_LISTEN": "environment"}
	flag := []string{"--listen", "flag"}
	for _, row := range []struct {
		name string
		file string
		env  map[string]string
		args []string
		want string
	}{
		{"nothing is set: the default", "", nil, nil, "default"},
		{"the top of the file beats the default", top, nil, nil, "top"},
		{"the section beats the default", section, nil, nil, "section"},
		{"the environment beats the default", "", env, nil, "environment"},
		{"the flag beats the default", "", nil, flag, "flag"},
		{"the section beats the top", top + section, nil, nil, "section"},
		{"the section beats the top that comes after it", section + top, nil, nil, "section"},
		{"the environment beats the top", top, env, nil, "environment"},
		{"the environment beats the section", section, env, nil, "environment"},
		{"the flag beats the top", top, nil, flag, "flag"},
		{"the flag beats the section", section, nil, flag, "flag"},
		{"the flag beats the environment", "", env, flag, "flag"},
		{"the flag beats all", top + section, env, flag, "flag"},
		{"a flag set to its default beats all", top, env, []string{"--listen", "default"}, "default"},
		{"an empty variable counts as not set", top, map[string]string{"AMENDS_LISTEN": ""}, nil, "top"},
		{"another command's section is not for us", "policy:\n  check:\n    strict: true\n", nil, nil, "default"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := resolve(t, row.file, row.env, row.args...)
			if err != nil {
				t.Fatal(err)
			}
			if got["listen"] != row.want {
				t.Errorf("listen = %q, want %q", got["listen"], row.want)
			}
		})
	}
}

func TestNamesAndLists(t *testing.T) {
	got, err := resolve(t, "kind: [LATE, RUDE]\npolicy: own.yaml\ncolor: never\nlimit: 7\n", map[string]string{"AMENDS_OPS_LISTEN": ":1"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"listen": "default", "ops-listen": ":1", "policy": "own.yaml", "kind": "[LATE,RUDE]", "color": "never", "limit": "7"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestFileNamedByTheEnvironment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.yaml")
	if err := os.WriteFile(path, []byte("listen: file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := resolve(t, "", map[string]string{"AMENDS_CONFIG": path})
	if err != nil || got["listen"] != "file" {
		t.Errorf("listen = %q, err %v, want the value of the file", got["listen"], err)
	}
	if got, err := resolve(t, "listen: flag\n", map[string]string{"AMENDS_CONFIG": path}); err != nil || got["listen"] != "flag" {
		t.Errorf("listen = %q, err %v, want the file that the flag names", got["listen"], err)
	}
}

func TestEveryFaultAtOnce(t *testing.T) {
	_, err := resolve(t, `lisen: ":1"
config: other.yaml
limit: many
listen: [a, b]
policy:
  check:
    strct: true
kind:
color: {a: b}
ops-listen: ":2"
ops-listen: ":3"
wonderful: 1
`, map[string]string{"AMENDS_LIMIT": "few"})
	var faults *config.Error
	if !errors.As(err, &faults) {
		t.Fatalf("err = %v, want *config.Error", err)
	}
	want := []string{
		`:1:1: "lisen" is unknown (did you mean "listen"?)`,
		`:2:1: "config" is unknown`,
		`:9:1: "color" takes a plain value`,
		`:11:1: "ops-listen" stands here twice`,
		`:7:5: "strct" is unknown (did you mean "strict"?)`,
		`:12:1: "wonderful" is unknown; known here are color, kind, limit, listen, ops-listen, policy, strict; and the sections policy, serve`,
		`:8:1: kind: has no value`,
		`AMENDS_LIMIT="few": `,
		`:4:1: listen: takes one value, not a list`,
	}
	text := err.Error()
	for _, fault := range want {
		if !strings.Contains(text, fault) {
			t.Errorf("missing %q in\n%s", fault, text)
		}
	}
	if len(faults.Faults) != len(want) {
		t.Errorf("%d faults, want %d:\n%s", len(faults.Faults), len(want), text)
	}
}

func TestFileThatCannotBeRead(t *testing.T) {
	for name, row := range map[string]struct{ file, want string }{
		"not YAML":            {"listen: [", "line "},
		"a tab":               {"\tlisten: x\n", "line 1: a tab indents it, where YAML takes spaces alone"},
		"a tab below":         {"serve:\n  listen: x\n\tops-listen: x\n", "line 3: a tab indents it, where YAML takes spaces alone"},
		"another letter":      {"listen: x\nops-listen: @y\n", "line 2: found character that cannot start any token"},
		"an empty section":    {"serve:\n", `:1:1: "serve" takes settings that stand below it, indented`},
		"a section of text":   {"policy: {check: x}\n", `:1:10: "check" takes settings that stand below it, indented`},
		"a section as a list": {"serve: [listen]\n", `:1:1: "serve" takes settings that stand below it, indented`},
		"two documents":       {"listen: x\n---\nlisten: y\n", ":2:1: a second document begins here; the file must have one only"},
		"a broken second":     {"listen: x\n---\nlisten: [\n", "line "},
		"a list":              {"- listen\n", ":1:1: must be a mapping of flag names to values"},
		"a wrong number":      {"limit: x\n", `limit: "x" is no whole number`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := resolve(t, row.file, nil); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("err = %v, want %q in it", err, row.want)
			}
		})
	}
	if _, err := resolve(t, "", nil, "--config", "/does/not/exist.yaml"); err == nil {
		t.Error("a missing file must be an error")
	}
	for _, empty := range []string{"\n", "# nothing yet\n", "---\n"} {
		if _, err := resolve(t, empty, nil); err != nil {
			t.Errorf("an empty file must be fine: %v", err)
		}
	}
}

func TestStrays(t *testing.T) {
	root := &cobra.Command{Use: "amends"}
	root.PersistentFlags().String("config", "", "")
	serve := &cobra.Command{Use: "serve", Run: func(*cobra.Command, []string) {}}
	serve.Flags().String("ops-listen", "", "")
	root.AddCommand(serve)
	got := config.Strays(root, []string{
		"AMENDS_OPS_LISTEN=:1", "AMENDS_CONFIG=x", "AMENDS_OPS_LISTNE=:1", "AMENDS_=1", "AMENDS_EMPTY=", "HOME=/", "AMENDS_WONDERFUL=1",
	})
	want := []string{
		"AMENDS_OPS_LISTNE is set, but there is no such setting (did you mean AMENDS_OPS_LISTEN?)",
		"AMENDS_ is set, but there is no such setting",
		"AMENDS_WONDERFUL is set, but there is no such setting",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
