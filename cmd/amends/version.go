package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// release is set by the linker in released binaries: -ldflags "-X main.release=v1.2.3".
var release = "development"

func versionCommand(app *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this binary",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprint(app.stdout, versionLine())
			return err
		},
	}
}

func versionLine() string {
	return fmt.Sprintf("amends %s (%s, %s/%s%s)\n", release, runtime.Version(), runtime.GOOS, runtime.GOARCH, revision())
}

// revision is the commit that the binary was built from, where the Go tool has recorded it.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	commit, modified := "", ""
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision" && len(setting.Value) >= 12:
			commit = ", commit " + setting.Value[:12]
		case setting.Key == "vcs.modified" && setting.Value == "true":
			modified = " with changes"
		}
	}
	if commit == "" {
		return ""
	}
	return commit + modified
}
