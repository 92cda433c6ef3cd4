package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/makeamends/amends/internal/show"
)

// progress keeps one line at the bottom of a terminal up to date. Elsewhere it does nothing, unless a line now and then is asked for.
type progress struct {
	out     io.Writer      // a terminal
	log     io.Writer      // where there is none; nil: nothing is written there
	share   func() float64 // how much of the work is done, 0 to 1; nil: nobody knows
	now     func() time.Time
	started time.Time
	begun   float64 // the share that was done when it started
	drawn   time.Time
	shown   bool
}

const (
	// often is how often the line changes: fast enough to look alive, slow enough to be read.
	often = 100 * time.Millisecond
	// seldom is how often a line is added to what is no terminal.
	seldom = 10 * time.Second
)

func newProgress(app *app) *progress {
	p := &progress{now: app.now, started: app.now()}
	if app.isTerminal(app.stderr) {
		p.out = app.stderr
	}
	return p
}

func (p *progress) draw(counts tally) {
	now := p.now()
	switch {
	case p.out != nil && now.Sub(p.drawn) >= often:
		p.say(counts.String() + p.speed(counts, now))
	case p.out == nil && p.log != nil && now.Sub(p.drawn) >= seldom && now.Sub(p.started) >= seldom:
		p.drawn = now
		fmt.Fprintf(p.log, "%s%s\n", counts, p.speed(counts, now))
	}
}

// say shows one line in place of the one before, or adds one now and then.
func (p *progress) say(line string) {
	now := p.now()
	switch {
	case p.out != nil:
		p.drawn, p.shown = now, true
		fmt.Fprintf(p.out, "\r\x1b[K%s", line)
	case p.log != nil && now.Sub(p.drawn) >= seldom:
		p.drawn = now
		fmt.Fprintln(p.log, line)
	}
}

// speed says how fast it goes, how far it is, and how long it will take.
func (p *progress) speed(counts tally, now time.Time) (text string) {
	spent := now.Sub(p.started)
	if spent > time.Second {
		text = fmt.Sprintf(", %.0f a second", float64(counts.recorded+counts.replayed+counts.failed-counts.before)/spent.Seconds())
	}
	if p.share == nil {
		return text
	}
	share := p.share()
	text += fmt.Sprintf(", %.0f %%", 100*share)
	if done := share - p.begun; spent > time.Second && done > 0 && share < 1 {
		text += fmt.Sprintf(", %s left", show.Span(time.Duration(float64(spent)*(1-share)/done)))
	}
	return text
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
