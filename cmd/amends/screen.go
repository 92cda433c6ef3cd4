package main

import (
	"context"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/makeamends/amends/internal/show"
)

// screen draws lines on the whole of a terminal, again and again in the same place.
type screen struct {
	*app
	cmd   *cobra.Command
	lines func(page show.Page, height int) []string
}

// Control sequences of terminals (ECMA-48 and xterm).
const (
	enterScreen = "\x1b[?1049h\x1b[?25l" // another screen, without a cursor
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	home        = "\x1b[H"
	clearAll    = "\x1b[2J"
	clearLine   = "\x1b[K"
	clearBelow  = "\x1b[J"
)

// redraw is how often the screen is looked at anew: seldom enough to cost nothing, often enough to count seconds.
const redraw = 250 * time.Millisecond

// run draws until ctx ends, and gives the terminal back as it was.
func (s *screen) run(ctx context.Context) (err error) {
	if _, err := io.WriteString(s.stdout, enterScreen); err != nil {
		return err
	}
	defer func() {
		if _, failed := io.WriteString(s.stdout, leaveScreen); err == nil {
			err = failed
		}
	}()
	ticker := time.NewTicker(redraw)
	defer ticker.Stop()
	last, lastWidth, lastHeight := "", 0, 0
	for {
		page := s.page(s.cmd)
		width, height := s.size()
		page.Width = width
		text := home + strings.Join(s.lines(page, height), clearLine+"\r\n") + clearLine + clearBelow
		if width != lastWidth || height != lastHeight {
			text = clearAll + text
		}
		if text != last {
			if _, err := io.WriteString(s.stdout, text); err != nil {
				return err
			}
		}
		last, lastWidth, lastHeight = text, width, height
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// size is how many columns and lines there are to write on: those of the terminal, else what the environment says, else a usual page.
func (a *app) size() (width, height int) {
	if file, ok := a.stdout.(*os.File); ok && a.isTerminal(a.stdout) {
		if width, height, err := term.GetSize(int(file.Fd())); err == nil && width > 0 && height > 0 {
			return width, height
		}
	}
	number := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(a.getenv(name)); err == nil && n > 0 {
			return n
		}
		return otherwise
	}
	return number("COLUMNS", 100), number("LINES", 30)
}
