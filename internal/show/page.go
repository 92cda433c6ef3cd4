// Package show writes decisions for people: the risk and the reasons for it, what to give, by when to answer and why then, what to say
// and what to avoid.
//
// Every function is pure: a message of the contract and a Page in, text out. The text ends with a newline, holds no line wider than the
// page, and holds no escape sequence unless the page is coloured.
package show

import (
	"io"
	"strings"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// Page is the paper that a text is written for.
type Page struct {
	// Width in columns. Below 80 and above 120 text is hard to read: it is brought between them.
	// Lists of cases take all of it, be it less or more.
	Width int
	// Unbound is a page that no screen bounds: lists of cases are as wide as what is in them.
	Unbound bool
	// Colour allows escape sequences.
	Colour bool
	// Now is the moment that time left is counted from. Its location is the time zone of every moment shown.
	Now time.Time
	// Told is a story: no command takes its cases on.
	Told bool
}

func (p Page) width() int { return min(max(p.Width, 80), 120) }

// ink is how a page writes: in colour, or plainly.
type ink struct{ renderer *lipgloss.Renderer }

func (p Page) ink() ink {
	r := lipgloss.NewRenderer(io.Discard)
	r.SetHasDarkBackground(true) // said here so that nobody asks the terminal
	r.SetColorProfile(termenv.Ascii)
	if p.Colour {
		r.SetColorProfile(termenv.ANSI256)
	}
	return ink{r}
}

// Colours of the 256 that every terminal of today shows, readable on dark and on light.
const (
	red    = lipgloss.Color("160")
	orange = lipgloss.Color("208")
	yellow = lipgloss.Color("178")
	green  = lipgloss.Color("71")
	grey   = lipgloss.Color("245")
	blue   = lipgloss.Color("68")
)

func (i ink) title(text string) string {
	return i.renderer.NewStyle().Bold(true).Foreground(blue).Render(text)
}
func (i ink) bold(text string) string { return i.renderer.NewStyle().Bold(true).Render(text) }
func (i ink) dim(text string) string  { return i.renderer.NewStyle().Foreground(grey).Render(text) }
func (i ink) in(colour lipgloss.Color, text string) string {
	return i.renderer.NewStyle().Foreground(colour).Render(text)
}

// badge is the band as a label.
func (i ink) badge(band recoveryv1.Band) string {
	style := i.renderer.NewStyle().Bold(true).Foreground(lipgloss.Color("231")).Background(bandColour(band))
	if i.renderer.ColorProfile() != termenv.Ascii {
		style = style.Padding(0, 1)
	}
	return style.Render(word(band))
}

func bandColour(band recoveryv1.Band) lipgloss.Color {
	switch band {
	case recoveryv1.Band_BAND_CRITICAL:
		return red
	case recoveryv1.Band_BAND_HIGH:
		return orange
	case recoveryv1.Band_BAND_MODERATE:
		return yellow
	case recoveryv1.Band_BAND_LOW:
		return green
	default:
		return grey
	}
}

// kept marks what stands in for a space or a hyphen at which no line is broken. It takes no room, and is no UTF-8: no message holds it, so that
// a text with spaces and hyphens of that kind is shown as it is. It follows what it marks, and stays with it where a line is cut.
const kept = "\xff"

const (
	unbroken = "\u00a0" + kept
	joined   = "\u2011" + kept
)

var (
	unbreakable = strings.NewReplacer(" ", unbroken, "-", joined)
	breakable   = strings.NewReplacer(unbroken, " ", joined, "-")
)

// together keeps text on one line.
func together(text string) string { return unbreakable.Replace(text) }

// chain joins parts so that lines are broken between them only.
func chain(parts []string) string {
	whole := make([]string, len(parts))
	for i, part := range parts {
		whole[i] = together(part)
	}
	return strings.Join(whole, unbroken+"· ")
}

// writer collects the lines of one text.
type writer struct {
	Page
	ink
	text strings.Builder
}

func (p Page) writer() *writer { return &writer{Page: p, ink: p.ink()} }

// line writes one line that is known to fit. What was kept together while lines were broken is written with ordinary spaces.
func (w *writer) line(text string) {
	w.text.WriteString(strings.TrimRight(breakable.Replace(text), " "))
	w.text.WriteByte('\n')
}

// section begins a part under a title, one line apart from what stands before.
func (w *writer) section(title, note string) {
	if w.text.Len() > 0 {
		w.line("")
	}
	text := w.title(title)
	if note != "" {
		text += "  " + w.dim(note)
	}
	w.line(text)
}

// prose writes text, wrapped and indented.
func (w *writer) prose(indent int, text string) {
	w.grid(indent, [][]string{{text}})
}

func (w *writer) String() string { return w.text.String() }
