package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/makeamends/amends/internal/config"
)

// app is what every command needs from the world around it, so that tests can replace all of it.
type app struct {
	getenv func(string) string
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	now    func() time.Time
}

func newApp(getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) *app {
	return &app{getenv: getenv, stdin: stdin, stdout: stdout, stderr: stderr, now: time.Now}
}

func (a *app) run(ctx context.Context, args []string) error {
	root := rootCommand(a)
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	err := root.ExecuteContext(ctx)
	if err != nil {
		explain(a.stderr, err)
	}
	return err
}

func rootCommand(app *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "amends",
		Short: "Decide what to offer a customer after a failure, and by when to answer",
		Long: `Amends is told what went wrong for a customer and answers with the risk of losing them,
what to give, what to say, and the moment by which somebody must have answered.`,
		Example: `  amends demo
  amends serve
  amends report --customer c-1042 --kind LATE,QUALITY --delay 45m --value "18.00 USD"`,
		SilenceUsage:               true,
		SilenceErrors:              true,
		SuggestionsMinimumDistance: 2,
		Args:                       cobra.NoArgs,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return config.Apply(cmd, app.getenv)
		},
	}
	root.PersistentFlags().String("config", "", "`FILE` of settings (YAML, keys are flag names)")
	root.AddCommand(
		versionCommand(app),
	)
	return root
}
