package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/makeamends/amends/internal/bench"
	"github.com/makeamends/amends/internal/config"
	"github.com/makeamends/amends/internal/redisproc"
)

// benchParts are the sections in the order in which they are measured.
var benchParts = []bench.Part{bench.Calls, bench.Bulk, bench.Profile, bench.History, bench.Among, bench.Size, bench.Start, bench.Cluster, bench.Background}

func benchCommand(app *app) *cobra.Command {
	run := &bench.Run{}
	var only []string
	names := make([]string, 0, len(benchParts))
	sections := ""
	for _, part := range benchParts {
		names = append(names, part.Name)
		mark := " "
		if part.Long {
			mark = "*"
		}
		sections += fmt.Sprintf("\n%s %-10s %s", mark, part.Name, part.About)
	}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the service on this machine, beside baselines",
		Long: `Measure what the service costs on this machine. It starts a Redis, the service and three
baselines as processes of their own, gives them turns in several rounds, and prints medians
with what the rounds were; what the service is to achieve stands beside each ratio.
Ctrl-C ends it, and prints what was measured so far.

The baselines are an empty gRPC echo with messages of the same size (no service over gRPC is
cheaper), the bare libraries of the service, which trace, count and log a call and run one
script in Redis but do no work, and a plain read-modify-write in Redis (WATCH, HGETALL,
MULTI, EXEC) without all that the service promises. Look at the ratios: absolute figures are
those of this machine, on which callers, servers and Redis share the processors.

Without --full it is a short run of two to three minutes, without the sections marked with
a star unless --only names them. Sections:
` + sections,
		Example: `  # a short run, and one of everything (some ten minutes)
  amends bench
  amends bench --full

  # what a report costs, for machines
  amends bench --only calls --rounds 9 -o json

  # with a Redis of your own, which must be empty
  amends bench --redis redis://127.0.0.1:6379`,
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&only, "only", nil, "`SECTIONS` to measure, with commas; of "+strings.Join(names, ", ")+";\nempty: all with --full, else those without a star")
	flags.BoolVar(&run.Full, "full", false, "measure everything, at more loads and sizes")
	flags.IntVar(&run.Rounds, "rounds", 5, "`TURNS` of each that is compared; the result is their median")
	run.Slice = time.Second
	flags.Var(spanValue{&run.Slice}, "turn", "how long a turn takes")
	flags.IntVar(&run.Callers, "callers", 64, "`CALLERS` of a closed loop, each of whom calls again as soon as it is answered")
	flags.IntVar(&run.Customers, "customers", 10_000, "`CUSTOMERS` who are known before the first turn")
	flags.StringVar(&run.Redis, "redis", "", "`URL` of an empty Redis to measure with, redis://HOST:PORT; empty: one that is started for it\n("+strings.Join(partNames(benchParts, own), ", ")+" start their own in any case;\nwhat is written to one that is named stays there;\nAMENDS_REDIS and the file of settings name none)")
	flags.BoolVar(&run.NotEmpty, "not-empty", false, "measure with a Redis that holds something already")
	config.ByHand(flags, "redis", "not-empty") // AMENDS_REDIS may be the store of a service in production
	pictures := flags.String("pictures", "", "`FOLDER` for pictures (SVG): time by load, cost by history and by number of customers")
	_ = cmd.MarkFlagDirname("pictures")
	format := addFormat(cmd)
	registerChoice(cmd, "only", names)
	cmd.AddCommand(benchBaselineCommand(app))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		parts, err := chooseParts(run, only, names, *pictures)
		if err != nil {
			return &usageError{err: err, command: "amends bench"}
		}
		if run.Program, err = app.program(); err != nil {
			return err
		}
		if name := config.EnvName("redis"); run.Redis == "" && app.getenv(name) != "" {
			fmt.Fprintf(app.stderr, "amends: %s is not for bench, which starts a Redis of its own unless --redis names one\n", name)
		}
		line := newProgress(app)
		line.log = app.stderr
		run.Tell = func(p bench.Progress) { line.say(toldProgress(p)) }
		report, err := run.Measure(cmd.Context(), release, parts)
		line.clear()
		if *pictures != "" {
			err = errors.Join(err, drawPlots(app.stderr, *pictures, report))
		}
		if errors.As(err, new(*bench.StoreError)) {
			err = &usageError{err: err, command: "amends bench"}
		}
		if cmd.Context().Err() != nil {
			err = errInterrupted
		}
		if len(report.Sections) > 0 {
			if *format == "json" {
				err = errors.Join(err, json.NewEncoder(app.stdout).Encode(report))
			} else {
				err = errors.Join(err, report.Print(app.stdout))
			}
		}
		return err
	}
	return cmd
}

