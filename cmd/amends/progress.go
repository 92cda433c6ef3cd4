package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// progress keeps one line at the bottom of a terminal up to date; elsewhere it does nothing.
type progress struct {
	out     io.Writer
	now     func() time.Time
	started time.Time
	drawn   time.Time
	shown   bool
}

// often is how often the line changes: fast enough to look alive, slow enough to be read.
const often = 100 * time.Millisecond

func newProgress(app *app) *progress {
	p := &progress{now: app.now, started: app.now()}
	if app.isTerminal(app.stderr) {
		p.out = app.stderr
	}
	return p
}

func (p *progress) draw(counts tally) {
	now := p.now()
	if p.out == nil || now.Sub(p.drawn) < often {
		return
	}
	rate := ""
	if spent := now.Sub(p.started).Seconds(); spent > 1 {
		rate = fmt.Sprintf(", %.0f a second", float64(counts.recorded+counts.replayed)/spent)
	}
	p.say(counts.String() + rate)
}

// say shows one line in place of the one before.
func (p *progress) say(line string) {
	if p.out != nil {
		p.drawn, p.shown = p.now(), true
		fmt.Fprintf(p.out, "\r\x1b[K%s", line)
	}
}

// clear takes the line away, before anything else is written.
func (p *progress) clear() {
	if p.out != nil && p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.shown = false
		p.drawn = time.Time{}
	}
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
