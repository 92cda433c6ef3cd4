package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func manCommand(app *app) *cobra.Command {
	return &cobra.Command{
		Use:     "man DIR",
		Short:   "Write the manual pages into a folder",
		Example: "  amends man /tmp/man && man -l /tmp/man/amends-report.1",
		Hidden:  true,
		Args:    exactly("the DIR to write to"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return &usageError{err: err}
			}
			cmd.Root().DisableAutoGenTag = true
			header := &doc.GenManHeader{Title: "AMENDS", Section: "1", Source: "amends " + release}
			if err := doc.GenManTree(cmd.Root(), header, args[0]); err != nil {
				return fmt.Errorf("manual pages: %w", err)
			}
			return nil
		},
	}
}
