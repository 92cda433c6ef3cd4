package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// release is set by the linker in released binaries: -ldflags "-X main.release=v1.2.3".
var release = "development"

func versionCommand(app *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this binary",
		Args:  cobra.NoArgs,
	}
	format := addFormat(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		if *format == "json" {
			return json.NewEncoder(app.stdout).Encode(thisVersion())
		}
		_, err := fmt.Fprint(app.stdout, versionLine())
		return err
	}
	return cmd
}

// versions are what a binary was made of.
type versions struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Commit   string `json:"commit,omitempty"`
}

func thisVersion() versions {
	return versions{Version: release, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Commit: revision()}
}

func versionLine() string {
	v := thisVersion()
	commit := ""
	if v.Commit != "" {
		commit = ", commit " + v.Commit
	}
	return fmt.Sprintf("amends %s (%s, %s%s)\n", v.Version, v.Go, v.Platform, commit)
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
			commit = setting.Value[:12]
		case setting.Key == "vcs.modified" && setting.Value == "true":
			modified = " with changes"
		}
	}
	if commit == "" {
		return ""
	}
	return commit + modified
}
