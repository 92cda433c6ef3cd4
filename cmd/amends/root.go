package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/makeamends/amends/internal/config"
)

// app is what every command needs from the world around it, so that tests can replace all of it.
type app struct {
	getenv func(string) string
	// environ lists all variables, each NAME=value.
	environ func() []string
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer
	now     func() time.Time
	// isTerminal tells whether somebody watches a stream.
	isTerminal func(stream any) bool
	// printed is stdout for what the framework prints, which minds no fault of it.
	printed *printed
	// program is the file of this program.
	program func() (string, error)

	// started turns true when the command line and the settings were understood: a fault before that is one of usage.
	started bool
	// flush sends the traces of the calls; nil: there are none.
	flush func()
	// last is what to say when an error was told.
	last []string
	// warnings are what the environment holds that is no setting.
	warnings []string
}

func newApp(getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) *app {
	return &app{getenv: getenv, environ: os.Environ, stdin: stdin, stdout: stdout, stderr: stderr, now: time.Now, isTerminal: isTerminal,
		printed: &printed{to: stdout}, program: os.Executable}
}

func (a *app) run(ctx context.Context, args []string) error {
	root := rootCommand(a)
	root.SetArgs(args)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return flagFaults(cmd, args, err) })
	root.SetIn(a.stdin)
	root.SetErr(a.stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if a.flush != nil {
		a.flush()
	}
	if a.printed.fault != nil {
		err, a.started = a.printed.fault, true
	}
	if err == nil {
		return nil
	}
	if !a.started && !errors.As(err, new(*usageError)) {
		err = &usageError{err: err, command: cmd.CommandPath()}
	}
	if format := cmd.Flag("output"); format != nil && format.Value.String() == "json" {
		for _, line := range a.last {
			fmt.Fprintln(a.stderr, line)
		}
		explainJSON(a.stderr, err)
		return err
	}
	explain(a.stderr, err)
	for _, line := range a.last {
		fmt.Fprintln(a.stderr, line)
	}
	return err
}

func rootCommand(app *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "amends",
		Short: "Decide what to offer a customer after a failure, and by when to answer",
		Long: `Amends is told what went wrong for a customer and answers with the risk of losing them,
what to give, what to say, and the moment by which somebody must have answered.

The service is "amends serve"; everything else here talks to it or works without it.
Settings come from flags, then the environment (AMENDS_SERVER for --server), then a
file (--config): see "amends help settings".`,
		Example: `  # see it at work, without a server
  amends demo

  # start the service, then tell it of a failure
  amends serve
  amends report --customer c-1042 --kind LATE,QUALITY --delay 45m --value "18.00 USD"`,
		SilenceUsage:               true,
		SilenceErrors:              true,
		SuggestionsMinimumDistance: 2,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, args []string) error {
			if err := config.Apply(cmd, app.getenv); err != nil {
				return err
			}
			if err := notText(cmd, args); err != nil {
				return err
			}
			if err := app.traceCalls(cmd); err != nil {
				return err
			}
			app.started = true
			app.warnings = config.Strays(cmd.Root(), app.environ())
			if cmd.Name() != "serve" { // which has a log
				for _, warning := range app.warnings {
					fmt.Fprintln(app.stderr, "amends: warning:", warning)
				}
			}
			return nil
		},
		Version: release,
	}
	root.SetVersionTemplate(versionLine())
	root.PersistentFlags().String(config.FileFlag, "", "`FILE` of settings (YAML, the keys are flag names)")
	addColourFlag(root)
	root.AddGroup(
		&cobra.Group{ID: groupServe, Title: "The service:"},
		&cobra.Group{ID: groupCall, Title: "Calls to a running service:"},
		&cobra.Group{ID: groupCase, Title: "Working on cases:"},
	)
	root.AddCommand(
		serveCommand(app),
		healthCommand(app),
		reportCommand(app),
		praiseCommand(app),
		ingestCommand(app),
		assessCommand(app),
		eraseCommand(app),
		traceCommand(app),
		policyCommand(app),
		accessCommand(app),
		demoCommand(app),
		benchCommand(app),
		versionCommand(app),
		manCommand(app),
		exitCodesTopic(),
		settingsTopic(),
	)
	addCaseCommands(root, app)
	ofOneCall(root)
	root.SetOut(app.printed) // some commands that the framework brings take it for good when they are made
	strictHelp(root)
	return root
}

// printed remembers the first fault of a stream.
type printed struct {
	to    io.Writer
	fault error
}

func (p *printed) Write(text []byte) (int, error) {
	n, err := p.to.Write(text)
	if p.fault == nil {
		p.fault = err
	}
	return n, err
}

// addCaseCommands adds what a desk works with: look, take a step, watch.
func addCaseCommands(root *cobra.Command, app *app) {
	root.AddCommand(casesCommand(app), caseCommand(app), watchCommand(app))
	for _, about := range steps {
		if about == offerRequest {
			root.AddCommand(offerCommand(app))
		} else {
			root.AddCommand(stepCommand(app, about))
		}
	}
}

// Groups of the help text, for GroupID of a command.
const (
	groupServe = "serve"
	groupCall  = "call"
	groupCase  = "case"
)
