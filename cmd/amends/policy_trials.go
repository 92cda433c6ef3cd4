package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/makeamends/amends/internal/policy"
)

// trying is one run of `amends policy test`.
type trying struct {
	*app
	policy string
	format *string
	failed bool // list only what failed
}

func policyTestCommand(app *app) *cobra.Command {
	t := &trying{app: app}
	cmd := &cobra.Command{
		Use:   "test FILE...",
		Short: "Run the tests that you wrote for a policy",
		Long: `Run trials: files of YAML that say, case by case, what comes in (an event and the
history before it) and what must come out (the band, the money, the deadline). Needs no
server. What is not as expected is shown line by line, with file and line of the trial;
then the command leaves with 2.

A file of trials names its policy; --policy puts another one in its place.`,
		Example: `  amends policy test examples/policies/default.trials.yaml

  # would my policy still decide as the built-in one is expected to?
  amends policy test --policy mine.yaml --failed-only examples/policies/default.trials.yaml`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("the FILE of trials is missing")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return t.run(cmd.Context(), args) },
	}
	t.format = addFormat(cmd)
	cmd.Flags().StringVar(&t.policy, "policy", "", "`FILE` of the policy to test (default: the one that the trials name, else the built-in one)")
	cmd.Flags().BoolVar(&t.failed, "failed-only", false, "list only the trials that failed")
	return cmd
}

func (t *trying) run(ctx context.Context, files []string) error {
	var compiled *policy.Compiled
	if t.policy != "" {
		var err error
		if compiled, err = t.loadPolicy(ctx, t.policy); err != nil {
			return err
		}
	}
	passed, failed, faults := 0, 0, 0
	for _, path := range files {
		name, text, err := t.readFile(ctx, path)
		if err != nil {
			return err
		}
		results, findings := policy.RunTrials(name, text, compiled)
		if len(findings) > 0 {
			if _, wrong := policy.Parse(name, text); len(wrong) == 0 {
				return &usageError{err: fmt.Errorf("%s is a policy: amends policy test --policy %s FILE runs the trials of FILE for it", name, path)}
			}
		}
		for _, finding := range findings {
			fmt.Fprintln(t.stderr, finding)
			faults++
		}
		for _, result := range results {
			if result.Passed() {
				passed++
			} else {
				failed++
			}
			if err := t.print(result); err != nil {
				return err
			}
		}
	}
	summary := fmt.Sprintf("%d %s: %d passed, %d failed", passed+failed, plural(passed+failed, "trial"), passed, failed)
	switch {
	case faults > 0:
		return &usageError{err: fmt.Errorf("%s; %d %s in the files", summary, faults, plural(faults, "fault"))}
	case failed > 0:
		return &usageError{err: errors.New(summary)}
	}
	fmt.Fprintln(t.stderr, summary)
	return nil
}

// trialLine is one trial for machines.
type trialLine struct {
	File   string     `json:"file"`
	Line   int        `json:"line"`
	Name   string     `json:"name"`
	Passed bool       `json:"passed"`
	Diffs  []diffLine `json:"diffs,omitempty"`
}

type diffLine struct {
	Field string `json:"field"`
	Line  int    `json:"line"`
	Want  string `json:"want"`
	Got   string `json:"got"`
}

func (t *trying) print(result policy.TrialResult) error {
	if t.failed && result.Passed() {
		return nil
	}
	if *t.format == "json" {
		line := trialLine{File: result.File, Line: result.Line, Name: result.Name, Passed: result.Passed()}
		for _, diff := range result.Diffs {
			line.Diffs = append(line.Diffs, diffLine(diff))
		}
		return json.NewEncoder(t.stdout).Encode(line)
	}
	_, err := fmt.Fprintln(t.stdout, result)
	return err
}