// drawPlots writes the pictures of a report into a folder, and tells which, and of
// which sections there is none.
func drawPlots(told io.Writer, folder string, report bench.Report) error {
	without := partNames(benchParts, drawn)
	for _, section := range report.Sections {
		for _, plot := range section.Plots {
			file := filepath.Join(folder, plot.Name+".svg")
			if err := os.WriteFile(file, plot.SVG(), 0o644); err != nil {
				return err
			}
			fmt.Fprintf(told, "amends: wrote %s\n", file)
			without = slices.DeleteFunc(without, func(name string) bool { return name == section.Name })
		}
	}
	if len(without) > 0 {
		fmt.Fprintf(told, "amends: no picture of %s: not measured\n", strings.Join(without, ", "))
	}
	return nil
}

// partNames are the names of those of the sections.
func partNames(parts []bench.Part, which func(bench.Part) bool) (names []string) {
	for _, part := range parts {
		if which(part) {
			names = append(names, part.Name)
		}
	}
	return names
}

func drawn(p bench.Part) bool { return p.Plot != "" }

func shared(p bench.Part) bool { return !p.Own }

func own(p bench.Part) bool { return p.Own }

// chooseParts finds the sections by their names, and all faults of the settings.
func chooseParts(run *bench.Run, only, names []string, pictures string) (parts []bench.Part, err error) {
	var faults []error
	for _, name := range only {
		if !slices.Contains(names, name) {
			faults = append(faults, fmt.Errorf("--only: no section is called %q; there are %s", name, strings.Join(names, ", ")))
		}
	}
	for _, least := range []struct {
		flag   string
		is, at int
	}{{"rounds", run.Rounds, 1}, {"callers", run.Callers, 1}, {"customers", run.Customers, 1}} {
		if least.is < least.at {
			faults = append(faults, fmt.Errorf("--%s is %d and must be %d at least", least.flag, least.is, least.at))
		}
	}
	if run.Slice < 100*time.Millisecond {
		faults = append(faults, fmt.Errorf("--turn is %v and must be 100ms at least", run.Slice))
	}
	if info, err := os.Stat(pictures); pictures != "" && (err != nil || !info.IsDir()) {
		faults = append(faults, fmt.Errorf("--pictures: %s is no folder", pictures))
	}
	for _, part := range benchParts {
		if slices.Contains(only, part.Name) || len(only) == 0 && (run.Full || !part.Long) {
			parts = append(parts, part)
		}
	}
	if pictures != "" && len(parts) > 0 && !slices.ContainsFunc(parts, drawn) {
		faults = append(faults, fmt.Errorf("--pictures: %s has no picture; there are those of %s", strings.Join(only, ", "), strings.Join(partNames(benchParts, drawn), ", ")))
	}
	if _, err := redisproc.Binary(); err != nil && slices.ContainsFunc(parts, own) {
		faults = append(faults, fmt.Errorf("%s: on Redis servers of their own, so there must be one to start: %w\nOr measure %s, with an empty Redis that --redis names",
			strings.Join(partNames(parts, own), ", "), err, strings.Join(partNames(benchParts, shared), ", ")))
	}
	return parts, errors.Join(faults...)
}

// toldProgress says in one line what is being done.
func toldProgress(p bench.Progress) string {
	line := p.Part + ": " + p.What
	if p.Of > 0 {
		line += fmt.Sprintf(" (%d of %d)", p.Step, p.Of)
	}
	if left := p.Left.Round(time.Second); left > 0 {
		line += fmt.Sprintf(", about %v left", left)
	}
	return line
}

// benchBaselineCommand is what bench runs beside the service.
func benchBaselineCommand(app *app) *cobra.Command {
	var b bench.Baseline
	cmd := &cobra.Command{
		Use:    "baseline " + strings.Join(bench.Baselines, "|"),
		Hidden: true,
		Short:  "Serve a baseline for bench",
		Long: `Serve something simple beside which bench measures the service, until interrupted.
Bench starts and ends it by itself.`,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: bench.Baselines,
		RunE: func(cmd *cobra.Command, args []string) error {
			b.Kind = args[0]
			collectLess(app.getenv) // as the service does
			return b.Run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&b.Listen, "listen", "127.0.0.1:0", "`ADDRESS` to listen on")
	cmd.Flags().IntVar(&b.Answer, "answer", 1000, "`BYTES` of an answer")
	cmd.Flags().StringVar(&b.Redis, "redis", "", "`URL` of the store, of all but the echo")
	cmd.Flags().IntVar(&b.Sends, "sends", 2000, "`BYTES` to Redis for a call, of the bare baseline")
	config.ByHand(cmd.Flags(), "redis")
	return cmd
}
