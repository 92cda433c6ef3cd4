package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// plainLog writes the log for a person: the level, the message, then what belongs to it.
type plainLog struct {
	to    io.Writer
	least slog.Leveler
	attrs string // of every line
}

func (l *plainLog) Enabled(_ context.Context, level slog.Level) bool { return level >= l.least.Level() }

func (l *plainLog) Handle(_ context.Context, r slog.Record) error {
	var line strings.Builder
	fmt.Fprintf(&line, "%s: %s%s", strings.ToLower(r.Level.String()), r.Message, l.attrs)
	r.Attrs(func(a slog.Attr) bool {
		line.WriteString(plainAttr(a))
		return true
	})
	line.WriteByte('\n')
	_, err := io.WriteString(l.to, line.String()) // in one piece: calls log side by side
	return err
}

func (l *plainLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *l
	for _, a := range attrs {
		with.attrs += plainAttr(a)
	}
	return &with
}

// WithGroup leaves groups out: nothing here uses them.
func (l *plainLog) WithGroup(string) slog.Handler { return l }

func plainAttr(a slog.Attr) string { return fmt.Sprintf("  %s=%v", a.Key, a.Value) }
