package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

func TestColour(t *testing.T) {
	server := service(t)
	for name, row := range map[string]struct {
		terminal bool
		env      map[string]string
		flags    []string
		coloured bool
	}{
		"a terminal is coloured":         {true, nil, nil, true},
		"a pipe is plain":                {false, nil, nil, false},
		"NO_COLOR is respected":          {true, map[string]string{"NO_COLOR": "1"}, nil, false},
		"a dumb terminal is plain":       {true, map[string]string{"TERM": "dumb"}, nil, false},
		"never":                          {true, nil, []string{"--color", "never"}, false},
		"always beats the pipe":          {false, nil, []string{"--color", "always"}, true},
		"always said beats NO_COLOR":     {true, map[string]string{"NO_COLOR": "1"}, []string{"--color=always"}, true},
		"never by the environment":       {true, map[string]string{"AMENDS_COLOR": "never"}, nil, false},
		"machines get no colour":         {true, nil, []string{"-o", "json"}, false},
		"not even if they ask for it":    {true, nil, []string{"-o", "json", "--color", "always"}, false},
		"the environment's form applies": {true, map[string]string{"AMENDS_OUTPUT": "json"}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := command{terminal: row.terminal, env: row.env}
			o := c.works(t, append([]string{"assess", "c-1", "--server", server}, row.flags...)...)
			if got := strings.Contains(o.stdout, "\x1b"); got != row.coloured {
				t.Errorf("coloured: %v, want %v\n%q", got, row.coloured, o.stdout)
			}
		})
	}
}

func TestWidth(t *testing.T) {
	server := service(t)
	amends(t, "report", "--server", server, "--customer", "c-1", "--kind", "late,rude", "--delay", "2h", "--channel", "social")
	for columns, want := range map[string]int{"": 100, "90": 90, "20": 80, "500": 120, "x": 100} {
		c := command{env: map[string]string{"COLUMNS": columns}}
		text := c.works(t, "case", "--server", server, parse(t, amends(t, "cases", "--server", server, "--customer", "c-1", "-o", "json").stdout, &recoveryv1.Case{}).GetCaseId()).stdout
		widest := 0
		for line := range strings.Lines(text) {
			widest = max(widest, len([]rune(strings.TrimRight(line, "\n"))))
		}
		if widest > want || widest < want-12 {
			t.Errorf("COLUMNS=%q: the widest line has %d columns, want at most %d", columns, widest, want)
		}
	}
}

// A pipe gets all columns in full; COLUMNS narrows a list as it is told to.
func TestWidthOfLists(t *testing.T) {
	server := service(t)
	amends(t, "report", "--server", server, "--customer", "c-1", "--kind", "late,rude", "--delay", "2h", "--value", "999999999999 USD")
	for columns, want := range map[string]bool{"": true, "60": false, "300": true} {
		text := command{env: map[string]string{"COLUMNS": columns}}.works(t, "cases", "--server", server).stdout
		if strings.Contains(text, "ABOUT") != want || strings.Contains(text, "GIVE") != want {
			t.Errorf("COLUMNS=%q:\n%s", columns, text)
		}
	}
}

func TestSettings(t *testing.T) {
	server := service(t)
	file := filepath.Join(t.TempDir(), "amends.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("server: " + server + "\nreport:\n  kind: [LATE, RUDE]\n  output: json\npolicy:\n  test:\n    failed-only: true\n")
	o := amends(t, "report", "--config", file, "--customer", "c-1")
	answer := parse(t, o.stdout, &recoveryv1.ReportFailureResponse{})
	if kinds := answer.GetCase().GetFailures()[0].GetKinds(); len(kinds) != 2 {
		t.Errorf("the kinds of the file did not arrive: %v", kinds)
	}
	c := command{env: map[string]string{"AMENDS_CONFIG": file, "AMENDS_KIND": "quality"}}
	answer = parse(t, c.works(t, "report", "--customer", "c-2").stdout, &recoveryv1.ReportFailureResponse{})
	if kinds := answer.GetCase().GetFailures()[0].GetKinds(); len(kinds) != 1 || kinds[0] != recoveryv1.FailureKind_FAILURE_KIND_QUALITY {
		t.Errorf("the environment must win over the file: %v", kinds)
	}
	write("sever: x\nreport:\n  kind: LAT\n")
	command{}.fails(t, exitUsage, []string{file + ":1:1: \"sever\" is unknown (did you mean", file + ":3:3: kind: ", "did you mean LATE?", "amends help settings"},
		"report", "--config", file)
}

// A variable that looks like a setting and is none is named, and no more than that.
func TestStrayVariable(t *testing.T) {
	c := command{env: map[string]string{"AMENDS_SREVER": "x", "AMENDS_COLOR": "never"}}
	o := c.works(t, "version")
	if want := "amends: warning: AMENDS_SREVER is set, but there is no such setting (did you mean AMENDS_SERVER?)\n"; o.stderr != want {
		t.Errorf("it says %q, want %q", o.stderr, want)
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if script := amends(t, "completion", shell).stdout; !strings.Contains(script, "amends") || len(script) < 1000 {
			t.Errorf("the script for %s has %d bytes", shell, len(script))
		}
	}
	for typed, want := range map[string][]string{
		"report --kind \x00":             {"LATE", "HIDDEN_FEE", "UNSAFE"},
		"report --kind \x00LATE,":        {"LATE,QUALITY", "LATE,UNSAFE"},
		"report --kind \x00late,qu":      {"late,quality"},
		"report --voice \x00":            {"UNVOICED", "PRIVATE", "PUBLIC"},
		"report --voice \x00p":           {"private", "public"},
		"cases --state \x00":             {"OPEN", "FOLLOWED_UP"},
		"praise --kind \x00":             {"PRAISE", "ORDER_FULFILLED"},
		"assess x -o \x00":               {"table", "json"},
		"assess x --color \x00":          {"auto", "always", "never"},
		"watch --transition \x00":        {"OPENED", "MISSED", "OFFER_EXPIRED"},
		"resolve c.1 \x00":               {"satisfied", "unsatisfied", "no-response", "withdrawn"},
		"answer c.1 c.1.1 \x00":          {"accepted", "refused"},
		"contact c.1 --channel \x00":     {"PHONE", "SOCIAL"},
		"\x00re":                         {"report", "release", "reopen", "resolve"},
		"policy \x00":                    {"check", "show", "test", "simulate"},
		"report --relationship \x00STEA": {"STEADY"},
	} {
		before, last, _ := strings.Cut(typed, "\x00")
		args := append([]string{"__complete"}, strings.Fields(before)...)
		out := amends(t, append(args, last)...).stdout
		for _, offer := range want {
			if !strings.Contains("\n"+out, "\n"+offer) {
				t.Errorf("%q is not offered %q:\n%s", typed, offer, out)
			}
		}
	}
	if out := amends(t, "__complete", "report", "--kind", "LATE,").stdout; strings.Contains(out, "LATE,LATE") {
		t.Errorf("LATE is offered twice:\n%s", out)
	}
}

// every command, with the path to it.
func every(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, child := range cmd.Commands() {
		every(child, visit)
	}
}

// Every example that is to be pasted names commands and flags that are there, with values that they take.
func TestExamples(t *testing.T) {
	root := rootCommand(newApp(os.Getenv, os.Stdin, os.Stdout, os.Stderr))
	examples := 0
	every(root, func(cmd *cobra.Command) {
		for line := range strings.Lines(cmd.Long) {
			if len([]rune(strings.TrimRight(line, "\n"))) > 92 {
				t.Errorf("%s: the help is too wide: %q", cmd.CommandPath(), line)
			}
		}
		if cmd.Runnable() && cmd.Name() != "help" && (cmd.Short == "" || cmd.Long == "" && cmd.Name() != "version" && cmd.Name() != "man") {
			t.Errorf("%s does not explain itself", cmd.CommandPath())
		}
		for line := range strings.Lines(cmd.Example) {
			words, ok := shellWords(strings.TrimSpace(line))
			if !ok || words[0] != "amends" {
				continue
			}
			examples++
			fresh := rootCommand(newApp(os.Getenv, os.Stdin, os.Stdout, os.Stderr))
			found, rest, err := fresh.Find(words[1:])
			if err != nil || found == fresh {
				t.Errorf("%s: no such command in %q (%v)", cmd.CommandPath(), line, err)
				continue
			}
			if err := found.ParseFlags(rest); err != nil {
				t.Errorf("%s: %q: %v", cmd.CommandPath(), line, err)
			} else if err := found.ValidateArgs(found.Flags().Args()); err != nil {
				t.Errorf("%s: %q: %v", cmd.CommandPath(), line, err)
			}
		}
	})
	if examples < 20 {
		t.Errorf("only %d examples were found", examples)
	}
}

// shellWords splits a command as a shell would, up to a pipe, a redirection or a comment.
func shellWords(line string) ([]string, bool) {
	var words []string
	for line != "" {
		var word string
		if line[0] == '"' {
			end := strings.LastIndex(line, `"`)
			if strings.Count(line, `"`) == 2 || !strings.Contains(line, "$(") {
				end = strings.Index(line[1:], `"`) + 1
			}
			word, line = line[1:end], line[end+1:]
		} else {
			word, line, _ = strings.Cut(line, " ")
		}
		line = strings.TrimSpace(line)
		if word == "|" || word == ">" || word == ">>" || word == "&&" || word == "#" {
			break
		}
		words = append(words, word)
	}
	return words, len(words) > 1
}

func TestManualPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man")
	amends(t, "man", dir)
	page, err := os.ReadFile(filepath.Join(dir, "amends-policy-check.1"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "file:line:column") {
		t.Errorf("the page says little:\n%s", page)
	}
}

func TestHelp(t *testing.T) {
	for topic, word := range map[string]string{"exit-codes": "Try again later", "settings": "AMENDS_OPS_LISTEN", "report": "--relationship  NEW, CASUAL, STEADY\n"} {
		if text := amends(t, "help", topic).stdout; !strings.Contains(text, word) {
			t.Errorf("help %s does not say %q:\n%s", topic, word, text)
		}
	}
	bare := amends(t).stdout
	for _, name := range []string{"serve", "demo", "report", "praise", "assess", "case", "cases", "ack", "offer", "watch", "erase", "policy", "version", "completion", "exit-codes", "settings"} {
		if !strings.Contains(bare, "  "+name) && !strings.Contains(bare, "amends "+name) {
			t.Errorf("amends alone does not name %s:\n%s", name, bare)
		}
	}
	if version, flag := amends(t, "version").stdout, amends(t, "--version").stdout; version != flag {
		t.Errorf("version says %q and --version %q", version, flag)
	}
	if text := amends(t, "version").stdout; !strings.HasPrefix(text, "amends ") || !strings.Contains(text, "go1.") {
		t.Errorf("version says %q", text)
	}
}

func TestPolicyFiles(t *testing.T) {
	dir := t.TempDir()
	good := amends(t, "policy", "show").stdout
	path := filepath.Join(dir, "mine.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(good)
	if text := amends(t, "policy", "check", path).stdout; !strings.Contains(text, "is valid: version p-") {
		t.Errorf("check says %q", text)
	}
	piped := command{stdin: strings.NewReader(good)}
	if answer := parse(t, piped.works(t, "policy", "check", "-", "-o", "json").stdout, &recoveryv1.CheckPolicyResponse{}); !answer.GetValid() || answer.GetVersion() == "" {
		t.Errorf("check -o json answers %v", answer)
	}
	write(strings.NewReplacer("severity: 0.35", "severity: 3.5", "value: 1.45", "valeu: 1.45").Replace(good))
	o := command{}.fails(t, exitUsage, []string{"faults"}, "policy", "check", path)
	if lines := strings.Count(o.stdout, path+":"); lines < 2 || !strings.Contains(o.stdout, "valeu") {
		t.Errorf("every fault must be shown with its place:\n%s", o.stdout)
	}
	o = command{}.fails(t, exitUsage, nil, "policy", "check", path, "-o", "json")
	if answer := parse(t, o.stdout, &recoveryv1.CheckPolicyResponse{}); answer.GetValid() || len(answer.GetFindings()) < 2 || answer.GetFindings()[0].GetLine() == 0 {
		t.Errorf("check -o json answers %v", answer)
	}
	command{}.fails(t, exitUsage, []string{"no such file"}, "policy", "check", dir+"/none")
}

func TestPolicyTrials(t *testing.T) {
	const trials = "../../examples/policies/default.trials.yaml"
	o := amends(t, "policy", "test", trials)
	if !strings.Contains(o.stderr, " 0 failed") || !strings.Contains(o.stdout, "pass  ") {
		t.Errorf("the trials of the default policy:\n%s%s", o.stdout, o.stderr)
	}
	if out := amends(t, "policy", "test", "--failed-only", trials).stdout; out != "" {
		t.Errorf("nothing failed, yet it lists\n%s", out)
	}
	text, err := os.ReadFile(trials)
	if err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(t.TempDir(), "wrong.yaml")
	if err := os.WriteFile(wrong, []byte(strings.Replace(string(text), "CRITICAL", "LOW", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	o = command{}.fails(t, exitUsage, []string{"1 failed"}, "policy", "test", "--failed-only", wrong)
	if !strings.Contains(o.stdout, "want LOW") || !strings.Contains(o.stdout, "got CRITICAL") {
		t.Errorf("the difference is not shown:\n%s", o.stdout)
	}
	o = command{}.fails(t, exitUsage, nil, "policy", "test", "--failed-only", "-o", "json", wrong)
	var line trialLine
	if err := json.Unmarshal([]byte(o.stdout), &line); err != nil || line.Passed || len(line.Diffs) == 0 || line.Line == 0 {
		t.Errorf("the failed trial for machines is %+v (%v)", line, err)
	}
}
